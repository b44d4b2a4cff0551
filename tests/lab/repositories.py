# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The RPM repositories as the guests see them."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

from tests.lab import process
from tests.lab.errors import LabError
from tests.lab.layout import SOURCE
from tests.lab.machine import free_port

# Where QEMU's user networking shows the build machine to its guests.
_HOST = "10.0.2.2"


class Repository:
    """The server of the repositories, and a working copy of them that tests may change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._record = folder / "server.json"
        self._files = folder / "files"

    def path(self, name: str) -> Path:
        """Return the folder of a repository."""
        return self._files / name

    def url(self, name: str) -> str:
        """Return a repository's address as the guests reach it."""
        return f"http://{_HOST}:{self._recorded()[1]}/{name}"

    @property
    def log(self) -> Path:
        """The server's log: one line for each request."""
        return self._folder / "server.log"

    def running(self) -> bool:
        """Tell whether the server runs."""
        return process.is_ours(self._recorded()[0], self._folder)

    def fill(self, built: Path, *, fresh: bool) -> None:
        """Copy the built repositories; what tests changed in an earlier copy stays unless a fresh one is asked for."""
        marker = self._folder / "built"
        if not fresh and marker.exists() and marker.read_text() == built.name:
            return
        shutil.rmtree(self._files, ignore_errors=True)
        shutil.copytree(built, self._files)
        marker.write_text(built.name)

    def add(self, built: Path) -> None:
        """Copy more repositories there, but for those that are there: tests may have changed them."""
        for folder in built.iterdir():
            if not self.path(folder.name).exists():
                shutil.copytree(folder, self.path(folder.name))

    def start(self) -> None:
        """Start the server unless it runs, on the port it had before: running guests know it by that."""
        if self.running():
            return
        self._folder.mkdir(exist_ok=True)
        for port in (self._recorded()[1], free_port(), free_port()):
            if port and self._start(port):
                return
        raise LabError(f"the repository server does not start: see {self.log}")

    def stop(self) -> None:
        """End the server."""
        process.end(self._recorded()[0], self._folder)

    def _start(self, port: int) -> bool:
        command = [sys.executable, str(SOURCE / "httpd.py"), str(self._files), str(port), str(self._record)]
        child = process.spawn(command, cwd=self._folder, log=self.log)
        deadline = time.monotonic() + 20
        # The server's own word: that something answers at the port does not say who.
        while child.poll() is None and time.monotonic() < deadline:
            if self._recorded() == (child.pid, port):
                return True
            time.sleep(0.05)
        process.end(child.pid, self._folder)
        return False

    def _recorded(self) -> tuple[int, int]:
        """Return pid and port of the last server, zeros if there was none."""
        if not self._record.exists():
            return 0, 0
        record = json.loads(self._record.read_text())
        return record["pid"], record["port"]
