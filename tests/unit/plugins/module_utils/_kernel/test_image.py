# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import bz2
import gzip
import lzma
import struct
import zlib
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import image, unpack
from tests.support import factories

_PATH = "/boot/vmlinuz-" + factories.RELEASE
_BUILD_ID = factories.BUILD_ID
_OTHER = "cd" * 20


def _lzma(data: bytes) -> bytes:
    """As the kernel's build calls it: the size is not told."""
    return lzma.compress(data, format=lzma.FORMAT_ALONE)


def _pretend(magic: bytes) -> Any:
    """A format whose tool is a table's: its magic number, then what zlib made."""
    return lambda data: magic + zlib.compress(data)


_ZSTD, _LZ4, _LZO = (_pretend(magic) for magic in (b"\x28\xb5\x2f\xfd", b"\x02\x21\x4c\x18", b"\x89LZO\0\r\n\x1a\n"))
_BY_PYTHON = {"gzip": gzip.compress, "xz": lzma.compress, "bzip2": bz2.compress, "lzma": _lzma}
_BY_TOOL = {"zstd": ("zstd", _ZSTD, 4), "lz4": ("lz4", _LZ4, 4), "lzo": ("lzop", _LZO, 9)}
_SIZE = b"\x44\x88\x6e\x03"


def _read(host: Any, data: bytes, expected: Any = None) -> str:
    host.put(_PATH, data)
    return image.read_build_id(host, _PATH, expected)


def _have(host: Any, name: str) -> Any:
    """The compressor; the host has what unpacks it."""
    if name in _BY_PYTHON:
        return _BY_PYTHON[name]
    tool, compress, skip = _BY_TOOL[name]

    def unpacked(data: bytes) -> Any:
        decoder = zlib.decompressobj()
        yield decoder.decompress(data[skip:])
        if decoder.unused_data:
            raise ValueError("tools do not take what follows the data")

    host.have_filter(tool, unpacked)
    return compress


@pytest.mark.parametrize("expected", [None, _BUILD_ID, _OTHER], ids=["nothing expected", "as expected", "other"])
@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_vmlinux(host: Any, byteorder: str, expected: Any) -> None:
    # The file's byte order is written in it
    assert _read(host, factories.vmlinux(byteorder=byteorder), expected) == _BUILD_ID


@pytest.mark.parametrize("expected", [None, _BUILD_ID, _OTHER], ids=["nothing expected", "as expected", "other"])
@pytest.mark.parametrize("kind", list(_BY_PYTHON) + list(_BY_TOOL))
def test_compressed(host: Any, kind: str, expected: Any) -> None:
    """SUSE's vmlinux-*.gz, and the payloads of x86 and of EFI images."""
    packed = _have(host, kind)(factories.vmlinux())
    assert _read(host, packed, expected) == _BUILD_ID
    appended = packed if kind == "gzip" else packed + _SIZE
    assert _read(host, factories.bzimage(appended), expected) == _BUILD_ID
    assert _read(host, factories.zboot(appended), expected) == _BUILD_ID


@pytest.mark.parametrize("kind", _BY_TOOL)
def test_tool_is_missing(host: Any, kind: str) -> None:
    tool, compress, _skip = _BY_TOOL[kind]
    with pytest.raises(Unmeasured, match=f"compressed with {kind}, and this host has no {tool} .*Install {tool}"):
        _read(host, factories.bzimage(compress(factories.vmlinux()) + _SIZE))
    with pytest.raises(Unmeasured, match=f"this host has no {tool} "):
        _read(host, factories.bzimage(compress(factories.vmlinux()) + _SIZE, protocol=0x207))


@pytest.mark.parametrize("kind", list(_BY_PYTHON) + ["zstd"])
def test_without_payload_in_the_header(host: Any, kind: str) -> None:
    """Boot protocols before 2.08: the payload is looked for, past what only looks like one."""
    packed = _have(host, kind)(factories.vmlinux())
    decoys = b"\xfd7zXZ\0 is corrupt" + b"\x1f\x8b\x08" * 2 + gzip.compress(b"CONFIG_LIVEPATCH=y") + b"BZh91AY&SY"
    # A tool cannot tell where its data end, and what follows is an error to it: only what is expected is believed.
    expected = factories.BUILD_ID if kind == "zstd" else None
    assert _read(host, factories.bzimage(packed, protocol=0x207, decoy=decoys), expected) == _BUILD_ID


@pytest.mark.parametrize("make", [factories.bzimage, factories.zboot])
def test_the_header_tells_the_place(host: Any, make: Any) -> None:
    """Whatever else there is: another kernel before the payload, or after it."""
    data = make(gzip.compress(factories.vmlinux())) + gzip.compress(factories.vmlinux(_OTHER))
    assert _read(host, data) == factories.BUILD_ID
    data = factories.bzimage(gzip.compress(factories.vmlinux()), decoy=gzip.compress(factories.vmlinux(_OTHER)))
    assert _read(host, data) == factories.BUILD_ID


@pytest.mark.parametrize("compress", [lzma.compress, gzip.compress])
@pytest.mark.parametrize("expected", [None, _BUILD_ID, _OTHER], ids=["nothing expected", "as expected", "other"])
def test_s390x(host: Any, compress: Any, expected: Any) -> None:
    """No header, a raw payload, the decompressor's own note before it and two vDSOs' in it."""
    host.byteorder = "big"
    assert (
        _read(host, factories.image_of_s390x(compress(factories.memory(byteorder="big"))), expected)
        == factories.BUILD_ID
    )


def test_aarch64(host: Any) -> None:
    assert _read(host, factories.image_of_aarch64()) == factories.BUILD_ID
    assert _read(host, gzip.compress(factories.image_of_aarch64())) == factories.BUILD_ID
    # An initramfs or a configuration in it is not the kernel
    assert _read(host, factories.image_of_aarch64() + gzip.compress(factories.vmlinux(_OTHER))) == factories.BUILD_ID


def test_memory_image_of_another_byte_order(host: Any) -> None:
    with pytest.raises(Unmeasured):
        _read(host, factories.image_of_s390x(lzma.compress(factories.memory(byteorder="big"))))


_GNU = factories.note(b"GNU\0", 3, bytes.fromhex(factories.BUILD_ID))
_LTO = factories.note(b"Linux\0", 0x101, b"\0" * 4)
_CODE = factories.note(b"Linux\0", 0, b"\xb0\x01\x06\0")


@pytest.mark.parametrize(
    "noted, told",
    [
        pytest.param(_GNU + _LTO + factories.salt(), True, id="since 5.12"),
        pytest.param(_LTO + factories.salt() + _GNU, True, id="Linux first"),
        pytest.param(_LTO + _GNU, True, id="no salt"),
        pytest.param(_GNU + factories.salt(), False, id="before 5.12"),
        pytest.param(factories.salt() + _CODE + _GNU + _LTO, False, id="both a vDSO's and a kernel's"),
        pytest.param(factories.note(b"Xen\0", 3, b"\x80" * 8) + _GNU + _LTO, True, id="Xen's type 3"),
        pytest.param(_GNU + factories.note(b"PowerPC\0", 1, b"\1\0\0\0") + _LTO, True, id="another owner between"),
        pytest.param(_GNU, False, id="before 4.19: as a decompressor's"),
        pytest.param(_GNU + _CODE, False, id="as a vDSO's"),
        pytest.param(_GNU + _CODE + factories.salt(), False, id="as a vDSO's with a salt"),
        pytest.param(factories.salt() + _CODE + _GNU, False, id="as a vDSO's, last"),
        pytest.param(_GNU + b"\0" * 16 + _LTO, False, id="not beside it"),
        pytest.param(_GNU + b"\0" * 24 + _LTO, False, id="not beside it: zeros that could be notes"),
        pytest.param(b"", False, id="none"),
        pytest.param(factories.note(b"GNU\0", 3, b"x" * 21) + _LTO, False, id="too long"),
        pytest.param(factories.note(b"GNU\0", 3, b"") + _LTO, False, id="empty"),
        pytest.param(_GNU + _LTO + b"\0" * 64 + _GNU.replace(b"\x3b\x43", b"\x3b\x44") + _LTO, False, id="two kernels"),
        pytest.param(_GNU + _LTO + b"\0" * 64 + _GNU + _LTO, True, id="twice the same"),
    ],
)
def test_the_right_note_of_a_memory_image(host: Any, noted: bytes, told: bool) -> None:
    data = gzip.compress(factories.memory(noted=noted))
    if told:
        assert _read(host, data) == factories.BUILD_ID
    else:
        with pytest.raises(Unmeasured, match=r"a note that only kernels have|several kernels"):
            _read(host, data)


@pytest.mark.parametrize("piece", [1, 7, 100, 1024, 5000])
def test_notes_across_pieces(host: Any, monkeypatch: Any, piece: int) -> None:
    monkeypatch.setattr(unpack, "PIECE", piece)
    assert _read(host, gzip.compress(factories.memory(fill=20))) == factories.BUILD_ID
    assert _read(host, gzip.compress(factories.vmlinux(fill=20))) == factories.BUILD_ID


@pytest.mark.parametrize(
    "data, problem",
    [
        pytest.param(b"", "is not a readable kernel image", id="empty"),
        pytest.param(b"<html>not found</html>", "is beside a note", id="no image"),
        pytest.param(
            factories.vmlinux(notes=factories.note(b"Xen\0", 3, b"x" * 8)), "no GNU build ID", id="only Xen's"
        ),
        pytest.param(factories.vmlinux(notes=b""), "no GNU build ID", id="no notes"),
        pytest.param(factories.vmlinux(notes=_GNU + _CODE), "are a vDSO's", id="a vDSO's notes"),
        pytest.param(factories.vmlinux(notes=_GNU[:-4]), "truncated", id="notes cut off"),
        pytest.param(factories.vmlinux(notes=_GNU + _GNU.replace(b"\x3b", b"\x3c")), "several", id="two build IDs"),
        pytest.param(factories.vmlinux(notes=factories.note(b"GNU\0", 3, b"x" * 21)), "holds 21 bytes", id="too long"),
        pytest.param(
            factories.vmlinux(notes=factories.note(b"Xen\0", 1, b"x" * 70000)), "too large", id="notes without end"
        ),
        pytest.param(b"\x7fELF\x01" + factories.vmlinux()[5:], "not an ELF file of 64 bits", id="32 bits"),
        pytest.param(b"\x7fELF\x02\x07" + factories.vmlinux()[6:], "not an ELF file of 64 bits", id="no byte order"),
        pytest.param(factories.vmlinux()[:200], "truncated", id="ELF cut off"),
        pytest.param(
            factories.vmlinux()[:56] + b"\xff\xff" + factories.vmlinux()[58:], "program headers", id="many segments"
        ),
        pytest.param(factories.module(), "program headers", id="a module"),
        pytest.param(gzip.compress(factories.vmlinux())[:-9], "gzip data are truncated", id="gzip cut off"),
        pytest.param(gzip.compress(factories.vmlinux())[:-8] + b"\1" * 8, "gzip data are damaged", id="checksum"),
        pytest.param(lzma.compress(factories.vmlinux())[:-9], "xz data are truncated", id="xz cut off"),
        pytest.param(gzip.compress(b"CONFIG_LIVEPATCH=y"), "is beside a note", id="gzip of something else"),
        pytest.param(factories.bzimage(b"\xde\xad" * 50), "is beside a note", id="unknown compression"),
        pytest.param(
            factories.bzimage(gzip.compress(factories.vmlinux()))[:0x24A],
            "not a readable kernel image",
            id="header cut off",
        ),
    ],
)
def test_no_build_id(host: Any, data: bytes, problem: str) -> None:
    with pytest.raises(Unmeasured, match=problem):
        _read(host, data)


def test_no_file(host: Any) -> None:
    with pytest.raises(Unmeasured, match="No such file"):
        image.read_build_id(host, _PATH)


def test_what_is_expected_is_told_without_unpacking_the_rest(host: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(unpack, "PIECE", 1000)
    damaged = gzip.compress(factories.vmlinux())[:-8] + b"\1" * 8
    assert _read(host, damaged, factories.BUILD_ID) == factories.BUILD_ID
    # Damage may have made one build ID of another
    with pytest.raises(Unmeasured, match="damaged"):
        _read(host, damaged, _OTHER)


def test_bombs_are_bounded(host: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(image, "_UNPACKED_MAX", 1 << 22)
    with pytest.raises(Unmeasured, match="larger than 4 MiB"):
        _read(host, gzip.compress(b"\0" * (1 << 23)))
    monkeypatch.setattr(image, "_IMAGE_MAX", 1 << 20)
    with pytest.raises(Unmeasured, match="larger than 1 MiB"):
        _read(host, b"\0" * (1 << 21))


def test_time_is_bounded(host: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(unpack, "PIECE", 1000)
    ticks = iter(range(0, 10000, 20))
    monkeypatch.setattr(host, "clock", lambda: next(ticks))
    with pytest.raises(Unmeasured, match="longer than 120 s"):
        _read(host, gzip.compress(factories.vmlinux()))


def test_dictionary_is_bounded(host: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(unpack, "_XZ_MEMORY", 1 << 20)
    with pytest.raises(Unmeasured, match="xz data are damaged"):
        _read(host, lzma.compress(factories.vmlinux()))


def test_program_headers_that_overlap(host: Any) -> None:
    data = bytearray(factories.vmlinux())
    # The second segment's offset: back into the file's header
    struct.pack_into("<Q", data, 64 + 56 + 8, 3)
    with pytest.raises(Unmeasured):
        _read(host, bytes(data))


def test_version(host: Any) -> None:
    host.put(_PATH, factories.bzimage(b""))
    assert image.read_version(host, _PATH) == factories.VERSION


@pytest.mark.parametrize(
    "data, problem",
    [
        pytest.param(factories.vmlinux(), "no x86 boot header", id="ELF"),
        pytest.param(b"", "no x86 boot header", id="empty"),
        pytest.param(factories.bzimage(b"", version=None), "no version string", id="no pointer"),
        pytest.param(factories.bzimage(b"", version=""), "no version string", id="empty string"),
        pytest.param(factories.bzimage(b"", version="6.1\x01(x)"), "no version string", id="not printable"),
        pytest.param(factories.bzimage(b"", version="6" * 600), "no version string", id="without end"),
        pytest.param(factories.bzimage(b"")[:0x610], "no version string", id="cut off"),
    ],
)
def test_no_version(host: Any, data: bytes, problem: str) -> None:
    host.put(_PATH, data)
    with pytest.raises(Unmeasured, match=problem):
        image.read_version(host, _PATH)


_DEBIAN = "6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)"
_DEBIAN_PROC = (
    "Linux version 6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, "
    "GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)"
)
_SUSE = "5.14.21-150400.24.103-default (geeko@buildhost) #1 SMP PREEMPT_DYNAMIC Tue Dec 5 13:10:43 UTC 2023 (3d8b3c4)"
_SUSE_PROC = (
    "Linux version 5.14.21-150400.24.103-default (geeko@buildhost) (gcc (SUSE Linux) 7.5.0, GNU ld (GNU Binutils; SUSE "
    "Linux Enterprise 15) 2.39.0) #1 SMP PREEMPT_DYNAMIC Tue Dec 5 13:10:43 UTC 2023 (3d8b3c4)"
)


@pytest.mark.parametrize(
    "told, proc_version, same",
    [
        (_DEBIAN, _DEBIAN_PROC, True),
        (_SUSE, _SUSE_PROC, True),
        (factories.VERSION, factories.PROC_VERSION, True),
        (_DEBIAN, _SUSE_PROC, False),
        pytest.param(_DEBIAN.replace("6.1.192-2", "6.1.192-1"), _DEBIAN_PROC, False, id="another build of the release"),
        pytest.param(_SUSE.replace("#1", "#2"), _SUSE_PROC, False, id="built again"),
        pytest.param(_SUSE.replace("3d8b3c4", "3d8b3c5"), _SUSE_PROC, False, id="another commit"),
        pytest.param(_DEBIAN.replace("-56-", "-55-"), _DEBIAN_PROC, False, id="another release"),
        pytest.param(_DEBIAN.replace("debian-kernel", "somebody"), _DEBIAN_PROC, False, id="another builder"),
        pytest.param(_DEBIAN[: -len(" (2026-11-16)")], _DEBIAN_PROC, False, id="less"),
        pytest.param("6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org) ", _DEBIAN_PROC, False, id="no build"),
        pytest.param("6.1.0-56-cloud-amd64", _DEBIAN_PROC, False, id="release alone"),
        pytest.param("", _DEBIAN_PROC, False, id="nothing"),
        pytest.param(_DEBIAN, "", False, id="nothing runs"),
    ],
)
def test_is_version(told: str, proc_version: str, same: bool) -> None:
    assert image.is_same_version(told, proc_version) is same
