# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of the store as documents, and what follows from them. PRIVATE to the collection: it may change at any time."""

import json
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._store import plan_rows
from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import ALL_SCOPES, SLICE, SLICES
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Transaction

# How many of a rollout's events are returned
_MAX_EVENTS = 200
# How many plans of each scope are searched for what an operator names
_MAX_RECENT_PLANS = 200


def as_dict(row: Any) -> Dict[str, Any]:
    return {key: row[key] for key in tuple(row.keys())}


def is_left_to_slices(rollout: Mapping[str, Any], status: str) -> bool:
    """Whether a rollout has this status and has come to a wave that slices do."""
    return bool(rollout["status"] == status and rollout["detail"].get("for") == SLICES)


def explain_not_joinable(rollout: Optional[Mapping[str, Any]]) -> Optional[str]:
    """Why slices have nothing to do in the open rollout, None where they have."""
    if rollout is None:
        return "no rollout is open"
    return None if is_left_to_slices(rollout, "waiting") else "the open rollout is {status}".format(**rollout)


def find_open(transaction: Transaction, scope: str) -> Any:
    """The row of the open rollout of a scope, None where none is open."""
    return transaction.connection.execute(
        "SELECT * FROM rollouts WHERE scope = ? AND ended IS NULL", (scope,)
    ).fetchone()


def find_last(transaction: Transaction, scope: str) -> Any:
    """The row of the open rollout of a scope, or else of its last one; None where it has had none."""
    return (
        find_open(transaction, scope)
        or transaction.connection.execute(
            "SELECT * FROM rollouts WHERE scope = ? ORDER BY started DESC, rowid DESC LIMIT 1", (scope,)
        ).fetchone()
    )


def find_last_plan(transaction: Transaction, scope: str) -> Any:
    """``hash`` of the plan that was saved last, and when, ``saved``; None where the scope has none."""
    return transaction.connection.execute(
        "SELECT hash, saved FROM plans WHERE scope = ? ORDER BY saved DESC, rowid DESC LIMIT 1", (scope,)
    ).fetchone()


def find_recent_plans(transaction: Transaction) -> Iterator[Any]:
    """Of each scope the last plans, ``hash`` and ``outline``: what operators may have seen."""
    for scope in _list_scopes(transaction.connection, "plans"):
        yield from transaction.connection.execute(
            "SELECT hash, outline FROM plans WHERE scope = ? ORDER BY saved DESC LIMIT ?", (scope, _MAX_RECENT_PLANS)
        ).fetchall()


def summarize_rollout(row: Any) -> Dict[str, Any]:
    """A rollout's row; ``detail`` says what it waits for, or why it stopped."""
    return dict(as_dict(row), detail=json.loads(row["detail"]))


def load_history(transaction: Transaction, row: Any) -> Dict[str, Any]:
    """A rollout with its gates, the ``changes`` of its settings, and its last events."""
    return dict(
        summarize_rollout(row),
        # All gates, since they say which waves have passed
        gates=load_gates(transaction, row["id"]),
        changes=_load_events(transaction, row["id"], "change", -1),
        events=_load_events(transaction, row["id"], "event", _MAX_EVENTS),
    )


def load_rollout(transaction: Transaction, row: Any) -> Dict[str, Any]:
    """A rollout with its gates, its last events and the outcomes of its hosts."""
    return dict(load_history(transaction, row), outcomes=load_outcomes(transaction, row["id"]))


def load_outcomes(
    transaction: Transaction, rollout: Optional[str], hosts: Optional[Sequence[str]] = None
) -> Dict[str, Dict[str, Any]]:
    """What is recorded of these hosts in a rollout, None for all of its hosts."""
    statement = "SELECT * FROM outcomes WHERE rollout = ?"
    if hosts is None:
        selected = transaction.connection.execute(statement, (rollout,)).fetchall()
    else:
        selected = []
        for part in plan_rows.split(hosts):
            condition = f" AND host IN ({', '.join('?' * len(part))})"
            selected += transaction.connection.execute(statement + condition, (rollout, *part)).fetchall()
    return {
        row["host"]: dict(
            json.loads(row["payload"]),
            outcome=row["outcome"],
            wave=row["wave"],
            cohort=row["cohort"],
            at=row["created_at"],
        )
        for row in selected
    }


def load_gates(transaction: Transaction, rollout: str) -> List[Dict[str, Any]]:
    """All that a rollout's gates have measured."""
    return _load_events(transaction, rollout, "gate", -1)


def load_wave_outcomes(transaction: Transaction, rollout: Optional[str], wave: int) -> Dict[str, Dict[str, Any]]:
    """What is recorded of the hosts of a wave."""
    selected = transaction.connection.execute(
        "SELECT host, payload, outcome, cohort FROM outcomes WHERE rollout = ? AND wave = ?", (rollout, wave)
    )
    return {
        row["host"]: dict(json.loads(row["payload"]), outcome=row["outcome"], cohort=row["cohort"]) for row in selected
    }


def _load_events(transaction: Transaction, rollout: str, kind: str, limit: int) -> List[Dict[str, Any]]:
    rows = transaction.connection.execute(
        "SELECT * FROM rollout_events WHERE rollout = ? AND kind = ? ORDER BY number DESC LIMIT ?",
        (rollout, kind, limit),
    ).fetchall()
    return [dict(json.loads(row["payload"]), at=row["created_at"], wave=row["wave"]) for row in reversed(rows)]


def add_event(
    transaction: Transaction, rollout: str, kind: str, wave: Optional[int], payload: Mapping[str, Any]
) -> None:
    """:param kind: gate, change or event."""
    transaction.connection.execute(
        "INSERT INTO rollout_events (rollout, kind, wave, created_at, payload) VALUES (?, ?, ?, ?, ?)",
        (rollout, kind, wave, transaction.now, json.dumps(payload)),
    )


def find_halt(transaction: Transaction, scope: str) -> Optional[Dict[str, Any]]:
    """The halt that holds for a scope, None where it is not halted."""
    row = transaction.connection.execute(
        "SELECT * FROM halts WHERE scope IN (?, ?) ORDER BY scope LIMIT 1", (scope, ALL_SCOPES)
    ).fetchone()
    if row is not None:
        return as_dict(row)
    open_row = find_open(transaction, scope)
    if open_row is None:
        return None
    rollout = summarize_rollout(open_row)
    if not is_left_to_slices(rollout, "halted"):
        return None
    # A slice that exceeded a budget stops the others; the next run of the rollout assesses the wave, and ends that.
    return {"scope": scope, "reason": rollout["detail"]["text"], "by": SLICE, "since": rollout["detail"]["at"]}


def find_subject(transaction: Transaction, scope: Optional[str]) -> Dict[str, Any]:
    """What an operator's command on a scope, or on all of them (None), acts on.

    :returns: ``open``, the open rollouts without their history; ``scopes``, all scopes with records; and
        ``halted``, those of them that are halted.
    """
    connection = transaction.connection
    opened = connection.execute(
        "SELECT * FROM rollouts WHERE ended IS NULL AND scope = COALESCE(?, scope) ORDER BY scope", (scope,)
    )
    scopes = {name for table in ("rollouts", "plans", "whole_plans") for name in _list_scopes(connection, table)}
    halted = connection.execute("SELECT scope FROM halts ORDER BY scope")
    return {
        "open": [summarize_rollout(row) for row in opened],
        "scopes": sorted(scopes),
        "halted": [row["scope"] for row in halted],
    }


def _list_scopes(connection: Any, table: str) -> Iterator[str]:
    """From one to the next by the table's index: each has many rows."""
    statement = f"SELECT MIN(scope) FROM {table} WHERE scope > ?"
    name = connection.execute(statement, ("",)).fetchone()[0]
    while name is not None:
        yield name
        name = connection.execute(statement, (name,)).fetchone()[0]


def find_quarantine(transaction: Transaction) -> List[Dict[str, Any]]:
    """The entries that were not cleared."""
    entries = transaction.connection.execute("SELECT * FROM quarantine WHERE cleared IS NULL ORDER BY id")
    return [as_dict(row) for row in entries]


def find_approvals(transaction: Transaction, plan_hash: str) -> List[Dict[str, Any]]:
    """Approvals and rejections of a plan, the oldest one first."""
    approvals = transaction.connection.execute("SELECT * FROM approvals WHERE plan_hash = ? ORDER BY id", (plan_hash,))
    return [dict(as_dict(row), granted=bool(row["granted"])) for row in approvals]


def find_controls(transaction: Transaction, subject: str, plan_hash: str) -> Dict[str, Any]:
    """The ``controls`` of a plan or a rollout, and their ``version``.

    Of what an earlier version of the collection has saved, that is 0, and ``controls`` has the settings of the ``plan``
    only.
    """
    row = transaction.connection.execute(
        "SELECT version, payload FROM controls WHERE subject = ?", (subject,)
    ).fetchone()
    if row is not None:
        return {"version": row["version"], "controls": json.loads(row["payload"])}
    outline = plan_rows.find_outline(transaction.connection, plan_hash) or {}
    return {"version": 0, "controls": {"plan": outline.get("settings", {})}}


def write_controls(transaction: Transaction, subject: str, controls: Mapping[str, Any], version: int) -> None:
    transaction.connection.execute(
        "INSERT OR REPLACE INTO controls VALUES (?, ?, ?)", (subject, version, json.dumps(controls, sort_keys=True))
    )


def find_starters(transaction: Transaction, plan_hash: str) -> List[str]:
    """Who made a plan, and who started rollouts of it."""
    persons = transaction.connection.execute(
        "SELECT saved_by FROM plans WHERE hash = ?1 UNION SELECT saved_by FROM whole_plans WHERE hash = ?1 "
        "UNION SELECT started_by FROM rollouts WHERE plan_hash = ?1",
        (plan_hash,),
    )
    return [row[0] for row in persons]
