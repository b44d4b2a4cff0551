# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing of a host's answer goes past the door: who may read a module's raw result, and what tasks have registered;
and no task runs a module there that has no door.
"""

from __future__ import annotations

import ast
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible.playbook.task import Task

_PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
_DOOR = "plugin_utils/_host_action.py"
# The store runs on the coordinator, which is trusted with it.
_STORE = "plugin_utils/_rollout/store_client.py"
_STORE_MODULE = "rollout_store"
_HOSTVARS = "plugin_utils/_rollout/hostvars.py"
# These read settings: the validation before any host is asked, the halt those of the coordinator.
_SETTINGS = ("action/rollout_validate.py", "plugin_utils/_rollout/coordinator.py")

# It runs where AWX's API is reached from.
_CONTROLLER_ROLE = "awx"
# Actions that ansible-core runs itself, and that ask no host
_ON_CONTROL_NODE = {
    f"ansible.builtin.{name}"
    for name in (
        *("add_host", "assert", "debug", "fail", "group_by", "import_playbook", "import_role", "import_tasks"),
        *("include_role", "include_tasks", "include_vars", "meta", "pause", "set_fact", "set_stats"),
        "validate_argument_spec",
    )
}
# Keywords of a task that name its module are none here.
_KEYWORDS = {*Task.fattributes, "vars"} - {"action", "local_action"}
_SECTIONS = ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always")

# Attributes by which a plugin gets to what a host has sent, and who may use them
_RAW = {
    "_execute_module": (_DOOR, _STORE),
    "_low_level_execute_command": (),
    "_parse_returned_data": (_DOOR,),
    "_execute_remote_stat": (),
    "_remote_expand_user": (),
    "_transfer_file": (),
    "exec_command": (),
    "fetch_file": (),
}


def _list_uses(path: Path, name: str) -> Iterator[str]:
    """Where a file gets past the door, each with what by."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and name not in _RAW.get(node.attr, (name,)):
            yield f"{name}:{node.lineno}: {node.attr}"
        elif isinstance(node, ast.FunctionDef) and name not in _RAW.get(node.name, (name,)):
            yield f"{name}:{node.lineno}: {node.name}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value in _RAW and name not in _RAW[node.value]:
                yield f"{name}:{node.lineno}: {node.value}"
            # What is registered is read by hostvars.py, and by its names nowhere else.
            is_registered = node.value.startswith("__livepatch_") and len(node.value) > len("__livepatch_")
            if name != _HOSTVARS and (is_registered or (node.value == "hostvars" and name not in _SETTINGS)):
                yield f"{name}:{node.lineno}: {node.value}"


def _find_ways_past(plugins: Path) -> list[str]:
    return [
        use
        for path in sorted(plugins.rglob("*.py"))
        for use in _list_uses(path, path.relative_to(plugins).as_posix())
        if not path.is_relative_to(plugins / "modules") and not path.is_relative_to(plugins / "module_utils")
    ]


def test_no_plugin_gets_past_the_door() -> None:
    assert _find_ways_past(_PLUGINS) == []


def _list_host_modules(plugins: Path) -> list[str]:
    """The modules with code that Ansible sends to a host; the others are documentation of action plugins."""
    return sorted(path.stem for path in (plugins / "modules").glob("*.py") if _runs_module(path))


def _runs_module(path: Path) -> bool:
    names = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name))
    return any(node.id == "AnsibleModule" for node in names)


def test_each_module_that_answers_from_a_host_goes_through_it() -> None:
    modules = set(_list_host_modules(_PLUGINS)) - {_STORE_MODULE}
    groups = yaml.safe_load((_PLUGINS.parent / "meta/runtime.yml").read_text())["action_groups"]
    assert modules >= {*groups["livepatch"], "livepatch_metrics", "livepatch_repository"}
    for name in modules:
        tree = ast.parse((_PLUGINS / f"action/{name}.py").read_text())
        (action,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
        assert [ast.unparse(base) for base in action.bases] == ["HostAction"], name
        values = {ast.unparse(node.targets[0]): node.value for node in action.body if isinstance(node, ast.Assign)}
        assert ast.literal_eval(values["module_name"]) == name
        names = {node.name for node in action.body if isinstance(node, ast.FunctionDef)}
        # The rest of what the door does is its own.
        assert not any(inner.startswith("_build") or inner in ("run", "run_module") for inner in names), name


#
# Tasks
#


def _find_foreign_tasks(collection: Path) -> list[str]:
    """Tasks that run another's module on a managed host: what such a module answers goes straight to ansible-core, and
    from there to AWX.
    """
    patterns = ("roles/*/tasks/**/*.yml", "roles/*/handlers/**/*.yml", "playbooks/**/*.yml")
    files = [path for pattern in patterns for path in collection.glob(pattern)]
    return [
        f"{path.relative_to(collection)}: {problem}"
        for path in sorted(files)
        if not path.is_relative_to(collection / "roles" / _CONTROLLER_ROLE)
        for item in yaml.safe_load(path.read_text(encoding="utf-8")) or ()
        for problem in _check_task(item)
    ]


def _check_task(item: dict[str, t.Any], delegated: bool = False) -> Iterator[str]:
    """What is wrong with a task, a block or a play."""
    delegated = item.get("delegate_to") == "localhost" if "delegate_to" in item else delegated
    sections = [key for key in _SECTIONS if key in item]
    for task in (task for key in sections for task in item[key]):
        yield from _check_task(task, delegated)
    if "hosts" in item:
        if item.get("gather_facts", True) is not False and item["hosts"] != "localhost":
            yield f"{item.get('name')}: gathers facts"
    elif not sections and not delegated:
        actions = [key for key in item if key not in _KEYWORDS and not key.startswith("with_")]
        if not (len(actions) == 1 and (actions[0] in _ON_CONTROL_NODE or actions[0].startswith("fleet.livepatch."))):
            yield f"{item.get('name')}: runs {', '.join(actions) or 'an action'}"


def test_no_task_runs_anything_but_our_modules_on_a_host() -> None:
    assert _find_foreign_tasks(_PLUGINS.parent) == []


@pytest.mark.parametrize(
    "content, found",
    [
        ("- name: x\n  ansible.builtin.command: id\n", ["x: runs ansible.builtin.command"]),
        ("- name: x\n  command: id\n  loop: [1]\n  register: y\n", ["x: runs command"]),
        ("- name: x\n  action: ansible.builtin.setup\n", ["x: runs action"]),
        ("- name: x\n  ansible.builtin.copy:\n    dest: /x\n  delegate_to: web1\n", ["x: runs ansible.builtin.copy"]),
        ("- name: x\n  ansible.builtin.copy:\n    dest: /x\n  delegate_to: localhost\n", []),
        ("- name: x\n  ansible.builtin.debug:\n    msg: y\n", []),
        ("- name: x\n  fleet.livepatch.kernel_info:\n", []),
        ("- name: b\n  block: []\n  rescue:\n    - ansible.builtin.stat:\n", ["None: runs ansible.builtin.stat"]),
        (
            "- delegate_to: localhost\n  block:\n    - ansible.builtin.stat:\n    - setup:\n      delegate_to: web1\n",
            ["None: runs setup"],
        ),
        ("- name: p\n  hosts: all\n  gather_facts: false\n  pre_tasks:\n    - setup:\n", ["None: runs setup"]),
        ("- name: p\n  hosts: all\n  tasks: []\n", ["p: gathers facts"]),
        ("- name: p\n  hosts: localhost\n  tasks: []\n", []),
    ],
)
@pytest.mark.parametrize("file", ["roles/r/tasks/main.yml", "roles/r/handlers/main.yml", "playbooks/p.yml"])
def test_another_task_is_found(tmp_path: Path, file: str, content: str, found: list[str]) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(content)
    assert _find_foreign_tasks(tmp_path) == [f"{file}: {problem}" for problem in found]


@pytest.mark.parametrize(
    "source",
    [
        "def run(self):\n    return self._execute_module(module_name='ansible.builtin.command')\n",
        "def run(self):\n    return self._low_level_execute_command('id')\n",
        "def run(self):\n    return getattr(self, '_execute_module')()\n",
        "class A:\n    def _parse_returned_data(self, res):\n        return res\n",
        "def run(task_vars):\n    return task_vars['hostvars']['web1']\n",
        "def run(variables):\n    return variables.get('__livepatch_verify')['livepatch']\n",
    ],
)
def test_a_way_past_is_found(tmp_path: Path, source: str) -> None:
    (tmp_path / "action").mkdir()
    (tmp_path / "action/other.py").write_text(source)
    assert len(_find_ways_past(tmp_path)) == 1
