# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a kernel module's file. PRIVATE to the collection: it may change at any time.

The file itself is read, not ``modinfo``'s output: it holds the build ID too, which ties the module in the
kernel to this file, and it costs no process.
"""

import gzip
import lzma
import struct
import zlib
from typing import Dict, NamedTuple, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import elf_notes


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


# A section that takes no room in the file, whatever its size says
_SHT_NOBITS = 8


def read_module(host: Host, path: str) -> ModuleFile:
    """Read a module's file, plain or compressed with gzip or xz.

    :raises Unmeasured: the file is not there, is no ELF file, or is compressed in a way Python cannot read.
    """
    data = host.read_bytes(path)
    if data is None:
        raise Unmeasured(f"{path} is not there, though its package is installed", "Reinstall the package")
    return parse_module(data, path)


def parse_module(data: bytes, path: str) -> ModuleFile:
    """The same for a file's content; the path is for messages."""
    if data[:4] == b"\x28\xb5\x2f\xfd":
        raise Unmeasured(
            f"{path} is compressed with zstd, which Python cannot read",
            "Report it to the collection: this version reads plain, gzip and xz",
        )
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        elif data[:6] == b"\xfd7zXZ\0":
            data = lzma.decompress(data)
        return parse_elf(data)
    except (EOFError, OSError, OverflowError, lzma.LZMAError, zlib.error, struct.error, IndexError, ValueError) as exc:
        raise Unmeasured(f"{path} is not a kernel module that can be read", "Reinstall the package") from exc


def parse_elf(data: bytes) -> ModuleFile:
    """Parse an ELF file of 64 bits, of either byte order.

    :raises ValueError: it is none, or does not name its kernel.
    """
    if data[:4] != b"\x7fELF" or data[4:5] != b"\x02":
        raise ValueError("not an ELF file of 64 bits")
    byteorder = "little" if data[5:6] == b"\x01" else "big"
    sections = _parse_sections(data, "<" if byteorder == "little" else ">")
    fields = _parse_modinfo(sections.get(".modinfo", b""))
    if "vermagic" not in fields:
        raise ValueError("no vermagic")
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
    # Elf64_Shdr: name, type, flags, addr, offset, size
    headers = [struct.unpack_from(order + "IIQQQQ", data, table + size * index) for index in range(count)]
    if any(header[4] + header[5] > len(data) for header in headers if header[1] != _SHT_NOBITS):
        raise ValueError("cut off")
    names = data[headers[names_index][4] :][: headers[names_index][5]]
    return {
        names[header[0] : names.index(b"\0", header[0])].decode("ascii"): data[header[4] : header[4] + header[5]]
        for header in headers
    }


def _parse_modinfo(modinfo: bytes) -> Dict[str, str]:
    fields = {}
    for entry in modinfo.decode("utf-8", "replace").split("\0"):
        name, equals, value = entry.partition("=")
        if equals:
            fields[name] = value
    return fields
