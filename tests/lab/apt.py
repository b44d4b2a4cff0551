# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the build machine's package manager knows and brings."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.layout import CHECKOUT, SOURCE
from tests.lab.process import run, text

SUITE = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def listed(name: str) -> list[str]:
    """Return the package names in a list of tests/lab."""
    lines = (SOURCE / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def ensure(packages: Iterable[str]) -> None:
    """Have these packages installed on the build machine."""
    done = subprocess.run([CHECKOUT / "tests" / "tools" / "apt-ensure", *packages], check=False)
    if done.returncode:
        raise LabError("packages are missing on this machine: install them as said above, then try again")


def update() -> bool:
    """Have the package lists made anew; False where that is not possible, and it was said why."""
    return subprocess.run([CHECKOUT / "tests" / "tools" / "apt-ensure", "--update"], check=False).returncode == 0


def sources() -> str:
    """Return the Debian package sources of this machine, as lines of a sources.list.

    Sources of other vendors are left out: the guest is plain Debian, whatever the build machine has besides.
    """
    wanted = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    found = set()
    for line in text(["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"]).splitlines():
        origin, codename, uri, release, component = line.split("|")
        if origin == "Debian" and codename.split("-")[0] == SUITE:
            found.add(f"deb [signed-by={KEYRING}] {uri} {release} {component}")
    if not found:
        raise LabError(f"apt knows no Debian {SUITE} packages: add their source to /etc/apt and run: apt-get update")
    return "\n".join(sorted(found)) + "\n"


def candidates(packages: Iterable[str]) -> dict[str, str]:
    """Return the version that apt would install, of each of these packages that it knows."""
    versions = {}
    name = ""
    for line in text(["apt-cache", "policy", *packages]).splitlines():
        if line and not line.startswith(" "):
            name = line.rstrip(":")
        elif line.strip().startswith("Candidate:"):
            version = line.split(":", 1)[1].strip()
            if version != "(none)":
                versions[name] = version
    return versions


def offered(pattern: str) -> list[tuple[str, str]]:
    """Return name and version of the packages whose whole name matches, newest last, by Debian's order of versions."""
    names = [line.split()[0] for line in text(["apt-cache", "search", "--names-only", f"^{pattern}$"]).splitlines()]
    versions = candidates(name for name in names if re.fullmatch(pattern, name)) if names else {}
    if not versions:
        raise LabError(f"apt offers no package {pattern}: run apt-get update, or check the Debian {SUITE} sources")

    def order(left: tuple[str, str], right: tuple[str, str]) -> int:
        compared = subprocess.run(["dpkg", "--compare-versions", left[1], "lt", right[1]], check=False)
        return -1 if compared.returncode == 0 else 1

    return sorted(versions.items(), key=functools.cmp_to_key(order))


def dependencies(package: str, version: str) -> dict[str, str]:
    """Return the packages that one depends on, alternatives left out, each with the version that apt would install."""
    (line,) = re.findall(r"^Depends: (.*)$", text(["apt-cache", "show", f"{package}={version}"]), re.MULTILINE)
    return candidates(re.split(r"[ (|]", one, maxsplit=1)[0] for one in line.split(", "))


def unpack(package: str, version: str, folder: Path) -> None:
    """Fetch a package and unpack its files into the folder, without installing it."""
    run(["apt-get", "download", f"{package}={version}"], cwd=folder)
    (archive,) = folder.glob(f"{package}_*.deb")
    run(["dpkg-deb", "-x", archive, folder])
    archive.unlink()
