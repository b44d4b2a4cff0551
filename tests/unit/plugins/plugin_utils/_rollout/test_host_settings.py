# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of each host: read once, kept as they were, and what modules are told by them."""

from __future__ import annotations

import copy
import dataclasses
import json
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import host_settings, schema
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run

NAMES = [field.name for field in dataclasses.fields(HostSettings)]
SLOW = HostSettings(
    policy={"kmp_version": "9-9", "min_age": 5, "allow_name_match": True},
    health_checks={"commands": ["true"], "urls": []},
    timeout=600,
    lock_timeout=70,
    unreachable_timeout=400,
    on_stall="leave",
    allow_downgrade=True,
    allow_unsupported=True,
    repair_boot=True,
    kernel_lock=False,
    lock=True,
    preflight_tolerate=["disk"],
)
MARKS = Run("rollout", "h", run="run", id="r", fence=7).get_marks()


def to_document(settings: HostSettings) -> dict[str, t.Any]:
    """As JSON has it."""
    document: dict[str, t.Any] = json.loads(json.dumps(dataclasses.asdict(settings)))
    return document


#
# What is read
#


def test_each_is_a_setting_of_a_host() -> None:
    for name in NAMES:
        assert schema.SETTINGS[f"livepatch_{name}"].scope == "host", name


def test_a_host_without_variables_has_the_defaults() -> None:
    assert to_document(HostSettings.from_variables({})) == to_document(HostSettings())
    defaults = {name: schema.SETTINGS[f"livepatch_{name}"].default for name in NAMES}
    assert to_document(HostSettings()) == defaults


@pytest.mark.parametrize("blank", [None, "", " ", "\t\n"])
def test_a_blank_value_is_the_default(blank: str | None) -> None:
    blanks = dict.fromkeys((f"livepatch_{name}" for name in NAMES), blank)
    assert HostSettings.from_variables(blanks) == HostSettings.from_variables({})


def test_a_default_is_no_host_s_own() -> None:
    read = HostSettings.from_variables({})
    t.cast(t.Any, read.policy)["kmp_version"] = "1-1"
    t.cast(t.Any, read.preflight_tolerate).append("disk")
    assert to_document(HostSettings.from_variables({})) == to_document(HostSettings())


def test_values_are_read_in_their_types() -> None:
    read = HostSettings.from_variables(
        {
            "livepatch_timeout": "90",
            "livepatch_allow_downgrade": "yes",
            "livepatch_kernel_lock": "no",
            "livepatch_on_stall": "leave",
            "livepatch_preflight_tolerate": "disk,kdump",
            "livepatch_health_checks": {"commands": "true"},
            "livepatch_policy": {"min_age": "3"},
            "livepatch_soak": "soon",
            "inventory_hostname": "web1",
        }
    )
    assert (read.timeout, read.allow_downgrade, read.kernel_lock, read.on_stall) == (90, True, False, "leave")
    assert (read.preflight_tolerate, read.health_checks["commands"]) == (["disk", "kdump"], ["true"])
    assert read.policy["min_age"] == 3
    assert None not in read.policy.values(), "what is not given says nothing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", "soon"),
        ("lock_timeout", "1h"),
        ("unreachable_timeout", [1]),
        ("policy", "newest"),
        ("policy", {"min_age": "high"}),
        ("policy", {"no_such_key": 1}),
        ("health_checks", ["true"]),
        ("on_stall", "force"),
        ("allow_downgrade", "perhaps"),
        ("allow_unsupported", "perhaps"),
        ("repair_boot", "perhaps"),
        ("kernel_lock", "perhaps"),
        ("lock", "perhaps"),
        ("preflight_tolerate", ["everything"]),
    ],
)
def test_a_value_of_a_wrong_type_is_told_by_the_setting(name: str, value: t.Any) -> None:
    variables = {"livepatch_timeout": 60, f"livepatch_{name}": value}
    with pytest.raises(PlanError, match=f"livepatch_{name} is not valid"):
        HostSettings.from_variables(variables)
    with pytest.raises(PlanError, match=f"host web2: livepatch_{name} is not valid"):
        host_settings.read_settings({"web1": {}, "web2": variables})


def test_each_host_has_its_own() -> None:
    read = host_settings.read_settings({"web1": {}, "web2": {"livepatch_timeout": 600}})
    assert {name: settings.timeout for name, settings in read.items()} == {"web1": 60, "web2": 600}


#
# As they are kept
#


def test_what_was_packed_is_unpacked() -> None:
    each = {"web1": HostSettings.from_variables({}), "db1": SLOW, "web2": HostSettings.from_variables({})}
    packed = host_settings.pack(each)
    assert len(packed["values"]) == 2, "what most hosts have is kept once"
    kept = host_settings.unpack(json.loads(json.dumps(packed)))
    assert {name: to_document(settings) for name, settings in kept.items()} == {
        name: to_document(settings) for name, settings in each.items()
    }
    assert kept["db1"] == SLOW
    assert host_settings.unpack(host_settings.pack({})) == {}


def test_the_same_is_kept_once_in_whatever_order_it_is_written() -> None:
    policies = ({"min_age": 5, "kmp_version": "3-1"}, {"kmp_version": "3-1", "min_age": 5})
    packed = host_settings.pack({str(number): HostSettings(policy=policy) for number, policy in enumerate(policies)})
    assert (len(packed["values"]), packed["hosts"]) == (1, {"0": 0, "1": 0})


def test_what_another_version_has_kept_is_not_taken_for_a_default() -> None:
    with pytest.raises(TypeError):
        HostSettings.from_document({"timeout": 60, "no_such_setting": 1})


#
# What modules are told
#


def test_what_was_planned_is_started() -> None:
    told = SLOW.build_start("3-1", confirm=False, expect={"kmp": "3-1"}, **MARKS)
    assert told == {
        "state": "latest",
        "allow_downgrade": True,
        "allow_unsupported": True,
        "repair_boot": True,
        "kernel_lock": False,
        "lock": True,
        "preflight": True,
        "preflight_tolerate": ["disk"],
        "timeout": 600,
        "on_stall": "leave",
        "lock_timeout": 70,
        "refresh": "never",
        # Of the policy only what it asks for is replaced.
        "policy": {"kmp_version": "3-1", "min_age": 5, "allow_name_match": True},
        "confirm": False,
        "expect": {"kmp": "3-1"},
        "rollout": "r",
        "plan": "h",
        "fence": 7,
    }


@pytest.mark.parametrize("kernel_lock", [None, True, False])
def test_a_lock_of_which_nothing_is_said_stays_as_it_is(kernel_lock: bool | None) -> None:
    told = HostSettings(kernel_lock=kernel_lock).build_start("3-1")
    assert told.get("kernel_lock", "as it is") == ("as it is" if kernel_lock is None else kernel_lock)


def test_a_rollback_goes_by_no_version_and_asks_no_preflight() -> None:
    assert SLOW.build_rollback(**MARKS) == {
        "state": "previous",
        "allow_downgrade": True,
        "allow_unsupported": True,
        "repair_boot": True,
        "timeout": 600,
        "on_stall": "leave",
        "lock_timeout": 70,
        "refresh": "never",
        "policy": {"min_age": 5, "allow_name_match": True},
        "rollout": "r",
        "plan": "h",
        "fence": 7,
    }


@pytest.mark.parametrize(("evr", "version"), [("3-1", "3-1"), (None, "9-9")])
def test_a_host_is_asked_by_the_planned_version_or_by_its_own(evr: str | None, version: str) -> None:
    assert SLOW.build_info(evr) == {
        "refresh": "never",
        "lock_timeout": 70,
        "policy": {"kmp_version": version, "min_age": 5, "allow_name_match": True},
        "health_checks": {"commands": ["true"], "urls": []},
    }


def test_a_soak_asks_by_the_host_s_own_policy_and_patience() -> None:
    assert SLOW.build_probe() == {**SLOW.build_info(None), "unreachable_timeout": 400}
    assert "kmp_version" not in HostSettings().build_probe()["policy"]


def test_a_confirmation_is_of_what_was_planned() -> None:
    assert SLOW.build_confirmation("3-1", fence=7) == {
        "state": "present",
        "confirm": True,
        "refresh": "never",
        "timeout": 600,
        "on_stall": "leave",
        "lock_timeout": 70,
        "policy": {"kmp_version": "3-1", "min_age": 5, "allow_name_match": True},
        "fence": 7,
    }


def test_nothing_that_is_told_changes_the_settings() -> None:
    before = copy.deepcopy(SLOW)
    for told in (SLOW.build_start("3-1"), SLOW.build_rollback(), SLOW.build_info(None), SLOW.build_probe()):
        told["policy"]["kmp_version"] = "1-1"
        told.setdefault("preflight_tolerate", []).append("log")
        told.setdefault("health_checks", {})["urls"] = ["x"]
    assert before == SLOW


def test_modules_have_the_options_that_they_are_told() -> None:
    start = SLOW.build_start("3-1", confirm=True, expect={}, **MARKS)
    assert {*start, *SLOW.build_rollback(**MARKS), *SLOW.build_confirmation("3-1")} <= set(_argspec.LIVEPATCH)
    probe = {**SLOW.build_probe(), **SLOW.build_info("3-1")}
    assert set(probe) - {"unreachable_timeout"} <= set(_argspec.LIVEPATCH_INFO)
