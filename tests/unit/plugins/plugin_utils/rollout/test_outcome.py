# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of a host, and the gate's verdict: whatever does not prove success is none."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.hosts import Host

HOST = Host("web1", "unpatched", "", "6.1.0-56-default", "aa", "x86_64", "default", None, "klp-3", "boot-1")
APPLIED = {"started": 1, "finished": 0, "changed": True, "run": "r"}
DONE = {"failed": False, "changed": True, "msg": None, "transition": {"seconds": 1.2}}


def verified(
    state: str = "patched",
    up_to_date: bool | None = True,
    boot_id: str = "boot-1",
    build_id: str = "aa",
    evr: str = "3",
    **more: dict | None,
) -> dict:
    return {
        "kernel": {"boot_id": boot_id, "build_id": build_id},
        "kmp": {"installed": {"name": "klp", "evr": evr}},
        "livepatch": {
            "state": state,
            "reason": "why",
            "level": 3,
            "compliance": {"up_to_date": up_to_date},
            "job": more.get("job", DONE),
        },
    }


LOST = {"unreachable": True, "msg": "Connection reset by peer"}
REFUSED = {
    "failed": True,
    "msg": "the kernel refused it",
    "kernel": {},
    "livepatch": {"state": "installed", "level": None},
    "transition": {"seconds": None},
}


@pytest.mark.parametrize(
    ("install", "verify", "expected"),
    [
        (None, None, "pending"),
        (APPLIED, verified(), "done"),
        (APPLIED, verified(job={"failed": False, "changed": False}), "unchanged"),
        (APPLIED, verified(job=None), "failed"),
        (APPLIED, verified(job={"failed": True, "msg": "the kernel refused it"}), "failed"),
        ({"failed": True, "halted": True, "msg": "not started: halted"}, None, "pending"),
        (LOST, None, "lost"),
        (LOST, verified(), "lost"),
        (REFUSED, None, "failed"),
        (APPLIED, LOST, "lost"),
        (APPLIED, {"failed": True, "msg": "broken"}, "failed"),
        (APPLIED, verified("outdated", False), "failed"),
        (APPLIED, verified("unknown", None), "failed"),
        (APPLIED, verified(boot_id="boot-2"), "failed"),
        (APPLIED, verified(build_id="bb"), "failed"),
        (APPLIED, verified(evr="4"), "failed"),
        ({}, {}, "pending"),
        (APPLIED, {}, "lost"),
        ({"changed": False}, None, "lost"),
    ],
)
def test_of_a_planned_host(install, verify, expected):
    assert outcome.judge(HOST, True, {}, install, verify).outcome == expected


def test_a_refused_module_is_told_with_the_state_that_it_left():
    told = outcome.judge(HOST, True, {}, REFUSED, None)
    assert (told.state, told.reason) == ("installed", "the kernel refused it")


def test_a_reboot_in_the_middle_is_told():
    assert "rebooted" in outcome.judge(HOST, True, {}, APPLIED, verified(boot_id="boot-2")).reason


@pytest.mark.parametrize(
    ("state", "up_to_date", "expected"),
    [
        ("patched", True, "unchanged"),
        ("baseline", True, "unchanged"),
        ("outdated", True, "unchanged"),
        ("unknown", False, "skipped"),
    ],
)
def test_of_a_host_in_no_wave(state, up_to_date, expected):
    host = Host("web1", state, "why", up_to_date=up_to_date)
    assert outcome.judge(host, False, {}, None, None).outcome == expected


@pytest.mark.parametrize(
    ("wave", "outcomes", "budget", "passed"),
    [
        (0, ["done", "done"], 0, True),
        (0, ["done", "unchanged"], 0, True),
        (0, ["done", "failed"], 5, False),
        (0, ["done", "lost"], 5, False),
        (0, ["pending"], 0, False),
        (0, ["lost"], 1, False),
        (1, ["done", "failed", "lost"], 2, True),
        (1, ["done", "failed", "lost"], 1, False),
        (2, ["failed"], 0, False),
    ],
)
def test_gate(wave, outcomes, budget, passed):
    members = [outcome.Outcome(f"h{n}", kind, "", "patched") for n, kind in enumerate(outcomes)]
    assert outcome.gate(wave, members, budget, check_mode=False).passed is passed


def test_in_check_mode_nothing_is_verified():
    assert outcome.judge(HOST, True, {}, APPLIED, None, check_mode=True).outcome == "pending"
    assert outcome.judge(HOST, True, {}, REFUSED, None, check_mode=True).outcome == "failed"


def test_in_check_mode_what_would_be_patched_passes():
    members = [outcome.Outcome("h", "pending", "", "unpatched")]
    assert outcome.gate(0, members, 0, check_mode=True).passed


def test_what_went_wrong_in_a_detached_run_is_told():
    told = outcome.judge(HOST, True, {}, APPLIED, verified("outdated", False, job={"failed": True, "msg": "refused"}))
    assert (told.reason, told.state) == ("refused", "outdated")


def test_seconds_of_the_migration():
    assert outcome.judge(HOST, True, {}, APPLIED, verified()).seconds == 1.2


def test_a_canary_whose_next_boot_is_not_in_order():
    confirm = {"failed": True, "msg": "dracut could not make it", "kernel": {}}
    told = outcome.judge(HOST, True, {}, APPLIED, verified(), confirm)
    assert told.outcome == "failed"
    assert told.reason.endswith("the next boot is not in order: dracut could not make it")
