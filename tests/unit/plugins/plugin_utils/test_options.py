# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a task: blank means the default."""

from __future__ import annotations

import types

import pytest
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options

SPEC = {
    "name": {"type": "str", "required": True},
    "limit": {"type": "int", "default": 5},
    "on": {"type": "bool", "default": True},
    "hosts": {"type": "list", "elements": "str", "default": ["all"]},
    "unset": {"type": "str"},
}


class _Action(ActionBase):
    def __init__(self, **arguments):
        self._task = types.SimpleNamespace(args=arguments)

    def run(self, tmp=None, task_vars=None):
        raise NotImplementedError


@pytest.mark.parametrize("blank", ["", None, "  "])
def test_blank_means_the_default(blank):
    action = _Action(name="a", limit=blank, on=blank, hosts=blank, unset=blank)
    assert _options.parse_options(action, SPEC) == {
        "name": "a",
        "limit": 5,
        "on": True,
        "hosts": ["all"],
        "unset": None,
    }
    # What a module is given afterwards
    assert action._task.args == {"name": "a"}


def test_what_only_looks_blank_is_kept():
    options = _options.parse_options(_Action(name="0", limit=0, on=False, hosts=[]), SPEC)
    assert (options["limit"], options["on"], options["hosts"]) == (0, False, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": ""}, "name"),
        ({}, "name"),
        ({"name": "a", "limit": "five"}, "limit"),
        ({"name": "a", "lmit": 5}, "lmit"),
    ],
)
def test_an_error_names_the_option(arguments, message):
    with pytest.raises(AnsibleError, match=message):
        _options.parse_options(_Action(**arguments), SPEC)
