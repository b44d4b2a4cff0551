# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the lab's guests are reached."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Sequence

from tests.lab.errors import LabError
from tests.lab.keys import Keys

ADDRESS = "127.0.0.1"


def options(keys: Keys) -> list[str]:
    """Return the options that keep ssh away from whatever its user has configured."""
    return [
        *("-F", "/dev/null"),
        *("-o", f'UserKnownHostsFile="{keys.known_hosts}"'),
        *("-o", "GlobalKnownHostsFile=/dev/null"),
        *("-o", "IdentitiesOnly=yes"),
        *("-o", "IdentityAgent=none"),
        *("-o", "StrictHostKeyChecking=yes"),
    ]


def command(keys: Keys, port: int, user: str, words: Sequence[str]) -> list[str]:
    """Return the ssh command line."""
    more = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-o", "LogLevel=ERROR", "-i", str(keys.client)]
    return ["ssh", *options(keys), *more, "-p", str(port), f"{user}@{ADDRESS}", *words]


def run(keys: Keys, port: int, remote: str, *, user: str = "ops", check: bool = True, stdin: str = "") -> str:
    """Run a shell command in the guest and return what it wrote, standard error included."""
    done = subprocess.run(
        command(keys, port, user, [remote]),
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if check and done.returncode:
        raise LabError(f"ssh to port {port}: {remote!r} ended with exit code {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def wait(port: int, alive: Callable[[], bool], timeout: float) -> None:
    """Wait until sshd greets. QEMU takes connections long before the guest does, so a mere connect says nothing."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not alive():
            raise LabError("the virtual machine ended before its sshd answered")
        try:
            with socket.create_connection((ADDRESS, port), timeout=3) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise LabError(f"no sshd answered on port {port} within {timeout:.0f} s")
