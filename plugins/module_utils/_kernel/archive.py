# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read cpio archives as a stream: RPM payloads and initrds. PRIVATE to the collection.

Format: cpio(5), "New ASCII Format".
"""

import re
from typing import Callable, Dict, Iterator, List

_HEADER = 110
_TRAILER = "TRAILER!!!"
_MAGIC = (b"070701", b"070702")
_NUMBERS = re.compile(rb"[0-9A-Fa-f]{104}\Z")
# The largest livepatch modules take some MiB.
LARGEST_FILE = 64 << 20
# PATH_MAX
_LONGEST_NAME = 4096
# Of all archives in a stream; the largest initrds have some ten thousand
_FILES_MAX = 200000


class Truncated(ValueError):
    """It ends before its end."""


def read_files(stream: "Stream", wanted: Callable[[str], bool]) -> Dict[str, bytes]:
    """Read the wanted files of one archive, by their absolute paths. What follows it is left in the stream.

    :raises Truncated: it is truncated.
    :raises ValueError: it is no archive, or has more, longer or larger files than any.
    """
    contents: Dict[str, bytes] = {}
    left = LARGEST_FILE
    while True:
        stream.count_file()
        header = stream.take(_HEADER)
        if header[:6] not in _MAGIC:
            raise ValueError(f"unknown archive format {header[:6]!r}")
        if not _NUMBERS.match(header[6:]):
            raise ValueError(f"no numbers in a header: {header[:32]!r}")
        size, name_size = int(header[54:62], 16), int(header[94:102], 16)
        if name_size > _LONGEST_NAME:
            raise ValueError(f"a name of {name_size} bytes")
        # The name is padded together with the header, which is no multiple of four.
        name = stream.take(name_size + -(_HEADER + name_size) % 4)[:name_size].rstrip(b"\0").decode("utf-8", "replace")
        if name == _TRAILER:
            return contents
        path = "/" + (name[2:] if name.startswith("./") else name.lstrip("/"))
        if size and wanted(path):
            left -= size
            if left < 0:
                raise ValueError(f"a file of {size} bytes, or several of that size in all")
            contents[path] = stream.take(size)
            stream.skip(-size % 4)
        else:
            stream.skip(size + -size % 4)


def is_archive(data: bytes) -> bool:
    return data[:6] in _MAGIC


class Stream:
    """Pieces as a file that can only be read forward."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._kept = b""
        self._files = 0

    def count_file(self) -> None:
        """:raises ValueError: these are more than any archive has."""
        self._files += 1
        if self._files > _FILES_MAX:
            raise ValueError(f"more than {_FILES_MAX} files")

    def take(self, size: int) -> bytes:
        """:raises Truncated: there are not that many bytes."""
        parts: List[bytes] = []
        while size > len(self._kept):
            parts.append(self._kept)
            size -= len(self._kept)
            self._kept = next(self._pieces, b"")
            if not self._kept:
                raise Truncated("it is truncated")
        parts.append(self._kept[:size])
        self._kept = self._kept[size:]
        return b"".join(parts)

    def skip(self, size: int) -> None:
        while size > len(self._kept):
            size -= len(self._kept)
            self._kept = next(self._pieces, b"")
            if not self._kept:
                raise Truncated("it is truncated")
        self._kept = self._kept[size:]

    def skip_zeros(self) -> None:
        """Skip what pads one archive to the next."""
        self._kept = self._kept.lstrip(b"\0")
        while not self._kept:
            piece = next(self._pieces, b"")
            if not piece:
                return
            self._kept = piece.lstrip(b"\0")

    def rest(self) -> Iterator[bytes]:
        """All that has not been read."""
        if self._kept:
            kept, self._kept = self._kept, b""
            yield kept
        yield from self._pieces

    def peek(self, size: int) -> bytes:
        """The next bytes, fewer where there are no more."""
        while len(self._kept) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._kept += piece
        return self._kept[:size]
