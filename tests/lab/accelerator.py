# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which way of running guests works on this machine."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from pathlib import Path

from tests.lab.cache import Store, sources
from tests.lab.machine import QEMU
from tests.lab.process import text

_SECONDS = 8
# MiB for translated code. Unless told, QEMU takes 1 GiB for each machine, fills it before it drops anything, and four
# machines then need more memory than a small CI runner has.
_TRANSLATED = 256
_PROBE = ["-machine", "pc", "-cpu", "max", "-m", "512", "-nodefaults", "-no-user-config", "-display", "none"]


def choose(store: Store, vmlinuz: Path) -> str:
    """Return QEMU's accelerator: KVM where a kernel really runs under it."""

    def build(folder: Path) -> None:
        (folder / "name").write_text("kvm" if _kvm_runs(vmlinuz) else f"tcg,thread=multi,tb-size={_TRANSLATED}")

    inputs = [platform.version(), qemu_version(), str(_kvm_opens()), sources("accelerator.py")]
    return (store.get("accelerator", inputs, build) / "name").read_text()


def qemu_version() -> str:
    """Return QEMU's version: a snapshot belongs to the one that made it."""
    return text([QEMU, "--version"]).splitlines()[0]


def _kvm_opens() -> bool:
    """Whether this user may use KVM, which may change from one day to the next, as by `adduser USER kvm`."""
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def _kvm_runs(vmlinuz: Path) -> bool:
    """Boot a kernel without a disk: its panic shows that it ran.

    An openable /dev/kvm does not show that: under nested virtualization a guest may hang at its first instruction.
    """
    if not _kvm_opens():
        return False
    with tempfile.TemporaryFile() as console:
        boot = ["-kernel", str(vmlinuz), "-append", "console=ttyS0 panic=-1", "-serial", "stdio", "-no-reboot"]
        guest = subprocess.Popen(
            [QEMU, "-accel", "kvm", *_PROBE, *boot], stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.DEVNULL
        )
        try:
            guest.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            guest.kill()
            guest.wait()
        console.seek(0)
        return b"Kernel panic" in console.read()
