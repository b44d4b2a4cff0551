# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans. PRIVATE to the collection: it may change at any time."""

import json
from typing import Any, Dict, List, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import plan_rows, rows
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Database, require_keys

# How many plans are returned by the beginning of their hashes
_MAX_PLANS_FOUND = 10


class NoSuchPlan(LivepatchError):
    """No plan with that hash was saved."""


class PlanCommands:
    """What is planned. A plan never changes."""

    _database: Database

    def save_plan(
        self, scope: str, document: Dict[str, Any], by: str = "", controls: Optional[Dict[str, Any]] = None
    ) -> None:
        """Saves a plan for good: one with the same hash is the same, and remains the first one's who made it.

        :param controls: what a rollout of it goes by, in the place of what was saved before. None leaves that.
        """
        require_keys(document, "a plan", "hash", "waves", "hosts", "left_out")
        try:
            planned = plan_rows.build_rows(document)
        except ValueError as exc:
            raise BadOption(f"the plan cannot be saved: {exc}") from None
        with self._database.writing() as transaction:
            plan_rows.insert_plan(transaction.connection, planned, scope, transaction.now, by)
            if controls is not None:
                rows.write_controls(transaction, planned.hash, controls, 1)

    def find_plan(self, plan_hash: str) -> Optional[Dict[str, Any]]:
        """A plan, None where it was never saved."""
        with self._database.reading() as transaction:
            return plan_rows.find_document(transaction.connection, plan_hash)

    def load_plan(self, plan_hash: str) -> Dict[str, Any]:
        """:raises NoSuchPlan: it was never saved."""
        return _require(self.find_plan(plan_hash), plan_hash)

    def load_outline(self, plan_hash: str) -> Dict[str, Any]:
        """A plan without its hosts: of each wave ``kind`` and how many ``hosts``.

        :raises NoSuchPlan: it was never saved.
        """
        with self._database.reading() as transaction:
            return _require(plan_rows.find_outline(transaction.connection, plan_hash), plan_hash)

    def find_plans(self, prefix: str) -> List[Dict[str, Any]]:
        """The plans whose hashes begin so, the last one first: ``hash``, ``scope``, and when it was ``saved``."""
        statement = " UNION ALL ".join(
            f"SELECT hash, scope, saved FROM {table} WHERE hash >= ?1 AND hash < ?2"
            for table in ("plans", "whole_plans")
        )
        with self._database.reading() as transaction:
            # No hexadecimal digit comes after g.
            plans = transaction.connection.execute(
                f"{statement} ORDER BY saved DESC LIMIT {_MAX_PLANS_FOUND}", (prefix, prefix + "g")
            )
            return [rows.as_dict(row) for row in plans]

    def list_cohorts(self) -> List[Dict[str, Any]]:
        """Those of the last plans of each scope, each once: ``id``, ``target``, ``kmp`` and ``release``."""
        cohorts: Dict[str, Dict[str, Any]] = {}
        with self._database.reading() as transaction:
            for plan in rows.find_recent_plans(transaction):
                for cohort in json.loads(plan["outline"]).get("cohorts", ()):
                    row = {key: cohort.get(key) for key in ("id", "target", "kmp", "release")}
                    if row["id"] and row["target"] and row["kmp"]:
                        cohorts.setdefault(row["id"], row)
        return list(cohorts.values())

    def knows_host(self, host: str) -> bool:
        """Whether one of the last plans of a scope has this host."""
        with self._database.reading() as transaction:
            return any(
                plan_rows.select_hosts(transaction.connection, plan["hash"], hosts=[host])
                for plan in rows.find_recent_plans(transaction)
            )

    def load_last_plan(self, scope: str) -> Optional[Dict[str, Any]]:
        """The plan that was saved last, ``document``, and when, ``saved``; None where the scope has none."""
        with self._database.reading() as transaction:
            row = rows.find_last_plan(transaction, scope)
            if row is None:
                return None
            return {
                "saved": row["saved"],
                "document": plan_rows.find_document(transaction.connection, row["hash"]),
            }

    def list_starters(self, plan_hash: str) -> List[str]:
        """Who made a plan, and who started rollouts of it."""
        with self._database.reading() as transaction:
            return rows.find_starters(transaction, plan_hash)


def _require(document: Optional[Dict[str, Any]], plan_hash: str) -> Dict[str, Any]:
    if document is None:
        raise NoSuchPlan(f"there is no plan {plan_hash}", "Run playbook plan, and give the hash that it prints")
    return document
