# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rollout of a scope as it is recorded, for reports that ask no host. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import abbreviate, format_time
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import document, status, text
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, halt, quarantine
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import SUCCESSFUL, Outcome, load_outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Plan
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient


@dataclasses.dataclass(frozen=True)
class StoredRollout:
    """A rollout with its plan, hosts and outcomes."""

    record: t.Mapping[str, t.Any]  # what the store returns for command show
    plan: Plan
    before: list[Host]  # the hosts as they were planned, in the order of outcomes
    outcomes: list[Outcome]
    halt: t.Mapping[str, t.Any] | None = None  # the one of its scope

    def format_lines(self, detail: t.Mapping[str, t.Any]) -> list[str]:
        """The table of hosts, their problems, and a summary."""
        return text.format_outcomes(
            (), self.plan, self.outcomes, self.record["status"], self.record["detail"] or detail
        )

    def build_document(self, created: float, scope: str) -> dict[str, t.Any]:
        """The document of its report."""
        problem = text.describe_problem(self.before, self.outcomes, self.record["status"], self.record["detail"] or {})
        rows = [self._build_row(*pair) for pair in zip(self.before, self.outcomes, strict=True)]
        stored = document.StoredRollout(self.plan, self.record, self.outcomes)
        built = document.build_rollout(rows, stored, created, scope, problem)
        return {**built, "halt": self.halt and halt.describe_halt(self.halt)}

    def _build_row(self, host: Host, outcome: Outcome) -> status.Row:
        """A host is known to be up to date only where the rollout succeeded on it."""
        return status.Row(
            outcome.host,
            outcome.state,
            outcome.reason,
            release=host.release,
            build_id=host.build_id,
            kmp=outcome.kmp,
            level=outcome.level,
            up_to_date=outcome.outcome in SUCCESSFUL or None,
        )


def load_rollout(store: StoreClient, record: t.Mapping[str, t.Any] | None) -> StoredRollout | None:
    """The open rollout, or else the last one; None where the scope has had none.

    :param record: what the store returns for command show.
    :raises StoreError: the store cannot be used.
    """
    if record is None:
        return None
    plan = Plan.from_document(store.send("load_plan", plan_hash=record["plan_hash"]))
    before, outcomes = [], []
    for planned in plan.hosts.values():
        host = Host(
            planned.name,
            "",
            "",
            release=plan.outline.cohorts[planned.cohort].release,
            build_id=planned.build_id,
            level=planned.level,
            kmp=planned.kmp,
        )
        before.append(host)
        outcomes.append(load_outcome(planned.name, record["outcomes"].get(planned.name), planned.cohort, host))
    return StoredRollout(record, plan, before, outcomes)


def load_report(store: StoreClient, response: t.Mapping[str, t.Any]) -> tuple[list[str], StoredRollout | None]:
    """What the playbook report shows of the scope's rollout: its lines, and the rollout itself, None without one.

    :param response: what the store shows of the scope.
    :raises StoreError: the store cannot be used.
    """
    rollout = load_rollout(store, response["rollout"])
    halted = [] if response["halt"] is None else [f"Halted: {halt.describe_halt(response['halt'])}"]
    if rollout is None:
        return [*halted, f"No rollout of the scope {store.scope} is recorded ({store.location.describe()})"], None
    record = rollout.record
    lines = [
        *halted,
        (
            f"Rollout {record['id']} of plan {record['plan_hash'][:12]}, "
            f"started {format_time(record['started'])} by {record['started_by'] or '?'}"
        ),
        "",
        *rollout.format_lines({"text": f"since {format_time(record['ended'] or record['started'])}"}),
    ]
    gates = [
        f"  {format_time(gate['at'])}  {_format_gate(gate)}: {gate['verdict']}: {gate['text']}"
        for gate in record["gates"]
    ]
    lines += ["", "Gates:", *gates] if gates else []
    changes = [f"  {format_time(change['at'])}  {_format_change(change)}" for change in record["changes"]]
    lines += ["", "Changed settings:", *changes] if changes else []
    entries = [f"  {quarantine.describe_entry(entry)}" for entry in response["quarantine"]]
    lines += ["", "In quarantine:", *entries] if entries else []
    return lines, dataclasses.replace(rollout, halt=response["halt"])


def _format_change(change: t.Mapping[str, t.Any]) -> str:
    """What was changed, the person, and the reason where it is not tighter."""
    where = f" of {abbreviate(change['hosts'])}" if change["hosts"] else ""
    why = f": {change['reason']}" if change["reason"] else ""
    values = f"{change['recorded']} -> {change['given']} ({change['relation']})"
    return f"{change['setting']}{where}: {values}, by {change['by']}{why}"


def _format_gate(gate: t.Mapping[str, t.Any]) -> str:
    """The wave, and the gate where it is not the verdict on the whole wave."""
    gates = [] if gate.get("of") == batches.WAVE else [gate.get("name") or batches.HOSTS]
    return ": ".join([f"wave {gate['wave']}", *gates])
