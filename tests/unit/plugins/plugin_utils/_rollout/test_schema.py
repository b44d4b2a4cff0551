# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings, as the role's argument specification has them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema

WAVES = ["1%", "5%", "25%"]


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("livepatch_timeout", "90", 90),
        ("livepatch_criticality", "0.25", 0.25),
        ("livepatch_prestaged", "yes", True),
        ("livepatch_waves", [1, "10%"], ["1", "10%"]),
        ("livepatch_waves", "1,10%", ["1", "10%"]),
        ("livepatch_policy", '{"min_age": "7"}', 7),
        ("livepatch_kernel_lock", "false", False),
    ],
)
def test_a_value_is_read_in_its_type(name: str, value: t.Any, read: t.Any) -> None:
    found = schema.read({name: value}, name)
    assert (found["min_age"] if name == "livepatch_policy" else found) == read


@pytest.mark.parametrize("blank", ["", None, " "])
@pytest.mark.parametrize("name", list(schema.SETTINGS))
def test_blank_is_the_default(name: str, blank: t.Any) -> None:
    assert schema.read({name: blank}, name) == schema.read({}, name) == schema.SETTINGS[name].default


def test_nobody_changes_a_default() -> None:
    schema.read({}, "livepatch_waves").append("100%")
    assert schema.read({}, "livepatch_waves") == WAVES


def test_a_wrong_type_is_an_error_that_does_not_show_secrets() -> None:
    with pytest.raises(PlanError, match=r"livepatch_timeout.*'1h'"):
        schema.read({"livepatch_timeout": "1h"}, "livepatch_timeout")
    with pytest.raises(PlanError) as refused:
        schema.read({"livepatch_gates": "secret-token"}, "livepatch_gates")
    assert str(refused.value).startswith("livepatch_gates ") and "secret-token" not in str(refused.value)


@pytest.mark.parametrize("name", list(schema.SETTINGS))
def test_each_has_its_documentation(name: str) -> None:
    setting = schema.SETTINGS[name]
    assert name.startswith(schema.PREFIX) and setting.scope in ("run", "host")
    assert setting.description and all(sentence.endswith(".") for sentence in setting.description)
    assert setting.type != "list" or setting.elements
    assert name not in schema.OUTPUTS
    # A default is what its own type makes of it.
    assert setting.default is None or setting.convert(setting.default) == setting.default or setting.type == "dict"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("livepatch_approvals", "livepatch_approval"),
        ("livepatch_window", "livepatch_windows"),
        ("livepatch_soaks", "livepatch_soak"),
        ("livepatch_max_inflight", "livepatch_max_in_flight"),
        ("livepatch_budget_wave", "livepatch_budget"),
        ("livepatch_xyzzy_plugh_quux", None),
    ],
)
def test_the_nearest_name(name: str, nearest: str | None) -> None:
    assert schema.find_nearest(name) == nearest
