# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damaged notes, images and modules: what reads them answers right, or says that it cannot tell. Python 3.6.

A build ID is right when it is the one that was put in. Where no checksum protects it, damage to its own note makes
another one of it, and nobody can tell: such an answer is not judged. That of a vDSO or a decompressor is always wrong.
"""

import base64
import bz2
import gzip
import json
import lzma
import os
import random
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import image, notes
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import module_file
from tests.unit.plugins.module_utils import made

_RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded")
_INTERESTING = [0, 1, 3, 4, 0x7F, 0x80, 0xFF]
_MODULE_ID = "aa" * 20


# read: gives the build ID. order: that of the notes' numbers, None where a checksum protects them.
class Case(NamedTuple):
    name: str
    data: bytes
    read: Callable[[bytes], Optional[str]]
    right: str
    order: Optional[str]


class _Memory(Host):
    """A host with one file, which is nowhere on a disk."""

    def __init__(self, data: bytes, byteorder: str) -> None:
        super().__init__()
        self._data = data
        self.byteorder = byteorder

    def read(self, path: str) -> bytes:
        return self._data

    def pieces(self, path: str, start: int = 0, size: Optional[int] = None) -> Iterator[bytes]:
        yield self._data[start:] if size is None else self._data[start : max(start, start + size)]

    def which(self, tool: str) -> None:
        return None


def _notes(kernel: str) -> Case:
    with open(os.path.join(_RECORDED, "notes-" + kernel + ".json"), encoding="utf-8") as stream:
        recorded = json.load(stream)
    data = base64.b64decode(recorded["notes"])
    return Case(
        "notes of " + kernel, data, lambda damaged: notes.build_id(damaged, "little"), recorded["build_id"], "<"
    )


def _image(name: str, data: bytes, byteorder: str = "little", checked: bool = True) -> Case:
    def read(damaged: bytes) -> str:
        host = _Memory(damaged, byteorder)
        try:
            told = image.version(host, "/image")
        except Unmeasured:
            pass
        else:
            assert told == made.VERSION or not image.is_version(told, made.PROC_VERSION), (
                "a wrong version is no witness"
            )
        return image.build_id(host, "/image")

    order = "<" if byteorder == "little" else ">"
    return Case(name, data, read, made.BUILD_ID, None if checked else order)


def _module(name: str, data: bytes, byteorder: str = "little", checked: bool = True) -> Case:
    def read(damaged: bytes) -> Optional[str]:
        return module_file.read(_Memory(damaged, byteorder), "/module").build_id

    order = "<" if byteorder == "little" else ">"
    return Case(name, data, read, _MODULE_ID, None if checked else order)


def cases() -> List[Case]:
    vmlinux, memory = made.vmlinux(fill=20), made.memory(byteorder="big", fill=20)
    # Nothing checks what lzma unpacks to, and its own note cannot be seen in what was damaged: it is left out.
    return [
        _notes("6.1"),
        _notes("6.12"),
        _image("vmlinux", vmlinux, checked=False),
        _image("vmlinux, big endian", made.vmlinux(byteorder="big", fill=20), "big", checked=False),
        _image("aarch64", made.image_of_aarch64(), checked=False),
        _image("vmlinux.gz", gzip.compress(vmlinux)),
        _image("vmlinux.xz", lzma.compress(vmlinux)),
        _image("vmlinux.bz2", bz2.compress(vmlinux)),
        _image("bzImage, gzip", made.bzimage(gzip.compress(vmlinux))),
        _image("bzImage, xz", made.bzimage(lzma.compress(vmlinux) + b"\0\x1a\0\0")),
        _image("zboot, gzip", made.zboot(gzip.compress(vmlinux))),
        _image("s390x, xz", made.image_of_s390x(lzma.compress(memory)), "big"),
        _module("module", made.module(), checked=False),
        _module("module, big endian", made.module(byteorder="big"), "big", checked=False),
        _module("module.xz", lzma.compress(made.module())),
    ]


def _places(data: bytes) -> List[int]:
    """Where damage matters most: near what is looked at. Elsewhere it is mostly filling."""
    found = [0, 0x202, 0x20E, 0x248]
    for word in (b"GNU\0", b"Linux\0", b"Xen\0", b"vermagic", b".note", b"\x1f\x8b", b"\xfd7zXZ"):
        at = data.find(word)
        while at >= 0:
            found.append(max(0, at - 16))
            at = data.find(word, at + 1)
    return found + [max(0, len(data) - 64)]


def damage(chance: random.Random, data: bytes, places: List[int]) -> bytes:
    damaged = bytearray(data)
    for _time in range(chance.choice([1, 1, 1, 2, 3, 6])):
        near = chance.choice(places) + chance.randrange(64)
        at = min(near if chance.random() < 0.7 else chance.randrange(len(data)), max(0, len(damaged) - 1))
        length = chance.choice([1, 2, 4, 4, 8, chance.randrange(1, 300)])
        how = chance.randrange(8)
        if how == 0 and damaged:
            damaged[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            damaged[at : at + 1] = bytes([chance.choice(_INTERESTING)])
        elif how == 2:
            damaged[at : at + 4] = bytes(chance.choice(_INTERESTING) for _byte in range(4))
        elif how == 3:
            damaged[at : at + length] = bytes(chance.randrange(256) for _byte in range(length))
        elif how == 4:
            del damaged[at : at + length]
        elif how == 5:
            damaged[at:at] = bytes(length)
        elif how == 6:
            other = chance.choice(places)
            damaged[at : at + length] = data[other : other + length]
        elif chance.random() < 0.3:
            del damaged[at:]
    return bytes(damaged)


def _is_of_damaged_note(case: Case, damaged: bytes, answer: Optional[str]) -> bool:
    if answer is None:  # a module may have none
        return True
    if case.order is None or answer in made.VDSO_IDS or answer == made.DECOMPRESSOR_ID:
        return False
    own, other = (made.note(b"GNU\0", 3, bytes.fromhex(one), case.order) for one in (case.right, answer))
    return own not in damaged or other in damaged


def run(count: int, seed: int) -> Dict[str, Any]:
    """Damages each case in turn, ``count`` times in all.

    :returns: how many answers there were of each kind, by case.
    """
    chance = random.Random(seed)
    every = [(case, _places(case.data), {"right": 0, "unmeasured": 0, "not judged": 0}) for case in cases()]
    for case, _near, _told in every:
        assert case.read(case.data) == case.right, case.name + " is not read right when it is whole"
    for number in range(count):
        case, near, told = every[number % len(every)]
        damaged = damage(chance, case.data, near)
        try:
            answer = case.read(damaged)
        except Unmeasured:
            told["unmeasured"] += 1
            continue
        except Exception as exc:
            raise AssertionError(f"{case.name}: {exc!r} for {base64.b64encode(damaged)!r}") from exc
        if answer == case.right:
            told["right"] += 1
        else:
            assert _is_of_damaged_note(case, damaged, answer), (
                f"{case.name}: wrong {answer} from {base64.b64encode(damaged)!r}"
            )
            told["not judged"] += 1
    return {case.name: told for case, _near, told in every}
