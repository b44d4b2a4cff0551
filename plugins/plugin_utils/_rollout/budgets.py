# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a wave may go on, by the outcomes of its hosts and the budgets. PRIVATE to the collection. Pure.

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
# Kinds of waves of which each host is the first of its cohort to get the patch
ZERO_BUDGET_KINDS = ("canaries", "singles")
# Outcomes that are final for a wave. Skipped are hosts that were not changed, for a reason.
_FINAL = (*SUCCESSFUL, *BAD, "skipped")


@dataclasses.dataclass(frozen=True)
class Totals:
    """Outcomes so far."""

    rollout: Counts
    # Of the wave and of the batch that are assessed
    wave: Counts
    batch: Counts
    # By cohort
    cohorts: t.Mapping[str, Counts]


@dataclasses.dataclass(frozen=True)
class WaveAssessment:
    passed: bool
    text: str
    # Cohorts in which no further host gets the KMP
    barred: tuple[str, ...] = ()


def count_bad(counts: Counts) -> int:
    return sum(counts.get(kind, 0) for kind in BAD)


def format_wave_name(document: t.Mapping[str, t.Any], wave: int) -> str:
    kind = document["waves"][wave]["kind"]
    return {"canaries": "canaries", "singles": "single hosts"}.get(kind, f"wave {wave}")


def resolve_wave_budget(document: t.Mapping[str, t.Any], wave: int) -> int | None:
    """How many hosts of a wave may be bad, None for any number."""
    planned = document["waves"][wave]
    budget = document["settings"]["budgets"]["wave"]
    return 0 if planned["kind"] in ZERO_BUDGET_KINDS else host_counts.resolve_count(budget, len(planned["hosts"]))


def count_by_outcome(rows: t.Iterable[Outcome]) -> dict[str, int]:
    return dict(collections.Counter(row.outcome for row in rows))


def count_outcomes(rows: t.Collection[Outcome]) -> dict[str, t.Any]:
    """The counts of the store, of these hosts only."""
    cohorts: dict[str, list[Outcome]] = {}
    for row in rows:
        cohorts.setdefault(str(row.cohort), []).append(row)
    return {
        "rollout": count_by_outcome(rows),
        "cohorts": {cohort: count_by_outcome(members) for cohort, members in cohorts.items()},
    }


def assess_wave(
    document: t.Mapping[str, t.Any],
    wave: int,
    totals: Totals,
    rows: t.Collection[Outcome],
    last: bool,
    check_mode: bool = False,
) -> WaveAssessment:
    """Assess a wave as far as it has gone.

    :param rows: outcomes of the wave's hosts so far.
    :param last: all of its hosts were to start: one whose outcome is not final by now is bad.
    """
    settings = document["settings"]
    planned = document["waves"][wave]["hosts"]
    first_of_cohorts = document["waves"][wave]["kind"] in ZERO_BUDGET_KINDS
    budget = resolve_wave_budget(document, wave)
    final = (*_FINAL, "pending") if check_mode else _FINAL
    size = len(planned) if last else sum(row.outcome in final for row in rows)
    unknown = size - sum(row.outcome in final for row in rows)
    healthy = sum(row.outcome in final and not row.bad and row.outcome != "skipped" for row in rows)
    figures = f"({healthy} of {size} healthy, {_format_budget(budget)})"
    head = f"Gate after {format_wave_name(document, wave)}:"

    barred = _find_barred(document, rows, settings["halt_scope"] if first_of_cohorts else "cohort")
    exceeded = _find_exceeded(document, totals, count_bad(totals.wave) + unknown, budget)
    if first_of_cohorts and barred and settings["halt_scope"] != "rollout" and not unknown:
        cohorts = len(document["cohorts"])
        others = cohorts - len(barred)
        # Cohorts that the failure does not reach may still be stopped by the rollout's own budgets.
        exceeded_by_all = _find_exceeded_by_all(document, totals)
        if others and exceeded_by_all is None:
            text = (
                f"fail for {len(barred)} of {cohorts} cohorts {figures}: the rollout continues for the other {others}"
            )
            return WaveAssessment(True, f"{head} {text}", barred)
        exceeded = exceeded_by_all or exceeded
    if exceeded is None:
        return WaveAssessment(True, f"{head} pass {figures}")
    return WaveAssessment(False, f"{head} fail {figures}{exceeded}: no further host is patched", barred)


def _find_exceeded(
    document: t.Mapping[str, t.Any], totals: Totals, bad_in_wave: int, wave_budget: int | None
) -> str | None:
    """The budget that is exceeded, None for none; '' for the wave's, whose figures are shown anyway."""
    if wave_budget is not None and bad_in_wave > wave_budget:
        return ""
    budgets = document["settings"]["budgets"]
    sizes = {cohort["id"]: cohort["hosts"] for cohort in document["cohorts"]}
    return (
        _find_first_exceeded([("batch", count_bad(totals.batch), budgets["batch"], sum(totals.batch.values()))])
        or _find_exceeded_by_all(document, totals)
        or _find_first_exceeded(
            [
                (f"cohort {cohort}", count_bad(counts), budgets["cohort"], sizes[cohort])
                for cohort, counts in totals.cohorts.items()
            ]
        )
    )


def _find_exceeded_by_all(document: t.Mapping[str, t.Any], totals: Totals) -> str | None:
    """The one of the rollout's own budgets that is exceeded, None for none."""
    budgets, planned = document["settings"]["budgets"], len(document["hosts"])
    return _find_first_exceeded(
        [
            ("rollout", count_bad(totals.rollout), budgets["rollout"], planned),
            ("lost hosts", totals.rollout.get("lost", 0), budgets["lost"], planned),
        ]
    )


def _find_first_exceeded(checks: t.Iterable[tuple[str, int, str | None, int]]) -> str | None:
    """:param checks: the budget's subject, how many hosts are bad, how many may be, and of how many."""
    for subject, bad, count, planned in checks:
        budget = host_counts.resolve_count(count, planned)
        if budget is not None and bad > budget:
            return f" ({subject}: {bad} bad, budget {budget})"
    return None


def _find_barred(document: t.Mapping[str, t.Any], rows: t.Iterable[Outcome], scope: str) -> tuple[str, ...]:
    """The cohorts that a failure reaches."""
    failed = {str(row.cohort) for row in rows if row.bad}
    if scope == "kmp":
        kmps = {cohort["kmp"] for cohort in document["cohorts"] if cohort["id"] in failed}
        failed = {cohort["id"] for cohort in document["cohorts"] if cohort["kmp"] in kmps}
    return tuple(sorted(failed))


def _format_budget(budget: int | None) -> str:
    return "no budget set" if budget is None else f"budget {budget}"
