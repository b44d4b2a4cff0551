# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All the cached artifacts, in the order of their needs and side by side where they have none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.lab import accelerator, apt, bootloader, image, kernels, modules, root, rpms, snapshot
from tests.lab.cache import Say, Store
from tests.lab.editions import EDITIONS
from tests.lab.errors import LabError
from tests.lab.kernels import Kernel
from tests.lab.keys import Keys
from tests.lab.layout import Layout
from tests.lab.machine import Image
from tests.lab.repositories import Repository


@dataclass(frozen=True)
class Guest:
    """What the clones of one kernel start from. ``repository`` is the one that they know."""

    kernel: Kernel
    image: Image
    snapshot: Path
    repository: str = "main"


@dataclass(frozen=True)
class Built:
    """What a fleet is made of."""

    guests: list[Guest]
    repositories: Path
    accelerator: str


def build(layout: Layout, keys: Keys, repository: Repository, say: Say, *, fresh: bool = False) -> Built:
    """Build whatever is missing. The repository server runs afterwards."""
    store = Store(layout.artifacts, say)
    apt.ensure(apt.listed("packages.txt"))
    # First, and before anything else is chosen: here it shows whether the package lists are any good.
    try:
        fetched = _kernels(store)
    except LabError as error:
        # Baked images often come without lists, and old ones name versions that the archive no longer has.
        say(f"{error}; once more with new package lists")
        if not apt.update():
            raise
        fetched = _kernels(store)
    keys.make()
    with ThreadPoolExecutor() as pool:
        rooted = pool.submit(root.make, store)
        base = pool.submit(rpms.base, store, keys)
        probed = pool.submit(accelerator.choose, store, fetched[0].vmlinuz)

        def package(kernel: Kernel) -> Path:
            return rpms.packages(store, keys, kernel, modules.build(store, kernel, EDITIONS))

        packages = list(pool.map(package, fetched))
        repositories = rpms.build_repositories(store, keys, base.result(), fetched, packages)
        repository.fill(repositories, fresh=fresh)
        repository.start()
        loader = bootloader.make(store)

        def guest(number: int) -> Guest:
            kernel = fetched[number]
            disk = image.disk(store, keys, kernel, rooted.result(), [base.result(), packages[number]], loader)
            url = repository.url("main")
            frozen = snapshot.take(store, keys, kernel, disk, probed.result(), url, repositories.name)
            return Guest(kernel, disk, frozen)

        guests = list(pool.map(guest, range(len(fetched))))
    return Built(guests, repositories, probed.result())


def extras(layout: Layout, keys: Keys, repository: Repository, say: Say, built: Built) -> Guest:
    """Build and serve what only some tests need, unless it is there; return the guest of the older kernel."""
    store = Store(layout.artifacts, say)
    kernel = built.guests[0].kernel
    older = kernels.fetch(store, *kernels.older(), "older")
    packages = rpms.packages(store, keys, older, modules.build(store, older, EDITIONS))
    odd = rpms.oddities(store, keys, kernel, older, packages)
    repository.add(odd)
    rooted, base = root.make(store), rpms.base(store, keys)
    disk = image.disk(store, keys, older, rooted, [base, packages], bootloader.make(store))
    frozen = snapshot.take(store, keys, older, disk, built.accelerator, repository.url("older"), odd.name)
    return Guest(older, disk, frozen, "older")


def _kernels(store: Store) -> list[Kernel]:
    """Return the kernels that the build machine's package manager offers."""
    offered = kernels.offered()
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda each: kernels.fetch(store, *each), offered))
