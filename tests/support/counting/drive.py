# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a rollout over two simulated hosts of the version of the collection that is on sys.path.

usage: drive.py PACKAGE FOLDER COMMAND...

PACKAGE is what has the simulated hosts there, FOLDER an empty folder. The command gets `-i INVENTORY`, and the script
counting/ssh for its ssh. The last line printed is JSON: when each host was touched first, by host, in seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    package, folder, *command = sys.argv[1:]
    simulation = importlib.import_module(f"{package}.fleet")
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ssh = {"SIMULATED_SSH": str(Path(str(simulation.__file__)).with_name("ssh"))}
    with simulation.Fleet(Path(folder), 2) as fleet:
        inventory = fleet.inventory(ansible_ssh_executable=str(Path(__file__).with_name("ssh")))
        environment = {**inherited, **ssh, **fleet.environment}
        status = subprocess.run([*command, "-i", str(inventory)], env=environment).returncode
        for failure in fleet.failures:
            print(failure)
        touched = {name: host.touched[0].at for name, host in fleet.hosts.items() if host.touched}
        status = status or len(fleet.failures)
    print(json.dumps(touched))
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
