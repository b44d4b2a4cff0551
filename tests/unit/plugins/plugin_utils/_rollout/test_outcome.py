# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of a host, and the gate's verdict: whatever does not prove success is none."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.kernel import Kernel
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.livepatch import Livepatch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from tests.support import answers

BOOTS = [f"5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c1{number}" for number in range(2)]
HOST = Host("web1", "unpatched", "", "6.4.0-default", "aa", "x86_64", "default", None, "klp-3-1", BOOTS[0])
APPLIED = Answer(changed=True, run="r")
DONE = answers.job()
LOST = Answer(unreachable=True, msg="Connection reset by peer")
LOST_RUN = dataclasses.replace(LOST, run="r")
HALTED = Answer(failed=True, halted=True, msg="not started: halted")


def verified(
    state: str = "patched",
    up_to_date: bool | None = True,
    boot_id: str = BOOTS[0],
    build_id: str = "aa",
    evr: str = "3-1",
    **more: t.Any,
) -> Answer:
    health = {"verdict": "pass", "problems": [], "since": None, "complete": True, "reason": None}
    return answers.answer(
        kernel={"boot_id": boot_id, "build_id": build_id},
        kmp={"installed": {"name": "klp", "evr": evr}},
        livepatch={
            "state": state,
            "reason": "why",
            "compliance": {"up_to_date": up_to_date},
            "job": more.get("job", DONE),
            "journal": more.get("journal"),
            "health": {**health, **more.get("health", {})},
        },
    )


def failed(msg: str, **job: t.Any) -> dict[str, t.Any]:
    """A run that failed without a word of what it has done."""
    return {"failed": True, "msg": msg, **job}


def determine(install=None, verify=None, rollout=None, check_mode=False) -> outcome.Outcome:
    return outcome.determine_outcome(HOST, {}, outcome.TaskAnswers(install, verify), rollout, check_mode)


def was_lost(answer: Answer) -> Answer:
    """What a host answers that could not be reached for a while."""
    return dataclasses.replace(answer, lost=True)


REFUSED = Answer(
    failed=True,
    msg="the kernel refused it",
    kernel=Kernel("6.4.0-default", "x86_64"),
    livepatch=Livepatch("installed", "its module is not active"),
)


@pytest.mark.parametrize(
    ("install", "verify", "expected"),
    [
        (None, None, "pending"),
        (APPLIED, verified(), "done"),
        (APPLIED, verified(job={"failed": False, "changed": False}), "unchanged"),
        (APPLIED, verified(job=None), "failed"),
        (APPLIED, verified(job={"failed": True, "msg": "the kernel refused it"}), "failed"),
        (HALTED, None, "pending"),
        (LOST, None, "lost"),
        (LOST, verified(), "lost"),
        (REFUSED, None, "failed"),
        (APPLIED, LOST, "lost"),
        (APPLIED, Answer(failed=True, msg="broken"), "failed"),
        (APPLIED, verified("outdated", False), "failed"),
        (APPLIED, verified("unknown", None), "failed"),
        (APPLIED, verified(boot_id=BOOTS[1]), "failed"),
        (APPLIED, verified(build_id="bb"), "failed"),
        (APPLIED, verified(evr="4-1"), "failed"),
        (APPLIED, None, "lost"),
        (APPLIED, Answer(), "failed"),
        (Answer(), None, "lost"),
    ],
)
def test_of_a_planned_host(install, verify, expected):
    assert determine(install, verify).outcome == expected


def test_a_refused_module_is_told_with_the_state_that_it_left():
    result = determine(REFUSED)
    assert (result.state, result.reason) == ("installed", "the kernel refused it")


def test_a_reboot_in_the_middle_is_told():
    result = determine(APPLIED, verified(boot_id=BOOTS[1]))
    assert ("rebooted" in result.reason, result.cause) == (True, "crashed")


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
    assert outcome.build_unplanned_outcome(host).outcome == expected


def test_a_host_that_the_plan_does_not_have_waits_for_the_next_one():
    added = Host("web1", "unpatched", "a KMP is there", kmp="k-1")
    assert outcome.build_unplanned_outcome(added).reason == outcome.NOT_IN_PLAN
    lost = Host("web2", "unknown", "unreachable: connection refused")
    assert outcome.build_unplanned_outcome(lost).reason == "unreachable: connection refused"


def test_why_a_host_is_in_no_wave_is_said_by_itself_where_it_cannot_be_patched():
    plan_says = "unknown: unreachable: SSH authentication failed for ops"
    gone = Host("web1", "unknown", "unreachable: connection refused")
    assert outcome.build_unplanned_outcome(gone, plan_says).reason == "unreachable: connection refused"
    barred = Host("web2", "unpatched", "a KMP is there", kmp="k-1")
    assert (
        outcome.build_unplanned_outcome(barred, "quarantine: it crashed web1").reason == "quarantine: it crashed web1"
    )


def test_in_check_mode_nothing_is_verified():
    assert determine(APPLIED, None, check_mode=True).outcome == "pending"
    assert determine(REFUSED, None, check_mode=True).outcome == "failed"


def test_what_went_wrong_in_a_detached_run_is_told():
    result = determine(APPLIED, verified("outdated", False, job={"failed": True, "msg": "refused"}))
    assert (result.reason, result.state) == ("refused", "outdated")


@pytest.mark.parametrize(
    ("verify", "expected"),
    [
        (verified(), "done"),
        (verified(job={"failed": False, "changed": False}), "unchanged"),
        (verified("unpatched", False, job={"failed": True, "msg": "refused"}), "failed"),
    ],
)
def test_a_host_whose_facts_are_known_goes_by_them_and_not_by_what_is_displayed_of_it(verify, expected):
    for displayed in (verify, dataclasses.replace(verify, failed=True, msg="outdated: a newer one has come out")):
        assert determine(APPLIED, displayed).outcome == expected
        assert determine(LOST_RUN, was_lost(displayed)).outcome == expected
        assert "newer one" not in determine(APPLIED, displayed).reason


def test_seconds_of_the_migration():
    assert determine(APPLIED, verified()).seconds == 1.2


def test_a_canary_whose_next_boot_is_not_in_order():
    confirm = Answer(failed=True, msg="dracut could not make it")
    result = outcome.apply_confirmation(determine(APPLIED, verified()), confirm, {})
    assert result.outcome == "failed"
    assert result.reason.endswith("not confirmed for the next boot: dracut could not make it")
    # No answer is never yes.
    result = outcome.apply_confirmation(determine(APPLIED, verified()), None, {})
    assert (result.outcome, result.reason.rpartition(": ")[2]) == ("failed", "the task did not run")
    assert outcome.apply_confirmation(determine(APPLIED, verified()), Answer(), {}).outcome == "done"


def test_a_halt_before_a_canary_was_confirmed_is_no_failure_of_it():
    assert outcome.apply_confirmation(determine(APPLIED, verified()), HALTED, {}).outcome == "done"
    assert determine(HALTED).halted is True
    assert determine(APPLIED, verified()).halted is False


def test_who_was_started_and_cannot_be_verified_has_something_to_go_back_from():
    result = determine(APPLIED, Answer(failed=True, msg="sudo wants a password"))
    assert (result.outcome, result.applied) == ("failed", True)
    assert determine(APPLIED, LOST).applied is False, "nobody reaches it"
    assert determine(APPLIED, verified(evr="4-1")).applied is True, "whatever it has got"


@pytest.mark.parametrize(
    ("before", "after", "phase", "applied"),
    [
        (2, 2, "failed", False),
        (2, 3, "failed", True),
        (None, None, "failed", True),
        # It was changed by the run before, and this one was refused
        (3, 3, "done", True),
        (3, 3, "soaking", True),
    ],
)
def test_who_is_as_it_was_has_nothing_to_go_back_from(before, after, phase, applied):
    levels = {
        side: {**DONE["before"], "level": level} for side, level in (("before", before), ("after", after)) if level
    }
    refused = failed("the kernel refused it", changed=False, **levels)
    result = determine(APPLIED, verified("outdated", False, job=refused, journal={**MINE, "phase": phase}), rollout="p")
    assert (result.outcome, result.applied) == ("failed", applied)


def test_who_was_thought_to_be_in_flight_and_was_never_begun_is_left_for_the_next_plan():
    not_begun = {"failed": True, "not_begun": True, "msg": "the rollout has not begun to change this host"}
    result = determine(APPLIED, verified("unpatched", False, job=not_begun))
    assert (result.outcome, result.applied) == ("skipped", False)
    assert result.reason == "the rollout has not begun to change this host. It was not changed"


#
# Hosts that were lost for a while
#

MINE = answers.journal(rollout="p")


@pytest.mark.parametrize(
    ("install", "verify", "expected"),
    [
        # Back in the same boot, and well
        (LOST, verified(), "done"),
        (APPLIED, verified(), "done"),
        # Still away
        (LOST, LOST, "lost"),
        (APPLIED, LOST, "lost"),
        # It answers again, and not with what it is asked for
        (APPLIED, Answer(failed=True, msg="broken"), "lost"),
        (APPLIED, Answer(), "lost"),
        # In another boot: it went down with the patch
        (LOST, verified("crashed", None, boot_id=BOOTS[1], job=None), "failed"),
        # Nothing was ever started on it
        (LOST_RUN, verified("unpatched", False, job=None), "skipped"),
        # It was started, and has gone away in the middle
        (LOST_RUN, verified("installed", False, job=None, journal=MINE), "failed"),
    ],
)
def test_of_a_host_that_was_lost(install, verify, expected):
    result = determine(install, was_lost(verify))
    assert (result.outcome, result.applied) == (expected, expected == "done")


def test_why_a_host_is_lost_is_told():
    assert "the connection to its address was lost" in determine(APPLIED, was_lost(LOST)).reason
    assert determine(APPLIED, was_lost(Answer(failed=True, msg="broken"))).reason == "broken"
    assert determine(APPLIED, was_lost(Answer())).reason == "the host does not answer"


def test_only_of_a_host_that_was_lost_it_may_be_that_nothing_was_started():
    nothing = verified("unpatched", False, job=None)
    assert determine(LOST_RUN, was_lost(nothing)).outcome == "skipped"
    assert determine(APPLIED, nothing).outcome == "failed"


def test_who_was_lost_and_was_patched_by_the_run_before_is_no_other():
    verify = was_lost(verified(job=None, journal=answers.journal(run="before", rollout="p")))
    assert determine(LOST_RUN, verify, rollout="p").outcome == "done"
    assert determine(LOST_RUN, verify, rollout="q").outcome == "skipped"


#
# What this rollout did before the run died that did it
#


def test_what_an_earlier_run_of_the_rollout_has_done_is_done():
    unchanged = verified(job={"failed": False, "changed": False}, journal=MINE)
    assert determine(APPLIED, unchanged, rollout="p").outcome == "done"
    assert determine(APPLIED, unchanged, rollout="q").outcome == "unchanged", "another rollout's"
    assert determine(APPLIED, verified(job=None, journal=MINE), rollout="p").outcome == "done"
    assert determine(APPLIED, verified("outdated", False, job=None, journal=MINE), rollout="p").outcome == "failed"


#
# Health, and the soak
#

KERNEL_OOPS = {"verdict": "fail", "problems": [{"what": "log", "text": "BUG: unable to handle page fault"}]}


def test_a_kernel_that_is_not_well_since_is_a_failure_and_has_something_to_go_back_from():
    result = determine(APPLIED, verified(health=KERNEL_OOPS))
    assert (result.outcome, result.applied) == ("failed", True)
    assert "page fault" in result.reason


def test_of_a_host_that_was_not_changed_the_health_is_not_ours():
    assert (
        determine(APPLIED, verified(health=KERNEL_OOPS, job={"failed": False, "changed": False})).outcome == "unchanged"
    )


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (verified(), "done"),
        (verified(health={"verdict": "pass", "problems": []}), "done"),
        (verified(health={"verdict": "inconclusive", "problems": []}), "done"),
        (verified(health=KERNEL_OOPS), "failed"),
        # A newer one has come out; somebody has put in another one
        (verified("outdated", False), "done"),
        (verified(evr="4-1"), "failed"),
        (verified("transitioning", None), "failed"),
        (Answer(problem="unreachable: it does not answer"), "lost"),
        (LOST, "lost"),
        (Answer(failed=True, msg="broken"), "lost"),
        (None, "lost"),
    ],
)
def test_a_probe(result, expected):
    result = outcome.apply_probe(determine(APPLIED, verified()), result, {})
    assert result.outcome == expected
    assert result.applied is True, "what was lost or fails may have to go back"


def test_who_goes_down_in_the_soak_has_nothing_to_go_back_from():
    result = outcome.apply_probe(determine(APPLIED, verified()), verified("crashed", None, boot_id=BOOTS[1]), {})
    assert (result.outcome, result.cause, result.applied) == ("failed", "crashed", False)


#
# The way back
#


@pytest.mark.parametrize(
    ("result", "expected", "applied"),
    [
        (verified("baseline", job={"failed": False, "changed": True}), "rolled_back", False),
        (verified("baseline", job={"failed": False, "changed": False}), "rolled_back", False),
        (
            verified("patched", job={"failed": True, "msg": "the vendor advises", "refused": True}),
            "rollback_refused",
            True,
        ),
        (verified("patched", job={"failed": True, "msg": "it did not complete"}), "rollback_pending", True),
        (verified("patched", job=None), "rollback_pending", True),
        (LOST, "rollback_pending", True),
        (None, "rollback_pending", True),
        # That is refused as long as nobody has looked at it: to try it again leads nowhere.
        (verified("crashed", None, job={"failed": True, "msg": "its state is crashed"}), "failed", False),
    ],
)
def test_of_the_way_back(result, expected, applied):
    result = outcome.apply_rollback(determine(APPLIED, verified(health=KERNEL_OOPS)), result, {})
    assert (result.outcome, result.applied) == (expected, applied)
    assert "page fault" in result.reason, "why it had to go back stays"


def test_a_rollback_goes_by_the_run_and_not_by_what_is_displayed_of_it():
    before = determine(APPLIED, verified(health=KERNEL_OOPS))
    for failed_run, expected in ((False, "rolled_back"), (True, "rollback_pending")):
        answer = verified("baseline", job={"failed": failed_run, "changed": True, "msg": "it did not complete"})
        displayed = dataclasses.replace(answer, failed=not failed_run, msg="outdated: a newer one has come out")
        assert outcome.apply_rollback(before, displayed, {}).outcome == expected


def test_what_the_store_says():
    row = {"outcome": "done", "reason": "r", "state": "patched", "level": 3, "wave": 1, "at": 5.0}
    result = outcome.load_outcome("web1", row, "c")
    assert (result.outcome, result.level, result.cohort) == ("done", 3, "c")
    assert outcome.load_outcome("web1", {"outcome": "begun"}, "c").outcome == "pending"
    assert outcome.load_outcome("web1", None, "c", HOST).state == "unpatched"
