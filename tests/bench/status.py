# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `status` costs the control node, beside `ansible -m ping` over the same hosts in the same run.

The hosts are simulated as tests/simulated/README.md says: each a mount namespace in which the real modules run. What
runs in there is not counted (tests/bench/ssh), since a real host's own processor does that.
"""

from __future__ import annotations

import os
import re
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.bench.cost import Options, Row, measure
from tests.simulated.fleet import Fleet
from tests.support.trees import find_program

_HERE = Path(__file__).parent
_HOSTS, _ALL_HOSTS, _KERNELS, _FORKS, _RUNS = 50, 200, 4, 10, 3


def _measure(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[float, str]:
    """Seconds of the control node's processor, and what was printed."""
    remote = folder / "remote"
    remote.mkdir()
    program, *arguments = command
    cost = measure([find_program(program), *arguments], {**environment, "BENCH_REMOTE": str(remote)}, folder, (0,))
    # The second line of each: what the shell's children have used
    there = 0.0
    for path in remote.iterdir():
        there += sum(
            60 * float(m) + float(s) for m, s in re.findall(r"(\d+)m([\d.]+)s", path.read_text().splitlines()[1])
        )
        path.unlink()
    remote.rmdir()
    return cost.cpu - there, cost.output


def measure_rows(options: Options) -> Iterator[Row]:
    count = _ALL_HOSTS if options.full else _HOSTS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fleet").mkdir()
        with Fleet(folder / "fleet", count, kernels=_KERNELS) as fleet:
            inventory = ["-i", str(fleet.inventory(ansible_ssh_executable=str(_HERE / "ssh"))), "--forks", str(_FORKS)]
            environment = {**os.environ, **fleet.environment}
            ping, status = [], []
            for _turn in range(_RUNS):
                ping.append(_measure(["ansible", "all", "-m", "ping", *inventory], environment, folder)[0])
                seconds, output = _measure(
                    ["ansible-playbook", "fleet.livepatch.status", *inventory], environment, folder
                )
                status.append(seconds)
            if fleet.failures:
                raise RuntimeError(fleet.failures[0])
    ratio = statistics.median(status) / statistics.median(ping)
    yield Row(f"status / ping ({count} simulated hosts)", ratio, "", 1.2)
    yield Row(f"status of {count} hosts prints", len(output.splitlines()), "lines", 59)
