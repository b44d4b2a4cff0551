# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One QEMU process: its command line, its start, and its monitor."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import process
from tests.lab.errors import LabError

QEMU = "qemu-system-x86_64"
MEMORY = 512
# Notices go to the console (level 6), where tests watch for livepatch's. A panicked guest boots again, as servers do.
KERNEL_ARGUMENTS = (
    "root=/dev/vda rw console=ttyS0 loglevel=6 panic=3 net.ifnames=0 mitigations=off audit=0 apparmor=0 nowatchdog"
)
_MONITOR = "monitor"
_PID = "pid"


@dataclass(frozen=True)
class Image:
    """What a guest boots from."""

    loader: Path
    disk: Path


def command(image: Image, folder: Path, name: str, port: int, accelerator: str, snapshot: str | None) -> list[str]:
    """Return QEMU's command line. Changes are written to the folder's overlay, the image itself stays as it is."""
    file = {"driver": "file", "filename": str(image.disk), "locking": "off"}
    overlay = {
        "driver": "qcow2",
        "node-name": "disk",
        # The guest's disk may be lost with the build machine's power, and waiting for it costs.
        "cache": {"no-flush": True},
        "file": {"driver": "file", "filename": str(folder / "disk.qcow2"), "cache": {"no-flush": True}},
        # Said here and not left to the overlay, which remembers where its image lay when it was made.
        "backing": {"driver": "raw", "read-only": True, "file": file},
    }
    return [
        QEMU,
        *("-name", name, "-machine", "pc", "-accel", accelerator, "-cpu", "max", "-smp", "1", "-m", str(MEMORY)),
        *("-no-user-config", "-nodefaults", "-display", "none"),
        # The loader takes kernel and initrd from the disk: what a guest does to its /boot is what it boots next.
        *("-drive", f"if=ide,media=cdrom,read-only=on,format=raw,file={image.loader}", "-boot", "order=d"),
        *("-blockdev", json.dumps(overlay), "-device", "virtio-blk-pci,drive=disk"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22", "-device", "virtio-net-pci,netdev=net,romfile="),
        *("-device", "virtio-rng-pci"),
        # Relative paths: QEMU runs in the folder, whose own path may exceed what a socket's may have.
        *("-chardev", "file,id=console,path=console.log,append=on", "-serial", "chardev:console"),
        *("-qmp", f"unix:{_MONITOR},server=on,wait=off"),
        *(("-loadvm", snapshot) if snapshot else ()),
    ]


def free_port() -> int:
    """Return a port that is free now; who uses it must be ready to find it taken."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(image: Image, folder: Path, name: str, accelerator: str, snapshot: str | None = None) -> tuple[int, int]:
    """Start a machine in its folder, which holds its overlay; return pid and port."""
    for _attempt in range(5):
        port = free_port()
        log = folder / "qemu.log"
        log.write_bytes(b"")
        (folder / _MONITOR).unlink(missing_ok=True)
        child = process.spawn(command(image, folder, name, port, accelerator, snapshot), cwd=folder, log=log)
        # At once, so that `down` finds it even if the lab is killed before the guest is ready.
        (folder / _PID).write_text(str(child.pid))
        # The monitor is opened after the ports and before the guest runs: its presence says that the start succeeded.
        while child.poll() is None:
            if (folder / _MONITOR).exists():
                return child.pid, port
            time.sleep(0.02)
        if "host forwarding rule" not in log.read_text():
            raise LabError(f"QEMU did not start {name}: {log.read_text().strip()}")
    raise LabError(f"QEMU did not start {name}: five free ports in a row were taken by somebody else")


def monitor(folder: Path, line: str) -> str:
    """Have QEMU's human monitor run a line, and return its answer."""
    handle = os.open(folder, os.O_PATH)
    try:
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            # By way of the open folder the path is short, however deep the folder lies.
            connection.connect(f"/proc/self/fd/{handle}/{_MONITOR}")
            connection.settimeout(120)
            with connection.makefile("rw") as channel:
                json.loads(channel.readline())
                _execute(channel, {"execute": "qmp_capabilities"})
                order = {"execute": "human-monitor-command", "arguments": {"command-line": line}}
                return str(_execute(channel, order)).strip()
    finally:
        os.close(handle)


def _execute(channel: Any, order: dict[str, Any]) -> Any:
    channel.write(json.dumps(order) + "\n")
    channel.flush()
    while True:
        answer = json.loads(channel.readline())
        if "error" in answer:
            raise LabError(f"QEMU refused {order['execute']}: {answer['error']['desc']}")
        if "return" in answer:
            return answer["return"]


def end(folder: Path) -> None:
    """End the machine that was started in this folder, if it still runs."""
    record = folder / _PID
    if record.exists():
        process.end(int(record.read_text()), folder)
