# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What rows of hosts cost where they are planned, stored and reported, and what ten times the rows cost.

No playbook runs: the steps' own code is called, with what simulated hosts have answered.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import tempfile
import time
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import document, publish, status, text
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    batches,
    finish,
    hostvars,
    lease,
    session,
    start,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gate_input import GateInput
from tests.bench import canned, recordings
from tests.bench.cost import Options, Row
from tests.bench.store_steps import make_outcomes, make_settings, open_store
from tests.support.plans import make_controls

_SIZES, _ALL_SIZES = (1_000, 10_000), (10_000, 100_000)
_GOAL = 11
_PHASES = ("plan", "store", "report", "files")


class _Variables(t.Mapping[str, t.Mapping[str, t.Any]]):
    """The variables of many hosts, each made when it is read: all of them at once would be measured as well."""

    def __init__(self, count: int, answers: Sequence[str], boots: Sequence[str]) -> None:
        self._numbers = {f"c{number:06}": number for number in range(1, count + 1)}
        self._answers = list(zip(answers, boots, strict=True))

    def __getitem__(self, name: str) -> Mapping[str, t.Any]:
        answer, boot = self._answers[self._numbers[name] % len(self._answers)]
        return {hostvars.GATHERED: json.loads(answer.replace(boot, canned.build_boot_id(name)))}

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def _measure(count: int, answers: Sequence[str], boots: Sequence[str]) -> tuple[dict[str, float], float, float]:
    """Seconds of the processor by phase, and MiB, in a process of its own; MB of the report for people."""
    variables = _Variables(count, answers, boots)
    times = [time.process_time()]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rollouts.sqlite3"
        store = open_store(path)
        settings = make_settings(waves=["1%", "5%", "25%"], max_in_flight=100)
        fleet = hostvars.parse_fleet(variables, settings.selection)
        goes_by = make_controls(host.name for host in fleet)
        begun = start.begin_rollout(store, fleet, settings, goes_by, "", None, lease.LeaseTerms(100))
        if len(begun.hosts) != count:
            raise RuntimeError(f"{len(begun.hosts)} of {count} hosts were planned")
        times.append(time.process_time())

        store = open_store(path, begun.run)
        for batch in begun.batches:
            step = session.load_step(store, begun.run, batch.hosts)
            gate = GateInput(store, step)
            store.send_fenced("begin_hosts", wave=batch.wave, hosts=batch.starts)
            gate.record_outcomes(make_outcomes(step.planned.values()), False)
            if batch.last:
                store.send_all(gate.build_verdict(batches.WAVE, "pass", "pass"))
        times.append(time.process_time())

        ended = finish.finish_run(store, begun.run, variables, days=400)
        if ended.status != "done" or ended.stored is None or ended.plan is None:
            raise RuntimeError(f"the rollout is {ended.status}, and not done")
        lines = text.format_outcomes(ended.fleet, ended.plan, ended.outcomes, ended.status, ended.detail)
        now, rows = time.time(), status.build_rows(variables, settings.selection, time.time(), {})
        recorded = document.StoredRollout(ended.plan, ended.stored, list(ended.outcomes))
        report = document.build_rollout(rows, recorded, now, store.scope, None)
        times.append(time.process_time())

        options: dict[str, t.Any] = {"dir": str(Path(name) / "report"), "url": "", "request": {}, "file_mode": None}
        files = publish.deliver_report(options, lambda: report, lambda _line: None)
        if not files or not lines:
            raise RuntimeError("no report was written")
        times.append(time.process_time())
        page = Path(files[0]).stat().st_size / 1e6
    seconds = {phase: times[number + 1] - times[number] for number, phase in enumerate(_PHASES)}
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, page


def measure_rows(options: Options) -> Iterator[Row]:
    records = recordings.get_bench().records
    gathered = [row for row in records if row.call.module.endswith(".livepatch_info") and not row.started]
    answers = [row.output for row in gathered]
    boots = [json.loads(answer)["kernel"]["boot_id"] for answer in answers]
    measured = []
    for count in _ALL_SIZES if options.full else _SIZES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            measured.append((count, *pool.apply(_measure, (count, answers, boots))))
    (few, before, *_less), (many, after, mib, page) = measured
    for phase in _PHASES:
        yield Row(f"{phase} of {many} rows", after[phase], "s")
        yield Row(f"{phase} of {many} / {few} rows", after[phase] / before[phase])
    ratio = sum(after.values()) / sum(before.values())
    yield Row(f"plan, store and report of {many} / {few} rows", ratio, "", _GOAL)
    yield Row(f"plan, store and report of {many} rows", mib, "MiB")
    yield Row(f"HTML of {many} rows", page, "MB")
