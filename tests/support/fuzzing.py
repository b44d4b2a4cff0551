# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damaged notes, images and modules: what reads them answers right, or says that it cannot tell. Python 3.6.

What tools print and what repositories hold is damaged as well: it is read, or refused with an exception that is ours.

A build ID is right when it is the one that was put in. Where no checksum protects it, damage to its own note makes
another one of it, and nobody can tell: such an answer is not judged. That of a vDSO or a decompressor is always wrong.
"""

import base64
import bz2
import gzip
import lzma
import random
from typing import Any, Callable, Dict, Generator, List, NamedTuple, Optional
from xml.parsers import expat

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import boot, elf_notes, image
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import (
    advisories,
    lifecycle,
    module_file,
    payload,
    port,
    rpm,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.dnf import Dnf
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.zypper import Zypper
from tests.support import factories, recordings

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
        self.byteorder = byteorder  # type: ignore[assignment]

    def read_bytes(self, path: str) -> bytes:
        return self._data

    def read_pieces(self, path: str, start: int = 0, size: Optional[int] = None) -> Generator[bytes, None, None]:
        yield self._data[start:] if size is None else self._data[start : max(start, start + size)]

    def find_tool(self, tool: str) -> None:
        return None

    def get_mtime(self, path: str) -> float:
        return 1.0


def _notes(kernel: str) -> Case:
    recorded = recordings.load("notes-" + kernel)
    data = base64.b64decode(recorded["notes"])
    return Case(
        "notes of " + kernel,
        data,
        lambda damaged: elf_notes.parse_build_id(damaged, "little"),
        recorded["build_id"],
        "<",
    )


def _image(name: str, data: bytes, byteorder: str = "little", checked: bool = True) -> Case:
    def read(damaged: bytes) -> str:
        host = _Memory(damaged, byteorder)
        try:
            told = image.read_version(host, "/image")
        except Unmeasured:
            pass
        else:
            assert told == factories.VERSION or not image.is_same_version(told, factories.PROC_VERSION), (
                "a wrong version is no witness"
            )
        return image.read_build_id(host, "/image")

    order = "<" if byteorder == "little" else ">"
    return Case(name, data, read, factories.BUILD_ID, None if checked else order)


def _module(name: str, data: bytes, byteorder: str = "little", checked: bool = True) -> Case:
    def read(damaged: bytes) -> Optional[str]:
        return module_file.read_module(_Memory(damaged, byteorder), "/module").build_id

    order = "<" if byteorder == "little" else ">"
    return Case(name, data, read, _MODULE_ID, None if checked else order)


def cases() -> List[Case]:
    vmlinux, memory = factories.vmlinux(fill=20), factories.memory(byteorder="big", fill=20)
    # Nothing checks what lzma unpacks to, and its own note cannot be seen in what was damaged: it is left out.
    return [
        _notes("6.1"),
        _notes("6.12"),
        _image("vmlinux", vmlinux, checked=False),
        _image("vmlinux, big endian", factories.vmlinux(byteorder="big", fill=20), "big", checked=False),
        _image("aarch64", factories.image_of_aarch64(), checked=False),
        _image("vmlinux.gz", gzip.compress(vmlinux)),
        _image("vmlinux.xz", lzma.compress(vmlinux)),
        _image("vmlinux.bz2", bz2.compress(vmlinux)),
        _image("bzImage, gzip", factories.bzimage(gzip.compress(vmlinux))),
        _image("bzImage, xz", factories.bzimage(lzma.compress(vmlinux) + b"\0\x1a\0\0")),
        _image("zboot, gzip", factories.zboot(gzip.compress(vmlinux))),
        _image("s390x, xz", factories.image_of_s390x(lzma.compress(memory)), "big"),
        _module("module", factories.module(), checked=False),
        _module("module, big endian", factories.module(byteorder="big"), "big", checked=False),
        _module("module.xz", lzma.compress(factories.module())),
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


# What a tool printed, or what a file holds, and what reads it: its answer cannot be judged, its exceptions can.
class Text(NamedTuple):
    name: str
    data: bytes
    read: Callable[[bytes], Any]


class _Tool(_Memory):
    """A host on which all tools print the same, and all files hold it."""

    def __init__(self, data: bytes, rc: int = 0) -> None:
        super().__init__(data, "little")
        self._answer = Completed(rc, data.decode("utf-8", "replace"), "")

    def run(self, argv: Any, environment: Any = None, seconds: Any = None) -> Completed:
        return self._answer

    def pipe(self, argv: Any, source: Any, seconds: float) -> Any:
        yield self._data

    def list_names(self, path: str) -> List[str]:
        return ["file.lifecycle", "file.conf", "vmlinuz-6.1"]

    def read_link(self, path: str) -> None:
        return None


def _recorded_bytes(name: str) -> bytes:
    return "\n".join(recordings.load(name)["out"]).encode()


def _zypper(name: str, read: Callable[[Zypper], Any]) -> Text:
    return Text(name, _recorded_bytes(name), lambda damaged: read(Zypper(_Tool(damaged), 1)))


def _rpm(name: str, read: Callable[[Host], Any]) -> Text:
    return Text(name, _recorded_bytes(name), lambda damaged: read(_Tool(damaged)))


_CANDIDATE = Candidate("kmp", "4-1", "x86_64", "lab")


def texts() -> List[Text]:
    update = (
        "<updates><update status='stable'><id>A-1</id><severity>low</severity><issued date='1772442000'/><references>"
        "<reference type='cve' id='CVE-2099-0001'/></references><pkglist><collection><package name='kmp' version='1'"
        " release='1' epoch='0'/></collection></pkglist></update></updates>"
    )
    record = "kpatch-patch-6_1_0-56\x1f0\x1f1-1\x1fx86_64\x1flab\x1flivepatch-target(build-id) = 3b43\nkpatch = 1\x1e"
    table = (
        "Dependencies resolved.\n====\n Package  Architecture  Version  Repository  Size\n====\nInstalling:\n"
        " kpatch-patch-6_1_0-56\n     x86_64  1-2  lab  93 k\n     replacing  lab-tool.noarch 1-1\nRemoving:\n"
        " vital  noarch  1-1  @lab  0\n\nTransaction Summary\n====\nInstall  1 Package\n"
    )
    menu = "menuentry 'a' $menuentry_id_option 'b' {\n linux /boot/vmlinuz-6.1 root=/dev/vda\n}\nsaved_entry=b\n"
    index = b"<repomd><data type='updateinfo'><checksum/><location href='repodata/u.xml.gz'/></data></repomd>"
    line = b"kernel-livepatch-*, 3-*, 2026-12-31\n/^k.*$/, *, 31 Dec 2026\n"
    return [
        _zypper("zypper-6.1-offered-level321", lambda zypper: zypper.list_offered(factories.RELEASE)),
        _zypper("zypper-6.1-targeting", lambda zypper: zypper.list_targeting(factories.BUILD_ID)),
        _zypper("zypper-6.1-preview-removes", lambda zypper: zypper.preview(_CANDIDATE)),
        _zypper("zypper-6.1-download", lambda zypper: zypper.download(_CANDIDATE)),
        _zypper("zypper-6.1-locks", lambda zypper: zypper.list_offered(factories.RELEASE)),
        _zypper("zypper-6.1-refresh-down", lambda zypper: zypper.refresh()),
        Text("dnf repoquery", record.encode() * 3, lambda damaged: Dnf(_Tool(damaged), 1).list_targeting(None)),
        Text("dnf install", table.encode(), lambda damaged: Dnf(_Tool(damaged, 1), 1).preview(_CANDIDATE)),
        _rpm("rpm-6.1-level3", lambda host: rpm.list_installed(host, "kmp")),
        _rpm("rpm-6.1-kernel", lambda host: rpm.find_kernel_package(host, "/boot/vmlinuz")),
        _rpm("rpm-keys", rpm.list_keys),
        _rpm("rpm-6.1-check-damaged", lambda host: rpm.check_signature(host, "/x.rpm")),
        Text("updateinfo", update.encode(), lambda damaged: _advisories(_Tool(damaged))),
        Text("repomd", index, lambda damaged: _repository(_Tool(damaged))),
        Text("payload", factories.cpio({"/a/livepatch/b.ko": b"b" * 99}), lambda damaged: _payload(_Tool(damaged))),
        Text("boot loader", menu.encode() * 2, lambda damaged: boot.find_next_boot(_Tool(damaged))),
        Text(
            "lifecycle", line * 3, lambda damaged: lifecycle.find_last_day(_Tool(damaged), "kernel-livepatch-1", "3-1")
        ),
    ]


def _advisories(host: Host) -> Any:
    try:
        return advisories.parse_updateinfo(host.read_pieces("/updateinfo.xml"), {"kmp"})
    except (ValueError, LookupError, OverflowError, expat.ExpatError):
        # As they are told, with the repository's name
        return _repository(host)


def _repository(host: Host) -> Any:
    return advisories.read_advisories(host, [port.Metadata("lab", "/")], {"kmp"})


def _payload(host: Host) -> Any:
    return payload.extract_files(host, "/x.rpm", _kmp_names.is_module)


def run_texts(count: int, seed: int) -> Dict[str, Any]:
    """The same for what is printed: how many were read and how many refused, by case."""
    chance = random.Random(seed)
    every = [(text, _places(text.data), {"read": 0, "refused": 0}) for text in texts()]
    for number in range(count):
        text, near, told = every[number % len(every)]
        damaged = damage(chance, text.data, near)
        try:
            text.read(damaged)
            told["read"] += 1
        except LivepatchError:
            told["refused"] += 1
        except Exception as exc:
            raise AssertionError(f"{text.name}: {exc!r} for {base64.b64encode(damaged)!r}") from exc
    return {text.name: told for text, _near, told in every}


def _is_of_damaged_note(case: Case, damaged: bytes, answer: Optional[str]) -> bool:
    if answer is None:  # a module may have none
        return True
    if case.order is None or answer in factories.VDSO_IDS or answer == factories.DECOMPRESSOR_ID:
        return False
    own, other = (factories.note(b"GNU\0", 3, bytes.fromhex(one), case.order) for one in (case.right, answer))
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
