# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What operators record: halts, approvals, the quarantine. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store import rows
from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import ALL_SCOPES
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Database, Transaction, require_keys

_ENTRY_KEYS = ("id", "kmp", "cohort", "host")


class ControlCommands:
    """What operators, and the rollout itself, allow and forbid."""

    _database: Database

    #
    # Halts
    #

    def halt(self, scope: Optional[str], reason: str, by: str, under_way: Optional[str] = None) -> Dict[str, Any]:
        """Halts a scope, or all of them (None). A scope that is halted keeps its reason.

        :param under_way: only where a rollout of this scope is under way, else ``halted`` of the result is false.
        """
        with self._database.writing() as transaction:
            if under_way is not None and not _is_under_way(transaction, under_way):
                return {"changed": False, "halted": False}
            cursor = transaction.connection.execute(
                "INSERT OR IGNORE INTO halts VALUES (?, ?, ?, ?)",
                (ALL_SCOPES if scope is None else scope, reason, by, transaction.now),
            )
            if cursor.rowcount > 0:
                _add_to_open(transaction, scope, {"what": "halt", "reason": reason, "by": by})
            return {"changed": cursor.rowcount > 0, "halted": True}

    def resume(self, scope: Optional[str], by: str) -> Dict[str, Any]:
        """Clears the halt of a scope, or that of all of them (None), which is one of its own."""
        with self._database.writing() as transaction:
            cursor = transaction.connection.execute(
                "DELETE FROM halts WHERE scope = ?", (ALL_SCOPES if scope is None else scope,)
            )
            if cursor.rowcount > 0:
                _add_to_open(transaction, scope, {"what": "resume", "by": by})
            return {"changed": cursor.rowcount > 0}

    def find_subject(self, scope: Optional[str]) -> Dict[str, Any]:
        """What a command on a scope, or on all of them (None), acts on, see ``rows.find_subject``."""
        with self._database.reading() as transaction:
            return rows.find_subject(transaction, scope)

    def get_halt(self, scope: str) -> Optional[Dict[str, Any]]:
        """Why no host of a scope may start, None where they may."""
        with self._database.reading() as transaction:
            return rows.find_halt(transaction, scope)

    #
    # Approvals
    #

    def approve(
        self,
        plan_hash: str,
        wave: Optional[int],
        approver: str,
        expires: Optional[float] = None,
        granted: bool = True,
        reason: str = "",
    ) -> Dict[str, Any]:
        """Records that one wave of a plan, or all of them (None), is approved, or rejected. The last one stands.

        :returns: ``changed``, false where the last one for these waves is the same.
        """
        given = (wave, approver, expires, int(granted), reason)
        with self._database.writing() as transaction:
            last = transaction.connection.execute(
                "SELECT wave, approver, expires, granted, reason FROM approvals "
                "WHERE plan_hash = ?1 AND (?2 IS NULL OR wave IS NULL OR wave = ?2) ORDER BY id DESC LIMIT 1",
                (plan_hash, wave),
            ).fetchone()
            if last is not None and tuple(last) == given:
                return {"changed": False}
            transaction.connection.execute(
                "INSERT INTO approvals (wave, approver, expires, granted, reason, plan_hash, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*given, plan_hash, transaction.now),
            )
            return {"changed": True}

    #
    # The quarantine
    #

    def list_approvals(self, plan_hash: str) -> List[Dict[str, Any]]:
        """The approvals and rejections of a plan, the oldest one first."""
        with self._database.reading() as transaction:
            return rows.find_approvals(transaction, plan_hash)

    def add_to_quarantine(self, entries: Sequence[Dict[str, Any]]) -> int:
        """Bars a ``kmp`` in a ``cohort`` (None: everywhere), or a ``host``; returns how many entries are new."""
        added = 0
        with self._database.writing() as transaction:
            for entry in entries:
                require_keys(entry, "an entry of the quarantine", "reason")
                subject = (entry.get("kmp"), entry.get("cohort"), entry.get("host"))
                if entry.get("kmp") is None and entry.get("host") is None:
                    raise BadOption("an entry of the quarantine names nothing", "Give it a kmp or a host")
                known = transaction.connection.execute(
                    "SELECT 1 FROM quarantine WHERE cleared IS NULL AND kmp IS ? AND cohort IS ? AND host IS ?", subject
                ).fetchone()
                if known is None:
                    transaction.connection.execute(
                        "INSERT INTO quarantine (kmp, cohort, host, reason, by, since) VALUES (?, ?, ?, ?, ?, ?)",
                        (*subject, entry["reason"], entry.get("by"), transaction.now),
                    )
                    added += 1
        return added

    def clear_quarantine(self, match: Dict[str, Any], by: str, reason: str) -> List[Dict[str, Any]]:
        """Clears the entries that match all of the given ``id``, ``kmp``, ``cohort`` and ``host``; returns them."""
        given = {key: match[key] for key in _ENTRY_KEYS if match.get(key) is not None}
        if not given:
            raise BadOption(
                "no entry of the quarantine is named", "Give an id, kmp, cohort or host; playbook quarantine lists them"
            )
        where = " AND ".join(f"{key} = ?" for key in given)
        with self._database.writing() as transaction:
            matching = transaction.connection.execute(
                f"SELECT * FROM quarantine WHERE cleared IS NULL AND {where} ORDER BY id", tuple(given.values())
            ).fetchall()
            cleared = {"cleared": transaction.now, "cleared_by": by, "cleared_reason": reason}
            transaction.connection.executemany(
                "UPDATE quarantine SET cleared = ?, cleared_by = ?, cleared_reason = ? WHERE id = ?",
                [(*cleared.values(), row["id"]) for row in matching],
            )
        return [dict(rows.as_dict(row), **cleared) for row in matching]

    def list_quarantine(self) -> List[Dict[str, Any]]:
        """The entries that were not cleared."""
        with self._database.reading() as transaction:
            return rows.find_quarantine(transaction)


def _is_under_way(transaction: Transaction, scope: str) -> bool:
    """Whether a rollout that is open runs, or has hosts that are still to be assessed.

    One that only waits for its first window or approval is not: a halt would stop what has not failed anywhere yet.
    """
    rollout = rows.find_open(transaction, scope)
    if rollout is None:
        return False
    started = transaction.connection.execute(
        "SELECT 1 FROM outcomes WHERE rollout = ? AND wave IS NOT NULL LIMIT 1", (rollout["id"],)
    ).fetchone()
    return rollout["status"] == "running" or started is not None


def _add_to_open(transaction: Transaction, scope: Optional[str], event: Dict[str, Any]) -> None:
    """Adds an event to the open rollout of a scope, or to all that are open (None)."""
    open_rollouts = transaction.connection.execute(
        "SELECT id FROM rollouts WHERE ended IS NULL AND scope = COALESCE(?, scope)", (scope,)
    ).fetchall()
    for rollout in open_rollouts:
        rows.add_event(transaction, rollout["id"], "event", None, event)
