# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules import on a host, which has to compile it each time. Python 3.6."""

import collections
import json
import os
import subprocess
import sys
import zipfile
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _zip_finder

_PLUGINS = os.path.dirname(os.path.dirname(os.path.abspath(_zip_finder.__file__)))
_TESTS = os.path.dirname(os.path.abspath(__file__)).rpartition(os.sep + "tests" + os.sep)[0]
_PACKAGE = "ansible_collections.fleet.livepatch.plugins."
# Runs modules one after the other on the same machine, each as the first argument names them: from Ansible's archive,
# where they are not compiled yet. Prints what was imported for them, and which sources were compiled.
_RUN = """\
import importlib, json, sys

names, archive, tests, root, arguments = json.loads(sys.argv[1])
compiled = []
if hasattr(sys, "addaudithook"):
    sys.addaudithook(lambda event, found: compiled.append(str(found[1])) if event == "compile" else None)
sys.path.insert(0, archive)
from ansible.module_utils import basic

basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
basic._ANSIBLE_PROFILE = "legacy"
before = set(sys.modules)
modules = [importlib.import_module("ansible_collections.fleet.livepatch.plugins.modules." + name) for name in names]
imported = set(sys.modules) - before
sys.path.append(tests)
from tests.support.machine import Machine
from ansible_collections.fleet.livepatch.plugins.module_utils import _module

machine = Machine(root)
_module.Host = lambda: machine
before = set(sys.modules)
for module in modules:
    try:
        module.main()
    except SystemExit as exc:
        if exc.code:
            raise
imported |= set(sys.modules) - before
files = {name: str(getattr(sys.modules[name], "__file__", "")) for name in imported}
print(json.dumps({"imported": files, "compiled": compiled}), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: Any) -> str:
    """The collection as Ansible sends it: sources, without byte code."""
    path = str(tmp_path_factory.mktemp("archive") / "ansible.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        for folder in ("", "fleet/", "fleet/livepatch/", "fleet/livepatch/plugins/"):
            stream.writestr("ansible_collections/" + folder + "__init__.py", "")
        for part in ("modules", "module_utils"):
            stream.writestr("ansible_collections/fleet/livepatch/plugins/" + part + "/__init__.py", "")
            for folder, _folders, names in os.walk(os.path.join(_PLUGINS, part)):
                for name in names:
                    file = os.path.join(folder, name)
                    if name.endswith(".py"):
                        stream.write(file, "ansible_collections/fleet/livepatch/plugins" + file[len(_PLUGINS) :])
    return path


@pytest.fixture
def run(archive: str, tmp_path: Any) -> Any:
    """Runs modules in a Python of their own: what was imported, by name with its file, and what was compiled."""

    def running(*names: str, **arguments: Any) -> Any:
        given = json.dumps([names, archive, _TESTS, str(tmp_path), arguments])
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN, given],
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        out, err = process.communicate()
        assert process.returncode == 0, out + err
        return json.loads(err.splitlines()[-1])

    return running


def _list_own(imported: Any) -> Any:
    return {name[len(_PACKAGE) :] for name in imported if name.startswith(_PACKAGE)}


def _name_module(file: str) -> str:
    return file.partition("/plugins/")[2].replace(".py", "").replace("/", ".")


@pytest.mark.parametrize("name", ["livepatch_info", "livepatch", "kmp_info", "kernel_info"])
def test_a_host_compiles_the_collection_once(run: Any, archive: str, name: str) -> None:
    answer = run(name)
    own = {module: file for module, file in answer["imported"].items() if module.startswith(_PACKAGE)}
    assert len(own) > 20 and all(file.startswith(archive) for file in own.values())
    if not hasattr(sys, "addaudithook"):
        return
    # Those of packages are empty.
    sources = [file for file in answer["compiled"] if file.startswith(archive) and not file.endswith("/__init__.py")]
    twice = {_name_module(file) for file, count in collections.Counter(sources).items() if count > 1}
    before_the_finder = {"_argspec", "_kernel_facts", "_errors", "_zip_finder"}
    assert twice - {"module_utils." + module for module in before_the_finder} == {"modules." + name}


def test_the_finder_is_for_archives() -> None:
    assert not [finder for finder in sys.meta_path if type(finder).__name__ == "ZipFinder"]
    finder = _zip_finder.ZipFinder()
    assert finder.find_spec("json", None) is None
    assert finder.find_spec(_zip_finder.__name__, [os.path.dirname(_zip_finder.__file__)]) is None


def test_the_finder_leaves_what_is_missing_to_python(archive: str) -> None:
    folder = archive + "/ansible_collections/fleet/livepatch/plugins/module_utils"
    finder = _zip_finder.ZipFinder()
    assert finder.find_spec(_PACKAGE + "module_utils._there_is_none", [folder]) is None
    spec = finder.find_spec(_PACKAGE + "module_utils._host", [folder])
    assert spec is not None and (spec.origin, spec.submodule_search_locations) == (folder + "/_host.py", None)
    spec = finder.find_spec(_PACKAGE + "module_utils._kernel", [folder])
    assert spec is not None and spec.submodule_search_locations == [folder + "/_kernel"]


# Of few hosts, of few calls, or of another kind of host
_RARE = {
    "module_utils._run_result",
    "module_utils._health_checks",
    "module_utils._mechanism.kgraft",
    "module_utils._packages.dnf",
    "module_utils._preflight",
    "module_utils._previous_level",
}
_CHANGE = {"module_utils._boot_persistence", "module_utils._change", "module_utils._ensure"}
# Dear ones of Python's: each takes longer than several of our own
_DEAR = {"csv", "ctypes", "dataclasses", "email", "http", "sqlite3", "ssl", "urllib.parse", "urllib.request", "uuid"}


def test_a_host_that_is_asked_imports_what_that_takes(run: Any) -> None:
    imported = set(run("livepatch_info")["imported"])
    own = _list_own(imported)
    assert {"module_utils._packages.zypper", "module_utils._mechanism.klp"} <= own
    assert own & (_RARE | _CHANGE | {"module_utils._mechanism.blockers"}) == set()
    assert imported & _DEAR == set()


def test_a_host_that_is_patched_imports_what_that_takes(run: Any) -> None:
    imported = set(run("livepatch")["imported"])
    own = _list_own(imported)
    assert own >= _CHANGE
    assert own & (_RARE - {"module_utils._run_result"}) == set()
    assert imported & _DEAR == set()


def test_what_is_asked_for_is_imported(run: Any) -> None:
    checks = {"commands": ["true"]}
    own = _list_own(run("livepatch_info", health_checks=checks, run="a", _ansible_check_mode=True)["imported"])
    assert {"module_utils._run_result", "module_utils._health_checks"} <= own
