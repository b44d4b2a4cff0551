# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import base64

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
    assert openpgp.parse_public_keys(text) == [
        (factories.fingerprint("a"), tuple(map(factories.key_id, ("a", "a1", "a2"))), "A"),
        (factories.fingerprint("b"), (factories.key_id("b"),), "B"),
    ]
    assert openpgp.parse_public_keys("nothing") == []


def test_several_in_one_block() -> None:
    keys = openpgp.parse_public_keys(_armor(_data("a", "A") + _data("b", "B")))
    assert [key.owner for key in keys] == ["A", "B"]


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
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n%%%\n-----END PGP PUBLIC KEY BLOCK-----\n",
    ],
    ids=["cut off", "no packet", "user ID first", "version 3", "length cut off", "in parts", "no base64"],
)
def test_damaged(text: str) -> None:
    with pytest.raises(ValueError):
        openpgp.parse_public_keys(text)
