# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the steps of a rollout cost in a store with a million outcomes, beside a store with one such rollout.

What a step writes is rolled back, so that each turn finds the same store; so the disk's sync is not in it.
"""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import tempfile
import time
import typing as t
from collections.abc import Iterator

from ansible_collections.fleet.livepatch.plugins.module_utils._store import plan_rows
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.bench.cost import Options, Row

# Rollouts, and hosts of each
_SIZES, _ALL_SIZES = (20, 2_000), (100, 10_000)
_BATCH, _COHORTS = 100, 40
_TURNS = 9
# Of a step in the store with one rollout
_GOAL = 1.5
_EVE = {"user": "eve", "machine": "control"}


def _name(number: int) -> str:
    return f"host{number:06}.example.com"


def _make_plan(plan_hash: str, hosts: int) -> dict[str, t.Any]:
    names = [_name(number) for number in range(hosts)]
    sizes = [_COHORTS, hosts // 100, hosts // 20, hosts // 4]
    bounds = [0, *(sum(sizes[: count + 1]) for count in range(len(sizes))), hosts]
    waves = [names[begin:end] for begin, end in itertools.pairwise(bounds)]
    row = {"build_id": "a" * 40, "boot_id": "b" * 36, "kmp": "kernel-livepatch-6_4_0-3-1", "level": 2, "why": None}
    return {
        "schema": 1,
        "settings": {"max_in_flight": _BATCH},
        "cohorts": [{"id": f"c{number}", "kmp": row["kmp"]} for number in range(_COHORTS)],
        "waves": [{"kind": "wave" if number else "canaries", "hosts": wave} for number, wave in enumerate(waves)],
        "hosts": {name: {"cohort": f"c{number % _COHORTS}", **row} for number, name in enumerate(names)},
        "left_out": {},
        "hash": plan_hash,
    }


def _make_outcome(number: int) -> dict[str, t.Any]:
    return {
        "host": _name(number),
        "outcome": "done",
        "cohort": f"c{number % _COHORTS}",
        "reason": "patched",
        "state": "patched",
        "kmp": "kernel-livepatch-6_4_0-3-1",
        "level": 3,
        "seconds": 1.2,
        "applied": True,
    }


def _fill(path: str, rollouts: int, hosts: int) -> None:
    """The last of the rollouts is open, in the middle of its last wave, and a run has it."""
    Store(path, time.time).halt("other", "so that the tables are there", "eve")
    document = _make_plan("0" * 64, hosts)
    payloads = [json.dumps(_make_outcome(number)) for number in range(hosts)]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    first = time.time() - rollouts * 86400.0
    for number in range(rollouts):
        plan_hash, rollout, at = f"{number:064x}", f"{number:032x}", first + number * 86400.0
        connection.execute("BEGIN")
        plan_rows.insert_plan(connection, plan_rows.build_rows({**document, "hash": plan_hash}), "s", at, "eve")
        ended = None if number == rollouts - 1 else at + 3600
        connection.execute(
            "INSERT INTO rollouts VALUES (?, 's', ?, ?, '{}', ?, ?, 'eve')",
            (rollout, plan_hash, "running" if ended is None else "done", at, ended),
        )
        connection.executemany(
            "INSERT INTO outcomes SELECT ?1, host, wave, cohort, 'done', ?2, ?3 FROM planned_hosts "
            "WHERE plan_hash = ?4 AND host = ?5",
            [(rollout, at, payload, plan_hash, _name(index)) for index, payload in enumerate(payloads)],
        )
        connection.execute(
            "INSERT INTO outcome_counts SELECT rollout, wave, cohort, outcome, COUNT(*) FROM outcomes "
            "WHERE rollout = ? GROUP BY 1, 2, 3, 4",
            (rollout,),
        )
        connection.executemany(
            "INSERT INTO rollout_events (rollout, kind, wave, created_at, payload) VALUES (?, ?, 0, ?, '{}')",
            [(rollout, kind, at) for kind in ["event"] * (2 * hosts // _BATCH) + ["gate"] * 10],
        )
        connection.execute("COMMIT")
    connection.close()


def _share_settings(batches: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Those of hosts that all have the same."""
    return {"values": [{}], "hosts": {name: 0 for batch in batches for name in batch["hosts"]}}


def _begin_run(path: str, rollouts: int, hosts: int) -> int:
    store = Store(path, time.time)
    taken = store.take_lease("s", _EVE, 3600)
    names = [_name(number) for number in range(hosts)]
    batches = [{"wave": 1, "hosts": names[at : at + _BATCH]} for at in range(0, hosts, _BATCH)]
    store.save_run(
        "s",
        taken["fence"],
        "run",
        taken["rollout"]["id"],
        f"{rollouts - 1:064x}",
        {},
        batches,
        _share_settings(batches),
    )
    return int(taken["fence"])


def _list_steps(path: str, rollouts: int, hosts: int) -> dict[str, t.Callable[[], t.Any]]:
    fence = _begin_run(path, rollouts, hosts)
    store = Store(path, time.time, dry_run=True)
    rollout, plan_hash = f"{rollouts - 1:032x}", f"{rollouts - 1:064x}"
    ours: dict[str, t.Any] = {"scope": "s", "fence": fence, "rollout": rollout}
    batch = [_name(number) for number in range(hosts // 2, hosts // 2 + _BATCH)]
    outcomes = [_make_outcome(number) for number in range(hosts // 2, hosts // 2 + _BATCH)]
    new = _make_plan("f" * 64, hosts)
    batches = [{"wave": 1, "hosts": batch}]

    def begin() -> None:
        store.show("s")
        store.load_last_plan("s")
        store.save_plan("s", new, "eve")
        store.save_run("s", fence, "next", rollout, plan_hash, {}, batches, _share_settings(batches))

    def admit() -> None:
        store.load_admission("run", batch)
        store.begin_hosts(wave=1, hosts=batch, **ours)

    def assess() -> None:
        store.record_outcomes(wave=3, outcomes=outcomes, **ours)
        store.load_hosts("run", wave=3)

    def brakes() -> None:
        store.get_halt("s")
        store.renew_lease(**ours)

    def finish() -> None:
        store.load_whole("run")
        store.record_outcomes(outcomes=outcomes, **ours)
        store.set_status(status="done", detail={}, **ours)
        store.release_lease("s", fence)
        store.remove_old("s", 400 * 86400.0, 10_000)

    def finish_slice() -> None:
        store.load_slice("run", batch)

    def report() -> None:
        store.show("s")
        store.load_plan(plan_hash)

    def control() -> None:
        store.load_outline(plan_hash)
        store.list_starters(plan_hash)
        store.approve(plan_hash, 1, "eve")
        store.halt("s", "r", "eve")

    steps = (begin, admit, assess, brakes, finish, finish_slice, report, control)
    return {step.__name__: step for step in steps}


def _measure(steps: t.Mapping[str, t.Callable[[], t.Any]]) -> dict[str, float]:
    """The least of a step's seconds of the processor: others work on this machine as well."""
    measured: dict[str, float] = {}
    for name, step in steps.items():
        step()
        turns = []
        for _turn in range(_TURNS):
            started = time.process_time()
            step()
            turns.append(time.process_time() - started)
        measured[name] = min(turns)
    return measured


def _remove(path: str, rollouts: int) -> tuple[int, float]:
    """One turn of retention, with the disk's sync: rows, and seconds of the clock."""
    store = Store(path, time.time)
    started = time.monotonic()
    removed = store.remove_old("s", (rollouts - 1) * 86400.0 - 7200, 10_000)
    return removed["rows"], time.monotonic() - started


def measure_rows(options: Options) -> Iterator[Row]:
    rollouts, hosts = _ALL_SIZES if options.full else _SIZES
    with tempfile.TemporaryDirectory() as folder:
        measured = []
        for count in (1, rollouts):
            path = os.path.join(folder, f"{count}.sqlite3")
            _fill(path, count, hosts)
            measured.append(_measure(_list_steps(path, count, hosts)))
        for name, alone in measured[0].items():
            text = f"store: {name}, {rollouts * hosts} / {hosts} outcomes"
            yield Row(text, measured[1][name] / alone, "", _GOAL)
        yield Row(f"store of {rollouts * hosts} outcomes", os.path.getsize(path) / 2**20, "MiB")
        removed, seconds = _remove(path, rollouts)
        yield Row(f"store: {removed} rows removed for their age", seconds, "s")
