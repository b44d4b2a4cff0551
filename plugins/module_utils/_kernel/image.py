# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the file of an installed kernel says of itself. PRIVATE to the collection: it may change at any time.

The build ID is read from the unpacked kernel as it streams by: of an ELF file its headers tell where the notes are, so
that the rest need not be unpacked; of a raw memory image (s390x, aarch64) the notes themselves are looked for.

Nothing is remembered from one run to the next. It would save some tenths of a second and cost a file on the host whose
content decides what we say of its kernel.
"""

import contextlib
import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Set

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import elf_notes, unpack

_HEAD = 4096
_PT_NOTE = 4
# More than any kernel has, and little enough for a small host
_NOTES_MAX = 1 << 16
_IMAGE_MAX = 128 << 20
_UNPACKED_MAX = 1 << 30
_SEARCHED_MAX = 16
# How far the notes of one object reach on either side of its build ID: those of Xen on x86 take 300 bytes.
_AROUND = 1024

# Types of notes of Linux: the version code is only in vDSOs, LTO_INFO (include/linux/elfnote-lto.h) only in kernels.
_VERSION_CODE, _LTO_INFO = 0, 0x101


# Where the packed kernel lies in an image
class _Area(NamedTuple):
    start: int
    size: int


def version(host: Host, path: str) -> str:
    """The version string in the boot header of an x86 image: release, builder and version, but no compiler.

    :raises Unmeasured: the image has none, or cannot be read.
    """
    start = b"".join(host.pieces(path, 0, _HEAD))
    if start[0x202:0x206] != b"HdrS":
        raise Unmeasured(f"{path} has no x86 boot header")
    # Documentation/arch/x86/boot.rst: kernel_version, less 0x200
    place = int.from_bytes(start[0x20E:0x210], "little")
    text = b"".join(host.pieces(path, place + 0x200, 512)) if place else b""
    told, end, _rest = text.partition(b"\0")
    if not end or not told or not all(0x20 <= byte < 0x7F for byte in told):
        raise Unmeasured(f"the boot header of {path} holds no version string")
    return told.decode("ascii").strip()


def is_version(told: str, proc_version: str) -> bool:
    """Whether a boot header's version string is that of the kernel whose ``/proc/version`` this is.

    ``Linux version 6.1.0-56 (me@here) (gcc 12) #1 SMP Debian 6.1.192-2`` is ``6.1.0-56 (me@here) #1 SMP Debian
    6.1.192-2`` in the header.
    """
    builder, bracket, build = told.partition(") ")
    start, end = f"Linux version {builder}) (", ") " + build
    return bool(bracket and build) and proc_version.startswith(start) and proc_version.endswith(end)


def build_id(host: Host, path: str, expected: Optional[str] = None) -> str:
    """The build ID of the kernel in a file: vmlinux, plain or compressed, bzImage, Image, or s390x's image.

    :param expected: what it probably is. One that differs is only told when the whole file has been unpacked, and so
        its checksum been verified: damage can change an ID into another one, and not into the one that is expected.
    :raises Unmeasured: it cannot be read, or does not tell for sure.
    """
    start = b"".join(host.pieces(path, 0, _HEAD))
    try:
        kind = unpack.recognise(start)
        if kind is not None:
            return _unpacked(host, kind, host.pieces(path), expected)
        # Documentation/arch/arm64/booting.rst; the notes are in it as they will be in memory
        if start[:4] == b"\x7fELF" or start[0x38:0x3C] == b"ARMd":
            return _read(host.pieces(path), host.byteorder, expected)
        area = _payload(start)
        kind = None if area is None else unpack.recognise(b"".join(host.pieces(path, area.start, 32)))
        if area is not None and kind is not None:
            # The build appends the unpacked size, which the tools do not take as part of the data, and gzip does.
            size = area.size - (4 if kind.command else 0)
            return _unpacked(host, kind, host.pieces(path, area.start, size), expected)
        return _searched(host, path, expected)
    except (ValueError, OverflowError, struct.error) as exc:
        raise Unmeasured(f"{path} is not a kernel image that can be read: {exc}") from exc


def _payload(start: bytes) -> Optional[_Area]:
    """What the image's header says of the packed kernel's place, None where it has no such header."""
    if start[0x202:0x206] == b"HdrS" and int.from_bytes(start[0x206:0x208], "little") >= 0x208:
        # setup_sects, payload_offset, payload_length
        offset, size = struct.unpack_from("<II", start, 0x248)
        return _Area(((start[0x1F1] or 4) + 1) * 512 + offset, size)
    # drivers/firmware/efi/libstub/zboot-header.S
    if start[:2] == b"MZ" and start[4:8] == b"zimg":
        return _Area(*struct.unpack_from("<II", start, 8))
    return None


def _searched(host: Host, path: str, expected: Optional[str]) -> str:
    """Tries whatever looks like the start of packed data; the decompressor's own code holds such magic numbers too."""
    data = b"".join(host.pieces(path, 0, _IMAGE_MAX + 1))
    if len(data) > _IMAGE_MAX:
        raise ValueError(f"it is larger than {_IMAGE_MAX >> 20} MiB")
    places = sorted((hit.start(), kind) for kind in unpack.FORMATS for hit in kind.magic.finditer(data))
    found: Set[str] = set()
    missing: List[unpack.ToolMissing] = []
    for place, kind in places[:_SEARCHED_MAX]:
        told = _tried(host, kind, _cut(data, place), expected, missing)
        if told is not None and told == expected:
            return told
        found.update([told] if told else [])
    if missing and not found:
        raise missing[0]
    return _only(found, "") if found else _read(_cut(data, 0), host.byteorder, expected)


def _tried(
    host: Host,
    kind: unpack.Format,
    packed: Iterator[bytes],
    expected: Optional[str],
    missing: List[unpack.ToolMissing],
) -> Optional[str]:
    try:
        return _unpacked(host, kind, packed, expected)
    except unpack.ToolMissing as exc:
        missing.append(exc)
    except (Unmeasured, ValueError, OverflowError, struct.error):
        pass
    return None


def _cut(data: bytes, start: int) -> Iterator[bytes]:
    return (data[at : at + unpack.PIECE] for at in range(start, len(data), unpack.PIECE))


def _unpacked(host: Host, kind: unpack.Format, packed: Iterator[bytes], expected: Optional[str]) -> str:
    with contextlib.closing(unpack.unpack(host, kind, packed)) as pieces:
        return _read(pieces, host.byteorder, expected)


def _read(pieces: Iterator[bytes], byteorder: str, expected: Optional[str]) -> str:
    """The build ID of an unpacked kernel, be it an ELF file or what will be in memory."""
    stream = _Stream(pieces)
    is_elf = stream.at(0, 4) == b"\x7fELF"
    told = _of_elf(stream) if is_elf else _of_memory(stream.rest(), byteorder, expected)
    if told != expected:
        for _piece in stream.rest():
            pass
    return told


class _Stream:
    """Pieces as a file that can only be read forward; nothing of what was passed is kept."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._kept = b""
        self._before = 0

    def _next(self) -> bytes:
        piece = next(self._pieces, b"")
        if self._before + len(self._kept) + len(piece) > _UNPACKED_MAX:
            raise ValueError(f"it is larger than {_UNPACKED_MAX >> 20} MiB")
        return piece

    def at(self, offset: int, size: int) -> bytes:
        """What is there; the next call must not ask for what is before it."""
        if offset < self._before:
            raise ValueError("its parts overlap")
        while offset + size > self._before + len(self._kept):
            passed = min(offset - self._before, len(self._kept))
            piece = self._next()
            if not piece:
                raise ValueError("it is cut off")
            self._kept = self._kept[passed:] + piece
            self._before += passed
        start = offset - self._before
        return self._kept[start : start + size]

    def rest(self) -> Iterator[bytes]:
        """All that was not passed."""
        piece, self._kept = self._kept, b""
        while piece:
            self._before += len(piece)
            yield piece
            piece = self._next()


def _of_elf(stream: _Stream) -> str:
    """By the program headers: a kernel's ``.notes`` section is its notes segment. The vDSOs in it have their own."""
    ident = stream.at(0, 64)
    if ident[4] != 2 or ident[5] not in (1, 2):
        raise ValueError("it is not an ELF file of 64 bits")
    byteorder = "little" if ident[5] == 1 else "big"
    order = "<" if byteorder == "little" else ">"
    (table,) = struct.unpack_from(order + "Q", ident, 0x20)
    size, count = struct.unpack_from(order + "HH", ident, 0x36)
    if size != 56 or not 1 <= count <= 64:
        raise ValueError("its program headers are not those of a kernel")
    headers = stream.at(table, size * count)
    segments = []
    for number in range(count):
        # Elf64_Phdr: type, flags, offset, vaddr, paddr, filesz
        kind, _flags, offset, _virtual, _physical, length = struct.unpack_from(order + "IIQQQQ", headers, size * number)
        if kind == _PT_NOTE:
            segments.append((offset, length))
    if any(length > _NOTES_MAX for _offset, length in segments):
        raise ValueError("its notes are too large")
    found: Set[str] = set()
    for offset, length in sorted(segments):
        segment = list(elf_notes.walk(stream.at(offset, length), byteorder))
        if any(one.owner == b"Linux" and one.type == _VERSION_CODE for one in segment):
            raise ValueError("its notes are a vDSO's")
        found.update(elf_notes.build_ids(segment))
    return _only(found, "its notes hold no GNU build ID")


def _of_memory(pieces: Iterator[bytes], byteorder: str, expected: Optional[str]) -> str:
    """By the note that it stands beside: any GNU note may be a vDSO's, or something else's.

    LTO_INFO is only in kernels, since 5.12. The build salt of those since 4.19 tells nothing: it is in vDSOs too.
    """
    found: Set[str] = set()
    window, final = b"", False
    while not final:
        piece = next(pieces, b"")
        final = not piece
        window += piece
        for told, kinds in _candidates(window, byteorder).items():
            if _LTO_INFO in kinds and _VERSION_CODE not in kinds:
                found.add(told)
        if expected in found:
            return str(expected)
        # What is near the end is looked at again when all that stands beside it has come.
        window = window[-2 * _AROUND :]
    return _only(found, "none of the GNU build IDs in it stands beside a note that only kernels have")


def _candidates(window: bytes, byteorder: str) -> Dict[str, Set[int]]:
    """The build IDs in the window, each with the types of the Linux notes in the same row of notes."""
    found: Dict[str, Set[int]] = {}
    mark = struct.pack("<I" if byteorder == "little" else ">I", elf_notes.NT_GNU_BUILD_ID) + b"GNU\0"
    at = window.find(mark)
    while at >= 0:
        own = at - 8
        itself = elf_notes.row(window[own : own + 64], byteorder)[:1] if own >= 0 else []
        if itself and 1 <= len(itself[0].description) <= elf_notes.BUILD_ID_MAX:
            told = itself[0].description.hex()
            for start in _starts(window, own):
                row = elf_notes.row(window[start : own + _AROUND], byteorder)
                if itself[0] in row:
                    found.setdefault(told, set()).update(one.type for one in row if one.owner == b"Linux")
                    break
        at = window.find(mark, at + 1)
    return found


def _starts(window: bytes, own: int) -> Iterator[int]:
    """Where the row of notes that a build ID stands in may begin: with a note of Linux, or with itself."""
    at = window.find(b"Linux\0", max(0, own - _AROUND), own)
    while at >= 0:
        if at >= 12:
            yield at - 12
        at = window.find(b"Linux\0", at + 1, own)
    yield own


def _only(found: Set[str], nothing: str) -> str:
    if len(found) != 1:
        raise ValueError("it holds the build IDs of several kernels" if found else nothing)
    return found.pop()
