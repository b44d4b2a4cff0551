# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unpack kernels and initrds, piece by piece. PRIVATE to the collection: it may change at any time.

Nothing holds a whole kernel: a piece goes in, pieces come out, and a caller that has enough stops reading. All of it
comes out of a budget: a few KiB can be unpacked to many GiB.
"""

import bz2
import contextlib
import lzma
import re
import zlib
from typing import Any, Callable, Generator, Iterator, NamedTuple, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Malformed, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

# It can be closed, which ends the tool that it has started
Pieces = Generator[bytes, None, None]

# A piece is never larger than this, even of a decompression bomb.
PIECE = 1 << 18
# The kernel's own Makefiles allow xz a dictionary of 128 MiB; the decoder holds that, and little besides.
_XZ_MEMORY = 192 << 20
_LARGEST = 1 << 30
_SECONDS = 60.0


class ToolMissing(Unmeasured):
    """The host lacks the tool that unpacks the image."""


class Budget:
    """What reading one thing may cost, whatever its parts and layers: bytes that come out of it, and seconds."""

    def __init__(self, host: Host, size: int = _LARGEST, seconds: float = _SECONDS, name: str = "the image") -> None:
        self._host = host
        self._name = name
        self._size = self._left = size
        self._seconds = seconds
        self._deadline = host.clock() + seconds

    def spend(self, size: int) -> None:
        """:raises Unmeasured: nothing is left of it."""
        self._left -= size
        if self._left < 0:
            raise Malformed(f"more than {self._size >> 20} MiB come out of {self._name}")
        if self._host.clock() > self._deadline:
            raise Unmeasured(f"unpacking {self._name} took longer than {self._seconds:.0f} s")

    def meter(self, pieces: Pieces) -> Pieces:
        """The pieces that hold something, as long as something is left."""
        with contextlib.closing(pieces):
            for piece in pieces:
                self.spend(len(piece))
                if piece:
                    yield piece


class Format(NamedTuple):
    name: str
    magic: Any
    # Makes the standard library's decompressor
    decoder: Optional[Callable[[], Any]]
    # What to run instead
    command: Tuple[str, ...] = ()


class _Gzip:
    """zlib's decompressor with the interface of those of bz2 and lzma."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(16 + zlib.MAX_WBITS)

    # It returns what it has with each call.
    needs_input = True

    def decompress(self, data: bytes, limit: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, limit)

    @property
    def eof(self) -> bool:
        return self._inner.eof


# An lzma stream of the kernel's build does not state its size: eight times ff. The others have magic numbers.
FORMATS = (
    Format("gzip", re.compile(rb"\x1f\x8b\x08"), _Gzip),
    Format("xz", re.compile(rb"\xfd7zXZ\0"), lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)),
    Format("bzip2", re.compile(rb"BZh[1-9]1AY&SY"), bz2.BZ2Decompressor),
    Format(
        "lzma",
        re.compile(rb"\x5d\0\0..\xff{8}", re.DOTALL),
        lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY),
    ),
    Format("zstd", re.compile(rb"\x28\xb5\x2f\xfd"), None, ("zstd", "-d", "-c", "-q")),
    Format("lz4", re.compile(rb"\x02\x21\x4c\x18"), None, ("lz4", "-d", "-c", "-q")),
    Format("lzo", re.compile(rb"\x89LZO\0\r\n\x1a\n"), None, ("lzop", "-d", "-c", "-q")),
)


def recognise_format(start: bytes) -> Optional[Format]:
    """Recognise how data that begin like this are compressed, None for an unknown format."""
    return next((kind for kind in FORMATS if kind.magic.match(start)), None)


def unpack(host: Host, kind: Format, packed: Iterator[bytes], budget: Optional[Budget] = None) -> Pieces:
    """Unpack; reading all of the content verifies it, since most formats end with a checksum.

    :param budget: one that other parts are paid from as well.
    :raises Unmeasured: it is damaged or truncated, exceeds the budget, or the host lacks the tool for it.
    """
    if kind.decoder is None:
        if host.find_tool(kind.command[0]) is None:
            raise ToolMissing(
                f"the image is compressed with {kind.name}, and this host has no {kind.command[0]} to unpack it",
                f"Install {kind.command[0]}",
            )
        pieces = host.pipe(kind.command, packed, _SECONDS)
    else:
        pieces = _decode(kind, kind.decoder(), packed)
    return (budget or Budget(host)).meter(pieces)


def _decode(kind: Format, decoder: Any, packed: Iterator[bytes]) -> Pieces:
    try:
        for data in packed:
            piece = decoder.decompress(data, PIECE)
            # An empty one costs time as well.
            yield piece
            while not decoder.eof and (piece or not decoder.needs_input):
                piece = decoder.decompress(b"", PIECE)
                yield piece
            if decoder.eof:
                return
    except MemoryError as exc:
        raise Unmeasured(f"unpacking the image's {kind.name} data takes more memory than there is") from exc
    except (EOFError, OSError, ValueError, lzma.LZMAError, zlib.error) as exc:
        raise Unmeasured(f"the image's {kind.name} data are damaged: {exc}") from exc
    raise Unmeasured(f"the image's {kind.name} data are truncated")
