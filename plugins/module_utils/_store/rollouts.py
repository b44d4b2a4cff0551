# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollouts, outcomes of hosts, gates. PRIVATE to the collection: it may change at any time."""

import json
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store import plan_rows, rows
from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN, ENDED, OPEN
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import (
    drop_lease,
    require_free,
    require_lease,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Database, Transaction, require_keys


class RolloutCommands:
    """What the steps of a rollout record and read."""

    _database: Database

    #
    # Rollouts
    #

    def start_rollout(self, scope: str, fence: int, rollout: str, plan_hash: str, by: str = "") -> None:
        """Starts a rollout of a plan.

        :param rollout: its ID, a new one.
        """
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence)
            _require_no_other(transaction, scope, rollout)
            transaction.connection.execute(
                "INSERT INTO rollouts VALUES (?, ?, ?, 'running', '{}', ?, NULL, ?)",
                (rollout, scope, plan_hash, transaction.now, by),
            )

    def load_controls(self, scope: str, plan_hash: str) -> Optional[Dict[str, Any]]:
        """What the open rollout of a scope goes by, its ``controls`` and their ``version``; where none is open that of
        a plan, and None where that is ``''`` or was never saved.
        """
        with self._database.reading() as transaction:
            row = rows.find_open(transaction, scope)
            if row is not None:
                return rows.find_controls(transaction, row["id"], row["plan_hash"])
            if not plan_hash or plan_rows.find_outline(transaction.connection, plan_hash) is None:
                return None
            return rows.find_controls(transaction, plan_hash, plan_hash)

    def keep_controls(
        self,
        scope: str,
        fence: int,
        rollout: str,
        version: int,
        controls: Optional[Dict[str, Any]] = None,
        changes: Sequence[Dict[str, Any]] = (),
    ) -> None:
        """Keeps what a rollout goes by from now on, and what was changed of it.

        :param controls: None leaves it as it is.
        :param version: that of what it has gone by, 0 of a new rollout.
        :raises BadOption: another run has changed that meanwhile.
        """
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence, rollout)
            row = transaction.connection.execute(
                "SELECT version FROM controls WHERE subject = ?", (rollout,)
            ).fetchone()
            if (0 if row is None else row["version"]) != version:
                raise BadOption("another run has changed the settings of the rollout meanwhile", "Run this one again")
            if controls is not None:
                rows.write_controls(transaction, rollout, controls, version + 1)
            for change in changes:
                rows.add_event(transaction, rollout, "change", None, change)

    def set_status(self, scope: str, fence: int, rollout: str, status: str, detail: Dict[str, Any]) -> Dict[str, Any]:
        """Returns the rollout as it is then, without the outcomes of its hosts."""
        if status not in OPEN + ENDED:
            raise BadOption(f"a rollout has no status {status}", "It is one of " + ", ".join(OPEN + ENDED))
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence, rollout)
            if status in OPEN:
                _require_no_other(transaction, scope, rollout)
            _set_status(transaction, rollout, status, detail)
            row = transaction.connection.execute("SELECT * FROM rollouts WHERE id = ?", (rollout,)).fetchone()
            return rows.load_history(transaction, row)

    def abort(self, scope: str, reason: str, by: str, takeover: Optional[int] = None) -> Optional[str]:
        """Ends the open rollout without finishing it; returns its ID, None where none is open.

        :param takeover: as for ``take_lease``.
        :raises Leased: a run has the lease.
        """
        with self._database.writing() as transaction:
            row = rows.find_open(transaction, scope)
            if row is None:
                return None
            require_free(transaction, scope, takeover)
            # A run that comes back has lost it.
            drop_lease(transaction, scope)
            _set_status(transaction, row["id"], "aborted", {"text": f"aborted by {by}: {reason}"})
            return str(row["id"])

    def show(self, scope: str) -> Dict[str, Any]:
        """The open rollout, or else the last one, the lease, the halt, and the quarantine."""
        with self._database.reading() as transaction:
            rollout = rows.find_last(transaction, scope)
            lease = transaction.connection.execute(
                "SELECT * FROM leases WHERE scope = ? AND owner IS NOT NULL", (scope,)
            ).fetchone()
            return {
                "rollout": None if rollout is None else rows.load_rollout(transaction, rollout),
                "lease": None if lease is None else dict(rows.as_dict(lease), owner=json.loads(lease["owner"])),
                "halt": rows.find_halt(transaction, scope),
                "quarantine": rows.find_quarantine(transaction),
            }

    def load_provenance(self, scope: str, kmps: Sequence[str], hosts: Sequence[str]) -> Dict[str, Any]:
        """What is recorded of where KMPs have come from.

        :param kmps: each as NAME-EVR.
        :param hosts: those of which it is asked which KMPs rollouts have applied.
        :returns: ``rollouts``, all of the scope, each with ``id`` and ``plan_hash``, and those whose plan has one of
            these KMPs with their ``gates``, the kinds of ``waves``, and the ``cohorts`` that get one of them;
            ``applied``, by host, what rollouts of the scope have applied; and the ``quarantine``.
        """
        with self._database.reading() as transaction:
            recorded = transaction.connection.execute(
                "SELECT id, plan_hash FROM rollouts WHERE scope = ? ORDER BY started", (scope,)
            ).fetchall()
            applied: Dict[str, List[str]] = {}
            for part in plan_rows.split(hosts):
                outcomes = transaction.connection.execute(
                    "SELECT host, payload FROM outcomes WHERE rollout IN (SELECT id FROM rollouts WHERE scope = ?) "
                    f"AND host IN ({', '.join('?' * len(part))})",
                    (scope, *part),
                )
                for host, payload in outcomes:
                    outcome = json.loads(payload)
                    if outcome.get("applied") and outcome.get("kmp"):
                        applied.setdefault(host, []).append(outcome["kmp"])
            return {
                "rollouts": [_describe_origin(transaction, row, kmps) for row in recorded],
                "applied": applied,
                "quarantine": rows.find_quarantine(transaction),
            }

    #
    # Hosts and gates
    #

    def begin_hosts(
        self,
        scope: str,
        fence: int,
        rollout: str,
        wave: int,
        hosts: Sequence[str],
        skipped: Sequence[Dict[str, Any]] = (),
        reserve: bool = False,
    ) -> Dict[str, Any]:
        """Records that apply begins on these hosts, unless the scope is halted: ``go``, or by which ``halt``.

        :param skipped: outcomes of hosts that are left out, which are recorded in any case.
        :param reserve: they start in the place of canaries, before their wave.
        """
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence, rollout)
            _record_outcomes(transaction, rollout, skipped, wave)
            begun = json.dumps({"reserve": True} if reserve else {})
            halt = rows.find_halt(transaction, scope)
            if halt is not None:
                return {"go": False, "halt": halt}
            _write_outcomes(transaction, rollout, [_Row(host, wave, None, BEGUN, begun) for host in hosts])
            rows.add_event(
                transaction, rollout, "event", wave, {"what": "reserve" if reserve else "begin", "hosts": len(hosts)}
            )
            return {"go": True, "halt": None}

    def record_outcomes(
        self, scope: str, fence: int, rollout: str, outcomes: Sequence[Dict[str, Any]], wave: Optional[int] = None
    ) -> List[Dict[str, Any]]:
        """Records outcomes of hosts.

        :param outcomes: of each host ``host``, ``outcome``, ``cohort``, and what else is to be kept.
        :param wave: of those that have none recorded; no ``cohort`` keeps what is recorded.
        :returns: of each ``wave``, ``cohort`` and ``outcome`` how many ``hosts`` the rollout has.
        """
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence, rollout)
            _record_outcomes(transaction, rollout, outcomes, wave)
            return _count_outcomes(transaction, rollout)

    def record_gate(self, scope: str, fence: int, rollout: str, wave: int, record: Dict[str, Any]) -> None:
        """Records what a gate has measured, and its verdict."""
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence, rollout)
            rows.add_event(transaction, rollout, "gate", wave, record)


def _describe_origin(transaction: Transaction, row: Any, kmps: Sequence[str]) -> Dict[str, Any]:
    """A rollout, with what shows whether it has proved one of these KMPs."""
    described = rows.as_dict(row)
    outline = plan_rows.find_outline(transaction.connection, row["plan_hash"]) if kmps else None
    cohorts = [cohort for cohort in (outline or {"cohorts": []})["cohorts"] if cohort["kmp"] in kmps]
    if outline is None or not cohorts:
        return described
    waves = [wave["kind"] for wave in outline["waves"]]
    return dict(described, cohorts=cohorts, waves=waves, gates=rows.load_gates(transaction, row["id"]))


def _require_no_other(transaction: Transaction, scope: str, rollout: str) -> None:
    row = rows.find_open(transaction, scope)
    if row is not None and row["id"] != rollout:
        raise BadOption(
            f"a rollout of the scope {scope} is open already ({row['id']})",
            "Finish it (playbook rollout), or abort it (playbook abort)",
        )


def _set_status(transaction: Transaction, rollout: str, status: str, detail: Dict[str, Any]) -> None:
    transaction.connection.execute(
        "UPDATE rollouts SET status = ?, detail = ?, ended = ? WHERE id = ?",
        (status, json.dumps(detail, sort_keys=True), transaction.now if status in ENDED else None, rollout),
    )
    rows.add_event(transaction, rollout, "event", None, dict(detail, what=status))


def _record_outcomes(
    transaction: Transaction, rollout: str, outcomes: Sequence[Dict[str, Any]], wave: Optional[int]
) -> None:
    for outcome in outcomes:
        require_keys(outcome, "an outcome", "host", "outcome")
    _write_outcomes(
        transaction,
        rollout,
        [_Row(row["host"], wave, row.get("cohort"), row["outcome"], json.dumps(row)) for row in outcomes],
    )


class _Row(NamedTuple):
    """An outcome as it is written; a cohort that is None stays what is recorded, as a wave does."""

    host: str
    wave: Optional[int]
    cohort: Optional[str]
    outcome: str
    payload: str


def _write_outcomes(transaction: Transaction, rollout: str, written: Sequence[_Row]) -> None:
    """The one place where outcomes are written, and with them how many there are: to count them anew each time would
    cost more and more in a large fleet.
    """
    connection = transaction.connection
    changes: Dict[Tuple[Any, Any, str], int] = {}
    for row in written:
        old = connection.execute(
            "SELECT wave, cohort, outcome FROM outcomes WHERE rollout = ? AND host = ?", (rollout, row.host)
        ).fetchone()
        wave, cohort = row.wave, row.cohort
        if old is not None:
            # A host that is assessed with another wave stays its own's.
            if row.outcome != BEGUN and old["wave"] is not None:
                wave = old["wave"]
            cohort = old["cohort"] if cohort is None else cohort
            group = (old["wave"], old["cohort"], old["outcome"])
            changes[group] = changes.get(group, 0) - 1
        group = (wave, cohort, row.outcome)
        changes[group] = changes.get(group, 0) + 1
        connection.execute(
            "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?)",
            (rollout, row.host, wave, cohort, row.outcome, transaction.now, row.payload),
        )
    for group, change in changes.items():
        updated = connection.execute(
            "UPDATE outcome_counts SET hosts = hosts + ? "
            "WHERE rollout = ? AND wave IS ? AND cohort IS ? AND outcome = ?",
            (change, rollout, *group),
        )
        if updated.rowcount == 0:
            connection.execute("INSERT INTO outcome_counts VALUES (?, ?, ?, ?, ?)", (rollout, *group, change))


def _count_outcomes(transaction: Transaction, rollout: str) -> List[Dict[str, Any]]:
    counted = transaction.connection.execute(
        "SELECT wave, cohort, outcome, hosts FROM outcome_counts WHERE rollout = ? AND hosts > 0 "
        "ORDER BY wave, cohort, outcome",
        (rollout,),
    )
    return [rows.as_dict(row) for row in counted]
