# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import struct
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import elf_notes

_GNU = bytes(range(20))
_S390X = struct.pack(">III", 4, 20, 3) + b"GNU\0" + bytes.fromhex("64191809e7272da77af306133aa6c566be0be242")


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_recorded(kernel: str, recorded_notes: Any) -> None:
    data, build_id = recorded_notes(kernel)
    assert build_id in ("3b43fad5034874490492495d552c0af6a5fab235", "7f76f39faf07f34cfa9fadd801e131bfa8cb6dc3")
    assert elf_notes.parse_build_id(data, "little") == build_id


@pytest.mark.parametrize("kernel, count", [("6.1", 19), ("6.12", 19)])
def test_walk_recorded(kernel: str, count: int, recorded_notes: Any) -> None:
    found = list(elf_notes.iterate_notes(recorded_notes(kernel)[0], "little"))
    assert {one.owner for one in found} == {b"Xen", b"GNU", b"Linux"}
    assert len(found) == count
    # Descriptions of 6 and 41 (21) bytes need padding; the release in the salt comes after a GNU note or before it
    assert any(len(one.description) % 4 for one in found)
    assert [one.type for one in found if one.owner == b"Linux"] == [0x101, 0x100]


def test_big_endian() -> None:
    assert elf_notes.parse_build_id(_S390X, "big") == "64191809e7272da77af306133aa6c566be0be242"


def test_byte_order_of_another_machine() -> None:
    with pytest.raises(Unmeasured):
        elf_notes.parse_build_id(_S390X, "little")


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_cut_off_at_every_length(kernel: str, recorded_notes: Any) -> None:
    data, build_id = recorded_notes(kernel)
    end = data.index(bytes.fromhex(build_id)) + 20
    answers = [_answer(data[:length]) for length in range(len(data))]
    assert answers == [None] * end + [build_id] * (len(data) - end)


def _answer(data: bytes) -> Any:
    try:
        return elf_notes.parse_build_id(data, "little")
    except Unmeasured:
        return None


@pytest.mark.parametrize("length", range(1, 36))
def test_cut_off_says_so(length: int) -> None:
    with pytest.raises(Unmeasured, match=f"truncated after {length} bytes"):
        list(elf_notes.iterate_notes(_S390X[:length], "big"))


@pytest.mark.parametrize(
    "records, expected",
    [
        pytest.param([(b"GNU\0", 3, _GNU)], _GNU.hex(), id="alone"),
        pytest.param([(b"Xen\0", 3, b"\0\0\0\x80\xff\xff\xff\xff"), (b"GNU\0", 3, _GNU)], _GNU.hex(), id="type of Xen"),
        pytest.param([(b"GNU\0", 1, b"\0" * 16), (b"GNU\0", 3, _GNU)], _GNU.hex(), id="other type of GNU"),
        pytest.param([(b"GNUX\0", 3, b"1234"), (b"GNU\0", 3, _GNU)], _GNU.hex(), id="longer owner"),
        pytest.param([(b"Linux\0", 0x100, b"6.1.102-1\0"), (b"GNU\0", 3, _GNU)], _GNU.hex(), id="padded name"),
        pytest.param([(b"Xen\0", 6, b"linux\0"), (b"GNU\0", 3, _GNU)], _GNU.hex(), id="padded description of 6"),
        pytest.param([(b"Xen\0", 10, b"x" * 41), (b"GNU\0", 3, _GNU)], _GNU.hex(), id="padded description of 41"),
        pytest.param([(b"GNU\0", 3, _GNU[:1])], "00", id="one byte"),
        pytest.param([(b"GNU\0", 3, _GNU[:8])], "0001020304050607", id="eight bytes"),
        pytest.param([(b"", 7, b""), (b"GNU\0", 3, _GNU)], _GNU.hex(), id="empty note before"),
    ],
)
@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_table(records: Any, expected: str, byteorder: str, note: Any) -> None:
    data = b"".join(note(*record, order="<" if byteorder == "little" else ">") for record in records)
    assert elf_notes.parse_build_id(data, byteorder) == expected


@pytest.mark.parametrize(
    "records, problem",
    [
        pytest.param([], "no GNU build ID", id="empty"),
        pytest.param([(b"Xen\0", 3, b"\0\0\0\x80\xff\xff\xff\xff")], "no GNU build ID", id="only Xen"),
        pytest.param([(b"GNU\0", 3, b"x" * 21)], "holds 21 bytes", id="oversized"),
        pytest.param([(b"GNU\0", 3, b"")], "holds 0 bytes", id="empty build ID"),
    ],
)
def test_no_build_id(records: Any, problem: str, note: Any) -> None:
    with pytest.raises(Unmeasured, match=problem):
        elf_notes.parse_build_id(b"".join(note(*record) for record in records), "little")


@pytest.mark.parametrize("sizes", [(0xFFFFFFFF, 4), (4, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_sizes_beyond_the_data(sizes: Any) -> None:
    with pytest.raises(Unmeasured, match="truncated"):
        elf_notes.parse_build_id(struct.pack("<III", sizes[0], sizes[1], 3) + b"GNU\0" + _GNU, "little")
