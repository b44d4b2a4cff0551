# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A booted, warmed up and frozen guest, from which clones start."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.lab import machine, ssh
from tests.lab.accelerator import qemu_version
from tests.lab.cache import Store, sources
from tests.lab.errors import LabError
from tests.lab.kernels import Kernel
from tests.lab.keys import Keys
from tests.lab.layout import SOURCE
from tests.lab.machine import Image
from tests.lab.process import is_ours, run

TAG = "ready"
_BOOT_SECONDS = 300


def take(store: Store, keys: Keys, kernel: Kernel, image: Image, accelerator: str, url: str, content: str) -> Path:
    """Return the folder of the frozen guest's overlay; it knows the packages at ``url`` (``content``: their hash)."""

    def build(folder: Path) -> None:
        overlay = folder / "disk.qcow2"
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image.disk, overlay])
        pid, port = machine.start(image, folder, "snapshot", accelerator)
        try:
            ssh.wait(port, lambda: is_ours(pid, folder), _BOOT_SECONDS)
            script = (SOURCE / "guest" / "warm.sh").read_text()
            ssh.run(keys, port, f"sudo sh -s {url}", stdin=script)
            said = machine.monitor(folder, f"savevm {TAG}")
            if said:
                raise LabError(f"QEMU could not freeze the guest: {said}")
            with contextlib.suppress(ValueError, OSError):
                # QEMU may close the monitor before it answers, or reset it.
                machine.monitor(folder, "quit")
        finally:
            machine.end(folder)

    made_by = [accelerator, qemu_version(), sources("snapshot.py", "machine.py", "guest/warm.sh")]
    return store.get(f"snapshot-{kernel.short}", [image.disk.parent.name, content, *made_by], build)
