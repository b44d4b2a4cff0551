# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the file of an installed kernel. PRIVATE to the collection: it may change at any time.

The build ID is read from the unpacked kernel as it streams by: the headers of an ELF file show where the notes are, so
that the rest need not be unpacked; in a raw memory image (s390x, aarch64) the notes themselves are searched for.

Nothing is cached from one run to the next. It would save some tenths of a second and cost a file on the host whose
content decides what is reported of its kernel.
"""

import contextlib
import itertools
import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Set

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import elf_notes, unpack

_HEAD = 4096
_PT_NOTE = 4
# More than any kernel has, and little enough for a small host
_NOTES_MAX = 1 << 16
_IMAGE_MAX = 64 << 20
_UNPACKED_MAX = 1 << 30
_SEARCHES_MAX = 16
# Of all that is tried for one image
_SUM_MAX = 2 << 30
_SECONDS = 120.0
# Build IDs and notes beside them that are looked at in a memory image; kernels have less than ten
_MARKS_MAX = 1000
_STARTS_MAX = 20
# How far the notes of one object reach on either side of its build ID: those of Xen on x86 take 300 bytes.
_AROUND = 1024

# Types of notes of Linux: the version code is only in vDSOs, LTO_INFO (include/linux/elfnote-lto.h) only in kernels.
_VERSION_CODE, _LTO_INFO = 0, 0x101


class _Area(NamedTuple):
    """The place of the packed kernel in an image."""

    start: int
    size: int


def read_version(host: Host, path: str) -> str:
    """Read the version string in the boot header of an x86 image: release, builder and version, but no compiler.

    :raises Unmeasured: the image has none, or cannot be read.
    """
    start = b"".join(host.read_pieces(path, 0, _HEAD))
    if start[0x202:0x206] != b"HdrS":
        raise Unmeasured(f"{path} has no x86 boot header")
    # Documentation/arch/x86/boot.rst: kernel_version, less 0x200
    place = int.from_bytes(start[0x20E:0x210], "little")
    text = b"".join(host.read_pieces(path, place + 0x200, 512)) if place else b""
    version_bytes, end, _rest = text.partition(b"\0")
    if not end or not version_bytes or not all(0x20 <= byte < 0x7F for byte in version_bytes):
        raise Unmeasured(f"the boot header of {path} holds no version string")
    return version_bytes.decode("ascii").strip()


def is_same_version(header_version: str, proc_version: str) -> bool:
    """Whether a boot header's version string is that of the kernel whose ``/proc/version`` this is.

    ``Linux version 6.1.0-56 (me@here) (gcc 12) #1 SMP Debian 6.1.192-2`` is ``6.1.0-56 (me@here) #1 SMP Debian
    6.1.192-2`` in the header.
    """
    builder, bracket, build = header_version.partition(") ")
    start, end = f"Linux version {builder}) (", ") " + build
    return bool(bracket and build) and proc_version.startswith(start) and proc_version.endswith(end)


def read_build_id(host: Host, path: str, expected: Optional[str] = None) -> str:
    """Read the build ID of the kernel in a file: vmlinux, plain or compressed, bzImage, Image, or s390x's image.

    :param expected: what it probably is. One that differs is only returned when the whole file has been unpacked, and
        so its checksum been verified: damage can change an ID into another one, but not into the expected one.
    :raises Unmeasured: it cannot be read, or is ambiguous.
    """
    start = b"".join(host.read_pieces(path, 0, _HEAD))
    budget = unpack.Budget(host, _SUM_MAX, _SECONDS, path)
    try:
        kind = unpack.recognise_format(start)
        if kind is not None:
            return _unpack_build_id(host, kind, host.read_pieces(path), expected, budget)
        # Documentation/arch/arm64/booting.rst; the notes are in it as they will be in memory
        if start[:4] == b"\x7fELF" or start[0x38:0x3C] == b"ARMd":
            return _read_unpacked(budget.meter(host.read_pieces(path)), host.byteorder, expected)
        area = _find_payload(start)
        kind = None if area is None else unpack.recognise_format(b"".join(host.read_pieces(path, area.start, 32)))
        if area is not None and kind is not None:
            # The build appends the unpacked size, which the tools do not take as part of the data, and gzip does.
            size = area.size - (4 if kind.command else 0)
            return _unpack_build_id(host, kind, host.read_pieces(path, area.start, size), expected, budget)
        return _search_build_id(host, path, expected, budget)
    except MemoryError as exc:
        raise Unmeasured(f"reading {path} takes more memory than there is") from exc
    except (ValueError, OverflowError, struct.error) as exc:
        raise Unmeasured(f"{path} is not a readable kernel image: {exc}") from exc


def _find_payload(start: bytes) -> Optional[_Area]:
    """Find the packed kernel by the image's header, None where it has no such header."""
    if start[0x202:0x206] == b"HdrS" and int.from_bytes(start[0x206:0x208], "little") >= 0x208:
        # setup_sects, payload_offset, payload_length
        offset, size = struct.unpack_from("<II", start, 0x248)
        return _Area(((start[0x1F1] or 4) + 1) * 512 + offset, size)
    # drivers/firmware/efi/libstub/zboot-header.S
    if start[:2] == b"MZ" and start[4:8] == b"zimg":
        return _Area(*struct.unpack_from("<II", start, 8))
    return None


def _search_build_id(host: Host, path: str, expected: Optional[str], budget: unpack.Budget) -> str:
    """Try each place that looks like the start of packed data; the decompressor's code has such magic numbers too."""
    data = b"".join(host.read_pieces(path, 0, _IMAGE_MAX + 1))
    if len(data) > _IMAGE_MAX:
        raise ValueError(f"it is larger than {_IMAGE_MAX >> 20} MiB")
    places = sorted(
        (hit.start(), kind)
        for kind in unpack.FORMATS
        for hit in itertools.islice(kind.magic.finditer(data), _SEARCHES_MAX)
    )
    build_ids: Set[str] = set()
    missing: List[unpack.ToolMissing] = []
    for place, kind in places[:_SEARCHES_MAX]:
        candidate = _try_unpack(host, kind, _split_pieces(data, place), expected, budget, missing)
        if candidate is not None and candidate == expected:
            return candidate
        build_ids.update([candidate] if candidate else [])
    if missing and not build_ids:
        raise missing[0]
    return (
        _require_single(build_ids, "")
        if build_ids
        else _read_unpacked(_split_pieces(data, 0), host.byteorder, expected)
    )


def _try_unpack(
    host: Host,
    kind: unpack.Format,
    packed: Iterator[bytes],
    expected: Optional[str],
    budget: unpack.Budget,
    missing: List[unpack.ToolMissing],
) -> Optional[str]:
    try:
        return _unpack_build_id(host, kind, packed, expected, budget)
    except unpack.ToolMissing as exc:
        missing.append(exc)
    except (Unmeasured, ValueError, OverflowError, struct.error):
        pass
    return None


def _split_pieces(data: bytes, start: int) -> Iterator[bytes]:
    return (data[at : at + unpack.PIECE] for at in range(start, len(data), unpack.PIECE))


def _unpack_build_id(
    host: Host, kind: unpack.Format, packed: Iterator[bytes], expected: Optional[str], budget: unpack.Budget
) -> str:
    with contextlib.closing(unpack.unpack(host, kind, packed, budget)) as pieces:
        return _read_unpacked(pieces, host.byteorder, expected)


def _read_unpacked(pieces: Iterator[bytes], byteorder: str, expected: Optional[str]) -> str:
    """Read the build ID of an unpacked kernel, an ELF file or a memory image."""
    stream = _Stream(pieces)
    is_elf = stream.at(0, 4) == b"\x7fELF"
    read_id = _read_elf(stream) if is_elf else _read_memory(stream.rest(), byteorder, expected)
    if read_id != expected:
        for _piece in stream.rest():
            pass
    return read_id


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
        """The bytes at an offset; the next call must not ask for earlier ones."""
        if offset < self._before:
            raise ValueError("its parts overlap")
        while offset + size > self._before + len(self._kept):
            passed = min(offset - self._before, len(self._kept))
            piece = self._next()
            if not piece:
                raise ValueError("it is truncated")
            self._kept = self._kept[passed:] + piece
            self._before += passed
        start = offset - self._before
        return self._kept[start : start + size]

    def rest(self) -> Iterator[bytes]:
        """All that follows."""
        piece, self._kept = self._kept, b""
        while piece:
            self._before += len(piece)
            yield piece
            piece = self._next()


def _read_elf(stream: _Stream) -> str:
    """Read it by the program headers: a kernel's ``.notes`` section is its notes segment; its vDSOs have their own."""
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
    build_ids: Set[str] = set()
    for offset, length in sorted(segments):
        segment = list(elf_notes.iterate_notes(stream.at(offset, length), byteorder))
        if any(note.owner == b"Linux" and note.type == _VERSION_CODE for note in segment):
            raise ValueError("its notes are a vDSO's")
        build_ids.update(elf_notes.iterate_build_ids(segment))
    return _require_single(build_ids, "its notes hold no GNU build ID")


def _read_memory(pieces: Iterator[bytes], byteorder: str, expected: Optional[str]) -> str:
    """Read it by the notes beside it: any other GNU note may be that of a vDSO or of something else.

    LTO_INFO is only in kernels, since 5.12. The build salt of those since 4.19 decides nothing: it is in vDSOs too.
    """
    build_ids: Set[str] = set()
    window, final, marks = b"", False, 0
    while not final:
        piece = next(pieces, b"")
        final = not piece
        window += piece
        marks += (window[-len(piece) - 7 :] if piece else b"").count(_pack_mark(byteorder))
        if marks > _MARKS_MAX:
            raise ValueError("it holds more notes than any kernel")
        for candidate, kinds in _find_candidates(window, byteorder).items():
            if _LTO_INFO in kinds and _VERSION_CODE not in kinds:
                build_ids.add(candidate)
        if expected in build_ids:
            return str(expected)
        # What is near the end is examined again when all that is beside it has been read.
        window = window[-2 * _AROUND :]
    return _require_single(build_ids, "none of the GNU build IDs in it is beside a note that only kernels have")


def _pack_mark(byteorder: str) -> bytes:
    """What a note that may be a build ID holds in its middle: type and owner."""
    return struct.pack("<I" if byteorder == "little" else ">I", elf_notes.NT_GNU_BUILD_ID) + b"GNU\0"


def _find_candidates(window: bytes, byteorder: str) -> Dict[str, Set[int]]:
    """Find the build IDs in the window, each with the types of the Linux notes in the same row of notes."""
    candidates: Dict[str, Set[int]] = {}
    mark = _pack_mark(byteorder)
    at = window.find(mark)
    while at >= 0:
        own = at - 8
        itself = elf_notes.read_row(window[own : own + 64], byteorder)[:1] if own >= 0 else []
        if itself and 1 <= len(itself[0].description) <= elf_notes.BUILD_ID_MAX:
            candidate = itself[0].description.hex()
            for start in _find_row_starts(window, own):
                row = elf_notes.read_row(window[start : own + _AROUND], byteorder)
                if itself[0] in row:
                    candidates.setdefault(candidate, set()).update(note.type for note in row if note.owner == b"Linux")
                    break
        at = window.find(mark, at + 1)
    return candidates


def _find_row_starts(window: bytes, own: int) -> Iterator[int]:
    """Find where the row of notes around a build ID may begin: with a note of Linux, or with itself."""
    at = window.find(b"Linux\0", max(0, own - _AROUND), own)
    for _start in range(_STARTS_MAX):
        if at < 0:
            break
        if at >= 12:
            yield at - 12
        at = window.find(b"Linux\0", at + 1, own)
    yield own


def _require_single(build_ids: Set[str], nothing: str) -> str:
    if len(build_ids) != 1:
        raise ValueError("it holds the build IDs of several kernels" if build_ids else nothing)
    return build_ids.pop()
