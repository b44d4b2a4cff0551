# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a kernel module's file. PRIVATE to the collection: it may change at any time.

The file itself is read, not ``modinfo``'s output: it holds the build ID too, which ties the module in the
kernel to this file, and it costs no process.
"""

import contextlib
import itertools
import re
import struct
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Malformed, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import archive, elf_notes, unpack


class ModuleFile(NamedTuple):
    build_id: Optional[str]
    vermagic: str
    # The first word of vermagic, the ``uname -r`` that the module was built for
    target_release: str
    livepatch: bool
    # Whether a signature is appended
    signed: bool = False
    # The name of the certificate that it can be verified with, None where it cannot be read
    signer: Optional[str] = None


# Appended to a signed module, after the signature and this description of it (include/linux/module_signature.h):
# algorithm, hash, type, lengths of signer and key ID, and, big-endian, of the signature.
_MAGIC = b"~Module signature appended~\n"
_DESCRIPTION = struct.Struct(">BBBBBxxxI")
_PKCS7 = 2
# X.509's commonName (2.5.4.3) as DER writes it
_COMMON_NAME = b"\x06\x03\x55\x04\x03"


# Elf64_Shdr: name, type, flags, addr, offset, size, and what is not looked at
_SECTION_HEADER = "IIQQQQIIQQ"
# A section that takes no room in the file, whatever its size says
_SHT_NOBITS = 8
# What is read of it, with the most bytes that any module has there
_SECTIONS = {".modinfo": 1 << 20, ".note.gnu.build-id": 1 << 10}


def read_module(host: Host, path: str) -> ModuleFile:
    """Read a module's file, plain or compressed.

    :raises Unmeasured: the file is not there, is no ELF file, or the host cannot unpack it.
    """
    if host.get_mtime(path) is None:
        raise Unmeasured(f"{path} is not there, though its package is installed", "Reinstall the package")
    return _read_pieces(host, host.read_pieces(path), path)


def parse_module(host: Host, data: bytes, path: str) -> ModuleFile:
    """The same for a file's content; the path is for messages."""
    return _read_pieces(host, iter([data]), path)


def _read_pieces(host: Host, pieces: Iterator[bytes], path: str) -> ModuleFile:
    budget = unpack.Budget(host, archive.LARGEST_FILE, name=path)
    try:
        first = next(pieces, b"")
        packed = itertools.chain([first], pieces)
        kind = unpack.recognise_format(first)
        content = budget.meter(each for each in packed) if kind is None else unpack.unpack(host, kind, packed, budget)
        with contextlib.closing(content):
            return parse_elf(b"".join(content))
    except MemoryError as exc:
        raise Unmeasured(f"reading {path} takes more memory than there is") from exc
    except (OverflowError, struct.error, IndexError, ValueError) as exc:
        raise Malformed(f"{path} is not a kernel module that can be read", "Reinstall the package") from exc


def parse_elf(data: bytes) -> ModuleFile:
    """Parse an ELF file of 64 bits, of either byte order.

    :raises ValueError: it is none, or does not name its kernel.
    """
    if data[:4] != b"\x7fELF" or data[4:5] != b"\x02":
        raise ValueError("not an ELF file of 64 bits")
    byteorder = "little" if data[5:6] == b"\x01" else "big"
    sections = _parse_sections(data, "<" if byteorder == "little" else ">")
    fields = _parse_modinfo(sections.get(".modinfo", b""))
    if not re.match(r"[!-~][ -~]{,199}\Z", fields.get("vermagic", "")):
        raise ValueError("no vermagic, or none that a kernel has")
    build_id = None
    if ".note.gnu.build-id" in sections:
        build_id = elf_notes.parse_build_id(sections[".note.gnu.build-id"], byteorder)
    vermagic = fields["vermagic"]
    signed, signer = _parse_signature(data)
    return ModuleFile(build_id, vermagic, vermagic.split(" ")[0], fields.get("livepatch") == "Y", signed, signer)


def _parse_signature(data: bytes) -> Tuple[bool, Optional[str]]:
    """Whether a signature is appended, and the name of its certificate."""
    if not data.endswith(_MAGIC):
        return False, None
    end = len(data) - len(_MAGIC) - _DESCRIPTION.size
    if end < 0:
        return True, None
    _algorithm, _hash, kind, _signer, _key, size = _DESCRIPTION.unpack_from(data, end)
    if kind != _PKCS7 or size > end:
        return True, None
    # The kernel looks for the certificate by issuer and serial number; modules' signatures carry no certificates, so
    # the only common name in them is that of the issuer.
    signature = data[end - size : end]
    at = signature.find(_COMMON_NAME) + len(_COMMON_NAME)
    if at < len(_COMMON_NAME) or at + 2 > len(signature) or signature[at + 1] > 127:
        return True, None
    name = signature[at + 2 : at + 2 + signature[at + 1]]
    return True, name.decode("utf-8", "replace")


def _parse_sections(data: bytes, order: str) -> Dict[str, bytes]:
    (table,) = struct.unpack_from(order + "Q", data, 0x28)
    size, count, names_index = struct.unpack_from(order + "HHH", data, 0x3A)
    if size != struct.calcsize(order + _SECTION_HEADER):
        raise ValueError("its table of sections is not that of a module")
    headers = [struct.unpack_from(order + _SECTION_HEADER, data, table + size * index) for index in range(count)]
    if any(header[4] + header[5] > len(data) for header in headers if header[1] != _SHT_NOBITS):
        raise ValueError("cut off")
    start, end = headers[names_index][4], headers[names_index][4] + headers[names_index][5]
    sections: Dict[str, bytes] = {}
    for header in headers:
        # Sections may overlap: none is copied but those that are read.
        for name, limit in _SECTIONS.items():
            word = name.encode() + b"\0"
            if header[0] + len(word) <= end - start and data.startswith(word, start + header[0]):
                if name in sections or header[5] > limit:
                    raise ValueError(f"several sections {name}, or one that is too large")
                sections[name] = data[header[4] : header[4] + header[5]]
    return sections


def _parse_modinfo(modinfo: bytes) -> Dict[str, str]:
    fields: Dict[str, str] = {}
    for entry in modinfo.decode("utf-8", "replace").split("\0"):
        name, equals, value = entry.partition("=")
        if equals:
            # Of several the kernel takes the first (kernel/module/main.c, get_modinfo()).
            fields.setdefault(name, value)
    return fields
