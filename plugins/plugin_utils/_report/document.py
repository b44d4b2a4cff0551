# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as data: what all files of a report are made of. PRIVATE to the collection. Pure.

Its JSON Schema is docs/report.schema.json; what changes in it other than by keys that are added makes a new number.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_count
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import status
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, budgets
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import BAD, SUCCESSFUL, Outcome

SCHEMA = 1
# Of what the store records of gates, what is told
_GATE = ("at", "wave", "of", "name", "verdict", "text", "skipped", "measurements")


@dataclasses.dataclass(frozen=True)
class StoredRollout:
    """A rollout as it was recorded: ``shown`` by the store, and the plan's document."""

    document: t.Mapping[str, t.Any]
    shown: t.Mapping[str, t.Any]
    outcomes: t.Sequence[Outcome]


def build_status(rows: t.Sequence[status.Row], made: float, scope: str, problem: str | None) -> dict[str, t.Any]:
    """:param problem: why the run does not end well, None where it does."""
    behind = sum(row.up_to_date is not True and row.state != "not_covered" for row in rows)
    count = format_count(rows, "host")
    text = f"{behind} of {count} lack what they ought to have" if behind else f"{count}, and nothing is missing"
    return {
        **_head("status", made, scope, problem is None and not behind, problem or text),
        "hosts": [_host(row, None, {}) for row in sorted(rows, key=lambda row: row.name)],
        "plan": None,
        "rollout": None,
    }


def build_plan(
    rows: t.Sequence[status.Row],
    planned: t.Mapping[str, t.Any],
    before: t.Mapping[str, t.Any] | None,
    made: float,
    scope: str,
) -> dict[str, t.Any]:
    """:param planned: the plan's document; ``before``: the plan before it, and what has changed since."""
    of_host = _planned(planned)
    counts = (format_count(planned["hosts"], "host"), format_count(planned["waves"], "wave"))
    text = f"{counts[0]} in {counts[1]}; {len(planned['left_out'])} left out"
    waves = [
        {"name": budgets.format_wave_name(planned, number), "kind": wave["kind"], "hosts": wave["hosts"]}
        for number, wave in enumerate(planned["waves"])
    ]
    return {
        **_head("plan", made, scope, True, text),
        "hosts": [_host(row, None, of_host.get(row.name, {})) for row in sorted(rows, key=lambda row: row.name)],
        "plan": {
            "hash": planned["hash"],
            "settings": planned["settings"],
            "waves": waves,
            "cohorts": [_cohort(one) for one in planned["cohorts"]],
            "left_out": planned["left_out"],
            "before": before,
        },
        "rollout": None,
    }


def build_rollout(
    rows: t.Sequence[status.Row], ended: StoredRollout, made: float, scope: str, problem: str | None
) -> dict[str, t.Any]:
    by_name = {row.name: row for row in rows}
    planned = _planned(ended.document)
    hosts = []
    for one in sorted(ended.outcomes, key=lambda one: one.host):
        row = _now(by_name.get(one.host), one)
        hosts.append(_host(row, one, planned.get(one.host, {})))
    shown = ended.shown
    done = sum(one.outcome in SUCCESSFUL for one in ended.outcomes)
    text = f"{done} of {format_count(ended.outcomes, 'host')} have their patch; the rollout is {shown['status']}"
    return {
        **_head("rollout", made, scope, problem is None, problem or text),
        "hosts": hosts,
        "plan": None,
        "rollout": {
            "id": shown["id"],
            "plan": ended.document["hash"],
            "status": shown["status"],
            "detail": (shown["detail"] or {}).get("text"),
            "started": shown["started"],
            "ended": shown["ended"],
            "settings": ended.document["settings"],
            "waves": _waves(ended),
            "cohorts": [_cohort(one) for one in ended.document["cohorts"]],
            "gates": [{key: gate.get(key) for key in _GATE} for gate in shown["gates"]],
            "events": list(shown["events"]),
        },
    }


def _planned(plan: t.Mapping[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """What a plan says of each of its hosts, its wave among it."""
    waves = {name: number for number, wave in enumerate(plan["waves"]) for name in wave["hosts"]}
    return {name: {**row, "wave": waves.get(name)} for name, row in plan["hosts"].items()}


def _now(row: status.Row | None, one: Outcome) -> status.Row:
    """What is known of a host now. What it told before its last step is not true any more, nor is what follows from
    that.
    """
    if row is not None and row.state == one.state:
        return row
    kept = {key: getattr(row, key) for key in ("address", "release", "build_id", "domains")} if row else {}
    return status.Row(one.host, one.state, one.reason, level=one.level, **kept)


def _head(of: str, made: float, scope: str, well: bool, verdict: str) -> dict[str, t.Any]:
    at = datetime.datetime.fromtimestamp(made, datetime.timezone.utc).isoformat(timespec="seconds")
    return {"schema": SCHEMA, "of": of, "made": at, "scope": scope, "well": well, "verdict": verdict}


def _host(row: status.Row, one: Outcome | None, planned: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    told = dataclasses.asdict(row)
    problems = list(row.problems)
    if one is not None and one.reason and one.outcome in (*BAD, "skipped", "pending"):
        problems.insert(0, f"{one.outcome}: {one.reason}")
    return {
        **told,
        "problems": problems,
        "outcome": one.outcome if one else None,
        "outcome_reason": one.reason if one else None,
        "seconds": one.seconds if one else None,
        "wave": planned.get("wave"),
        "cohort": planned.get("cohort"),
        "canary": planned.get("why"),
    }


def _waves(ended: StoredRollout) -> list[dict[str, t.Any]]:
    """Each with its time: from the first host that was begun to the last word on it."""
    told = []
    of_host = {one.host: one.outcome for one in ended.outcomes}
    for number, wave in enumerate(ended.document["waves"]):
        begun = [one["at"] for one in ended.shown["events"] if one["wave"] == number and one["what"] == "begin"]
        judged = [one for one in ended.shown["gates"] if one["wave"] == number and one.get("of") == batches.WAVE]
        told.append(
            {
                "name": budgets.format_wave_name(ended.document, number),
                "kind": wave["kind"],
                "hosts": len(wave["hosts"]),
                "began": min(begun, default=None),
                "ended": judged[-1]["at"] if judged else None,
                "verdict": judged[-1]["verdict"] if judged else None,
                "text": judged[-1]["text"] if judged else None,
                "outcomes": dict(collections.Counter(of_host.get(name, "pending") for name in wave["hosts"])),
            }
        )
    return told


def _cohort(one: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        key: one[key] for key in ("id", "release", "build_id", "arch", "flavor", "level", "kmp", "hosts", "canaries")
    }
