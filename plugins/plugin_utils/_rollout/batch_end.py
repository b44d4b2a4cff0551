# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a batch, or of its wave: whether the rollout goes on, who goes back, what is barred, and its record.
PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import SLICES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_time
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    batches,
    causes,
    external_gates,
    halt,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gate_input import GateInput, Rows
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import SUCCESSFUL, Outcome


@dataclasses.dataclass(frozen=True)
class WaveOptions:
    """What the end of a wave depends on."""

    # Seconds for which it has to stay healthy
    soak: int
    # When this run leaves a soak to the next one, in seconds since the epoch
    run_ends: float
    gates: t.Sequence[t.Mapping[str, t.Any]]
    # By name, why a gate is not asked
    skip_gates: t.Mapping[str, t.Any]


#
# The steps
#


def decide_end(
    gate: GateInput,
    assessment: t.Mapping[str, t.Any],
    rows: Rows,
    options: WaveOptions,
) -> dict[str, t.Any]:
    """Whether the rollout goes on after the batch, and as what it ends if it does not."""
    wave, verdict, until = gate.wave, assessment["verdict"], assessment["soak"]["until"]
    go = {
        "go": True,
        "wave": wave,
        "last": assessment["last"],
        "verdict": verdict,
        "status": "running",
        "detail": {},
        "barred": assessment["barred"],
    }
    prefix = f"Gate after {gate.plan.name_wave(wave)}"
    stop = {**go, "go": False}
    if not assessment["passed"]:
        if not gate.is_slice:
            return {**stop, "status": "failed"}
        # Stops the other slices; the wave's gate, which comes after all of them, ends the rollout.
        return {**stop, "status": "halted", "detail": {"for": SLICES, "wave": wave, "at": time.time()}}
    if assessment["refused"]:
        return {**stop, "verdict": assessment["refused"]["detail"]["text"], **assessment["refused"]}
    if assessment["held"] is not None and not gate.is_slice:
        text = f"{prefix}: halted: {assessment['held']}"
        return {**stop, "verdict": text, "status": "halted", "detail": {"wave": wave}}
    if not assessment["last"]:
        return go
    if assessment["halted"] is not None:
        return {**stop, "verdict": assessment["halted"], "status": "halted", "detail": {"wave": wave}}
    if until is not None:
        text = f"{prefix}: soaks until {format_time(until, seconds=True)}: run the rollout again then"
        return {**stop, "verdict": text, "status": "soaking", "detail": {"wave": wave, "until": until}}
    if gate.read_only:
        return go
    combined = external_gates.run_external_gates(gate, rows, options.gates, options.skip_gates)
    if combined.verdict == "pass":
        return {**go, "verdict": f"{verdict}{combined.text}"}
    text = f"{prefix}: {combined.verdict}: {combined.text}"
    if combined.verdict == "fail":
        cohorts = sorted({row.cohort for row in rows.values() if row.cohort})
        return {**stop, "verdict": text, "status": "failed", "barred": cohorts}
    text += ". Run the rollout again, and it is asked again; livepatch_skip_gates skips a gate, with a reason"
    return {**stop, "verdict": text, "status": "waiting", "detail": {"for": combined.verdict, "wave": wave}}


def select_rollback(
    gate: GateInput, end: t.Mapping[str, t.Any], rows: Rows, settings: t.Container[str]
) -> list[Outcome]:
    """Hosts that failed. Of canaries all of them where the failure of one reaches all, else all of its cohort; of later
    waves only those that failed: to take a fix away from healthy hosts is an operator's choice.
    """
    # ``settings`` has the hosts of this run.
    # Where no KMP is to blame, such as where hosts could not take it, the others keep it.
    whole_wave = end["status"] == "failed" and bool(end["barred"]) and gate.plan.settings.halt_scope == "rollout"
    selected = [
        row
        for row in rows.values()
        if row.applied
        and (
            row.outcome == "failed"
            or (row.outcome in SUCCESSFUL and gate.is_strict and (whole_wave or row.cohort in end["barred"]))
        )
    ]
    # The other slices roll back their own.
    return [row for row in selected if row.host in settings] if gate.is_slice else selected


def record_end(
    gate: GateInput,
    assessment: t.Mapping[str, t.Any],
    end: t.Mapping[str, t.Any],
    rows: Rows,
    rollback: t.Sequence[Outcome],
    asks_halt: bool,
) -> None:
    """:param asks_halt: hosts are changed next, which need not ask for a halt each by itself then."""
    store, commands = gate.store, []
    entries = _build_quarantine(gate, end, rows, assessment["passed"])
    if entries:
        commands.append(store.build("add_to_quarantine", entries=entries))
    if rollback:
        pending = [dataclasses.replace(row, outcome="rollback_pending") for row in rollback]
        commands.append(gate.build_outcomes(pending))
    if assessment["unrecorded"]:
        commands.append(gate.build_verdict(batches.HOSTS, "pass", assessment["verdict"]))
    # What was not admitted is recorded as that.
    stops = not end["go"] and not (assessment["refused"] and assessment["passed"])
    if not gate.is_slice and (end["last"] or stops):
        verdict = "pass" if end["go"] else {"failed": "fail"}.get(end["status"], "inconclusive")
        commands.append(gate.build_verdict(batches.WAVE, verdict, end["verdict"]))
    if stops:
        detail = dict(end["detail"], text=end["verdict"])
        commands.append(store.build_fenced("set_status", status=end["status"], detail=detail))
    if asks_halt:
        commands.append(store.build("check_start", scope=store.scope, fence=store.fence))
    answers = store.send_all(*commands) if commands else []
    if asks_halt:
        halt.share(store, answers[-1])


def _build_quarantine(gate: GateInput, end: t.Mapping[str, t.Any], rows: Rows, passed: bool) -> list[dict[str, t.Any]]:
    """What no host gets any more until it is cleared: the KMP in the cohorts in which it failed, and hosts that are
    lost.

    :param passed: no budget is used up; what bars the KMP then is a gate that looks elsewhere.
    """
    by = f"rollout {gate.step.run.id}"
    cohorts = gate.plan.cohorts
    any_cohort = gate.plan.settings.halt_scope == "kmp"
    entries = []
    blamed = {str(row.cohort): row for row in reversed(causes.find_blamed(rows.values(), cohorts, gate.is_strict))}
    # A KMP with which a host went down is barred though the budget may allow for it.
    crashed = {row.cohort for row in rows.values() if row.cause == "crashed" and row.cohort}
    # In a later wave a budget counts hosts that failed for a reason of their own, too.
    barred = set(end["barred"]) & set(blamed) if not (gate.is_strict or passed) else set(end["barred"])
    for cohort in sorted({*barred, *crashed}):
        bad = blamed.get(cohort)
        reason = f"{bad.host}: {bad.reason}" if bad else end["verdict"]
        target = None if any_cohort else cohorts[cohort].target
        entries.append({"kmp": cohorts[cohort].kmp, "cohort": target, "host": None, "reason": reason, "by": by})
    lost = [row for row in rows.values() if causes.bars_host(row)]
    entries += [{"kmp": None, "cohort": None, "host": row.host, "reason": row.reason, "by": by} for row in lost]
    return entries
