# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout costs the controller, beside ping, beside the playbook that people write themselves (own_rollout.yml),
and beside the commit before.

The hosts are canned (tests/bench/canned.py), so that only the controller works; in `--full` simulated ones too.
"""

from __future__ import annotations

import json
import sys
import tempfile
import typing as t
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.bench import canned, recordings
from tests.bench.cost import Cost, Options, Row, measure
from tests.support.trees import Tree, build_environment, find_program, find_simulation

_HERE = Path(__file__).parent
_CHECKOUT = _HERE.parents[1]
# Two canaries, of the two kernels, and a wave
_FIRST = 102
_LARGE, _SIMULATED = 10_000, 2_000
# As docs/scale.md has it for a large fleet
_LARGE_SETTINGS = {"ANSIBLE_INJECT_FACT_VARS": "false"}


class Steps(t.NamedTuple):
    """Seconds of the steps of the largest batch, and of those outside of batches: plan, close, report."""

    batch: float
    ends: float


def sum_steps(lines: Iterable[str]) -> Steps:
    """Read what the callback `steps` has written. The batch is the last one that started: it had more than one.

    :raises ValueError: there is none.
    """
    batches: dict[int, list[float]] = {}
    ends = 0.0
    for row in map(json.loads, lines):
        if row["batch"] is None:
            ends += row["seconds"]
        else:
            batches.setdefault(row["batch"], []).append(row["seconds"])
    started = [seconds for seconds in batches.values() if len(seconds) > 1]
    if not started:
        raise ValueError(f"no batch had more than one step: {batches}")
    return Steps(sum(started[-1]), ends)


def measure_ratios(bench: canned.Bench, folder: Path, count: int) -> dict[str, float]:
    """The figures of a rollout of some hosts, by their names."""
    ping, _hosts = bench.run(folder / "ping", count, recordings.PING)
    status, _hosts = bench.run(folder / "status", count, recordings.STATUS)
    own, _hosts = bench.run(folder / "own", count, recordings.OWN)
    rollout, hosts = bench.run(folder / "rollout", count, recordings.ROLLOUT)
    if len(hosts.started) != count:
        raise RuntimeError(
            f"{bench.tree.name}: {len(hosts.started)} of {count} hosts were patched\n{rollout.output[-5000:]}"
        )
    return {
        "status / ping": status.cpu / ping.cpu,
        "rollout / 3 pings": rollout.cpu / ping.cpu / 3,
        "rollout / own playbook": rollout.cpu / own.cpu,
        "memory of rollout / own playbook": rollout.mib / own.mib,
        "ping a host, ms": 1000 * ping.cpu / count,
        "own playbook a host, ms": 1000 * own.cpu / count,
        "rollout a host, ms": 1000 * rollout.cpu / count,
    }


def measure_steps(bench: canned.Bench, folder: Path, count: int) -> Steps:
    """The steps of a rollout that stops after its first hosts, as it waits for an approval."""
    folder.mkdir()
    options = {"livepatch_waves": [_FIRST - 2], "livepatch_approval": ["2"]}
    settings = {
        **_LARGE_SETTINGS,
        "ANSIBLE_CALLBACK_PLUGINS": str(_HERE / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "steps",
        "STEPS_FILE": str(folder / "steps"),
    }
    command = [*recordings.ROLLOUT, "-e", json.dumps(options)]
    cost, hosts = bench.run(folder / "run", count, command, settings=settings)
    if len(hosts.started) != _FIRST:
        raise RuntimeError(f"{bench.tree.name}: {len(hosts.started)} hosts were patched\n{cost.output[-5000:]}")
    return sum_steps((folder / "steps").read_text().splitlines())


def run_simulated(tree: Tree, folder: Path, count: int) -> Cost:
    """A rollout over simulated hosts, killed when half of them were touched, and run again. Their work is counted as
    well: real modules, on this machine.
    """
    (folder / "fleet").mkdir(parents=True)
    environment = build_environment(
        tree.collections, folder / "home", {"PYTHONPATH": f"{tree.root}:{tree.collections}"}
    )
    drive = [sys.executable, str(_HERE.parent / "support/counting/drive.py"), find_simulation(tree.root)]
    drive += [str(folder / "fleet"), "--hosts", str(count), "--ssh", str(_HERE.parent / "simulated/ssh")]
    drive += ["--kill-at", str(count // 2), "--"]
    cost = measure([*drive, find_program(recordings.ROLLOUT[0]), *recordings.ROLLOUT[1:]], environment, folder, (0,))
    touched = json.loads(cost.output.splitlines()[-1])
    if len(touched) != count:
        raise RuntimeError(f"{len(touched)} of {count} simulated hosts were patched\n{cost.output[-5000:]}")
    return cost


_GOALS = {"status / ping": 1.2, "rollout / 3 pings": 1.2, "rollout / own playbook": 0.5}


def build_ratio_rows(ours: t.Mapping[str, float], before: t.Mapping[str, float], count: int) -> list[Row]:
    rows = []
    for name, figure in ours.items():
        title, _comma, unit = name.partition(", ")
        rows.append(Row(f"{title} ({count} hosts)", figure, unit, _GOALS.get(name), before.get(name)))
    return rows


def build_step_rows(ours: t.Mapping[int, Steps], before: t.Mapping[int, Steps]) -> list[Row]:
    """:param ours: by the size of the fleet."""
    rows = []
    for count, steps in ours.items():
        old = before.get(count)
        rows.append(Row(f"steps of a batch, {count} hosts", steps.batch, "s", before=old.batch if old else None))
        # Of fewer hosts most of it is what a run takes in any case
        goal = 15 if count == _LARGE else None
        rows.append(Row(f"plan, close and report, {count} hosts", steps.ends, "s", goal, old.ends if old else None))
    small, large = min(ours), max(ours)
    if large > small:
        ratio = before[large].batch / before[small].batch if before else None
        rows.append(
            Row(f"steps of a batch, {large} / {small} hosts", ours[large].batch / ours[small].batch, "", 1.3, ratio)
        )
    return rows


def measure_rows(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = recordings.get_bench()
        bases = [] if options.base is None else [recordings.get_bench(options.base)]

        def measure_each(
            function: t.Callable[[canned.Bench, Path, int], t.Any], size: int, label: str
        ) -> Sequence[t.Any]:
            return [
                function(each, folder / f"{label}-{size}-{number}", size) for number, each in enumerate([bench, *bases])
            ]

        ours, *before = measure_each(measure_ratios, options.hosts, "ratios")
        yield from build_ratio_rows(ours, before[0] if before else {}, options.hosts)
        steps = {size: measure_each(measure_steps, size, "steps") for size in options.fleets}
        old = {size: each[1] for size, each in steps.items()} if bases else {}
        yield from build_step_rows({size: each[0] for size, each in steps.items()}, old)
        if not options.full:
            return
        cost, hosts = bench.run(folder / "large", _LARGE, recordings.ROLLOUT, settings=_LARGE_SETTINGS)
        yield Row(f"{_LARGE} canned hosts patched", len(hosts.started))
        yield Row(f"{_LARGE} canned hosts", cost.wall / 60, "minutes", 25)
        yield Row(f"{_LARGE} canned hosts", cost.cpu / 60, "minutes of processors")
        yield Row(f"{_LARGE} canned hosts", cost.mib, "MiB")
        cost = run_simulated(bench.tree, folder / "simulated", _SIMULATED)
        yield Row(f"{_SIMULATED} simulated hosts, killed in the middle and resumed", cost.wall / 60, "minutes")
        yield Row(f"{_SIMULATED} simulated hosts, theirs with it", cost.cpu / 60, "minutes of processors")
        yield Row(f"{_SIMULATED} simulated hosts", cost.mib, "MiB")
