# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OpenPGP public keys, as far as it takes to know which is which. PRIVATE to the collection. Pure.

Nothing is verified here, that is rpm's part: this computes the fingerprints of keys that rpm trusts already. RFC 4880
(packets: section 4, fingerprints: section 12.2), RFC 9580 for version 6.
"""

import base64
import binascii
import hashlib
import re
from typing import Iterator, List, NamedTuple, Tuple

_BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL
)
_PRIMARY, _USER_ID, _SUBKEY = 6, 13, 14
FINGERPRINT = re.compile(r"[0-9A-F]{40}(?:[0-9A-F]{24})?\Z")


class PublicKey(NamedTuple):
    # Of the primary key, all of it, in capitals
    fingerprint: str
    # Of the primary key and of its subkeys, 16 digits in small letters
    key_ids: Tuple[str, ...]
    # The first user ID: whatever the key's maker wrote there
    owner: str


def parse_public_keys(text: str) -> List[PublicKey]:
    """Parse all keys in the armored blocks of a text.

    :raises ValueError: one of them is damaged.
    """
    return [key for block in _BLOCK.findall(text) for key in _group_packets(_decode_block(block))]


def parse_key_id(fingerprint: str) -> str:
    """The ID of the key with this fingerprint, 16 digits."""
    return (fingerprint[-16:] if len(fingerprint) == 40 else fingerprint[:16]).lower()


def _decode_block(block: str) -> bytes:
    # Headers end with an empty line; a line that begins with "=" is a checksum.
    lines = [line.strip() for line in block.splitlines()]
    body = lines[lines.index("") + 1 :] if "" in lines else lines
    try:
        return base64.b64decode("".join(line for line in body if not line.startswith("=")), validate=True)
    except binascii.Error as exc:
        raise ValueError(f"not base64: {exc}") from exc


def _group_packets(data: bytes) -> List[PublicKey]:
    keys: List[PublicKey] = []
    for tag, body in _iterate_packets(data):
        if tag == _PRIMARY:
            fingerprint = _compute_fingerprint(body)
            keys.append(PublicKey(fingerprint, (parse_key_id(fingerprint),), ""))
        elif not keys:
            raise ValueError("it does not begin with a public key")
        elif tag == _SUBKEY:
            key_ids = (*keys[-1].key_ids, parse_key_id(_compute_fingerprint(body)))
            keys[-1] = keys[-1]._replace(key_ids=key_ids)
        elif tag == _USER_ID and not keys[-1].owner:
            text = body.decode("utf-8", "replace")
            keys[-1] = keys[-1]._replace(owner="".join(letter for letter in text[:200] if letter.isprintable()))
    return keys


def _iterate_packets(data: bytes) -> Iterator[Tuple[int, bytes]]:
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
            yield tag, data[start : start + size]
            at = start + size
    except IndexError as exc:
        raise ValueError("cut off") from exc


def _parse_length(data: bytes, at: int, first: int) -> Tuple[int, int]:
    """Where a packet's body begins, and its length."""
    if not first & 0x40:
        octets = (1, 2, 4, 0)[first & 3]
        if not octets:
            return at, len(data) - at
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
    if body[:1] == b"\x04":
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper()
    if body[:1] == b"\x06":
        return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    raise ValueError("neither a key of version 4 nor of version 6")
