# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rollout of a scope as it is recorded: what is told when no host is asked. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_time
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import document, status, text
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, operator
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import SUCCESSFUL, Outcome, load_outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient


@dataclasses.dataclass(frozen=True)
class StoredRollout:
    """``shown`` by the store, ``plan`` its document. ``before``: the hosts as they were planned, in the order of
    ``outcomes``.
    """

    shown: t.Mapping[str, t.Any]
    plan: t.Mapping[str, t.Any]
    before: list[Host]
    outcomes: list[Outcome]

    def format_lines(self, detail: t.Mapping[str, t.Any]) -> list[str]:
        """The table of hosts, their problems, and a line that sums up."""
        return text.format_outcomes(self.before, self.outcomes, self.shown["status"], self.shown["detail"] or detail)

    def build_document(self, made: float, scope: str) -> dict[str, t.Any]:
        """What files are made of."""
        problem = text.describe_problem(self.before, self.outcomes, self.shown["status"], self.shown["detail"] or {})
        rows = [self._row(*pair) for pair in zip(self.before, self.outcomes, strict=True)]
        ended = document.StoredRollout(self.plan, self.shown, self.outcomes)
        return document.build_rollout(rows, ended, made, scope, problem)

    def _row(self, host: Host, one: Outcome) -> status.Row:
        """Whether a host has what it ought to have is known where its rollout has seen it."""
        return status.Row(
            one.host,
            one.state,
            one.reason,
            release=host.release,
            build_id=host.build_id,
            kmp=one.kmp,
            level=one.level,
            up_to_date=one.outcome in SUCCESSFUL or None,
        )


def load_rollout(store: StoreClient, shown: t.Mapping[str, t.Any] | None) -> StoredRollout | None:
    """The rollout that is open, or else the last one; None where the scope has had none.

    :param shown: what the store shows of it.
    :raises StoreError: the store cannot be used.
    """
    if shown is None:
        return None
    plan = store.send("load_plan", plan_hash=shown["plan_hash"])
    releases = {cohort["id"]: cohort["release"] for cohort in plan["cohorts"]}
    before, outcomes = [], []
    for name, row in plan["hosts"].items():
        known = {"build_id": row["build_id"], "level": row["level"], "kmp": row["kmp"]}
        host = Host(name, "", "", release=releases[row["cohort"]], **known)
        before.append(host)
        outcomes.append(load_outcome(name, shown["outcomes"].get(name), row["cohort"], host))
    return StoredRollout(shown, plan, before, outcomes)


def load_report(store: StoreClient) -> tuple[list[str], StoredRollout | None]:
    """What the playbook report shows of the scope's rollout: its lines, and the rollout itself, None without one.

    :raises StoreError: the store cannot be used.
    """
    response = store.send("show", scope=store.scope)
    rollout = load_rollout(store, response["rollout"])
    if rollout is None:
        return [f"No rollout of the scope {store.scope} is recorded"], None
    shown = rollout.shown
    lines = [
        f"Rollout {shown['id']} of plan {shown['plan_hash'][:12]}, begun {format_time(shown['started'])}",
        "",
        *rollout.format_lines({"text": f"since {format_time(shown['ended'] or shown['started'])}"}),
    ]
    gates = [
        f"  {format_time(gate['at'])}  {_label(gate)}: {gate['verdict']}: {gate['text']}" for gate in shown["gates"]
    ]
    lines += ["", "Gates:", *gates] if gates else []
    entries = [f"  {operator.describe_entry(entry)}" for entry in response["quarantine"]]
    return [*lines, *(["", "In quarantine:", *entries] if entries else [])], rollout


def _label(gate: t.Mapping[str, t.Any]) -> str:
    """The wave, and which of its gates it was; none for the verdict on the wave as a whole."""
    which = [] if gate.get("of") == batches.WAVE else [gate.get("name") or batches.HOSTS]
    return ": ".join([f"wave {gate['wave']}", *which])
