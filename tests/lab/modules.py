# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building the livepatch modules of one kernel."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.lab.cache import Store, sources
from tests.lab.editions import Edition, repositories
from tests.lab.kernels import Kernel
from tests.lab.layout import SOURCE
from tests.lab.process import run


def revision(edition: Edition) -> str:
    """Return what stands for the commit that the module was built from: the same sources, the same revision."""
    source = (SOURCE / "sources" / edition.source).read_bytes()
    return hashlib.sha1(source + edition.file.encode(), usedforsecurity=False).hexdigest()


def module(folder: Path, edition: Edition) -> Path:
    """Return the module's file. Editions of one level have one name, hence a folder for each repository."""
    return folder / edition.repository / f"{edition.file}.ko"


def build(store: Store, kernel: Kernel, editions: Sequence[Edition], name: str = "modules") -> Path:
    """Return the folder of the kernel's modules."""

    def make(folder: Path) -> None:
        for repository in repositories(editions):
            _make(kernel, folder / repository, [each for each in editions if each.repository == repository])

    inputs = [kernel.release, kernel.build_id, repr(editions), sources("modules.py", "sources")]
    return store.get(f"{name}-{kernel.short}", inputs, make)


def _make(kernel: Kernel, folder: Path, editions: list[Edition]) -> None:
    shutil.copytree(SOURCE / "sources", folder)
    for edition in editions:
        defines = f'#define LEVEL {edition.level}\n#define GIT_REVISION "{revision(edition)}"\n'
        (folder / f"{edition.file}.c").write_text(f'{defines}#include "{edition.source}"\n')
    names = " ".join(edition.file for edition in editions)
    run(["make", "-j2", "-C", kernel.headers, f"M={folder}", f"MODULES={names}", "modules"])
