# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet: the lab's interface for tests."""

from __future__ import annotations

import dataclasses
import fcntl
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.lab import inventory, machine
from tests.lab.build import Built, Guest, build, extras
from tests.lab.cache import Say
from tests.lab.errors import LabError
from tests.lab.host import Host, clone
from tests.lab.kernels import Kernel
from tests.lab.keys import Keys
from tests.lab.layout import Layout
from tests.lab.repositories import Repository


def _quiet(_line: str) -> None:
    """Say nothing: tests have their own output."""


class Lab:
    """Hosts lp1, lp2, ... and the repository that they install from."""

    def __init__(self, layout: Layout, say: Say) -> None:
        self._layout = layout
        self._say = say
        self._keys = Keys(layout.keys)
        self._built: Built | None = None
        self.repository = Repository(layout.server)

    @classmethod
    def open(cls, say: Say = _quiet) -> Lab:
        """Return the lab of this checkout, whatever runs of it."""
        return cls(Layout.default(), say)

    @property
    def hosts(self) -> list[Host]:
        """The hosts that were started, the dead ones among them too."""
        found = [Host.read(folder, self._keys) for folder in self._layout.hosts.iterdir()]
        return sorted((host for host in found if host), key=lambda host: (len(host.name), host.name))

    @property
    def inventory(self) -> Path:
        """The Ansible inventory of the hosts."""
        return self._layout.inventory

    @property
    def keys(self) -> Keys:
        """The keys that open the hosts."""
        return self._keys

    @property
    def kernels(self) -> list[Kernel]:
        """The fleet's kernels; lp1 runs the first, lp2 the second, and so on in turn."""
        with self._locked():
            return [guest.kernel for guest in self._ready().guests]

    def build(self) -> None:
        """Build all the cached artifacts and leave running what ran before."""
        with self._locked():
            running = self.repository.running()
            self._ready()
            if not running:
                self.repository.stop()

    def up(self, count: int, fresh: bool = False) -> None:
        """Have hosts lp1 to lp<count> running; ``fresh`` replaces those that run by new clones."""
        with self._locked():
            if fresh:
                # First what may fail, so that whoever has hosts keeps them until there is something to replace them by.
                self._ready(fresh=True)
                self._end_hosts()
            alive = {host.name for host in self.hosts if host.alive()}
            missing = [number for number in range(1, count + 1) if f"lp{number}" not in alive]
            if missing or not self.repository.running():
                built = self._ready()
                with ThreadPoolExecutor(max_workers=8) as pool:
                    list(pool.map(lambda number: self._start(built, number), missing))
            self.inventory.write_text(inventory.render([host for host in self.hosts if host.alive()], self._keys))

    def extras(self) -> Kernel:
        """Have the repositories of what must be refused, and return the older kernel of the first line."""
        with self._locked():
            built = self._ready()
            return extras(self._layout, self._keys, self.repository, self._say, built).kernel

    def start_older(self, name: str) -> Host:
        """Start a host of that name with the older kernel of the first line; it ends with the others."""
        with self._locked():
            built = self._ready()
            guest = extras(self._layout, self._keys, self.repository, self._say, built)
            self._clone(built, guest, name, "a")
            self.inventory.write_text(inventory.render([host for host in self.hosts if host.alive()], self._keys))
        return self.host(name)

    def start_dnf(self, name: str, repository: str) -> Host:
        """Start a host of that name with dnf; ``repository`` says whose names its KMPs have: kpatch or amazon."""
        with self._locked():
            built = self._ready()
            extras(self._layout, self._keys, self.repository, self._say, built)
            guest = dataclasses.replace(built.guests[0], repository=repository)
            self._clone(built, guest, name, "a", "dnf")
            self.inventory.write_text(inventory.render([host for host in self.hosts if host.alive()], self._keys))
        return self.host(name)

    def down(self) -> None:
        """End all the lab's processes, and forget its hosts."""
        with self._locked():
            self._end_hosts()
            self._end_unfinished()
            self.repository.stop()
            self.inventory.unlink(missing_ok=True)

    def host(self, name: str) -> Host:
        """Return the host of that name."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts) or "none"
        raise LabError(f"there is no host {name} (there are: {known}); start more by: python -m tests.lab up")

    def _start(self, built: Built, number: int) -> None:
        # Each kernel in domain a, then each in domain b, then again.
        domain = "ab"[(number - 1) // len(built.guests) % 2]
        self._clone(built, built.guests[(number - 1) % len(built.guests)], f"lp{number}", domain)

    def _clone(self, built: Built, guest: Guest, name: str, domain: str, manager: str = "zypper") -> None:
        started = time.monotonic()
        folder = self._layout.hosts / name
        url = self.repository.url(guest.repository)
        release = guest.kernel.release
        host = clone(folder, self._keys, guest.image, guest.snapshot, built.accelerator, release, domain, url, manager)
        seconds = time.monotonic() - started
        self._say(f"{host.name}: up on 127.0.0.1:{host.port} ({release}, domain {domain}) in {seconds:.0f} s")

    def _ready(self, *, fresh: bool = False) -> Built:
        if self._built is None or fresh or not self.repository.running():
            self._end_unfinished()
            self._built = build(self._layout, self._keys, self.repository, self._say, fresh=fresh)
        return self._built

    def _end_unfinished(self) -> None:
        """End what a lab that was killed while it built has left running."""
        for folder in self._layout.artifacts.glob("*.partial"):
            machine.end(folder)

    def _end_hosts(self) -> None:
        for folder in self._layout.hosts.iterdir():
            machine.end(folder)
            shutil.rmtree(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time: two that build or start at once would overwrite each other's work."""
        with self._layout.lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("waiting for another lab command to end")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
