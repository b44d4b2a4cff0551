# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs: what one job works by, from its start to its end. PRIVATE to the collection: it may change at any time.

A rollout may take several runs, one after the other, or slices at once. What a run was begun with is kept here, so that
its steps hand over nothing but the run's ID.
"""

import json
from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store import plan_rows, rows
from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import LeaseLost, require_lease
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Database, Transaction


class RunCommands:
    """What a run works by."""

    _database: Database

    def save_run(
        self,
        scope: str,
        fence: Optional[int],
        run: str,
        rollout: Optional[str],
        plan_hash: str,
        payload: Dict[str, Any],
        batches: Sequence[Dict[str, Any]],
        settings: Dict[str, Any],
    ) -> None:
        """Saves what a run was begun with. What is kept of runs that had the lease of the scope before is of no use any
        more, and is removed.

        :param fence: the number of its lease, None of a run that records nothing, as ``rollout`` is.
        :param batches: in their order, each with its ``hosts``. A host is in one of them at most.
        :param settings: the ``values`` that hosts have, and of each of the ``hosts`` of the run the index of its own.
        """
        batch_of = {host: number for number, batch in enumerate(batches) for host in batch["hosts"]}
        if not set(batch_of) <= set(settings["hosts"]):
            raise BadOption("hosts of batches have no settings", "Report it as a bug")
        with self._database.writing() as transaction:
            if fence is not None:
                require_lease(transaction, scope, fence, rollout)
                _remove_earlier(transaction, scope, fence)
            transaction.connection.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)",
                (run, scope, fence, rollout, plan_hash, json.dumps(payload)),
            )
            transaction.connection.executemany(
                "INSERT INTO run_batches VALUES (?, ?, ?)",
                [(run, number, json.dumps(batch)) for number, batch in enumerate(batches)],
            )
            transaction.connection.executemany(
                "INSERT INTO run_settings VALUES (?, ?, ?)",
                [(run, number, json.dumps(value)) for number, value in enumerate(settings["values"])],
            )
            transaction.connection.executemany(
                "INSERT INTO run_hosts VALUES (?, ?, ?, ?)",
                [(run, host, batch_of.get(host), number) for host, number in settings["hosts"].items()],
            )

    def load_run(self, run: str) -> Dict[str, Any]:
        """``run``, what it was begun with, and the ``plan``'s outline.

        :raises LeaseLost: another run has taken the lease over since.
        """
        with self._database.reading() as transaction:
            return _load_run(transaction, run)

    def load_step(self, run: str, hosts: Sequence[str]) -> Dict[str, Any]:
        """What a step on a batch needs: as ``load_run``, with the ``batch`` that one of these hosts is in (None: none
        of them is), and what is ``planned`` for its hosts.

        :raises LeaseLost: as ``load_run``.
        """
        with self._database.reading() as transaction:
            return _load_step(transaction, run, hosts)

    def load_admission(self, run: str, hosts: Sequence[str]) -> Dict[str, Any]:
        """As ``load_step``, with the ``settings`` of these hosts, the hosts of earlier batches of the wave that are
        ``in_flight``, and what holds hosts back: the ``quarantine``, the ``approvals`` and ``starters`` of the
        plan, the cohorts on whose canaries, or those in their place, the KMP was ``attempted``, whatever came of it,
        and the ``reserves`` among these hosts that have taken a canary's place.

        :raises LeaseLost: as ``load_run``.
        """
        with self._database.reading() as transaction:
            loaded, row = _load_step(transaction, run, hosts), _find_run(transaction, run)
            canaries = [number for number, wave in enumerate(loaded["plan"]["waves"]) if wave["kind"] == "canaries"]
            first = [rows.load_wave_outcomes(transaction, row["rollout"], wave) for wave in canaries]
            reserves = _find_reserves(transaction, row, loaded["plan"])
            attempted = {
                outcome["cohort"]
                for outcomes in (*first, reserves)
                for outcome in outcomes.values()
                if _was_tried(outcome)
            }
            return dict(
                loaded,
                in_flight=_find_in_flight(transaction, row, loaded["batch"], before=True),
                settings=_load_settings(transaction, run, list(loaded["planned"])),
                quarantine=rows.find_quarantine(transaction),
                approvals=rows.find_approvals(transaction, row["plan_hash"]),
                starters=rows.find_starters(transaction, row["plan_hash"]),
                attempted=sorted(attempted - {None}),
                reserves=[host for host in loaded["planned"] if host in reserves],
            )

    def load_whole(self, run: str) -> Dict[str, Any]:
        """``run``, what it was begun with, the whole ``plan``, and the ``rollout`` with its outcomes, None where
        nothing was begun.

        :raises LeaseLost: as ``load_run``.
        """
        with self._database.reading() as transaction:
            row = _find_run(transaction, run)
            rollout = _find_rollout(transaction, row)
            return {
                "run": json.loads(row["payload"]),
                "plan": plan_rows.find_document(transaction.connection, row["plan_hash"]),
                "rollout": None if rollout is None else rows.load_rollout(transaction, rollout),
            }

    def load_hosts(
        self,
        run: str,
        wave: Optional[int] = None,
        hosts: Optional[Sequence[str]] = None,
        cohorts: Optional[Sequence[str]] = None,
    ) -> Dict[str, Any]:
        """What was ``planned`` for the hosts of a wave, for these, or for those of these cohorts, and the recorded
        ``outcomes`` of those that have one, and the ``settings`` of those that are in the run. A host in the place of a
        canary is one of the canaries' wave.
        """
        with self._database.reading() as transaction:
            return _load_hosts(transaction, _find_run(transaction, run), wave, hosts, cohorts)

    def load_slice(self, run: str, hosts: Sequence[str]) -> Dict[str, Any]:
        """What a slice ends with: as ``load_hosts`` of its hosts, with the ``rollout`` without its history, None where
        nothing was begun.

        :raises LeaseLost: as ``load_run``.
        """
        with self._database.reading() as transaction:
            row = _find_run(transaction, run)
            rollout = _find_rollout(transaction, row)
            return dict(
                _load_hosts(transaction, row, hosts=hosts),
                rollout=None if rollout is None else rows.summarize_rollout(rollout),
            )

    def load_in_flight(self, run: str, hosts: Sequence[str]) -> List[str]:
        """The hosts that have begun, and of which no end is recorded: of the batch that one of these is in, and of the
        run's earlier batches of the same wave.
        """
        with self._database.reading() as transaction:
            return _find_in_flight(transaction, _find_run(transaction, run), _find_batch(transaction, run, hosts))


def _find_run(transaction: Transaction, run: str) -> Any:
    row = transaction.connection.execute("SELECT * FROM runs WHERE id = ?", (run,)).fetchone()
    if row is None:
        raise LeaseLost(
            f"the store has nothing of this run ({run}): another run has the rollout now, or it is another store",
            "Leave the rollout to that run",
            {"lost": True},
        )
    return row


def _find_rollout(transaction: Transaction, run: Any) -> Any:
    return transaction.connection.execute("SELECT * FROM rollouts WHERE id = ?", (run["rollout"],)).fetchone()


def _load_hosts(
    transaction: Transaction,
    run: Any,
    wave: Optional[int] = None,
    hosts: Optional[Sequence[str]] = None,
    cohorts: Optional[Sequence[str]] = None,
) -> Dict[str, Any]:
    planned = plan_rows.select_hosts(transaction.connection, run["plan_hash"], wave, hosts, cohorts)
    if wave is not None:
        plan = plan_rows.find_outline(transaction.connection, run["plan_hash"])
        if plan is not None and plan["waves"][wave]["kind"] == "canaries":
            reserves = list(_find_reserves(transaction, run, plan))
            planned.update(plan_rows.select_hosts(transaction.connection, run["plan_hash"], hosts=reserves))
    names = list(planned)
    return {
        "planned": planned,
        "outcomes": rows.load_outcomes(transaction, run["rollout"], names),
        "settings": _load_settings(transaction, run["id"], names),
    }


def _find_reserves(transaction: Transaction, run: Any, plan: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """The outcomes of the hosts that have taken a canary's place, or are about to."""
    named = [host for cohort in plan["cohorts"] for host in cohort.get("reserves", ())]
    outcomes = rows.load_outcomes(transaction, run["rollout"], named)
    return {host: outcome for host, outcome in outcomes.items() if outcome.get("reserve")}


def _was_tried(outcome: Dict[str, Any]) -> bool:
    """Whether a canary has had the KMP: one that failed before that says nothing of it."""
    if outcome["outcome"] in ("failed", "lost"):
        return bool(outcome.get("applied"))
    return outcome["outcome"] not in (BEGUN, "pending", "skipped")


def _load_run(transaction: Transaction, run: str) -> Dict[str, Any]:
    row = _find_run(transaction, run)
    outline = plan_rows.find_outline(transaction.connection, row["plan_hash"])
    return {"run": json.loads(row["payload"]), "plan": outline}


def _load_step(transaction: Transaction, run: str, hosts: Sequence[str]) -> Dict[str, Any]:
    loaded, batch = _load_run(transaction, run), _find_batch(transaction, run, hosts)
    planned = {}
    if batch is not None:
        plan_hash = loaded["plan"]["hash"]
        planned = plan_rows.select_hosts(transaction.connection, plan_hash, hosts=batch["hosts"])
    return dict(loaded, batch=batch, planned=planned)


def _load_settings(transaction: Transaction, run: str, hosts: Sequence[str]) -> Dict[str, Any]:
    """The ``values`` of these hosts, and of each of the ``hosts`` the index of its own."""
    numbers: Dict[str, int] = {}
    for part in plan_rows.split(hosts):
        numbers.update(
            (row["host"], row["settings"])
            for row in transaction.connection.execute(
                f"SELECT host, settings FROM run_hosts WHERE run = ? AND host IN ({', '.join('?' * len(part))})",
                (run, *part),
            )
        )
    positions = {number: at for at, number in enumerate(sorted(set(numbers.values())))}
    values = [
        json.loads(row["payload"])
        for part in plan_rows.split(list(positions))
        for row in transaction.connection.execute(
            f"SELECT payload FROM run_settings WHERE run = ? AND number IN ({', '.join('?' * len(part))}) "
            "ORDER BY number",
            (run, *part),
        )
    ]
    return {"values": values, "hosts": {host: positions[number] for host, number in numbers.items()}}


def _find_in_flight(
    transaction: Transaction, run: Any, batch: Optional[Dict[str, Any]], before: bool = False
) -> List[str]:
    """
    :param run: its row.
    :param before: without the hosts of the batch itself.
    """
    if batch is None:
        return []
    begun = transaction.connection.execute(
        "SELECT outcomes.host FROM outcomes JOIN run_hosts ON run_hosts.run = ? AND run_hosts.host = outcomes.host "
        "AND run_hosts.batch < ? WHERE outcomes.rollout = ? AND outcomes.wave = ? AND outcomes.outcome = ?",
        (run["id"], batch["number"] + (0 if before else 1), run["rollout"], batch["wave"], BEGUN),
    )
    # Sorted here: the order would have SQLite read all hosts of the rollout.
    return sorted(row["host"] for row in begun)


def _find_batch(transaction: Transaction, run: str, hosts: Sequence[str]) -> Optional[Dict[str, Any]]:
    for part in plan_rows.split(hosts):
        row = transaction.connection.execute(
            "SELECT number, payload FROM run_batches WHERE run = ?1 AND number = (SELECT MIN(batch) FROM run_hosts "
            f"WHERE run = ?1 AND host IN ({', '.join('?' * len(part))}))",
            (run, *part),
        ).fetchone()
        if row is not None:
            return dict(json.loads(row["payload"]), number=row["number"])
    return None


def _remove_earlier(transaction: Transaction, scope: str, fence: int) -> None:
    """Slices have one lease together."""
    earlier = transaction.connection.execute(
        "SELECT id FROM runs WHERE scope = ? AND fence IS NOT ?", (scope, fence)
    ).fetchall()
    for table, column in (("run_hosts", "run"), ("run_settings", "run"), ("run_batches", "run"), ("runs", "id")):
        transaction.connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(row["id"],) for row in earlier])
