# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import base64
import re
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import openpgp
from tests.support import factories


def _armor(data: bytes) -> str:
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{text}-----END PGP PUBLIC KEY BLOCK-----\n"


def _data(*arguments: str) -> bytes:
    block = factories.public_key(*arguments).split("\n\n")[1].split("=AAAA")[0]
    return base64.b64decode(block)


def test_several_in_one_text() -> None:
    text = factories.public_key("a", "A", "a1", "a2") + "in between\n" + factories.public_key("b", "B")
    first, second = openpgp.parse_public_keys(text)
    assert (first.fingerprint, first.owner) == (factories.fingerprint("a"), "A")
    assert first.fingerprints == tuple(map(factories.fingerprint, ("a", "a1", "a2")))
    assert first.key_ids == tuple(map(factories.key_id, ("a", "a1", "a2")))
    assert (second.fingerprints, second.owner) == ((factories.fingerprint("b"),), "B")
    assert openpgp.parse_public_keys("nothing") == []


def test_several_in_one_block() -> None:
    keys = openpgp.parse_public_keys(_armor(_data("a", "A") + _data("b", "B")))
    assert [key.owner for key in keys] == ["A", "B"]


def test_each_key_has_its_own_packets() -> None:
    a, b, subkey = _data("a", "A"), _data("b", "B"), _data("a", "A", "a1")[len(_data("a", "A")) :]
    signature, trust, compressed = b"\xc2\x03\x04\x18x", b"\xcc\x01\x06", b"\xc8\x02\x00\x99"
    data = a + signature + trust + subkey + signature + compressed + b + signature
    first, second = openpgp.parse_public_keys(_armor(data))
    assert first.packets == a + signature, "trust of another keyring, and what may hold keys, are left out"
    assert first.subkeys == ((factories.fingerprint("a1"), subkey + signature),)
    assert (second.packets, second.subkeys) == (b + signature, ())


def test_armor_is_that_of_rpm(recorded: Any) -> None:
    """Of the same packets, but for its header: two real keys as rpm 4.18 exports them."""
    blocks = re.findall("-----BEGIN .*?-----END [^\n]*\n", recorded("rpm-keys").out, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        (key,) = openpgp.parse_public_keys(block)
        packets = key.packets + b"".join(subkey.packets for subkey in key.subkeys)
        assert openpgp.format_armor(packets) == block.replace("Version: rpm-4.18.0\n", "")


def test_armor_of_nothing() -> None:
    """The checksum is the one that it begins with (RFC 4880, section 6.1)."""
    assert openpgp.format_armor(b"").split("\n")[2] == "=twTO"


def test_padding_on_a_line_of_its_own() -> None:
    """Lines may have any length up to 76 letters (RFC 4880, section 6.3)."""
    packed = base64.b64encode(_data("a", "A!")).decode()
    assert packed.endswith("=")
    for padding in ("=" * packed.count("="), "=" * packed.count("=") + "\n=AAAA"):
        text = _armor(b"").replace("\n\n", "\n\n{}\n{}\n".format(packed.rstrip("="), padding))
        assert [key.owner for key in openpgp.parse_public_keys(text)] == ["A!"]


def test_owner_is_one_printable_line() -> None:
    (key,) = openpgp.parse_public_keys(factories.public_key("a", "A\n\x1b[31m\x1fB" + "x" * 500))
    assert key.owner.startswith("A[31mBx")
    assert len(key.owner) < 201


@pytest.mark.parametrize(
    "text",
    [
        _armor(_data("a", "A")[:-3]),
        _armor(b"\x00" + _data("a", "A")),
        _armor(b"\xcd\x01x" + _data("a", "A")),
        _armor(_data("a", "A").replace(b"\x04\x65", b"\x03\x65", 1)),
        _armor(b"\xc6\xff\x00"),
        _armor(b"\xc6\xe1xx"),
        _armor(b"\x9b" + _data("a", "A")[6:]),
        _armor(b"\xc6\xff\x00\x01\x00\x01\x04" + b"x" * 0x10000),
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n%%%\n-----END PGP PUBLIC KEY BLOCK-----\n",
    ],
    ids=[
        "cut off",
        "no packet",
        "user ID first",
        "version 3",
        "length cut off",
        "in parts",
        "no length",
        "too large",
        "no base64",
    ],
)
def test_damaged(text: str) -> None:
    with pytest.raises(ValueError):
        openpgp.parse_public_keys(text)
