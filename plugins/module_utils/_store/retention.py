# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is removed after a time: rollouts that ended, and plans. PRIVATE to the collection: it may change at any time.

A rollout, or a plan, is removed as a whole or not at all, so that what is left of it is never taken for all of it.
"""

from typing import Any, Dict, List

from ansible_collections.fleet.livepatch.plugins.module_utils._store import rows
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Database, Transaction

# Those that ended, but the scope's last rollout, which a rollback, a report and the hosts that are still to be rolled
# back go by. A run's own is there as long as the run is.
_OLD_ROLLOUTS = """
SELECT id, plan_hash, ended FROM rollouts WHERE scope = ?1 AND ended < ?2 AND id <> ?3
    AND NOT EXISTS (SELECT 1 FROM runs WHERE rollout = rollouts.id) ORDER BY started
"""
# Those that no rollout and no run follows, but the scope's last one, with which the next one is compared. One with an
# approval in force is still to be run.
_OLD_PLANS = """
SELECT hash FROM {table} WHERE scope = ?1 AND saved < ?2 AND hash IS NOT ?3
    AND NOT EXISTS (SELECT 1 FROM rollouts WHERE plan_hash = {table}.hash)
    AND NOT EXISTS (SELECT 1 FROM runs WHERE plan_hash = {table}.hash)
    AND NOT EXISTS (SELECT 1 FROM approvals WHERE plan_hash = {table}.hash AND granted
        AND (expires IS NULL OR expires > ?4))
    ORDER BY saved
"""
# Where plans are; the second one has those of a store of version 3
_PLAN_TABLES = ("plans", "whole_plans")


class RetentionCommands:
    """What a run does when it has ended."""

    _database: Database

    def has_old(self, scope: str, age: float) -> bool:
        """Whether ``remove_old`` would remove something."""
        with self._database.reading() as transaction:
            return bool(
                _find_rollouts(transaction, scope, age)
                or any(_find_plans(transaction, scope, age, table) for table in _PLAN_TABLES)
            )

    def remove_old(self, scope: str, age: float, limit: int) -> Dict[str, int]:
        """Removes rollouts of a scope that ended before ``age`` seconds, and plans that were saved before and that no
        rollout follows. Halts, the quarantine and leases stay.

        :param limit: after how many rows no other rollout or plan is begun on, so that others need not wait for long.
        :returns: how many ``rollouts`` and ``plans`` were removed, and ``rows`` in all.
        """
        removed = {"rollouts": 0, "plans": 0, "rows": 0}
        with self._database.writing() as transaction:
            connection = transaction.connection
            since = connection.total_changes
            for rollout in _find_rollouts(transaction, scope, age):
                _remove_rollout(transaction, rollout)
                removed["rollouts"] += 1
                removed["rows"] = connection.total_changes - since
                if removed["rows"] >= limit:
                    return removed
            for table in _PLAN_TABLES:
                for row in _find_plans(transaction, scope, age, table):
                    _remove_plan(connection, table, row["hash"])
                    removed["plans"] += 1
                    removed["rows"] = connection.total_changes - since
                    if removed["rows"] >= limit:
                        return removed
        return removed


def _find_rollouts(transaction: Transaction, scope: str, age: float) -> List[Any]:
    last = rows.find_last(transaction, scope)
    arguments = (scope, transaction.now - age, None if last is None else last["id"])
    return list(transaction.connection.execute(_OLD_ROLLOUTS, arguments))


def _find_plans(transaction: Transaction, scope: str, age: float, table: str) -> List[Any]:
    last = rows.find_last_plan(transaction, scope)
    arguments = (scope, transaction.now - age, None if last is None else last["hash"], transaction.now)
    return list(transaction.connection.execute(_OLD_PLANS.format(table=table), arguments))


def _remove_rollout(transaction: Transaction, rollout: Any) -> None:
    connection = transaction.connection
    for table in ("outcomes", "outcome_counts", "rollout_events"):
        connection.execute(f"DELETE FROM {table} WHERE rollout = ?", (rollout["id"],))
    connection.execute("DELETE FROM controls WHERE subject = ?", (rollout["id"],))
    connection.execute("DELETE FROM rollouts WHERE id = ?", (rollout["id"],))
    # The approvals that it was run by, unless another rollout is: else its plan would be there for good.
    connection.execute(
        "DELETE FROM approvals WHERE plan_hash = ?1 AND created_at <= ?2 "
        "AND NOT EXISTS (SELECT 1 FROM rollouts WHERE plan_hash = ?1)",
        (rollout["plan_hash"], rollout["ended"]),
    )


def _remove_plan(connection: Any, table: str, plan_hash: str) -> None:
    if table == "plans":
        connection.execute("DELETE FROM planned_hosts WHERE plan_hash = ?", (plan_hash,))
    connection.execute("DELETE FROM approvals WHERE plan_hash = ?", (plan_hash,))
    connection.execute("DELETE FROM controls WHERE subject = ?", (plan_hash,))
    connection.execute(f"DELETE FROM {table} WHERE hash = ?", (plan_hash,))
