# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The boot loader of all guests: a disc with GRUB on it, which does what the guest's own menu says."""

from __future__ import annotations

from pathlib import Path

from tests.lab.cache import Store, sources
from tests.lab.process import run, text

# On a disc, since GRUB cannot be written to a disk's first blocks without being root.
_MENU = """\
set root=(hd0)
configfile /boot/grub/grub.cfg
"""


def make(store: Store) -> Path:
    """Return the disc's file."""

    def build(folder: Path) -> None:
        (folder / "disc" / "boot" / "grub").mkdir(parents=True)
        (folder / "disc" / "boot" / "grub" / "grub.cfg").write_text(_MENU)
        run(["grub-mkrescue", "-o", folder / "loader.iso", folder / "disc"])

    version = text(["grub-mkrescue", "--version"])
    return store.get("loader", [version, sources("bootloader.py")], build) / "loader.iso"
