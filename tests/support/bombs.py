# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small files that fill a host's memory, and what reads them, each in a process of its own. Python 3.6.

``python -m tests.support.bombs NAME`` prints what was said of it, then the most memory that it took, in MiB.
"""

import gzip
import itertools
import lzma
import resource
import struct
import subprocess
import sys
import zlib
from typing import Any, Callable, Dict, Iterator

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import image, initrd
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import (
    advisories,
    module_file,
    payload,
    port,
    repo_files,
)

# A bomb that goes off ends with an error of its process, and takes nothing from others.
_ADDRESS_SPACE = 2 << 30
_MIB = 1 << 20
_MODULE = "./lib/modules/x/livepatch/x.ko"


class _Pieces(Host):
    """A host on which each file, and each tool's output, is the same pieces."""

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        super().__init__()
        self._make = make

    def read_bytes(self, path: str) -> bytes:
        if path.endswith("repomd.xml"):
            return b"<repomd><data type='updateinfo'><location href='u.xml'/></data></repomd>"
        return b"".join(self._make())

    def read_pieces(self, path: str, start: int = 0, size: Any = None) -> Any:
        """From the start on, which is all that is asked for."""
        if size is None:
            yield from self._make()
        else:
            yield next(self._make(), b"")[start : start + size]

    def get_mtime(self, path: str) -> float:
        return 1.0

    def list_names(self, path: str) -> Any:
        return ["x.repo"]

    def pipe(self, argv: Any, source: Any, seconds: float) -> Any:
        if argv[0] == "rpm2cpio":
            yield from self._make()
        else:
            yield from super().pipe(argv, source, seconds)


def _repeat(piece: bytes, count: int, *first: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.chain(first, itertools.repeat(piece, count))


def _gzip() -> Callable[[], Iterator[bytes]]:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(_MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return _repeat(block, 4200, b"\x1f\x8b\x08\0\0\0\0\0\0\xff")


def _xz() -> Callable[[], Iterator[bytes]]:
    """A stream of many blocks, each of 16 MiB."""
    stream = lzma.compress(bytes(16 * _MIB), preset=0)
    (index,) = struct.unpack_from("<I", stream, len(stream) - 8)
    return _repeat(stream[12 : -12 - 4 * (index + 1)], 263, stream[:12])


def _zstd() -> Callable[[], Iterator[bytes]]:
    frame = subprocess.run(["zstd", "-1", "-c"], input=bytes(64 * _MIB), stdout=subprocess.PIPE, check=True).stdout
    return _repeat(frame, 66)


def _sections(count: int = 60000) -> bytes:
    """Each section is the whole file, and has a name of its own that is part of one long name."""
    table, names, size = 64, 64 + 64 * count, 64 + 64 * count + count + 1
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, count, 0
    )
    first = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, names, count + 1, 0, 0, 1, 0)
    others = b"".join(struct.pack("<IIQQQQIIQQ", at, 1, 0, 0, 0, size, 0, 0, 1, 0) for at in range(1, count))
    return header + first + others + b"a" * count + b"\0"


def _notes() -> bytes:
    """A module whose build ID is after millions of others' notes."""
    return b"\x7fELF\x02\x01" + bytes(58) + bytes(12) * (5 * _MIB)


def _file(name: str, size: int) -> bytes:
    numbers = (1, 0o100644, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08x" % number for number in numbers) + name.encode() + b"\0"
    return header + bytes(-len(header) % 4)


def _update(filling: str, repeated: str, count: int) -> Callable[[], Iterator[bytes]]:
    packed = gzip.compress(
        "<updates><update><id>A</id>{}<pkglist><collection><package name='kmp' version='1' release='1'/></collection>"
        "</pkglist></update></updates>".format(filling.replace("*", repeated * count)).encode(),
        1,
    )
    return lambda: iter([packed])


def _many_updates() -> Callable[[], Iterator[bytes]]:
    """Each of them is of the KMP, and names thousands of CVEs."""
    cves = " ".join(f"CVE-2024-{number}" for number in range(10000, 50000))
    update = (
        f"<update><id>A</id><description>{cves}</description><pkglist><collection><package name='kmp' version='1' "
        "release='1'/></collection></pkglist></update>"
    )
    packed = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    data = packed.compress(b"<updates>")
    for _number in range(40):
        data += packed.compress(update.encode())
    data += packed.compress(b"</updates>") + packed.flush()
    return lambda: iter([data])


def _read_module(make: Callable[[], Iterator[bytes]]) -> Any:
    return module_file.read_module(_Pieces(make), "/x.ko")


def _read_image(make: Callable[[], Iterator[bytes]]) -> Any:
    return image.read_build_id(_Pieces(make), "/boot/vmlinuz")


def _read_initrd(make: Callable[[], Iterator[bytes]]) -> Any:
    return initrd.list_modules(_Pieces(make), "/boot/initrd")


def _read_package(make: Callable[[], Iterator[bytes]]) -> Any:
    return payload.extract_files(_Pieces(make), "/x.rpm", _kmp_names.is_module)


def _read_advisories(make: Callable[[], Iterator[bytes]]) -> Any:
    return advisories.read_advisories(_Pieces(make), [port.Metadata("lab", "/")], {"kmp"})


BOMBS: Dict[str, Callable[[], Any]] = {
    "module, gzip": lambda: _read_module(_gzip()),
    "module, xz": lambda: _read_module(_xz()),
    "module, zstd": lambda: _read_module(_zstd()),
    "module, large": lambda: _read_module(_repeat(bytes(_MIB), 4200, b"\x7fELF\x02\x01")),
    "module, overlapping sections": lambda: _read_module(lambda: iter([_sections()])),
    "module, notes": lambda: _read_module(lambda: iter([_notes()])),
    "image, gzip": lambda: _read_image(_gzip()),
    "image, xz": lambda: _read_image(_xz()),
    "image, zstd": lambda: _read_image(_zstd()),
    "image, magic numbers": lambda: _read_image(_repeat(b"\x1f\x8b\x08" * 87381, 230, b"MZ".ljust(4096, b"\0"))),
    "image, build IDs": lambda: _read_image(
        _repeat((struct.pack("<III", 4, 20, 3) + b"GNU\0" + bytes(20)) * 9999, 20, b"MZ".ljust(0x38, b"\0") + b"ARMd")
    ),
    "initrd, gzip": lambda: _read_initrd(_gzip()),
    "initrd, xz": lambda: _read_initrd(_xz()),
    "initrd, files": lambda: _read_initrd(_repeat(_file(_MODULE, 0) * 1000, 2000)),
    "package, one file": lambda: _read_package(_repeat(bytes(_MIB), 250, _file(_MODULE, 250 * _MIB))),
    "package, many files": lambda: _read_package(
        lambda: (
            piece
            for number in range(100)
            for piece in [_file(_MODULE.replace("x.ko", f"x{number}.ko"), 32 * _MIB), *[bytes(_MIB)] * 32]
        )
    ),
    "package, a name": lambda: _read_package(
        _repeat(b"a" * _MIB, 250, _file("a", 0).replace(b"00000002", b"0f000000"))
    ),
    "package, names": lambda: _read_package(_repeat(_file(_MODULE, 0) * 1000, 2000)),
    "package, not asked for": lambda: _read_package(_repeat(bytes(_MIB), 3000, _file("./a", 3000 * _MIB))),
    "advisories, gzip": lambda: _read_advisories(_gzip()),
    "advisories, references": lambda: _read_advisories(_update("*", "<reference/>", 1300000)),
    "advisories, attributes": lambda: _read_advisories(
        _update("<a {}/>".format(" ".join(f"a{number}=''" for number in range(1200000))), "", 0)
    ),
    "advisories, depth": lambda: _read_advisories(
        lambda: iter([gzip.compress(b"<updates><update>" + b"<a>" * 5000000, 1)])
    ),
    "advisories, packages": lambda: _read_advisories(
        _update("*", "<package name='kmp' version='1' release='1'/>", 380000)
    ),
    "advisories, text": lambda: _read_advisories(_update("<description>*</description>", "CVE-2024-1234 ", 1150000)),
    "advisories, CVEs of many": lambda: _read_advisories(_many_updates()),
    "repositories, sections": lambda: repo_files.list_enabled(
        _Pieces(lambda: iter([b"".join(b"[a%d]\n" % number for number in range(1000000))])), "/etc/yum.repos.d"
    ),
    "journal, depth": lambda: _journal.Journal(_Pieces(_repeat(b"[" * _MIB, 15))).read(),
    "journal, large": lambda: _journal.Journal(
        _Pieces(_repeat(b"[[]," * (_MIB // 4), 15, b'{"schema": 1, "phase": "done", "a": ['))
    ).read(),
}


def main(name: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    try:
        print("read:", repr(BOMBS[name]())[:200])
    except Unmeasured as exc:
        print("Unmeasured:", exc)
    except Exception as exc:
        print("foreign:", repr(exc)[:200])
    # Not ru_maxrss, which a process inherits from the one that started it
    with open("/proc/self/status", encoding="ascii") as stream:
        print(next(int(line.split()[1]) for line in stream if line.startswith("VmHWM:")) // 1024)


if __name__ == "__main__":
    main(sys.argv[1])
