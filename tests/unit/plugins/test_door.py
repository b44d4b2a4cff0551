# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing of a host's answer goes past the door: who may read a module's raw result, and what tasks have registered."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

_PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
_DOOR = "plugin_utils/_host_action.py"
# The store runs on the coordinator, which is trusted with it.
_STORE = "plugin_utils/_rollout/store_client.py"
_HOSTVARS = "plugin_utils/_rollout/hostvars.py"
# These read settings: the validation before any host is asked, the halt those of the coordinator.
_SETTINGS = ("action/rollout_validate.py", "plugin_utils/_rollout/halt.py")

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


def test_each_module_that_answers_from_a_host_goes_through_it() -> None:
    groups = yaml.safe_load((_PLUGINS.parent / "meta/runtime.yml").read_text())["action_groups"]
    for name in groups["livepatch"]:
        tree = ast.parse((_PLUGINS / f"action/{name}.py").read_text())
        (action,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
        assert [ast.unparse(base) for base in action.bases] == ["HostAction"], name
        names = {node.name for node in action.body if isinstance(node, ast.FunctionDef)}
        # The rest of what the door does is its own.
        assert not any(inner.startswith("_build") or inner in ("run", "run_module") for inner in names), name


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
