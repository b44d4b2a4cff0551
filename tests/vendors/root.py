# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A root file system with the real rpm, zypper and dnf of Debian 12: the lab's, unpacked."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.lab import apt, root
from tests.lab.cache import Store
from tests.lab.layout import Layout
from tests.lab.process import run

# What a case may have changed. Nothing is mounted: /proc and /sys are files that the case writes.
_CHANGED = (
    "boot",
    "etc/yum.repos.d",
    "etc/zypp",
    "lib/modules",
    "proc",
    "run",
    "sys",
    "var/cache/dnf",
    "var/cache/zypp",
    "var/lib/dnf",
    "var/lib/fleet.livepatch",
    "var/lib/rpm",
    "var/lib/zypp",
)
_DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}


class Root:
    """The root. Only root may enter it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str) -> str:
        return run(["chroot", self.folder, *command]).decode(errors="replace")

    def put(self, path: str, content: str | bytes) -> None:
        target = self.folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def reset(self) -> None:
        """Make it as it was before any case: no package, no key, no repository."""
        for name in _CHANGED:
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir(parents=True)
        # The settings that matter, as SUSE and Red Hat ship them
        self.put(
            "/etc/zypp/zypp.conf",
            "[main]\nmultiversion = provides:multiversion(kernel)\nsolver.onlyRequires = true\n",
        )
        (self.folder / "etc/zypp/repos.d").mkdir()
        self.put("/etc/dnf/dnf.conf", "[main]\ngpgcheck=1\nbest=True\nskip_if_unavailable=False\n")
        self.put("/etc/dnf/vars/releasever", "12\n")
        self.run("rpm", "--initdb")


def make() -> Root:
    """Return the root, which is built the first time. It must not be used by two at once."""
    if os.geteuid() != 0:
        raise PermissionError("tests/vendors changes its root into another system's: run it as root")
    layout = Layout.default()
    apt.ensure(apt.listed("packages.txt"))
    store = Store(layout.artifacts, lambda text: print(text, file=sys.stderr))
    archive = root.make(store) / "root.tar"

    def build(folder: Path) -> None:
        run(["tar", "-C", folder, "--numeric-owner", "--exclude=./dev/*", "-xf", archive])
        for name, (major, minor) in _DEVICES.items():
            os.mknod(folder / "dev" / name, 0o020666, os.makedev(major, minor))
            (folder / "dev" / name).chmod(0o666)
        # Debian's rpm looks into the caller's home, while libzypp uses the system's database; and it says with each
        # transaction that one should not use it, which no other system's does.
        (folder / "etc/rpm").mkdir(parents=True, exist_ok=True)
        (folder / "etc/rpm/macros").write_text("%_dbpath /var/lib/rpm\n")
        (folder / "etc/popt").write_text("rpm\talias --nodeps\t--nodeps --force-debian\n")

    return Root(store.get("vendors", [archive.parent.name, Path(__file__).read_text()], build))
