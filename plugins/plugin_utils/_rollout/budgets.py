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

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import causes, host_counts
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import BAD, SUCCESSFUL, Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Outline

# By outcome, how many hosts
Counts = t.Mapping[str, int]
# Outcomes that are final for a wave. Skipped are hosts that were not changed, for a reason.
_FINAL = (*SUCCESSFUL, *BAD, "skipped")
# What hosts count as that failed for a reason of their own, where the budget is for those that the KMP is to blame for
_EXCUSED = "excused"


@dataclasses.dataclass(frozen=True)
class Totals:
    """Outcomes so far."""

    rollout: Counts
    # By cohort, those of the rollout, and those of the wave that is assessed
    cohorts: t.Mapping[str, Counts]
    wave_cohorts: t.Mapping[str, Counts]
    # Of the batch that is assessed
    batch: Counts = dataclasses.field(default_factory=dict)
    # How many hosts are assessed with the wave that are planned for later ones
    reserves: int = 0

    @classmethod
    def from_groups(cls, groups: t.Iterable[t.Mapping[str, t.Any]], wave: int, batch: Counts | None = None) -> Totals:
        """:param groups: of the store: how many ``hosts`` have each ``wave``, ``cohort`` and ``outcome``."""
        rollout: collections.Counter[str] = collections.Counter()
        cohorts: dict[str, collections.Counter[str]] = {}
        of_wave: dict[str, collections.Counter[str]] = {}
        for group in groups:
            counted = [rollout, cohorts.setdefault(str(group["cohort"]), collections.Counter())]
            if group["wave"] == wave:
                counted.append(of_wave.setdefault(str(group["cohort"]), collections.Counter()))
            for counts in counted:
                counts[group["outcome"]] += group["hosts"]
        return cls(rollout, cohorts, of_wave, batch or {})

    @property
    def wave(self) -> Counts:
        counts: collections.Counter[str] = collections.Counter()
        for of_cohort in self.wave_cohorts.values():
            counts.update(of_cohort)
        return counts

    def weigh_canaries(self, plan: Outline, rows: t.Collection[Outcome]) -> Totals:
        """Tell the canaries that the KMP is to blame for from those that failed for a reason of their own.

        :param rows: of the wave, and of the reserves that have taken a canary's place.
        """
        blamed = {row.host for row in causes.find_blamed(rows, plan.cohorts, are_canaries=True)}
        of_wave: dict[str, collections.Counter[str]] = {}
        for row in rows:
            if row.outcome != "pending":
                kind = _EXCUSED if row.bad and row.host not in blamed else row.outcome
                of_wave.setdefault(str(row.cohort), collections.Counter())[kind] += 1
        reserves = sum(row.reserve for row in rows)
        return dataclasses.replace(self, wave_cohorts=of_wave, reserves=reserves)

    def count_wave(self, planned: int) -> dict[str, int]:
        """The outcomes of the wave's hosts; those that have none yet are pending.

        :param planned: how many hosts it has.
        """
        counts = {kind: count for kind, count in self.wave.items() if kind not in (BEGUN, "pending")}
        pending = planned - sum(counts.values())
        return {**counts, **({"pending": pending} if pending > 0 else {})}


@dataclasses.dataclass(frozen=True)
class WaveAssessment:
    passed: bool
    text: str
    # Cohorts in which no further host gets the KMP
    barred: tuple[str, ...] = ()


def count_bad(counts: Counts) -> int:
    return sum(counts.get(kind, 0) for kind in BAD)


def count_by_outcome(rows: t.Iterable[Outcome]) -> dict[str, int]:
    return dict(collections.Counter(row.outcome for row in rows))


def group_outcomes(outcomes: t.Iterable[tuple[int | None, str | None, str]]) -> list[dict[str, t.Any]]:
    """The groups of the store, of these hosts only.

    :param outcomes: of each host its wave, cohort and outcome.
    """
    return [
        {"wave": wave, "cohort": cohort, "outcome": outcome, "hosts": hosts}
        for (wave, cohort, outcome), hosts in collections.Counter(outcomes).items()
    ]


def resolve_wave_budget(plan: Outline, wave: int) -> int | None:
    """How many hosts of a wave may be bad, None for any number."""
    planned = plan.waves[wave]
    return 0 if planned.is_strict else host_counts.resolve_count(plan.settings.budgets["wave"], planned.hosts)


def assess_wave(plan: Outline, wave: int, totals: Totals, last: bool, check_mode: bool = False) -> WaveAssessment:
    """Assess a wave as far as it has gone.

    :param last: all of its hosts were to start: one whose outcome is not final by now is bad.
    """
    planned, scope = plan.waves[wave], plan.settings.halt_scope
    budget = resolve_wave_budget(plan, wave)
    # In check mode no host is started.
    excused = totals.wave.get(_EXCUSED, 0)
    final = excused + sum(totals.wave.get(kind, 0) for kind in ((*_FINAL, "pending") if check_mode else _FINAL))
    size = planned.hosts + totals.reserves if last and not check_mode else final
    unknown = size - final
    healthy = final - count_bad(totals.wave) - totals.wave.get("skipped", 0) - excused
    figures = f"({healthy} of {size} healthy, {_format_budget(budget)}{_format_excused(excused)})"
    head = f"Gate after {plan.name_wave(wave)}:"

    barred = _find_barred(plan, totals, scope if planned.is_strict else "cohort")
    exceeded = _find_exceeded(plan, totals, count_bad(totals.wave) + unknown, budget)
    if planned.is_strict and barred and scope != "rollout" and not unknown:
        cohorts = len(plan.cohorts)
        others = cohorts - len(barred)
        # Cohorts that the failure does not reach may still be stopped by the rollout's own budgets.
        exceeded_by_all = _find_exceeded_by_all(plan, totals)
        if others and exceeded_by_all is None:
            text = (
                f"fail for {len(barred)} of {cohorts} cohorts {figures}: the rollout continues for the other {others}"
            )
            return WaveAssessment(True, f"{head} {text}", barred)
        exceeded = exceeded_by_all or exceeded
    if exceeded is None and check_mode:
        return WaveAssessment(True, f"{head} not asked in check mode ({healthy} of {size} would be patched)")
    if exceeded is None and excused and not healthy and last:
        exceeded = ": none of them could be patched"
    if exceeded is None:
        return WaveAssessment(True, f"{head} pass {figures}")
    return WaveAssessment(False, f"{head} fail {figures}{exceeded}: no further host is patched", barred)


def _find_exceeded(plan: Outline, totals: Totals, bad_in_wave: int, wave_budget: int | None) -> str | None:
    """The budget that is exceeded, None for none; '' for the wave's, whose figures are shown anyway."""
    if wave_budget is not None and bad_in_wave > wave_budget:
        return ""
    budgets = plan.settings.budgets
    return (
        _find_first_exceeded([("batch", count_bad(totals.batch), budgets["batch"], sum(totals.batch.values()))])
        or _find_exceeded_by_all(plan, totals)
        or _find_first_exceeded(
            [
                (f"cohort {id_}", count_bad(counts), budgets["cohort"], plan.cohorts[id_].hosts)
                for id_, counts in totals.cohorts.items()
                if id_ in plan.cohorts
            ]
        )
    )


def _find_exceeded_by_all(plan: Outline, totals: Totals) -> str | None:
    """The one of the rollout's own budgets that is exceeded, None for none."""
    budgets = plan.settings.budgets
    return _find_first_exceeded(
        [
            ("rollout", count_bad(totals.rollout), budgets["rollout"], plan.hosts),
            ("lost hosts", totals.rollout.get("lost", 0), budgets["lost"], plan.hosts),
        ]
    )


def _find_first_exceeded(checks: t.Iterable[tuple[str, int, str | None, int]]) -> str | None:
    """:param checks: the budget's subject, how many hosts are bad, how many may be, and of how many."""
    for subject, bad, count, planned in checks:
        budget = host_counts.resolve_count(count, planned)
        if budget is not None and bad > budget:
            return f" ({subject}: {bad} bad, budget {budget})"
    return None


def _find_barred(plan: Outline, totals: Totals, scope: str) -> tuple[str, ...]:
    """The cohorts that a failure in the wave reaches."""
    failed = {id_ for id_, counts in totals.wave_cohorts.items() if count_bad(counts)}
    if scope == "kmp":
        kmps = {cohort.kmp for cohort in plan.cohorts.values() if cohort.id in failed}
        failed = {cohort.id for cohort in plan.cohorts.values() if cohort.kmp in kmps}
    return tuple(sorted(failed))


def _format_excused(excused: int) -> str:
    return f"; {excused} failed before the kernel had the KMP, or for another reason of the host's" if excused else ""


def _format_budget(budget: int | None) -> str:
    return "no budget set" if budget is None else f"budget {budget}"
