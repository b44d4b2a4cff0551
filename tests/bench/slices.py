# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Four slices of one wave at once on one store: whether an update is lost, and how soon a halt stops all of them.

No playbook runs: each slice is a process that does what the steps of a slice do.
"""

from __future__ import annotations

import collections
import concurrent.futures
import multiprocessing
import sqlite3
import tempfile
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    admission,
    batches,
    halt,
    lease,
    session,
    slices,
    start,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.controls import Given
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gate_input import GateInput
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from tests.bench.cost import Options, Row
from tests.bench.store_steps import (
    COHORTS,
    make_action,
    make_fleet,
    make_outcomes,
    make_settings,
    make_variables,
    open_store,
)
from tests.support.plans import make_controls

_SLICES, _HOSTS, _IN_FLIGHT = 4, 10_000, 100
_ADMISSION: dict[str, t.Any] = {
    "approval": [],
    "approver_not_starter": False,
    "windows": [],
    "blackouts": [],
    "window_min_remaining": 0,
    "slices": _SLICES,
}
# When the halt comes, and how often a slice comes to a host then, in seconds
_HALT_AFTER, _EACH_HOST = 2.0, 0.01


class Part(t.NamedTuple):
    """What a slice has done: hosts that it has started, when the last of them, and hosts that it has recorded."""

    started: int
    last: float
    recorded: int


def _leave_to_slices(path: Path, count: int) -> None:
    """A rollout whose canaries are patched, and whose one wave is left to slices."""
    fleet = make_fleet(count + COHORTS)
    settings = make_settings(waves=[], max_in_flight=_IN_FLIGHT)
    goes_by = make_controls((host.name for host in fleet), max_in_flight=_IN_FLIGHT)
    begun = start.begin_rollout(open_store(path), fleet, settings, goes_by, "", None, lease.LeaseTerms(600))
    store = open_store(path, begun.run)
    for batch in begun.batches:
        step, stored = session.load_admission(store, begun.run, batch.hosts)
        admitted = admission.admit_batch(store, step, stored, _ADMISSION)
        if not admitted["go"]:
            store.send("release_lease", scope=store.scope, fence=begun.run.fence)
            return
        gate = GateInput(store, step)
        gate.record_outcomes(make_outcomes(step.planned.values()), False)
        store.send_all(gate.build_verdict(batches.WAVE, "pass", "pass"))
    raise RuntimeError("no wave was left to slices")


def _run_slice(path: Path, count: int, number: int, each_host: float) -> Part:
    """Does what the steps of a slice do with its hosts, every fourth.

    :param each_host: how many seconds pass until the next host starts.
    """
    fleet = make_fleet(count + COHORTS)[number::_SLICES]
    given = Given({}, {host.name: {} for host in fleet})
    joined = slices.join_wave(open_store(path), fleet, given, _SLICES, lease.LeaseTerms(600))
    if isinstance(joined, str):
        raise RuntimeError(joined)
    store, started, last, recorded = open_store(path, joined.run), 0, 0.0, 0
    for batch in joined.batches:
        step, stored = session.load_admission(store, joined.run, batch.hosts)
        admitted = admission.admit_batch(store, step, stored, _ADMISSION)
        if not admitted["go"]:
            break
        done = []
        for name in admitted["start"]:
            if each_host:
                time.sleep(each_host)
                if halt.get_halt_reason(make_action(), make_variables(path)) is not None:
                    break
            last = time.time()
            done.append(step.planned[name])
        started += len(done)
        GateInput(store, step).record_outcomes(make_outcomes(done), False)
        recorded += len(done)
    _leave(path, joined.run)
    return Part(started, last, recorded)


def _leave(path: Path, run: Run) -> None:
    store = open_store(path)
    store.send("leave_wave", scope=store.scope, fence=run.fence, member=run.member)


def _run_slices(path: Path, count: int, each_host: float, halts: bool) -> tuple[list[Part], float]:
    """What each slice has done, and when the halt was stored, 0 without one."""
    context, halted = multiprocessing.get_context("spawn"), 0.0
    with concurrent.futures.ProcessPoolExecutor(_SLICES, context) as pool:
        parts = [pool.submit(_run_slice, path, count, number, each_host) for number in range(_SLICES)]
        if halts:
            # All of them have joined, and started hosts
            while sum(_count_outcomes(path).values()) < COHORTS + _SLICES * (_IN_FLIGHT // _SLICES):
                time.sleep(0.1)
                for part in parts:
                    if part.done():
                        part.result()
            time.sleep(_HALT_AFTER)
            store = open_store(path)
            store.send("halt", scope=store.scope, reason="bench", by="bench")
            halted = time.time()
        return [part.result() for part in parts], halted


def _count_outcomes(path: Path) -> collections.Counter[str]:
    connection = sqlite3.connect(path)
    try:
        return collections.Counter(dict(connection.execute("SELECT outcome, COUNT(*) FROM outcomes GROUP BY outcome")))
    finally:
        connection.close()


def measure_rows(options: Options) -> Iterator[Row]:
    count = _HOSTS
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "whole.sqlite3"
        _leave_to_slices(path, count)
        began = time.monotonic()
        parts, _halted = _run_slices(path, count, 0.0, halts=False)
        seconds = time.monotonic() - began
        stored, recorded = _count_outcomes(path), sum(part.recorded for part in parts)
        yield Row(f"{_SLICES} slices of a wave of {count} hosts, batches of {_IN_FLIGHT // _SLICES}", seconds, "s")
        yield Row("updates that were lost", abs(recorded - (stored["done"] - COHORTS)) + abs(count - recorded), "", 0)

        path = Path(name) / "halted.sqlite3"
        _leave_to_slices(path, count)
        parts, halted = _run_slices(path, count, _EACH_HOST, halts=True)
        stored, recorded = _count_outcomes(path), sum(part.recorded for part in parts)
        yield Row("updates that were lost when a halt came", abs(recorded - (stored["done"] - COHORTS)), "", 0)
        if recorded == count:
            raise RuntimeError("the halt came after the end")
        late = max(0.0, *(part.last - halted for part in parts))
        yield Row("last start in any slice after a halt was stored", late, "s", 2)
