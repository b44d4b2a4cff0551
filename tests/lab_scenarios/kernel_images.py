# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The build ID read from every kernel image that Debian offers for the lab is that of its unpacked vmlinux."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import image
from tests.lab import apt, bzimage, kernels
from tests.lab.process import text

_CACHE = Path(__file__).parents[2] / ".cache/kernel-images"


def _offered() -> dict[str, str]:
    """Versions by package."""
    found = text(["apt-cache", "search", "--names-only", "^linux-image-6[.](1[.]0|12)[^ ]*-cloud-amd64$"])
    names = [line.split()[0] for line in found.splitlines()]
    return apt.candidates(name for name in names if any(re.fullmatch(line, name) for line in kernels.LINES))


def _image(package: str, version: str) -> Path:
    """The image in the package, which is fetched once."""
    release = package.removeprefix("linux-image-")
    kept = _CACHE / version / f"vmlinuz-{release}"
    if not kept.exists():
        partial = _CACHE / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        apt.unpack(package, version, partial)
        kept.parent.mkdir(exist_ok=True)
        (partial / "boot" / kept.name).rename(kept)
        shutil.rmtree(partial)
    return kept


def test_build_ids(tmp_path: Path, figures: dict[str, object]) -> None:
    apt.ensure(["binutils", "lz4", "zstd"])
    host, offered = Host(), _offered()
    told, expected, versions = {}, {}, {}
    seconds: dict[str, list[float]] = {}
    for package, version in offered.items():
        path = _image(package, version)
        vmlinux = tmp_path / "vmlinux"
        bzimage.extract(path, vmlinux)
        expected[package] = bzimage.build_id(vmlinux)
        begin = time.perf_counter()
        told[package] = image.read_build_id(host, str(path), expected[package])
        kind = {b"\x02\x21\x4c\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}[bzimage.payload(path.read_bytes())[:4]]
        seconds.setdefault(kind, []).append(time.perf_counter() - begin)
        # With nothing expected, all of it is unpacked and verified.
        assert image.read_build_id(host, str(path)) == expected[package]
        versions[package] = image.read_version(host, str(path))
        # The package's banner is in the kernel itself, with the compiler between its parts.
        banner = re.search(rb"Linux version [ -~]+ #1 [ -~]+", vmlinux.read_bytes())
        assert banner is not None
        assert image.is_same_version(versions[package], banner[0].decode())

    assert told == expected
    assert len(offered) >= 6, f"the package index offers {len(offered)} kernels only"
    assert len(set(expected.values())) == len(offered), "each has its own"
    assert all(version.startswith(name.removeprefix("linux-image-") + " ") for name, version in versions.items())
    figures["images"] = len(offered)
    figures["build IDs right"] = sum(told[name] == expected[name] for name in offered)
    for kind, each in sorted(seconds.items()):
        figures[kind] = f"{len(each)} of at most {max(each):.2f} s"
