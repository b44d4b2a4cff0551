# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notes, modules and kernel images as small as they can be, for tests. Python 3.6."""

import base64
import hashlib
import struct
from typing import Any

RELEASE = "6.1.0-56-cloud-amd64"
BUILD_ID = "3b43fad5034874490492495d552c0af6a5fab235"
VERSION = RELEASE + " (me@example.org) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)"
PROC_VERSION = "Linux version {} (me@example.org) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld 2.40) {}".format(
    *VERSION.split(" (me@example.org) ")
)
VDSO_IDS = ("b4485eb784bc827f55638acbb1f76bcaa243d537", "ea01a013290ebfa5c9a42686dffe72f236c6c801")
DECOMPRESSOR_ID = "b9f255b3a35fdcc66b46d6629d5629d90e4b7587"


def note(owner: bytes, number: int, description: bytes, order: str = "<") -> bytes:
    def padded(data: bytes) -> bytes:
        return data + b"\0" * (-len(data) % 4)

    return struct.pack(order + "III", len(owner), len(description), number) + padded(owner) + padded(description)


def module(
    vermagic: Any = RELEASE + " SMP preempt mod_unload modversions ",
    build_id: Any = "aa" * 20,
    livepatch: Any = "Y",
    byteorder: str = "little",
    table_first: bool = False,
) -> bytes:
    """A relocatable ELF64 file with the sections that matter, and its table of sections at the end or the start."""
    order = "<" if byteorder == "little" else ">"
    modinfo = b"license=GPL\0"
    for key, value in (("livepatch", livepatch), ("vermagic", vermagic)):
        if value is not None:
            modinfo += key.encode() + b"=" + value.encode() + b"\0"
    sections = [(b"", b""), (b".shstrtab", b""), (b".text", b"\x90" * 7)]
    if build_id is not None:
        sections.append((b".note.gnu.build-id", note(b"GNU\0", 3, bytes.fromhex(build_id), order)))
    sections.append((b".modinfo", modinfo))
    names = b""
    starts = []
    for name, _content in sections:
        starts.append(len(names))
        names += name + b"\0"
    sections[1] = (b".shstrtab", names)

    table_size = 64 * len(sections)
    offset = 64 + (table_size if table_first else 0)
    content = b""
    headers = b""
    for number, (_name, data) in enumerate(sections):
        place = (offset + len(content), len(data))
        headers += struct.pack(order + "IIQQQQIIQQ", starts[number], 1, 0, 0, *place, 0, 0, 1, 0)
        content += data
    table = 64 if table_first else offset + len(content)
    ident = b"\x7fELF\x02" + (b"\x01" if byteorder == "little" else b"\x02") + b"\x01" + b"\0" * 9
    header = ident + struct.pack(order + "HHIQQQIHHHHHH", 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, len(sections), 1)
    return header + headers + content if table_first else header + content + headers


def cpio(files: Any) -> bytes:
    """An archive as rpm2cpio prints it (cpio(5), "New ASCII Format"), from contents by path."""
    archive = b""
    for path, content in [*files.items(), ("/TRAILER!!!", b"")]:
        name = (path[1:] if path == "/TRAILER!!!" else "." + path).encode() + b"\0"
        header = b"070701" + b"".join(b"%08x" % number for number in (1, 0o100644, 0, 0, 1, 0, len(content)))
        header += b"".join(b"%08x" % number for number in (0, 0, 0, 0, len(name), 0))
        archive += header + name + b"\0" * (-(len(header) + len(name)) % 4) + content + b"\0" * (-len(content) % 4)
    return archive


def _key_packet(seed: str) -> bytes:
    """An RSA key of version 4 (RFC 4880, section 5.5.2), whose numbers are made of the seed."""
    number = hashlib.sha512(seed.encode()).digest()
    return b"\x04\x65\x00\x00\x00\x01" + b"\x02\x00" + b"\x80" + number[1:] + b"\x00\x11\x01\x00\x01"


def fingerprint(seed: str) -> str:
    body = _key_packet(seed)
    return hashlib.sha1(b"\x99" + struct.pack(">H", len(body)) + body).hexdigest().upper()


def key_id(seed: str) -> str:
    return fingerprint(seed)[-16:].lower()


def public_key(seed: str, owner: str, *subkeys: str) -> str:
    """A key as `rpm --import` keeps it."""
    packets = [(6, _key_packet(seed)), (13, owner.encode()), *((14, _key_packet(subkey)) for subkey in subkeys)]
    data = b"".join(bytes([0xC0 | tag, 255]) + struct.pack(">I", len(body)) + body for tag, body in packets)
    text = base64.encodebytes(data).decode()
    marks = [f"-----{word} PGP PUBLIC KEY BLOCK-----\n" for word in ("BEGIN", "END")]
    return f"{marks[0]}Version: rpm-4.18.0\n\n{text}=AAAA\n{marks[1]}"


def signed(module_: bytes, signer: str = "Somebody's kernel key") -> bytes:
    """A module with a signature appended, of which only the certificate's name can be read (PKCS#7, DER)."""
    name = signer.encode()
    signature = b"\x30\x82\x01\x00" + b"\x06\x03\x55\x04\x03\x0c" + bytes([len(name)]) + name + b"\0" * 40
    description = struct.pack(">BBBBBxxxI", 0, 0, 2, 0, 0, len(signature))
    return module_ + signature + description + b"~Module signature appended~\n"


def salt(order: str = "<") -> bytes:
    return note(b"Linux\0", 0x100, RELEASE.encode() + b"\0", order)


def kernel_notes(build_id: str = BUILD_ID, order: str = "<") -> bytes:
    """As in Debian's kernels: Xen has a type 3 too."""
    return (
        note(b"Xen\0", 6, b"linux\0", order)
        + note(b"Xen\0", 3, b"\0\0\0\x80\xff\xff\xff\xff", order)
        + note(b"GNU\0", 3, bytes.fromhex(build_id), order)
        + note(b"Linux\0", 0x101, b"\0" * 4, order)
        + salt(order)
    )


def vdso(build_id: str, order: str = "<", salt_first: bool = False) -> bytes:
    """What is near a vDSO's build ID: version code and salt, in either order."""
    code = note(b"Linux\0", 0, b"\xb0\x01\x06\0", order)
    beside = salt(order) + code if salt_first else code + salt(order)
    return b"\0" * 64 + note(b"GNU\0", 3, bytes.fromhex(build_id), order) + beside + b"\0" * 64


def memory(build_id: str = BUILD_ID, byteorder: str = "little", fill: int = 300, noted: Any = None) -> bytes:
    """A kernel as it is in memory, without any header: vDSOs first, as on aarch64, then its own notes."""
    order = "<" if byteorder == "little" else ">"
    filling = bytes(range(7, 97)) * fill
    own = kernel_notes(build_id, order) if noted is None else noted
    vdsos = vdso(VDSO_IDS[0], order) + filling[:4096] + vdso(VDSO_IDS[1], order, True)
    return filling + vdsos + filling + b"\0" * 64 + own + b"\0" * 64 + filling


def vmlinux(build_id: str = BUILD_ID, byteorder: str = "little", notes: Any = None, fill: int = 300) -> bytes:
    """An ELF file of 64 bits with a segment of notes, in the middle of what is loaded."""
    order = "<" if byteorder == "little" else ">"
    own = kernel_notes(build_id, order) if notes is None else notes
    filling = bytes(range(7, 97)) * fill
    before = vdso(VDSO_IDS[0], order) + filling
    start = 64 + 2 * 56
    segments = ((1, start, len(before + own + filling)), (4, start + len(before), len(own)))
    headers = b"".join(
        struct.pack(order + "IIQQQQQQ", kind, 5, offset, 0, 0, size, size, 4) for kind, offset, size in segments
    )
    ident = b"\x7fELF\x02" + (b"\x01" if byteorder == "little" else b"\x02") + b"\x01" + b"\0" * 9
    header = ident + struct.pack(order + "HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    return header + headers + before + own + filling


def bzimage(packed: bytes, version: Any = VERSION, protocol: int = 0x20F, decoy: bytes = b"") -> bytes:
    """An x86 image: boot sector, setup with its header and the version string, a bit of decompressor, payload."""
    setup = bytearray(512 * 5)
    setup[:2] = b"MZ"
    setup[0x1F1] = 4
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x206, protocol)
    if version is not None:
        struct.pack_into("<H", setup, 0x20E, 0x400)
        setup[0x600 : 0x600 + len(version) + 1] = version.encode() + b"\0"
    before = b"\x90" * 100 + decoy
    struct.pack_into("<II", setup, 0x248, len(before), len(packed))
    return bytes(setup) + before + packed + b"\xcc" * 300


def zboot(packed: bytes) -> bytes:
    """An EFI image that unpacks itself (drivers/firmware/efi/libstub/zboot-header.S)."""
    header = b"MZ\0\0zimg" + struct.pack("<II", 512, len(packed)) + b"\0" * 8 + b"gzip22" + b"\0" * 26
    return header.ljust(512, b"\0") + packed + b"\xcc" * 300


def image_of_s390x(packed: bytes, build_id: str = DECOMPRESSOR_ID) -> bytes:
    """A decompressor with a build ID and a magic number of its own, then the kernel."""
    own = note(b"GNU\0", 3, bytes.fromhex(build_id), ">")
    return b"\0\x08" * 400 + own + b"Missing facilities" + b"\xfd7zXZ\0 data is corrupt" + packed + b"\0" * 99


def image_of_aarch64(build_id: str = BUILD_ID) -> bytes:
    return b"MZ".ljust(0x38, b"\0") + b"ARMd" + memory(build_id)
