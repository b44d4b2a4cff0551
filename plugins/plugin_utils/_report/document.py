# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as data, from which all files of a report are made. PRIVATE to the collection. Pure.

Its JSON Schema is docs/report.schema.json. A change other than an added key needs a new SCHEMA.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_count, format_status
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import status
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import BAD, SUCCESSFUL, Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Plan, PlannedHost

SCHEMA = 1
# What the report keeps of the store's rows of gates
_GATE_KEYS = ("at", "wave", "of", "name", "verdict", "text", "skipped", "measurements")
# And of those of changed settings
_CHANGE_KEYS = ("at", "setting", "relation", "recorded", "given", "hosts", "reason", "by")
_COHORT_KEYS = ("id", "release", "build_id", "arch", "flavor", "level", "kmp", "hosts", "canaries", "reserves")


@dataclasses.dataclass(frozen=True)
class StoredRollout:
    """A rollout as it is recorded."""

    plan: Plan
    record: t.Mapping[str, t.Any]  # what the store returns for command show
    outcomes: t.Sequence[Outcome]


def build_status(rows: t.Sequence[status.Row], created: float, scope: str, problem: str | None) -> dict[str, t.Any]:
    """:param problem: why the run exits with an error, None where it does not."""
    behind = sum(row.up_to_date is not True and row.state != "not_covered" for row in rows)
    count = format_count(rows, "host")
    are = "is" if behind == 1 else "are"
    summary = f"{behind} of {count} {are} not compliant" if behind else f"{count}, all compliant"
    return {
        **_build_head("status", created, scope, problem is None and not behind, problem or summary),
        "hosts": [_build_host(row, None, None) for row in sorted(rows, key=lambda row: row.name)],
        "plan": None,
        "rollout": None,
    }


def build_plan(
    rows: t.Sequence[status.Row],
    plan: Plan,
    before: t.Mapping[str, t.Any] | None,
    created: float,
    scope: str,
) -> dict[str, t.Any]:
    """:param before: the plan before it, and what has changed since."""
    counts = (format_count(plan.hosts, "host"), format_count(plan.waves, "wave"))
    summary = f"{counts[0]} in {counts[1]}; {len(plan.left_out)} left out"
    waves = [
        {"name": plan.outline.name_wave(number), "kind": plan.outline.waves[number].kind, "hosts": list(names)}
        for number, names in enumerate(plan.waves)
    ]
    return {
        **_build_head("plan", created, scope, True, summary),
        "hosts": [_build_host(row, None, plan.hosts.get(row.name)) for row in sorted(rows, key=lambda row: row.name)],
        "plan": {
            "hash": plan.hash,
            "settings": plan.outline.settings.document,
            "waves": waves,
            "cohorts": _build_cohorts(plan),
            "left_out": plan.left_out,
            "before": before,
        },
        "rollout": None,
    }


def build_rollout(
    rows: t.Sequence[status.Row], rollout: StoredRollout, created: float, scope: str, problem: str | None
) -> dict[str, t.Any]:
    """:param problem: why the run exits with an error, None where it does not."""
    by_name = {row.name: row for row in rows}
    plan, hosts = rollout.plan, []
    for outcome in sorted(rollout.outcomes, key=lambda outcome: outcome.host):
        row = _update_row(by_name.get(outcome.host), outcome)
        hosts.append(_build_host(row, outcome, plan.hosts.get(outcome.host)))
    record = rollout.record
    done = sum(outcome.outcome in SUCCESSFUL for outcome in rollout.outcomes)
    summary = (
        f"{done} of {format_count(rollout.outcomes, 'host')} patched; the rollout {format_status(record['status'])}"
    )
    return {
        **_build_head("rollout", created, scope, problem is None, problem or summary),
        "hosts": hosts,
        "plan": None,
        "rollout": {
            "id": record["id"],
            "plan": plan.hash,
            "status": record["status"],
            "detail": (record["detail"] or {}).get("text"),
            "started": record["started"],
            "started_by": record["started_by"],
            "ended": record["ended"],
            "settings": plan.outline.settings.document,
            "waves": _build_waves(rollout),
            "cohorts": _build_cohorts(plan),
            "gates": [{key: gate.get(key) for key in _GATE_KEYS} for gate in record["gates"]],
            "changes": [{key: change.get(key) for key in _CHANGE_KEYS} for change in record["changes"]],
            "events": list(record["events"]),
        },
    }


def _update_row(row: status.Row | None, outcome: Outcome) -> status.Row:
    """A host's row after its last step. What was measured before that, and what follows from it, is out of date."""
    if row is not None and row.state == outcome.state:
        return row
    kept = {key: getattr(row, key) for key in ("address", "release", "build_id", "domains")} if row else {}
    return status.Row(outcome.host, outcome.state, outcome.reason, level=outcome.level, **kept)


def _build_head(kind: str, created: float, scope: str, success: bool, summary: str) -> dict[str, t.Any]:
    at = datetime.datetime.fromtimestamp(created, datetime.timezone.utc).isoformat(timespec="seconds")
    head = {"schema": SCHEMA, "kind": kind, "created": at, "scope": scope, "success": success, "summary": summary}
    # Steps that read the store add them.
    return {**head, "halt": None, "open_rollout": None}


def _build_host(row: status.Row, outcome: Outcome | None, planned: PlannedHost | None) -> dict[str, t.Any]:
    problems = list(row.problems)
    if outcome is not None and outcome.reason and outcome.outcome in (*BAD, "skipped", "pending"):
        problems.insert(0, f"{outcome.outcome}: {outcome.reason}")
    return {
        **dataclasses.asdict(row),
        "problems": problems,
        "outcome": outcome.outcome if outcome else None,
        "outcome_reason": outcome.reason if outcome else None,
        "seconds": outcome.seconds if outcome else None,
        "wave": planned.wave if planned else None,
        "cohort": planned.cohort if planned else None,
        "canary": planned.why if planned else None,
    }


def _build_waves(rollout: StoredRollout) -> list[dict[str, t.Any]]:
    """Each with its time: from the start of its first host to the verdict of its gate."""
    rows = []
    outcomes = {outcome.host: outcome.outcome for outcome in rollout.outcomes}
    for number, names in enumerate(rollout.plan.waves):
        starts = [
            event["at"] for event in rollout.record["events"] if event["wave"] == number and event["what"] == "begin"
        ]
        gates = [gate for gate in rollout.record["gates"] if gate["wave"] == number and gate.get("of") == batches.WAVE]
        last = gates[-1] if gates else {}
        rows.append(
            {
                "name": rollout.plan.outline.name_wave(number),
                "kind": rollout.plan.outline.waves[number].kind,
                "hosts": len(names),
                "started": min(starts, default=None),
                "ended": last.get("at"),
                "verdict": last.get("verdict"),
                "text": last.get("text"),
                "outcomes": dict(collections.Counter(outcomes.get(name, "pending") for name in names)),
            }
        )
    return rows


def _build_cohorts(plan: Plan) -> list[dict[str, t.Any]]:
    return [
        {
            **{key: getattr(cohort, key) for key in _COHORT_KEYS},
            "canaries": list(cohort.canaries),
            "reserves": list(cohort.reserves),
        }
        for cohort in plan.outline.cohorts.values()
    ]
