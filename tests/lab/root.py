# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The root file system that all the guests share."""

from __future__ import annotations

import os
from pathlib import Path

from tests.lab import apt
from tests.lab.cache import Store, sources
from tests.lab.process import run


def mode() -> str:
    """Return mmdebstrap's way of being root: without root it takes a user namespace."""
    return "root" if os.geteuid() == 0 else "unshare"


def make(store: Store) -> Path:
    """Return the folder of the guest's root without kernel and configuration: the slow part, which seldom changes."""
    packages = apt.listed("guest-packages.txt")
    package_sources = apt.sources()

    def build(folder: Path) -> None:
        # Documentation doubles the number of files, and nobody reads it in a guest.
        exclude = ["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"]
        exclude += ["--dpkgopt=path-exclude=/usr/share/locale/*"]
        include = "--include=" + ",".join(packages)
        words = ["--variant=minbase", f"--mode={mode()}", include, *exclude, apt.SUITE]
        run(["mmdebstrap", "--quiet", *words, folder / "root.tar", "-"], stdin=package_sources)

    versions = [f"{name} {version}" for name, version in sorted(apt.candidates(packages).items())]
    return store.get("root", [*versions, package_sources, sources("root.py", "guest-packages.txt")], build)
