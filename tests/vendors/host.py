# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host whose package tools are real ones, and whose kernel is the unit tests' model."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import shutil
import threading
import time
import typing as t
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from tests.lab.process import run
from tests.support import factories
from tests.support.machine import Machine
from tests.vendors.packages import Builder, Keyring, Kmp
from tests.vendors.root import Root

# The others are the model's
_REAL = ("rpm", "rpm2cpio", "rpmkeys", "zypper", "dnf", "unzck")
IMAGE = factories.bzimage(gzip.compress(factories.vmlinux()), factories.VERSION)


class VendorHost(Machine):
    """:param tool: zypper or dnf; the other one is hidden."""

    def __init__(self, root: Root, tool: str) -> None:
        super().__init__(str(root.folder), loaded=True)
        self.root = root
        self.tool = tool
        self.build_id = factories.BUILD_ID
        self.levels: dict[str, t.Any] = {}
        self.moving = None
        self.says = ""
        # The modules that were given to the kernel
        self.inserted: list[str] = []
        self.put_tasks()
        self.put("/proc/version", factories.PROC_VERSION)
        self.put("/sys/kernel/livepatch/")
        self.put("/sys/kernel/notes", factories.kernel_notes())
        self.put("/sys/kernel/security/lockdown", "[none] integrity confidentiality")
        self.put("/sys/module/module/parameters/sig_enforce", "N")
        for level in (1, 2, 3, 99):
            for evr in (f"{level}-150400.2.1", f"1-{level}"):
                self.levels[evr] = {
                    "seconds": 1.5,
                    "back": 1.0,
                    "refused": "",
                    "module_id": f"{level:02x}" * 20,
                    "name": "",
                }

    def wall_clock(self) -> float:
        return time.time()

    def find_tool(self, tool: str) -> str | None:
        return None if tool in ("zypper", "dnf") and tool != self.tool else super().find_tool(tool)

    def run(self, argv: t.Any, environment: t.Any = None, seconds: t.Any = None) -> Completed:
        if argv[0] == "insmod":
            self.inserted.append(argv[-1].rpartition("/")[2])
        if argv[0] not in _REAL:
            return super().run(argv, environment, seconds)
        self.calls.append(list(argv))
        return Host.run(self, ["chroot", str(self.root.folder), *argv], environment, seconds)

    def pipe(self, argv: t.Any, source: t.Any, seconds: float) -> t.Any:
        return Host.pipe(self, ["chroot", str(self.root.folder), *argv], source, seconds)


class Repositories:
    """Repositories on a web server of this machine, and their files on the host."""

    def __init__(self, folder: Path, url: str, keys: Keyring, host: VendorHost) -> None:
        self.folder = folder
        self._url = url
        self._keys = keys
        self._host = host

    def add(
        self,
        name: str,
        packages: list[Path],
        *,
        key: str = "vendor",
        checked: bool = True,
        metadata: bool | None = None,
        revision: int | None = None,
        instead: Path | None = None,
        advisories: str = "",
    ) -> None:
        """Add a repository, or replace its content.

        :param checked: whether the host checks the signatures of its packages, and of its metadata unless ``metadata``
            says otherwise.
        :param revision: seconds since the epoch, for now.
        :param instead: the package that lies where the metadata say that the first of the packages is.
        :param advisories: what is in its updateinfo.
        """
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for package in packages:
            shutil.copy(package, target)
        words = [] if revision is None else ["--revision", str(revision), "--set-timestamp-to-revision"]
        run(["createrepo_c", "--quiet", *words, target])
        if instead is not None:
            _exchange(target, packages[0], instead)
        if advisories:
            (target / "updateinfo.xml").write_text(advisories)
            run(["modifyrepo_c", "--mdtype=updateinfo", target / "updateinfo.xml", target / "repodata"])
        self._keys.sign_metadata(target, key)
        check, check_metadata = int(checked), int(checked if metadata is None else metadata)
        # The name that zypper shows is not the one that it goes by.
        settings = (
            f"[{name}]\nname=Packages of {name}\nenabled=1\nautorefresh=1\nbaseurl={self._url}/{name}\ntype=rpm-md\n"
        )
        settings += (
            f"gpgcheck={check}\nrepo_gpgcheck={check_metadata}\ngpgkey={self._url}/{name}/repodata/repomd.xml.key\n"
        )
        folder = "/etc/zypp/repos.d" if self._host.tool == "zypper" else "/etc/yum.repos.d"
        self._host.put(f"{folder}/{name}.repo", settings)
        if self._host.tool == "dnf":
            # The administrator's yes to the key of its metadata
            self._host.root.run("dnf", "--quiet", "--assumeyes", "--repo", name, "makecache")


def _exchange(folder: Path, announced: Path, package: Path) -> None:
    """Write metadata by hand: createrepo_c describes no package with control characters in its tags."""
    (index,) = (folder / "repodata").glob("*-primary.xml.gz")
    text = gzip.decompress(index.read_bytes()).decode()
    for old, new in zip(*([_digest(file), str(file.stat().st_size)] for file in (announced, package)), strict=True):
        text = text.replace(f">{old}<", f">{new}<").replace(f'package="{old}"', f'package="{new}"')
    shutil.copy(package, folder / announced.name)
    (folder / "primary.xml").write_text(text)
    run(["modifyrepo_c", "--remove", "primary", folder / "repodata"])
    run(["modifyrepo_c", "--mdtype=primary", folder / "primary.xml", folder / "repodata"])


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder to the chroot, which has this machine's network."""
    folder.mkdir(exist_ok=True)
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def prepare(root: Root, tool: str, builder: Builder, trusted: list[str]) -> VendorHost:
    """A host that runs the vendor's kernel, and trusts these files of keys."""
    root.reset()
    for text in trusted:
        root.put("/run/keys", text)
        root.run("rpm", "--import", "/run/keys")
    packages = [builder.build_plain("vendors-base", "1", "vendor", extra="Provides: /bin/sh")]
    packages.append(builder.build_kernel(IMAGE))
    for package in packages:
        shutil.copy(package, root.folder / "run" / package.name)
    root.run("rpm", "--force-debian", "-i", *(f"/run/{package.name}" for package in packages))
    return VendorHost(root, tool)


__all__ = ["Kmp", "Repositories", "VendorHost", "prepare", "serve"]
