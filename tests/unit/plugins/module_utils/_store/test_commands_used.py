# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control node sends commands by name: each is one of the store's, and has a caller."""

import ast
import inspect
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="reads what runs on the control node")

_PLUGINS = Path(inspect.getfile(dispatch)).parents[2]


def _calls() -> Iterator[Any]:
    """The name of each command that is sent, and what is surely given with it."""
    for path in [*(_PLUGINS / "plugin_utils").rglob("*.py"), *(_PLUGINS / "action").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            method = getattr(node.func, "attr", "")
            if method in ("send", "send_fenced", "build", "build_fenced"):
                given = {keyword.arg for keyword in node.keywords if keyword.arg}
                yield (
                    node.args[0].value,
                    given | ({"scope", "fence", "rollout"} if method.endswith("fenced") else set()),
                )


def test_what_is_sent_is_a_command_with_its_arguments() -> None:
    calls = list(_calls())
    assert len(calls) > 20
    for command, given in calls:
        assert command in dispatch.COMMANDS
        assert given <= set(inspect.signature(getattr(dispatch.Store, command)).parameters), command


def test_each_command_is_sent() -> None:
    assert {command for command, _given in _calls()} == set(dispatch.COMMANDS)
