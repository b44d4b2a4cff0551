# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One rule: stop when bad > budget."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import budgets
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Outline
from tests.support.plans import make_plan


def document(scope: str = "rollout", kmps: dict[str, str] | None = None, **budgets: str) -> Outline:
    """Two cohorts, a of 50 hosts and b of 50, their canaries, and waves of 10 and 88."""
    names = [f"{cohort}{number}" for number in range(50) for cohort in "ab"]
    kmps = kmps or {"a": "klp-a-1-1", "b": "klp-b-1-1"}
    return make_plan(names[:2], names[2:12], names[12:], kmps=kmps, scope=scope, **budgets).outline


def rows(*kinds: str, start: int = 0) -> list[Outcome]:
    """Hosts of a and b by turns."""
    return [Outcome(f"h{n}", kind, "", "", cohort="ab"[n % 2]) for n, kind in enumerate(kinds, start)]


def group(outcomes: t.Iterable[Outcome], wave: int) -> list[dict[str, t.Any]]:
    return budgets.group_outcomes((wave, row.cohort, row.outcome) for row in outcomes)


def judge(
    given: Outline,
    wave: int,
    now: list[Outcome],
    before: t.Sequence[Outcome] = (),
    last: bool = True,
    **more: t.Any,
) -> budgets.WaveAssessment:
    groups = [*group(before, wave - 1), *group(now, wave)]
    totals = budgets.Totals.from_groups(groups, wave, budgets.count_by_outcome(more.get("batch", now)))
    return budgets.assess_wave(given, wave, totals, last, more.get("check_mode", False))


@pytest.mark.parametrize(
    ("outcomes", "passed"),
    [
        (["done", "done"], True),
        (["done", "unchanged"], True),
        (["done", "skipped"], True),
        (["done", "failed"], False),
        (["done", "lost"], False),
        (["done", "rolled_back"], False),
        (["done", "rollback_pending"], False),
        (["done", "rollback_refused"], False),
        (["done", "pending"], False),
        (["done"], False),
        ([], False),
    ],
)
def test_canaries_have_no_budget(outcomes: list[str], passed: bool) -> None:
    given = document(wave="50%", lost="50%")
    assert judge(given, 0, rows(*outcomes)).passed is passed


@pytest.mark.parametrize(
    ("budget", "bad", "passed"),
    [
        ("0", 0, True),
        ("0", 1, False),
        ("1", 1, True),
        ("1", 2, False),
        ("10%", 1, True),
        ("10%", 2, False),
        ("19%", 2, False),
    ],
)
def test_a_wave(budget: str, bad: int, passed: bool) -> None:
    told = judge(document(wave=budget), 1, rows(*["failed"] * bad, *["done"] * (10 - bad)))
    assert told.passed is passed
    assert f"({10 - bad} of 10 healthy" in told.text


def test_a_wave_that_is_not_over_is_judged_by_what_has_ended() -> None:
    given = document(wave="1")
    assert judge(given, 1, rows("done", "failed"), last=False).passed is True
    assert judge(given, 1, rows("failed", "failed"), last=False).passed is False
    assert judge(given, 1, rows("done", "failed"), last=True).passed is False, "eight have not ended"


@pytest.mark.parametrize(
    ("budgets", "words"),
    [
        ({"wave": "9", "lost": "9"}, None),
        ({"wave": "9", "lost": "0"}, "lost hosts: 1 bad, budget 0"),
        ({"wave": "9", "lost": "9", "rollout": "2"}, "rollout: 3 bad, budget 2"),
        ({"wave": "9", "lost": "9", "rollout": "3"}, None),
        ({"wave": "9", "lost": "9", "cohort": "1"}, "cohort a: 2 bad, budget 1"),
        ({"wave": "9", "lost": "9", "cohort": "4%"}, None),
        ({"wave": "9", "lost": "9", "batch": "0"}, "batch: 2 bad, budget 0"),
    ],
)
def test_the_other_budgets(budgets: dict[str, str], words: str | None) -> None:
    """One of a went wrong before, and now one of each."""
    before = [Outcome("x", "failed", "", "", cohort="a")]
    told = judge(document(**budgets), 1, rows("failed", "lost", *["done"] * 8), before)
    assert told.passed is (words is None)
    assert words is None or words in told.text


@pytest.mark.parametrize(
    ("scope", "passed", "barred"),
    [("rollout", False, ("a",)), ("cohort", True, ("a",)), ("kmp", True, ("a",))],
)
def test_how_far_a_failed_canary_reaches(scope: str, passed: bool, barred: tuple[str, ...]) -> None:
    told = judge(document(scope), 0, rows("failed", "done"))
    assert (told.passed, told.barred) == (passed, barred)


@pytest.mark.parametrize(
    ("budgets", "passed"), [({}, False), ({"lost": "1"}, True), ({"lost": "1", "rollout": "0"}, False)]
)
def test_the_rollouts_own_budgets_hold_whatever_the_scope(budgets: dict[str, str], passed: bool) -> None:
    told = judge(document("cohort", **budgets), 0, rows("lost", "done"))
    assert told.passed is passed
    assert passed or "budget 0): no further host" in told.text.partition("healthy, budget 0) (")[2], "and it is told"


def test_with_the_same_kmp_all_cohorts_of_it_are_reached() -> None:
    given = document("kmp", {"a": "klp-a-1-1", "b": "klp-a-1-1"})
    told = judge(given, 0, rows("failed", "done"))
    assert (told.passed, told.barred) == (False, ("a", "b")), "nobody is left"


@pytest.mark.parametrize("scope", ["cohort", "kmp"])
def test_where_all_canaries_fail_it_stops_whatever_the_scope(scope: str) -> None:
    assert judge(document(scope), 0, rows("failed", "lost")).passed is False


def test_a_later_wave_stops_all_whatever_the_scope() -> None:
    assert judge(document("cohort"), 1, rows("failed", *["done"] * 9)).passed is False


def test_in_check_mode_what_would_be_patched_passes() -> None:
    assert judge(document(), 0, rows("pending", "pending"), check_mode=True).passed is True
    assert judge(document(), 0, rows("pending", "failed"), check_mode=True).passed is False
    waits = [Outcome(f"a{number}", "pending", "", "") for number in range(10)]
    assert judge(document(), 2, waits, check_mode=True).passed is True, "of a wave of several batches the last one too"


def test_hosts_of_a_wave_without_an_outcome_are_pending() -> None:
    groups = group(rows("done", "failed", "begun", "pending"), 1)
    totals = budgets.Totals.from_groups([*groups, {"wave": 0, "cohort": "a", "outcome": "done", "hosts": 7}], 1)
    assert totals.count_wave(10) == {"done": 1, "failed": 1, "pending": 8}
    assert totals.rollout["done"] == 8
