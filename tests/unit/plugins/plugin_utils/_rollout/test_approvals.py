# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approvals hold for one plan, for one wave or all, until they expire, and until somebody says otherwise."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import approvals


def approval(wave: int | None = 1, plan: str = "aa", expires: float | None = None, granted: bool = True) -> dict:
    of = {"plan_hash": plan, "wave": wave, "approver": "eve", "created_at": 1.0, "reason": ""}
    return {"id": 1, **of, "expires": expires, "granted": granted}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "inconclusive"),
        ([approval()], "pass"),
        ([approval(None)], "pass"),
        ([approval(2)], "inconclusive"),
        ([approval(plan="bb")], "inconclusive"),
        ([approval(expires=101)], "pass"),
        ([approval(expires=100)], "inconclusive"),
        ([approval(), approval(granted=False)], "fail"),
        ([approval(granted=False), approval()], "pass"),
        # A rejection of this wave is newer than the approval of all
        ([approval(None), approval(1, granted=False)], "fail"),
        ([approval(granted=False, expires=99)], "inconclusive"),
    ],
)
def test_approvals(given: list[dict], expected: str) -> None:
    assert approvals.check_approval(given, "aa", 1, 100).verdict == expected


def test_an_expired_one_is_named() -> None:
    assert "the approval by eve expired" in approvals.check_approval([approval(expires=50)], "aa", 1, 100).text


def test_the_reason_of_a_rejection_is_shown() -> None:
    rejection = {**approval(granted=False), "reason": "freeze"}
    assert approvals.check_approval([rejection], "aa", 1, 100).text == (
        "wave 1 of plan aa was rejected by eve (freeze): approve it (playbook approve), or abort the rollout (playbook "
        "abort)"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([approval()], "inconclusive"),
        ([approval(), {**approval(), "approver": "ann"}], "pass"),
        ([{**approval(), "approver": "ann"}, approval()], "pass"),
        ([{**approval(), "approver": "ann"}, approval(granted=False)], "fail"),
        ([{**approval(granted=False), "approver": "ann"}, approval()], "fail"),
        ([approval(granted=False)], "fail"),
    ],
)
def test_an_approval_of_one_s_own_does_not_count_and_a_rejection_does(given: list[dict], expected: str) -> None:
    assert approvals.check_approval(given, "aa", 1, 100, ["eve", "bob"]).verdict == expected


def test_that_it_does_not_count_is_told() -> None:
    text = approvals.check_approval([approval()], "aa", 1, 100, ["eve"]).text
    assert "(the approval by eve, who made or started the plan, does not count)" in text
