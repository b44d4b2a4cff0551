# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenPGP public keys, as far as it takes to know which is which. PRIVATE to the collection. Pure.

Nothing is verified here, that is rpm's part: this computes fingerprints, and takes the keys of a text apart so that rpm
can be given some of them. RFC 4880 (packets: section 4, armor: section 6, fingerprints: section 12.2), RFC 9580 for
version 6.
"""

import base64
import binascii
import hashlib
import re
from typing import Iterator, List, NamedTuple, Tuple

BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_END = "-----END PGP PUBLIC KEY BLOCK-----"
_BLOCK = re.compile(BEGIN + r"[ \t]*\r?\n(.*?)" + _END, re.DOTALL)
_SIGNATURE, _PRIMARY, _USER_ID, _SUBKEY, _USER_ATTRIBUTE = 2, 6, 13, 14, 17
# What a public key is made of. gpg looks for keys in other packets as well, such as compressed data.
_OF_KEYS = frozenset((_SIGNATURE, _PRIMARY, _USER_ID, _SUBKEY, _USER_ATTRIBUTE))
FINGERPRINT = re.compile(r"[0-9A-F]{40}(?:[0-9A-F]{24})?\Z")


class Subkey(NamedTuple):
    fingerprint: str
    # The subkey and its signatures, as they were in the text
    packets: bytes


class PublicKey(NamedTuple):
    # Of the primary key, all of it, in capitals
    fingerprint: str
    # The first user ID: whatever the key's maker wrote there
    owner: str
    # The primary key, its user IDs and their signatures, as they were in the text
    packets: bytes
    subkeys: Tuple[Subkey, ...]

    @property
    def fingerprints(self) -> Tuple[str, ...]:
        """Of the primary key and of its subkeys."""
        return (self.fingerprint, *(subkey.fingerprint for subkey in self.subkeys))

    @property
    def key_ids(self) -> Tuple[str, ...]:
        """The same as IDs: 16 digits in small letters."""
        return tuple(map(parse_key_id, self.fingerprints))


class _Packet(NamedTuple):
    tag: int
    body: bytes
    # With its header
    data: bytes


def parse_public_keys(text: str) -> List[PublicKey]:
    """Parse all keys in the armored blocks of a text.

    :raises ValueError: one of them is damaged.
    """
    return [key for block in _BLOCK.findall(text) for key in _parse_keys(_decode_block(block))]


def parse_key_id(fingerprint: str) -> str:
    """The ID of the key with this fingerprint, 16 digits."""
    return (fingerprint[-16:] if len(fingerprint) == 40 else fingerprint[:16]).lower()


def format_armor(packets: bytes) -> str:
    """Format packets as text (RFC 4880, section 6.2)."""
    encoded = base64.b64encode(packets).decode("ascii")
    lines = [encoded[at : at + 64] for at in range(0, len(encoded), 64)]
    checksum = base64.b64encode(_compute_crc24(packets).to_bytes(3, "big")).decode("ascii")
    return "\n".join([BEGIN, "", *lines, "=" + checksum, _END, ""])


def _compute_crc24(data: bytes) -> int:
    """RFC 4880, section 6.1."""
    crc = 0xB704CE
    for octet in data:
        crc ^= octet << 16
        for _bit in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc


def _decode_block(block: str) -> bytes:
    # Headers end with an empty line; a line that begins with "=" is a checksum, unless it is all padding.
    lines = [line.strip() for line in block.splitlines()]
    body = lines[lines.index("") + 1 :] if "" in lines else lines
    try:
        return base64.b64decode("".join(line for line in body if not re.match("=+[^=]", line)), validate=True)
    except binascii.Error as exc:
        raise ValueError(f"not base64: {exc}") from exc


def _parse_keys(data: bytes) -> List[PublicKey]:
    groups: List[List[_Packet]] = []
    for packet in _iterate_packets(data):
        if packet.tag == _PRIMARY:
            groups.append([])
        elif not groups:
            raise ValueError("it does not begin with a public key")
        groups[-1].append(packet)
    return [_build_key(group) for group in groups]


def _build_key(packets: List[_Packet]) -> PublicKey:
    # The primary key with what follows it, then each subkey with what follows that
    parts: List[List[_Packet]] = []
    for packet in packets:
        if packet.tag in (_PRIMARY, _SUBKEY):
            parts.append([])
        parts[-1].append(packet)
    primary, *subkeys = (
        Subkey(_compute_fingerprint(part[0].body), b"".join(packet.data for packet in part if packet.tag in _OF_KEYS))
        for part in parts
    )
    owner = next((packet.body for packet in packets if packet.tag == _USER_ID and packet.body), b"")
    printable = "".join(letter for letter in owner.decode("utf-8", "replace")[:200] if letter.isprintable())
    return PublicKey(primary.fingerprint, printable, primary.packets, tuple(subkeys))


def _iterate_packets(data: bytes) -> Iterator[_Packet]:
    at = 0
    try:
        while at < len(data):
            first = data[at]
            if not first & 0x80:
                raise ValueError("not a packet")
            tag = first & 0x3F if first & 0x40 else first >> 2 & 0x0F
            start, size = _parse_length(data, at + 1, first)
            if start + size > len(data):
                raise ValueError("cut off")
            yield _Packet(tag, data[start : start + size], data[at : start + size])
            at = start + size
    except IndexError as exc:
        raise ValueError("cut off") from exc


def _parse_length(data: bytes, at: int, first: int) -> Tuple[int, int]:
    """Where a packet's body begins, and its length."""
    if not first & 0x40:
        if first & 3 == 3:
            # Up to the end, which is for data only: rpm reads a number of eight octets there.
            raise ValueError("a key without a length")
        octets = 1 << (first & 3)
        return at + octets, int.from_bytes(data[at : at + octets], "big")
    size = data[at]
    if size < 192:
        return at + 1, size
    if size < 224:
        return at + 2, (size - 192 << 8) + data[at + 1] + 192
    if size == 255:
        return at + 5, int.from_bytes(data[at + 1 : at + 5], "big")
    # A body in parts: allowed for data only
    raise ValueError("a key in parts")


def _compute_fingerprint(body: bytes) -> str:
    if len(body) > 0xFFFF:
        # The hash of version 4 has no room for its length, and no key has any reason to be as long.
        raise ValueError("longer than any key")
    if body[:1] == b"\x04":
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper()
    if body[:1] == b"\x06":
        return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    raise ValueError("neither a key of version 4 nor of version 6")
