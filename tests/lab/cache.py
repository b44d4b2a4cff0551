# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifacts that are built once for each set of inputs."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.layout import SOURCE

Say = Callable[[str], None]


def digest(parts: Iterable[str]) -> str:
    """Return a short name for a list of texts; the length of each counts, so that none can run into the next."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode()
        total.update(f"{len(data)}:".encode() + data)
    return total.hexdigest()[:16]


def sources(*names: str) -> str:
    """Return the hash of files of tests/lab (folders: all the files in them)."""
    files: list[Path] = []
    for name in names:
        path = SOURCE / name
        files += sorted(child for child in path.rglob("*") if child.is_file()) if path.is_dir() else [path]
    return digest(f"{file.relative_to(SOURCE)}\n{file.read_text()}" for file in files)


class Store:
    """The folder of artifacts."""

    def __init__(self, root: Path, say: Say) -> None:
        self._root = root
        self._say = say

    def get(self, name: str, inputs: Iterable[str], build: Callable[[Path], None]) -> Path:
        """Return the artifact's folder; ``build`` fills it if these inputs were never built."""
        path = self._root / f"{name}.{digest(inputs)}"
        if path.is_dir():
            return path
        started = time.monotonic()
        partial = path.with_name(path.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            build(partial)
        except LabError as error:
            raise LabError(f"{name}: {error}") from error
        # A folder of that name is complete, whenever the machine may stop.
        partial.rename(path)
        for outdated in self._root.glob(f"{name}.*"):
            if outdated != path:
                shutil.rmtree(outdated, ignore_errors=True)
        self._say(f"{name}: built in {time.monotonic() - started:.0f} s")
        return path
