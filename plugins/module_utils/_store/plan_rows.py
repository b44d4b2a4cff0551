# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as rows. PRIVATE to the collection: it may change at any time.

What all steps of a rollout need of a plan is its outline: settings, cohorts, and what kind of waves there are. Each
host has a row of its own, so that what a step reads does not grow with the fleet.
"""

import json
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

# SQLite takes 999 variables in a statement (SQLITE_MAX_VARIABLE_NUMBER up to 3.32).
_MAX_VARIABLES = 900


class PlanRows(NamedTuple):
    """``outline`` and ``left_out`` are JSON, ``hosts`` the rows."""

    hash: str
    outline: str
    left_out: str
    hosts: List[Tuple[Any, ...]]


def build_rows(document: Mapping[str, Any]) -> PlanRows:
    """:raises ValueError: it is no plan."""
    try:
        waves = {
            name: (number, at) for number, wave in enumerate(document["waves"]) for at, name in enumerate(wave["hosts"])
        }
        outline = {key: value for key, value in document.items() if key not in ("hosts", "left_out")}
        outline["waves"] = [{"kind": wave["kind"], "hosts": len(wave["hosts"])} for wave in document["waves"]]
        hosts = [
            (document["hash"], name, *waves[name], row["cohort"], json.dumps(row))
            for name, row in document["hosts"].items()
        ]
        # Half of a character, which JSON may have, is no text for the database.
        "".join(waves).encode()
        return PlanRows(document["hash"], json.dumps(outline), json.dumps(document["left_out"]), hosts)
    except (AttributeError, KeyError, TypeError) as exc:
        raise ValueError(f"it is no plan ({exc!r})") from None


def insert_plan(connection: Any, rows: PlanRows, scope: str, saved: float, by: str) -> None:
    """Saves a plan, unless it is there: one with the same hash is the same. Where it is whole, it is split, and stays
    the first one's who made it.
    """
    unsplit = connection.execute(
        "SELECT scope, saved, saved_by FROM whole_plans WHERE hash = ?", (rows.hash,)
    ).fetchone()
    if unsplit is not None:
        scope, saved, by = unsplit
        connection.execute("DELETE FROM whole_plans WHERE hash = ?", (rows.hash,))
    added = connection.execute(
        "INSERT OR IGNORE INTO plans VALUES (?, ?, ?, ?, ?, ?)",
        (rows.hash, scope, saved, by, rows.outline, rows.left_out),
    )
    if added.rowcount > 0:
        connection.executemany("INSERT INTO planned_hosts VALUES (?, ?, ?, ?, ?, ?)", rows.hosts)


def split_plan(connection: Any, plan_hash: str) -> bool:
    """Splits a plan that is whole; returns whether there was one that can be read."""
    unsplit = _find_whole(connection, plan_hash)
    if unsplit is None:
        return False
    # Its scope, time and person are taken from where it was.
    insert_plan(connection, build_rows(unsplit), "", 0.0, "")
    return True


def _find_whole(connection: Any, plan_hash: str) -> Optional[Dict[str, Any]]:
    """A plan as an earlier version saved it, None where it has none, or one that cannot be read."""
    row = connection.execute("SELECT document FROM whole_plans WHERE hash = ?", (plan_hash,)).fetchone()
    if row is None:
        return None
    try:
        document = dict(json.loads(row[0]), hash=plan_hash)
        build_rows(document)
    except (TypeError, ValueError):
        return None
    return document


def find_outline(connection: Any, plan_hash: str) -> Optional[Dict[str, Any]]:
    """A plan without its hosts, None where it was never saved: of each wave ``kind`` and how many ``hosts``."""
    row = connection.execute("SELECT outline FROM plans WHERE hash = ?", (plan_hash,)).fetchone()
    if row is not None:
        return dict(json.loads(row[0]))
    unsplit = _find_whole(connection, plan_hash)
    return None if unsplit is None else dict(json.loads(build_rows(unsplit).outline))


def find_document(connection: Any, plan_hash: str) -> Optional[Dict[str, Any]]:
    """A plan as it was saved, None where it never was."""
    row = connection.execute("SELECT outline, left_out FROM plans WHERE hash = ?", (plan_hash,)).fetchone()
    if row is None:
        return _find_whole(connection, plan_hash)
    document = dict(json.loads(row[0]), left_out=json.loads(row[1]), hosts={})
    for wave in document["waves"]:
        wave["hosts"] = []
    planned = connection.execute(
        "SELECT host, wave, payload FROM planned_hosts WHERE plan_hash = ? ORDER BY wave, position", (plan_hash,)
    )
    for host, wave, payload in planned:
        document["waves"][wave]["hosts"].append(host)
        document["hosts"][host] = json.loads(payload)
    return document


def select_hosts(
    connection: Any,
    plan_hash: str,
    wave: Optional[int] = None,
    hosts: Optional[Sequence[str]] = None,
    cohorts: Optional[Sequence[str]] = None,
) -> Dict[str, Dict[str, Any]]:
    """What was planned for hosts, with the ``wave`` of each, in the order of the plan: those of a wave, these, or those
    of these cohorts.
    """
    selected: List[Any] = []
    for condition, values in _build_conditions(wave, hosts, cohorts):
        selected += connection.execute(
            f"SELECT wave, position, host, payload FROM planned_hosts WHERE plan_hash = ? AND {condition}",
            (plan_hash, *values),
        )
    selected.sort(key=lambda row: (row[0], row[1]))
    return {host: dict(json.loads(payload), wave=number) for number, _position, host, payload in selected}


def _build_conditions(
    wave: Optional[int], hosts: Optional[Sequence[str]], cohorts: Optional[Sequence[str]]
) -> Iterable[Tuple[str, Sequence[Any]]]:
    if wave is not None:
        yield "wave = ?", (wave,)
    for column, names in (("host", hosts or ()), ("cohort", cohorts or ())):
        for part in split(names):
            yield f"{column} IN ({', '.join('?' * len(part))})", part


def split(names: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """As many at once as a statement takes."""
    return (names[at : at + _MAX_VARIABLES] for at in range(0, len(names), _MAX_VARIABLES))
