# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guests' disks."""

from __future__ import annotations

from pathlib import Path

from tests.lab.cache import Store, sources
from tests.lab.kernels import Kernel
from tests.lab.keys import Keys
from tests.lab.layout import SOURCE
from tests.lab.machine import KERNEL_ARGUMENTS, Image
from tests.lab.process import run
from tests.lab.root import mode


def disk(store: Store, keys: Keys, kernel: Kernel, root_folder: Path, packages: list[Path], loader: Path) -> Image:
    """Return what a kernel's guests boot from: its package is really installed there."""

    def build(folder: Path) -> None:
        payload = folder / "payload"
        payload.mkdir()
        wanted = [*packages[0].glob("lab-base-*.rpm"), *packages[1].glob(f"main/kernel-{kernel.flavor}-*.rpm")]
        secrets = [keys.client.with_suffix(".pub"), keys.host, keys.host.with_suffix(".pub"), keys.public]
        run(["cp", *wanted, *secrets, SOURCE / "guest" / "configure.sh", payload])
        # In a user namespace root is the user himself, who may write to the cache; all others are from /etc/subuid.
        become_root = [] if mode() == "root" else ["--map-root-user", "--map-auto"]
        script = SOURCE / "guest" / "assemble.sh"
        words = [script, root_folder / "root.tar", payload, folder]
        run(["unshare", *become_root, "--mount", "sh", *words, kernel.release, KERNEL_ARGUMENTS])
        run(["rm", "-r", payload])

    inputs = [kernel.release, KERNEL_ARGUMENTS, root_folder.name, *(path.name for path in packages)]
    inputs += [keys.known_hosts.read_text(), keys.client.with_suffix(".pub").read_text()]
    inputs.append(sources("image.py", "guest/assemble.sh", "guest/configure.sh"))
    folder = store.get(f"image-{kernel.short}", inputs, build)
    return Image(loader, folder / "disk")
