# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gates that look elsewhere than at the hosts: how a wave is put to them. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import fetch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import budgets, session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gate_input import GateInput, Rows
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import runner
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.context import GateContext
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.verdict import CombinedResult
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import SUCCESSFUL


def run_external_gates(
    gate: GateInput,
    rows: Rows,
    gates: t.Sequence[t.Mapping[str, t.Any]],
    skip_gates: t.Mapping[str, t.Any],
) -> CombinedResult:
    """Asks each of them, and records what it measured.

    :param rows: what became of the wave's hosts.
    :raises PlanError: one of the gates cannot be understood.
    """
    parsed = runner.parse_gates(gates, skip_gates)
    successful = {name: row for name, row in rows.items() if row.outcome in SUCCESSFUL}
    context = GateContext(
        rollout=str(gate.step.run.id),
        plan=gate.step.run.hash,
        wave=gate.wave,
        patched=tuple(successful),
        control=_select_control(gate, rows) if parsed else (),
        began=gate.step.state.started,
    )
    unknown = {name: row.health_unknown for name, row in successful.items() if row.health_unknown}
    health = runner.check_health(unknown, budgets.resolve_wave_budget(gate.plan, gate.wave), skip_gates)
    combined = runner.run_gates(parsed, context, fetch, gate.check_halt, known=health)
    now = time.time()
    records = [
        gate.store.build_fenced("record_gate", wave=gate.wave, record=dict(dataclasses.asdict(result), at=now))
        for result in combined.gates
    ]
    if records:
        gate.store.send_all(*records)
    return combined


def _select_control(gate: GateInput, rows: Rows) -> tuple[str, ...]:
    """Hosts to compare the wave's with: of the same cohorts, and not patched. After the last wave there are none, and
    it is those before it, whose gates have passed.
    """
    cohorts = sorted({str(row.cohort) for row in rows.values()})
    known = session.load_hosts(gate.store, gate.step.run, cohorts=cohorts).outcomes
    others = {name: row for name, row in known.items() if name not in rows}
    unpatched = [name for name, row in others.items() if row.outcome not in SUCCESSFUL and not row.applied]
    return tuple(unpatched or others)
