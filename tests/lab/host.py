# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One running host of the fleet."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.lab import machine, ssh
from tests.lab.errors import LabError
from tests.lab.keys import Keys
from tests.lab.layout import SOURCE
from tests.lab.machine import Image
from tests.lab.process import end, is_ours, run
from tests.lab.snapshot import TAG

_ANSWER_SECONDS = 120
# In domain b the KMP's scriptlet leaves loading to somebody else, as administrators may choose.
_LOADING = {"a": "auto", "b": "never"}


@dataclass(frozen=True)
class Host:
    """A clone, by what its folder records."""

    name: str
    port: int
    pid: int
    kernel: str
    domain: str
    folder: Path
    keys: Keys

    @classmethod
    def read(cls, folder: Path, keys: Keys) -> Host | None:
        """Return the host of a folder, or None where no start was completed."""
        record = folder / "host.json"
        return cls(folder=folder, keys=keys, **json.loads(record.read_text())) if record.exists() else None

    @property
    def console(self) -> Path:
        """The log of the serial console, kernel messages from notices up."""
        return self.folder / "console.log"

    def alive(self) -> bool:
        """Tell whether the virtual machine runs."""
        return is_ours(self.pid, self.folder)

    def kill(self) -> None:
        """End the virtual machine as a power cut would."""
        if self.alive():
            os.kill(self.pid, signal.SIGKILL)
            end(self.pid, self.folder)

    def boot_id(self) -> str:
        """Return what tells one boot from another; empty while the guest does not answer."""
        told = self.ssh("cat /proc/sys/kernel/random/boot_id", check=False).strip()
        return told if len(told) == 36 else ""

    def wait_for_boot(self, before: str, seconds: float = 240) -> float:
        """Wait until the guest answers in another boot than ``before``, and return how long that took."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            if self.boot_id() not in ("", before):
                return time.monotonic() - started
            time.sleep(1)
        raise LabError(f"{self.name} has not booted again within {seconds:.0f} s; its console: {self.console}")

    def ssh(self, command: str, check: bool = True, *, user: str = "ops") -> str:
        """Run a shell command in the guest and return what it wrote, standard error included."""
        return ssh.run(self.keys, self.port, command, user=user, check=check)

    def write(self, path: str, text: str) -> None:
        """Write a file of root's in the guest, in a folder of its own if need be."""
        ssh.run(self.keys, self.port, f"sudo mkdir -p $(dirname {path}); sudo tee {path} >/dev/null", stdin=text)


def clone(
    folder: Path,
    keys: Keys,
    image: Image,
    snapshot: Path,
    accelerator: str,
    kernel: str,
    domain: str,
    url: str,
    manager: str = "zypper",
) -> Host:
    """Start a host from a snapshot, in a folder of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    run(["cp", "--reflink=auto", snapshot / "disk.qcow2", folder])
    pid, port = machine.start(image, folder, folder.name, accelerator, TAG)
    host = Host(folder.name, port, pid, kernel, domain, folder, keys)
    try:
        ssh.wait(port, host.alive, _ANSWER_SECONDS)
        words = [host.name, f"{time.time():.3f}", uuid.uuid4().hex, str(uuid.uuid4()), url, _LOADING[domain], manager]
        script = (SOURCE / "guest" / "personalize.sh").read_text()
        runs = ssh.run(keys, port, f"sudo sh -s {' '.join(words)}", stdin=script).strip()
        if runs != kernel:
            raise LabError(f"{host.name} runs {runs}, not {kernel}")
    except BaseException:
        host.kill()
        raise
    record = {"name": host.name, "port": port, "pid": pid, "kernel": kernel, "domain": domain}
    (folder / "host.json").write_text(json.dumps(record))
    return host
