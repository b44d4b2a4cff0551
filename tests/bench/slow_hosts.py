# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wave of which each hundredth host is slow and the others take a second, beside the same wave without slow hosts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import canned, recordings
from tests.bench.cost import Options, Row

_HOSTS, _ALL_HOSTS, _NTH = 200, 300, 100
_FORKS = "20"
_OTHERS = 1.0
_GOAL = 1.3
# So that the canaries, which come before the wave, are none of the slow ones
_FIRST = {"c00001": {"livepatch_canary": True}, "c00002": {"livepatch_canary": True}}


def _run(bench: canned.Bench, folder: Path, count: int, slow: float) -> float:
    """Seconds of the clock.

    :param slow: how many seconds a slow host takes.
    """
    command = ["ansible-playbook", "fleet.livepatch.rollout", "--forks", _FORKS]
    command += ["-e", json.dumps({"livepatch_waves": []})]
    cost, hosts = bench.run(
        folder,
        count,
        command,
        duration=lambda number: slow if number % _NTH == 0 else _OTHERS,
        own=_FIRST,
    )
    if len(hosts.started) != count:
        raise RuntimeError(f"{len(hosts.started)} of {count} hosts were patched\n{cost.output[-5000:]}")
    return cost.wall


def measure_rows(options: Options) -> Iterator[Row]:
    bench, count = recordings.get_slow_bench(), _ALL_HOSTS if options.full else _HOSTS
    with tempfile.TemporaryDirectory() as name:
        even = _run(bench, Path(name) / "even", count, _OTHERS)
        wall = _run(bench, Path(name) / "slow", count, options.slow)
    yield Row(f"wave of {count} hosts that take 1 s", even, "s")
    yield Row(f"the same, each {_NTH}th takes {options.slow:g} s", wall, "s")
    yield Row(f"the same / ({options.slow:g} s + that of 1 s)", wall / (options.slow + even), "", _GOAL)
