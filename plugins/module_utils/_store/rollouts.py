# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans, rollouts, outcomes of hosts, gates. PRIVATE to the collection: it may change at any time."""

import json
import uuid
from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import rows
from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN, ENDED, OPEN
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import require_free, require_lease
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Database, Transaction, require_keys


class NoSuchPlan(LivepatchError):
    """No plan with that hash was saved."""


class RolloutCommands:
    """What the steps of a rollout record and read."""

    _database: Database

    #
    # Plans
    #

    def save_plan(self, scope: str, document: Dict[str, Any], by: str = "") -> None:
        """Saves a plan for good: one with the same hash is the same, and remains the first one's who made it."""
        require_keys(document, "a plan", "hash")
        with self._database.writing() as transaction:
            transaction.connection.execute(
                "INSERT OR IGNORE INTO plans VALUES (?, ?, ?, ?, ?)",
                (document["hash"], scope, transaction.now, json.dumps(document, sort_keys=True), by),
            )

    def find_plan(self, plan_hash: str) -> Optional[Dict[str, Any]]:
        """A plan, None where it was never saved."""
        with self._database.reading() as transaction:
            row = transaction.connection.execute("SELECT document FROM plans WHERE hash = ?", (plan_hash,)).fetchone()
        return None if row is None else dict(json.loads(row["document"]))

    def load_plan(self, plan_hash: str) -> Dict[str, Any]:
        """:raises NoSuchPlan: it was never saved."""
        document = self.find_plan(plan_hash)
        if document is None:
            raise NoSuchPlan(f"there is no plan {plan_hash}", "Run playbook plan, and give the hash that it prints")
        return document

    def list_starters(self, plan_hash: str) -> List[str]:
        """Who made a plan, and who started rollouts of it."""
        with self._database.reading() as transaction:
            persons = transaction.connection.execute(
                "SELECT saved_by FROM plans WHERE hash = ?1 UNION SELECT started_by FROM rollouts WHERE plan_hash = ?1",
                (plan_hash,),
            )
            return [row[0] for row in persons]

    def load_last_plan(self, scope: str) -> Optional[Dict[str, Any]]:
        """The plan that was saved last, ``document``, and when, ``saved``; None where the scope has none."""
        with self._database.reading() as transaction:
            row = transaction.connection.execute(
                "SELECT saved, document FROM plans WHERE scope = ? ORDER BY saved DESC, rowid DESC LIMIT 1", (scope,)
            ).fetchone()
        return row and {"saved": row["saved"], "document": json.loads(row["document"])}

    #
    # Rollouts
    #

    def start_rollout(self, scope: str, fence: int, plan_hash: str, by: str = "") -> str:
        """Starts a rollout of a plan; returns its ID."""
        rollout = uuid.uuid4().hex
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence)
            _require_no_other(transaction, scope, rollout)
            transaction.connection.execute(
                "INSERT INTO rollouts VALUES (?, ?, ?, 'running', '{}', ?, NULL, ?)",
                (rollout, scope, plan_hash, transaction.now, by),
            )
        return rollout

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
            _set_status(transaction, row["id"], "aborted", {"text": f"aborted by {by}: {reason}"})
            return str(row["id"])

    def show(self, scope: str) -> Dict[str, Any]:
        """The open rollout, or else the last one, the lease, the halt, and the quarantine."""
        with self._database.reading() as transaction:
            rollout = transaction.connection.execute(
                "SELECT * FROM rollouts WHERE scope = ? ORDER BY ended IS NOT NULL, started DESC, rowid DESC LIMIT 1",
                (scope,),
            ).fetchone()
            lease = transaction.connection.execute(
                "SELECT * FROM leases WHERE scope = ? AND owner IS NOT NULL", (scope,)
            ).fetchone()
            return {
                "rollout": None if rollout is None else rows.load_rollout(transaction, rollout),
                "lease": None if lease is None else dict(rows.as_dict(lease), owner=json.loads(lease["owner"])),
                "halt": rows.find_halt(transaction, scope),
                "quarantine": rows.find_quarantine(transaction),
            }

    #
    # Hosts and gates
    #

    def begin_hosts(self, scope: str, fence: int, rollout: str, wave: int, hosts: Sequence[str]) -> Dict[str, Any]:
        """Records that apply begins on these hosts, unless the scope is halted: ``go``, or by which ``halt``."""
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence, rollout)
            halt = rows.find_halt(transaction, scope)
            if halt is not None:
                return {"go": False, "halt": halt}
            transaction.connection.executemany(
                "INSERT OR REPLACE INTO outcomes VALUES (?1, ?2, ?3, "
                "(SELECT cohort FROM outcomes WHERE rollout = ?1 AND host = ?2), ?4, ?5, '{}')",
                [(rollout, host, wave, BEGUN, transaction.now) for host in hosts],
            )
            rows.add_event(transaction, rollout, "event", wave, {"what": "begin", "hosts": len(hosts)})
            return {"go": True, "halt": None}

    def list_attempted(self, scope: str, fence: int, rollout: str, hosts: Sequence[str]) -> List[str]:
        """Those of these hosts on which the planned change was attempted, whatever its outcome."""
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence, rollout)
            attempted = {
                row["host"]
                for row in transaction.connection.execute(
                    "SELECT host FROM outcomes WHERE rollout = ? AND outcome NOT IN (?, 'pending', 'skipped')",
                    (rollout, BEGUN),
                )
            }
        return [host for host in hosts if host in attempted]

    def record_outcomes(
        self, scope: str, fence: int, rollout: str, outcomes: Sequence[Dict[str, Any]], wave: Optional[int] = None
    ) -> Dict[str, Any]:
        """Records outcomes of hosts.

        :param outcomes: of each host ``host``, ``outcome``, ``cohort``, and what else is to be kept.
        :param wave: None keeps what is recorded, as no ``cohort`` does.
        :returns: how many hosts have each outcome, in the rollout and in each cohort.
        """
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence, rollout)
            for outcome in outcomes:
                require_keys(outcome, "an outcome", "host", "outcome")
                transaction.connection.execute(
                    "INSERT OR REPLACE INTO outcomes VALUES (?1, ?2, "
                    "COALESCE(?3, (SELECT wave FROM outcomes WHERE rollout = ?1 AND host = ?2)), "
                    "COALESCE(?4, (SELECT cohort FROM outcomes WHERE rollout = ?1 AND host = ?2)), ?5, ?6, ?7)",
                    (
                        rollout,
                        outcome["host"],
                        wave,
                        outcome.get("cohort"),
                        outcome["outcome"],
                        transaction.now,
                        json.dumps(outcome),
                    ),
                )
            return _count_outcomes(transaction, rollout)

    def record_gate(self, scope: str, fence: int, rollout: str, wave: int, record: Dict[str, Any]) -> None:
        """Records what a gate has measured, and its verdict."""
        with self._database.writing() as transaction:
            require_lease(transaction, scope, fence, rollout)
            rows.add_event(transaction, rollout, "gate", wave, record)


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


def _count_outcomes(transaction: Transaction, rollout: str) -> Dict[str, Any]:
    totals: Dict[str, Any] = {"rollout": {}, "cohorts": {}}
    for cohort, outcome, count in transaction.connection.execute(
        "SELECT cohort, outcome, COUNT(*) FROM outcomes WHERE rollout = ? GROUP BY cohort, outcome",
        (rollout,),
    ):
        counted = [totals["rollout"]]
        if cohort is not None:
            counted.append(totals["cohorts"].setdefault(cohort, {}))
        for counts in counted:
            counts[outcome] = counts.get(outcome, 0) + count
    return totals
