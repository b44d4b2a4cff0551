# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import gzip
import lzma
import struct
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import module_file
from tests.support import factories

_PATH = "/lib/modules/6.1.0-56-cloud-amd64/livepatch/livepatch-3-150400_2_1.ko"
_RELEASE = "6.1.0-56-cloud-amd64"


def _read(host: Any, data: bytes) -> module_file.ModuleFile:
    host.put(_PATH, data)
    return module_file.read_module(host, _PATH)


def _target(host: Any, data: bytes) -> Any:
    try:
        return _read(host, data).target_release
    except Unmeasured:
        return None


@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("table_first", [False, True], ids=["table last", "table first"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress], ids=["plain", "gzip", "xz"])
def test_read(host: Any, elf: Any, byteorder: str, table_first: bool, compress: Any) -> None:
    found = _read(host, compress(elf(byteorder=byteorder, table_first=table_first)))
    assert found == ("aa" * 20, _RELEASE + " SMP preempt mod_unload modversions ", _RELEASE, True, False, None)


@pytest.mark.parametrize(
    "tail, signer",
    [
        (factories.signed(b""), "Somebody's kernel key"),
        (factories.signed(b"", "x" * 100), "x" * 100),
        (b"sig" * 99 + b"~Module signature appended~\n", None),
        (factories.signed(b"")[-60:], None),
        (factories.signed(b"").replace(b"\x55\x04\x03", b"\x55\x04\x0a"), None),
        (factories.signed(b"").replace(b"\0\0\2\0\0", b"\0\0\1\0\0"), None),
    ],
    ids=["signed", "long name", "no description", "cut off", "no name", "not PKCS#7"],
)
def test_signature_at_the_end(host: Any, elf: Any, tail: bytes, signer: Any) -> None:
    found = _read(host, elf() + tail)
    assert (found.target_release, found.signed, found.signer) == (_RELEASE, True, signer)


def test_signature_and_nothing_else(host: Any) -> None:
    with pytest.raises(Unmeasured):
        _read(host, b"~Module signature appended~\n")


@pytest.mark.parametrize(
    "what, key, expected",
    [
        ({"build_id": None}, "build_id", None),
        ({"build_id": "0123456789abcdef"}, "build_id", "0123456789abcdef"),
        ({"livepatch": None}, "livepatch", False),
        ({"livepatch": "N"}, "livepatch", False),
        ({"vermagic": "6.1.0-55-cloud-amd64 SMP"}, "target_release", "6.1.0-55-cloud-amd64"),
        ({"vermagic": "6.1.0"}, "target_release", "6.1.0"),
    ],
)
def test_fields(host: Any, elf: Any, what: Any, key: str, expected: Any) -> None:
    assert getattr(_read(host, elf(**what)), key) == expected


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_truncated_at_every_length(host: Any, elf: Any, byteorder: str) -> None:
    data = elf(byteorder=byteorder)
    # The last header's own tail (link, info, alignment, entry size) is not looked at
    for length in range(len(data) - 24):
        with pytest.raises(Unmeasured):
            _read(host, data[:length])


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_truncated_while_compressed(host: Any, elf: Any, compress: Any) -> None:
    data = compress(elf())
    for length in range(len(data)):
        with pytest.raises(Unmeasured):
            _read(host, data[:length])


def test_truncated_with_the_table_first(host: Any, elf: Any) -> None:
    data = elf(table_first=True)
    told = {_target(host, data[:length]) for length in range(len(data))}
    assert not told - {None, _RELEASE}


def test_every_byte_flipped(host: Any, elf: Any) -> None:
    data = elf()
    flipped = (data[:at] + bytes([data[at] ^ 0x15]) + data[at + 1 :] for at in range(len(data)))
    assert [_target(host, one) for one in flipped].count(None) > 100


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x7fELF\x01" + b"\0" * 60, id="ELF of 32 bits"),
        pytest.param(b"<html>not found</html>", id="no ELF"),
        pytest.param(b"\x28\xb5\x2f\xfd" + b"\0" * 99, id="zstd"),
        pytest.param(b"\x1f\x8b", id="gzip header alone"),
        pytest.param(b"\xfd7zXZ\0", id="xz header alone"),
        pytest.param(b"\x7fELF\x02\x01" + b"\0" * 58, id="no sections"),
        pytest.param(
            gzip.compress(b"\x7fELF" + bytes(range(256)))[:12] + b"\xff" * 40,
            id="gzip with a broken body",
        ),
        pytest.param(
            b"\x7fELF\x02\x01" + b"\0" * 34 + b"\xff" * 8 + b"\0" * 10 + struct.pack("<HHH", 64, 2, 1),
            id="table of sections at the end of the address space",
        ),
    ],
)
def test_no_module(host: Any, data: bytes) -> None:
    with pytest.raises(Unmeasured):
        _read(host, data)


@pytest.mark.parametrize("name", [b".modinfo\0", b".note.gnu.build-id\0"])
def test_a_section_twice(host: Any, elf: Any, name: bytes) -> None:
    """The kernel takes one of them, and another program the other."""
    twice = elf().replace(b".text\0", b".txt\0\0")
    table = struct.unpack_from("<Q", twice, 0x28)[0]
    names = twice.index(b"\0.shstrtab\0")
    data = bytearray(twice)
    struct.pack_into("<I", data, table + 2 * 64, twice.index(name, names) - names)
    with pytest.raises(Unmeasured):
        _read(host, bytes(data))


def test_the_first_vermagic_counts(host: Any, elf: Any) -> None:
    both = elf(livepatch="Y\0vermagic=5.3.18 SMP")
    assert _read(host, both).target_release == "5.3.18"


@pytest.mark.parametrize("vermagic", ["", " ", "6.1.0\n", "6.1.0\x1b[2J", "6" * 201])
def test_no_kernel_has_such_a_vermagic(host: Any, elf: Any, vermagic: str) -> None:
    with pytest.raises(Unmeasured):
        _read(host, elf(vermagic=vermagic))


def test_compressed_with_zstd(host: Any, elf: Any) -> None:
    host.have_filter("zstd", lambda _packed: iter([elf()[:99], elf()[99:]]))
    assert _read(host, b"\x28\xb5\x2f\xfd").target_release == _RELEASE


def test_no_vermagic(host: Any, elf: Any) -> None:
    with pytest.raises(Unmeasured, match="Reinstall"):
        _read(host, elf(vermagic=None))


def test_no_file(host: Any) -> None:
    with pytest.raises(Unmeasured, match="is not there"):
        module_file.read_module(host, _PATH)
