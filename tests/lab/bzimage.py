# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking vmlinux out of an x86 bzImage."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.process import run, text

_UNPACK = {b"\x02\x21\x4c\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}


def payload(image: bytes) -> bytes:
    """Return the compressed kernel within the image, as the setup header of the boot protocol says where it lies.

    Searching the image for a compressor's magic number instead finds it in the decompressor's code as well.
    """
    if image[0x202:0x206] != b"HdrS":
        raise LabError("not a bzImage: the setup header is missing")
    sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    # The build appends the unpacked size, which no decompressor takes as part of its stream.
    return image[start : start + length - 4]


def extract(image: Path, vmlinux: Path) -> None:
    """Write the ELF file that the image holds."""
    packed = payload(image.read_bytes())
    tool = _UNPACK.get(packed[:4])
    if tool is None:
        raise LabError(f"{image.name} is compressed in a way the lab does not know: it begins with {packed[:4].hex()}")
    vmlinux.write_bytes(run([tool, "-d", "-c"], stdin=packed))


def build_id(vmlinux: Path) -> str:
    """Return the GNU build ID; notes of other owners (Xen's come first) may have the same type number."""
    notes = text(["readelf", "-n", vmlinux])
    found = re.search(r"^\s*GNU\s+0x[0-9a-f]+\s+NT_GNU_BUILD_ID.*\n\s*Build ID: ([0-9a-f]+)$", notes, re.MULTILINE)
    if found is None:
        raise LabError(f"{vmlinux} has no build ID")
    return found.group(1)
