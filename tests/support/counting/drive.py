# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a command over simulated hosts of the version of the collection that is on sys.path.

The command gets `-i INVENTORY`. The last line printed is JSON: when each host was touched first, by host, in seconds.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def _kill(command: Sequence[str], environment: Mapping[str, str], count_touched: Callable[[], int], limit: int) -> None:
    """Starts a command, and kills it, and not what it has started, when so many hosts were touched.

    :raises RuntimeError: it has ended before.
    """
    process = subprocess.Popen(command, env=environment)
    while count_touched() < limit:
        if process.poll() is not None:
            raise RuntimeError(f"the command has ended with {process.returncode} before {limit} hosts were touched")
        time.sleep(0.1)
    process.kill()
    process.wait()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("package", help="what has the simulated hosts there")
    parser.add_argument("folder", type=Path, help="an empty one")
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--kernels", type=int, default=1)
    parser.add_argument("--ssh", type=Path, required=True, help="what calls SIMULATED_SSH")
    parser.add_argument("--seconds", type=float, help="how long a migration takes")
    parser.add_argument("--kill-at", type=int, help="kill the command when so many hosts were touched, and run it anew")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    simulation = importlib.import_module(f"{arguments.package}.fleet")
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ssh = {"SIMULATED_SSH": str(Path(str(simulation.__file__)).with_name("ssh"))}
    with simulation.Fleet(arguments.folder, arguments.hosts, kernels=arguments.kernels) as fleet:
        if arguments.seconds is not None:
            for host in fleet.hosts.values():
                for evr in list(host.levels):
                    host.offer(evr, seconds=arguments.seconds)
        inventory = fleet.inventory(ansible_ssh_executable=str(arguments.ssh))
        environment = {**inherited, **ssh, **fleet.environment}
        command = [*arguments.command, "-i", str(inventory)]
        if arguments.kill_at is not None:
            _kill(command, environment, lambda: sum(bool(h.touched) for h in fleet.hosts.values()), arguments.kill_at)
        status = subprocess.run(command, env=environment, check=False).returncode
        for failure in fleet.failures:
            print(failure)
        touched = {name: host.touched[0].at for name, host in fleet.hosts.items() if host.touched}
        status = status or len(fleet.failures)
    print(json.dumps(touched))
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
