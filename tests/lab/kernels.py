# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stock kernels of the fleet, and the names that their packages get."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.lab import apt, bzimage
from tests.lab.cache import Store, sources
from tests.lab.errors import LabError

# Two lines, so that a fleet has kernels with distinct build IDs and distinct livepatch ABIs.
LINES = (r"linux-image-6\.1\.0-[0-9]+-cloud-amd64", r"linux-image-6\.12\.[0-9+a-z]+-cloud-amd64")
_RELEASE = re.compile(r"(?P<version>\d+\.\d+\.\d+)[-+](?P<source>[^-]+)-(?P<flavor>.+)")


@dataclass(frozen=True)
class Kernel:
    """One kernel, as Debian ships it and as its RPM names it. ``short`` is what it is called in the lab: its line."""

    release: str
    version: str
    source_release: str
    package_version: str
    flavor: str
    build_id: str
    folder: Path
    short: str

    @property
    def vmlinuz(self) -> Path:
        """The bootable image."""
        return self.folder / "boot" / f"vmlinuz-{self.release}"

    @property
    def vmlinux(self) -> Path:
        """The unpacked ELF image."""
        return self.folder / "vmlinux"

    @property
    def headers(self) -> Path:
        """The folder that livepatch modules are built against."""
        return self.folder / "usr" / "src" / f"linux-headers-{self.release}"

    @property
    def kmp_name(self) -> str:
        """The name of the kernel's KMP: SUSE's rule."""
        return "kernel-livepatch-" + self.release.replace(".", "_")


def names(release: str) -> tuple[str, str, str]:
    """Split a release (uname -r) into RPM version, source release and flavor."""
    found = _RELEASE.fullmatch(release)
    if found is None:
        raise LabError(f"the kernel release {release} has a shape that the lab does not know")
    return found["version"], found["source"], found["flavor"]


def offered() -> list[tuple[str, str]]:
    """Return release and package version of the newest kernel of each line."""
    return [_release(*apt.offered(line)[-1]) for line in LINES]


def older() -> tuple[str, str]:
    """Return the same of the kernel before the newest of the first line: a near miss of its name, and another build."""
    found = apt.offered(LINES[0])
    if len(found) < 2:
        raise LabError(f"apt offers only one kernel {LINES[0]}: there is none that could be mistaken for it")
    return _release(*found[-2])


def _release(package: str, version: str) -> tuple[str, str]:
    return package.removeprefix("linux-image-"), version


def _unpack_headers(release: str, package_version: str, folder: Path) -> None:
    """Have the headers without installing them: that would bring a kernel into the build machine's own /boot."""
    headers = f"linux-headers-{release}"
    needed = apt.dependencies(headers, package_version)
    parts = {name: version for name, version in needed.items() if re.match(r"linux-(headers-.*-common|kbuild-)", name)}
    if len(parts) != 2:
        raise LabError(f"{headers} does not depend on the packages that the lab knows, but on: {', '.join(needed)}")
    apt.unpack(headers, package_version, folder)
    for name, version in parts.items():
        apt.unpack(name, version, folder)
    makefile = folder / "usr" / "src" / headers / "Makefile"
    # The one place where the path of an installation is written down; the links between the parts are relative.
    makefile.write_text(
        makefile.read_text().replace("include /usr/src/", "include $(dir $(lastword $(MAKEFILE_LIST)))../")
    )


def fetch(store: Store, release: str, package_version: str, short: str = "") -> Kernel:
    """Return the unpacked kernel; ``short`` is what it is called in the lab, by default its line."""
    version, source, flavor = names(release)

    def build(folder: Path) -> None:
        apt.unpack(f"linux-image-{release}", package_version, folder)
        vmlinux = folder / "vmlinux"
        bzimage.extract(folder / "boot" / f"vmlinuz-{release}", vmlinux)
        (folder / "build-id").write_text(bzimage.build_id(vmlinux))
        _unpack_headers(release, package_version, folder)

    short = short or ".".join(release.split(".")[:2])
    inputs = [release, package_version, sources("kernels.py", "bzimage.py", "apt.py")]
    path = store.get(f"kernel-{short}", inputs, build)
    build_id = (path / "build-id").read_text()
    return Kernel(release, version, source, package_version, flavor, build_id, path, short)
