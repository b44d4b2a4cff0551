# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether others may follow, by what became of the hosts so far and the budgets. PRIVATE to the collection. Pure.

One rule everywhere: stop when bad > budget. Canaries, and hosts that are the only one of their cohort, have no budget.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import host_counts
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import BAD, SUCCESSFUL, Outcome

# By outcome, how many hosts
Counts = t.Mapping[str, int]
# Waves of which each host is the first of its cohort to get the patch
ZERO_BUDGET_KINDS = ("canaries", "singles")
# Of a wave's members: what is known to have ended. Skipped are those to which nothing was done, for a reason.
_ENDED = (*SUCCESSFUL, *BAD, "skipped")


@dataclasses.dataclass(frozen=True)
class Totals:
    """Outcomes so far: of the rollout, of the wave and of the batch that are judged, and of each cohort."""

    rollout: Counts
    wave: Counts
    batch: Counts
    cohorts: t.Mapping[str, Counts]


@dataclasses.dataclass(frozen=True)
class WaveAssessment:
    """``barred``: cohorts in which nobody gets the KMP any more."""

    passed: bool
    text: str
    barred: tuple[str, ...] = ()


def count_bad(counts: Counts) -> int:
    return sum(counts.get(kind, 0) for kind in BAD)


def format_wave_name(document: t.Mapping[str, t.Any], wave: int) -> str:
    kind = document["waves"][wave]["kind"]
    return {"canaries": "canaries", "singles": "the only ones of their kind"}.get(kind, f"wave {wave}")


def resolve_wave_budget(document: t.Mapping[str, t.Any], wave: int) -> int | None:
    """How many hosts of a wave may go wrong, None for any number."""
    planned = document["waves"][wave]
    budgeted = document["settings"]["budgets"]["wave"]
    return 0 if planned["kind"] in ZERO_BUDGET_KINDS else host_counts.resolve_count(budgeted, len(planned["hosts"]))


def count_by_outcome(rows: t.Iterable[Outcome]) -> dict[str, int]:
    return dict(collections.Counter(row.outcome for row in rows))


def count_outcomes(rows: t.Collection[Outcome]) -> dict[str, t.Any]:
    """What the store counts, of these hosts only."""
    cohorts: dict[str, list[Outcome]] = {}
    for row in rows:
        cohorts.setdefault(str(row.cohort), []).append(row)
    return {
        "rollout": count_by_outcome(rows),
        "cohorts": {name: count_by_outcome(some) for name, some in cohorts.items()},
    }


def assess_wave(
    document: t.Mapping[str, t.Any],
    wave: int,
    totals: Totals,
    rows: t.Collection[Outcome],
    last: bool,
    check_mode: bool = False,
) -> WaveAssessment:
    """Judges a wave as far as it has gone.

    :param rows: what became of the wave's hosts so far.
    :param last: all of its members have had their turn: who has not ended by now is bad.
    """
    settings = document["settings"]
    planned = document["waves"][wave]["hosts"]
    strict = document["waves"][wave]["kind"] in ZERO_BUDGET_KINDS
    most = resolve_wave_budget(document, wave)
    ended = (*_ENDED, "pending") if check_mode else _ENDED
    size = len(planned) if last else sum(row.outcome in ended for row in rows)
    unknown = size - sum(row.outcome in ended for row in rows)
    well = sum(row.outcome in ended and not row.bad and row.outcome != "skipped" for row in rows)
    told = f"({well} of {size} well, budget {_shown(most)})"
    head = f"Gate after {format_wave_name(document, wave)}:"

    barred = _barred(document, rows, settings["halt_scope"] if strict else "cohort")
    problem = _over(document, totals, count_bad(totals.wave) + unknown, most)
    if strict and barred and settings["halt_scope"] != "rollout" and not unknown:
        everybody = len(document["cohorts"])
        others = everybody - len(barred)
        # What one cohort's failure does not reach, the rollout's own budgets may
        over_all = _over_all(document, totals)
        if others and over_all is None:
            text = f"the rollout ends for {len(barred)} of {everybody} cohorts, and goes on for {others}"
            return WaveAssessment(True, f"{head} fail for some {told}: {text}", barred)
        problem = over_all or problem
    if problem is None:
        return WaveAssessment(True, f"{head} pass {told}")
    return WaveAssessment(False, f"{head} fail {told}{problem}: no further host is touched", barred)


def _over(document: t.Mapping[str, t.Any], totals: Totals, in_wave: int, most_in_wave: int | None) -> str | None:
    """Which budget is used up; '' where it is the wave's, which is told anyway."""
    if most_in_wave is not None and in_wave > most_in_wave:
        return ""
    budgets = document["settings"]["budgets"]
    sizes = {one["id"]: one["hosts"] for one in document["cohorts"]}
    return (
        _first_over([("batch", count_bad(totals.batch), budgets["batch"], sum(totals.batch.values()))])
        or _over_all(document, totals)
        or _first_over(
            [
                (f"cohort {cohort}", count_bad(counts), budgets["cohort"], sizes[cohort])
                for cohort, counts in totals.cohorts.items()
            ]
        )
    )


def _over_all(document: t.Mapping[str, t.Any], totals: Totals) -> str | None:
    """Which of the rollout's own budgets is used up."""
    budgets, everybody = document["settings"]["budgets"], len(document["hosts"])
    return _first_over(
        [
            ("rollout", count_bad(totals.rollout), budgets["rollout"], everybody),
            ("lost hosts", totals.rollout.get("lost", 0), budgets["lost"], everybody),
        ]
    )


def _first_over(checks: t.Iterable[tuple[str, int, str | None, int]]) -> str | None:
    """:param checks: what it is of, how many went wrong, how many may, and of how many."""
    for what, count, budgeted, planned in checks:
        most = host_counts.resolve_count(budgeted, planned)
        if most is not None and count > most:
            return f" ({what}: {count} bad, budget {most})"
    return None


def _barred(document: t.Mapping[str, t.Any], rows: t.Iterable[Outcome], scope: str) -> tuple[str, ...]:
    """The cohorts that a failure reaches."""
    failed = {str(row.cohort) for row in rows if row.bad}
    if scope == "kmp":
        kmps = {one["kmp"] for one in document["cohorts"] if one["id"] in failed}
        failed = {one["id"] for one in document["cohorts"] if one["kmp"] in kmps}
    return tuple(sorted(failed))


def _shown(most: int | None) -> str:
    return "without limit" if most is None else str(most)
