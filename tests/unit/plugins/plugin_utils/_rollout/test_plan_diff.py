# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between two plans."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import planning
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Plan
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan_diff import compare_plans
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings

LEVEL_3, LEVEL_4 = "kernel-livepatch-6_4_0-default-3-1", "kernel-livepatch-6_4_0-default-4-1"
FLEET = [
    Host(f"web{n}", "outdated", "", "6.4.0-default", "ab" * 20, "x86_64", "default", 2, LEVEL_3) for n in range(1, 5)
]


def _plan(fleet: t.Sequence[Host], **settings: t.Any) -> Plan:
    return planning.build_plan(fleet, Settings(**{"waves": (), **settings}))


def _changes(before: Plan, after: Plan) -> dict[str, tuple[str, ...]]:
    return {change.text: change.hosts for change in compare_plans(before, after)}


def test_the_same_plan_differs_in_nothing() -> None:
    assert _changes(_plan(FLEET), _plan(FLEET)) == {}


def test_who_comes_and_who_goes_and_why() -> None:
    patched = dataclasses.replace(FLEET[3], state="patched", reason="level 3 is active", level=3)
    without = [*FLEET[:2], patched]
    told = _changes(_plan(FLEET), _plan(without))
    gone = {"no longer in the plan": ("web3",), "no longer in the plan (patched)": ("web4",)}
    assert {what: hosts for what, hosts in told.items() if "wave" not in what} == gone
    assert _changes(_plan(without), _plan(FLEET))["new in the plan"] == ("web3", "web4")


def test_hosts_that_are_planned_in_another_way() -> None:
    newer = [dataclasses.replace(host, kmp=LEVEL_4) for host in FLEET]
    assert _changes(_plan(FLEET), _plan(newer)) == {
        f"another KMP: {LEVEL_3} -> {LEVEL_4}": ("web1", "web2", "web3", "web4")
    }
    rebooted = [dataclasses.replace(host, build_id="cd" * 20, level=None) for host in FLEET]
    told = _changes(_plan(FLEET), _plan(rebooted))
    assert set(told) >= {"another kernel", "starts from another level: 2 -> none"}


def test_settings_and_waves() -> None:
    before, after = _plan(FLEET), _plan(FLEET, waves=("1",))
    told = _changes(before, after)
    assert told["setting waves: [] -> ['1']"] == ()
    (moved,) = (hosts for what, hosts in told.items() if what == "another wave: wave 1 -> wave 2")
    assert len(moved) == 2


@pytest.mark.parametrize(
    ("fleet", "expected"),
    [
        ([dataclasses.replace(host, boot_id="2") for host in FLEET], {"rebooted": ("web1", "web2", "web3", "web4")}),
        ([*FLEET, Host("db1", "unknown", "unreachable: no route")], {"left out as well (unknown)": ("db1",)}),
        (
            [*FLEET, Host("old1", "not_covered", "end of support")],
            {"left out as well (not_covered)": ("old1",)},
        ),
        (
            [dataclasses.replace(host, key='"gold"') for host in FLEET],
            {"another cohort": ("web1", "web2", "web3", "web4")},
        ),
    ],
)
def test_a_plan_with_another_hash_differs_in_something(fleet: list[Host], expected: dict[str, tuple[str, ...]]) -> None:
    before, after = _plan(FLEET), _plan(fleet)
    assert before.hash != after.hash
    assert _changes(before, after) == expected


def test_hosts_that_no_wave_has() -> None:
    lost = Host("db1", "unknown", "unreachable: no route")
    before = _plan([*FLEET, lost])
    refused = dataclasses.replace(lost, reason="unreachable: refused")
    assert _changes(before, _plan([*FLEET, refused])) == {"left out for another reason (unknown)": ("db1",)}
    assert _changes(before, _plan(FLEET)) == {"no longer among the hosts": ("db1",)}
    marked = _plan([dataclasses.replace(host, canary=bool(_plan(FLEET).hosts[host.name].why)) for host in FLEET])
    (change,) = _changes(_plan(FLEET), marked)
    assert change == "a canary for another reason: chosen by hash -> marked by the operator"
    # Whatever else it is
    other = dataclasses.replace(before, outline=dataclasses.replace(before.outline, hash="ff"))
    assert _changes(before, other) == {"the order of hosts in a wave": ()}
