# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in a package that is not installed. PRIVATE to the collection: it may change at any time.

``rpm2cpio`` prints them as a cpio archive (cpio(5), "New ASCII Format"), which is read as it streams by: nothing is
written to the host's disk, and only the files that are asked for are kept.
"""

from typing import Callable, Dict, Iterator

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

_HEADER = 110
_TRAILER = "TRAILER!!!"
# The largest livepatch modules have some MiB.
_LARGEST = 256 << 20
_SECONDS = 120.0


def files(host: Host, path: str, wanted: Callable[[str], bool]) -> Dict[str, bytes]:
    """The content of the wanted files of a package, by their absolute paths.

    :raises Unmeasured: the package cannot be unpacked, or holds something else than an archive of files.
    """
    stream = _Stream(host.pipe(["rpm2cpio", path], iter(()), _SECONDS))
    try:
        return _read(stream, wanted)
    except ValueError as exc:
        raise Unmeasured(f"{path} does not hold files that can be read: {exc}", "Download it again") from exc


def _read(stream: "_Stream", wanted: Callable[[str], bool]) -> Dict[str, bytes]:
    found: Dict[str, bytes] = {}
    while True:
        header = stream.take(_HEADER)
        if header[:6] not in (b"070701", b"070702"):
            raise ValueError(f"unknown archive format {header[:6]!r}")
        size, name_size = int(header[54:62], 16), int(header[94:102], 16)
        # The name is padded together with the header, which is no multiple of four.
        name = stream.take(name_size + -(_HEADER + name_size) % 4)[:name_size].rstrip(b"\0").decode("utf-8", "replace")
        if name == _TRAILER:
            return found
        path = "/" + (name[2:] if name.startswith("./") else name.lstrip("/"))
        if size and wanted(path):
            found[path] = stream.take(size)
            stream.skip(-size % 4)
        else:
            stream.skip(size + -size % 4)


class _Stream:
    """Pieces as a file that can only be read forward."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._kept = b""

    def take(self, size: int) -> bytes:
        if size > _LARGEST:
            raise ValueError(f"a file of {size} bytes")
        parts, missing = [self._kept], size - len(self._kept)
        while missing > 0:
            piece = next(self._pieces, b"")
            if not piece:
                raise ValueError("it is cut off")
            parts.append(piece)
            missing -= len(piece)
        data = b"".join(parts)
        self._kept = data[size:]
        return data[:size]

    def skip(self, size: int) -> None:
        while size > len(self._kept):
            size -= len(self._kept)
            self._kept = next(self._pieces, b"")
            if not self._kept:
                raise ValueError("it is cut off")
        self._kept = self._kept[size:]
