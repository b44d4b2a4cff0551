# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `status` costs the control node, beside `ansible -m ping` over the same hosts in the same run (`make bench`).

The hosts are simulated as tests/simulated/README.md says: each a mount namespace in which the real modules run. What
runs in there is not counted (tests/bench/ssh), since a real host's own processor does that.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.simulated.fleet import Fleet

_HERE = Path(__file__).parent
_BIN = Path(sys.executable).parent
_HOSTS, _KERNELS, _FORKS, _RUNS = 200, 4, 10, 3
# Of ping's seconds, and lines of output
_FLOOR, _LINES = 1.2, 60


def _cost(command: list[str], environment: dict[str, str], folder: Path) -> tuple[float, str]:
    """Seconds of the control node's processor, and what was printed."""
    remote = folder / "remote"
    remote.mkdir()
    output = folder / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [str(_BIN / command[0]), *command[1:]],
            env={**environment, "BENCH_REMOTE": str(remote)},
            stdout=file,
            stderr=file,
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    told = output.read_text()
    if process.returncode != 0:
        raise RuntimeError(told)
    # The second line of each: what the shell's children have used
    there = 0.0
    for path in remote.iterdir():
        there += sum(
            60 * float(m) + float(s) for m, s in re.findall(r"(\d+)m([\d.]+)s", path.read_text().splitlines()[1])
        )
        path.unlink()
    remote.rmdir()
    return usage.ru_utime + usage.ru_stime - there, told


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fleet").mkdir()
        with Fleet(folder / "fleet", _HOSTS, kernels=_KERNELS) as fleet:
            inventory = ["-i", str(fleet.inventory(ansible_ssh_executable=str(_HERE / "ssh"))), "--forks", str(_FORKS)]
            environment = {**os.environ, **fleet.environment}
            ping, status = [], []
            for _turn in range(_RUNS):
                ping.append(_cost(["ansible", "all", "-m", "ping", *inventory], environment, folder)[0])
                seconds, told = _cost(["ansible-playbook", "fleet.livepatch.status", *inventory], environment, folder)
                status.append(seconds)
            if fleet.failures:
                raise RuntimeError(fleet.failures[0])
    ratio = statistics.median(status) / statistics.median(ping)
    lines = len(told.splitlines())
    print(f"{_HOSTS} simulated hosts, {_FORKS} forks, median of {_RUNS}, seconds of the control node's processor:")
    print(f"ansible -m ping {statistics.median(ping):.2f}, status {statistics.median(status):.2f}: {ratio:.2f} times")
    print(f"status prints {lines} lines")
    print(f"floor: {_FLOOR} times, {_LINES} lines")
    return 0 if ratio <= _FLOOR and lines < _LINES else 1


if __name__ == "__main__":
    sys.exit(main())
