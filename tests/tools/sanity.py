# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ansible-test's sanity tests on the staged collection, in any network and without a trace in the user's home.

usage: sanity.py [ARGUMENT]...   (from the staged copy; what ansible-test keeps goes to .cache/ansible-test-home)
       sanity.py --pythons       (lists the Pythons that it would test with)

ansible-test makes virtual environments of its own. It bootstraps pip into them with a script that it downloads from its
developers' server, which closed networks do not reach. It looks for the script in its cache first, and there we put one
that does the same with what every Python has. Always, and not only where the download fails: so every machine tests the
same way.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

TOOLS = Path(__file__).absolute().parent
GET_PIP = '''\
"""Stands in for get-pip.py: pip out of the Python itself, then the version that ansible-test asks for."""
import subprocess
import sys

wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
pip = [sys.executable, "-m", "pip"]
if subprocess.call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
    # Debian's own Python does not have it unless python3-venv is installed
    pip = [{python!r}, "-m", "pip", "--python", sys.executable]
sys.exit(subprocess.call(pip + ["install", "--upgrade"] + wanted))
'''


def write_get_pip(cache: Path) -> None:
    """A stand-in under each name that this ansible-test looks for: it has a version of pip per range of Pythons."""
    spec = find_spec("ansible_test")
    assert spec is not None and spec.submodule_search_locations is not None
    source = Path(next(iter(spec.submodule_search_locations))) / "_internal/python_requirements.py"
    versions = re.findall(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8"))
    if not versions:
        sys.exit(f"sanity.py: {source} no longer names its versions of pip")
    cache.mkdir(parents=True, exist_ok=True)
    for version in versions:
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(
            GET_PIP.format(python=sys.executable), encoding="utf-8"
        )


def write_pip_configuration(path: Path) -> None:
    """ansible-test does not hand PIP_* variables on, and the new home hides the user's file: both go into one here."""
    # As the user has it set, hence before HOME is changed
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    configuration = configparser.RawConfigParser()
    # The environment's come first in the list, and win
    for key, value in re.findall(r"^([\w:-]+\.[\w-]+)=(.*)$", listing, re.MULTILINE):
        section, option = key.rsplit(".", 1)
        section = "global" if section == ":env:" else section
        if not configuration.has_section(section):
            configuration.add_section(section)
        if not configuration.has_option(section, option):
            configuration.set(section, option, ast.literal_eval(value))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Addresses of indexes may hold passwords
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        configuration.write(stream)


def pythons() -> dict[str, str]:
    """The Pythons to test with, by version; an empty path where there is none."""
    found = {}
    for version in (f"3.{minor}" for minor in range(9, 15)):
        command = [str(TOOLS / "find-python"), version]
        found[version] = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return found


def link_pythons(directory: Path) -> None:
    """Where ansible-test finds them first."""
    directory.mkdir(parents=True, exist_ok=True)
    for version, found in pythons().items():
        link = directory / f"python{version}"
        link.unlink(missing_ok=True)
        if found:
            link.symlink_to(found)


def path_without_shims(path: str) -> str:
    """Without directories in which a Python does not run: a version manager's shim for a version that is not selected.
    ansible-test would take it for a Python, and fail."""

    def shims(directory: Path) -> bool:
        named = (one for one in directory.glob("python*") if re.fullmatch(r"python\d\.\d+", one.name))
        answers = (
            subprocess.run([one, "--version"], capture_output=True, check=False).returncode
            for one in named
            if os.access(one, os.X_OK)
        )
        return any(answers)

    return os.pathsep.join(directory for directory in path.split(os.pathsep) if not shims(Path(directory)))


def main() -> None:
    if sys.argv[1:] == ["--pythons"]:
        print("\n".join(pythons().values()))
        return
    collection = Path.cwd()
    home = next(parent for parent in collection.parents if parent.name == ".cache") / "ansible-test-home"
    write_get_pip(home / ".ansible/test/cache")
    write_pip_configuration(home / ".config/pip/pip.conf")
    link_pythons(home / "pythons")

    binaries = Path(sys.executable).parent
    others = ("ANSIBLE_", "PYTHON", "XDG_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    environment.update(
        HOME=str(home),
        PATH=os.pathsep.join([str(binaries), str(home / "pythons"), path_without_shims(os.environ["PATH"])]),
        # Else it climbs to the checkout's .git, which knows nothing of the staged files
        ANSIBLE_TEST_CONTENT_ROOT=str(collection),
    )
    os.execve(binaries / "ansible-test", ["ansible-test", "sanity", *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
