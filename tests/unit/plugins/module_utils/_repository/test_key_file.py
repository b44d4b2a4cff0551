# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which keys of a text the host gets: two real ones, as rpm 4.18 exports them, and others that are made."""

import re
import string
from typing import Any, List

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import openpgp
from ansible_collections.fleet.livepatch.plugins.module_utils._repository import key_file
from tests.support import factories

# As gpg prints them
_LAB = "36E1ED760D381F22E4DF0F9B8A1B1E536414FB23"
_OTHER = "2E92639825C2722C4516D5C000AD48220952F174"
_SUBKEY = "E4E2A19A702F2CC017E1B0A165A4F8EED404EF83"
_STRANGER = factories.fingerprint("stranger")


@pytest.fixture
def blocks(recorded: Any) -> List[str]:
    """The lab's RSA key, and an Ed25519 one with a subkey that signs."""
    return re.findall("-----BEGIN .*?-----END [^\n]*\n", recorded("rpm-keys").out, re.DOTALL)


def _stranger() -> str:
    return factories.public_key("stranger", "Third party", "below")


def _select(text: str, *fingerprints: str) -> Any:
    """The fingerprints of all keys in the file that the host would get, by block, as any parser finds them."""
    written = key_file.format_key_file(key_file.select_pinned_keys(text, fingerprints))
    marks = ("-----BEGIN", "-----END", "=")
    for line in written.splitlines():
        assert line.startswith(marks) or set(line) <= set(string.ascii_letters + string.digits + "+/="), line
    found = re.findall("-----BEGIN .*?-----END [^\n]*", written, re.DOTALL)
    assert all(len(openpgp.parse_public_keys(block)) == 1 for block in found), "rpm 4 takes the first key of a block"
    return [openpgp.parse_public_keys(block)[0].fingerprints for block in found]


def test_one_key(blocks: List[str]) -> None:
    for pinned in ((), ("",), (_LAB,), (_LAB.lower(),), (" ".join(re.findall("....", _LAB)),)):
        assert _select(blocks[0], *pinned) == [(_LAB,)]
    assert _select(blocks[0], ":".join(re.findall("..", _LAB))) == [(_LAB,)]
    written = key_file.format_key_file(key_file.select_pinned_keys(blocks[0], []))
    assert written == blocks[0].replace("Version: rpm-4.18.0\n", "")


@pytest.mark.parametrize("form", ["two blocks", "one block", "garbage between", "Windows line ends", "twice"])
def test_two_keys(blocks: List[str], form: str) -> None:
    first, second = (openpgp.parse_public_keys(block)[0] for block in blocks)
    text = {
        "two blocks": "".join(blocks),
        "one block": openpgp.format_armor(first.packets + second.packets),
        "garbage between": "# keys\n{}=AAAA\n%%%\n{}the end".format(*blocks),
        "Windows line ends": "".join(blocks).replace("\n", "\r\n"),
        "twice": "".join(blocks * 2),
    }[form]
    for pinned in ((_LAB, _OTHER), (_OTHER, _LAB), (f"{_LAB}, {_OTHER}",)):
        assert _select(text, *pinned) == [(_LAB,), (_OTHER,)]
    for pinned in ((), (_LAB,), (_OTHER,), (_LAB, _STRANGER), (_LAB, _OTHER, _STRANGER)):
        with pytest.raises(BadOption, match=f"holds {_LAB}, {_OTHER}, but livepatch_repository_fingerprint is"):
            _select(text, *pinned)


def test_subkeys_are_keys_of_their_own(blocks: List[str]) -> None:
    """Older versions of rpm do not check that a subkey belongs to its primary key (CVE-2021-3521)."""
    assert _select(blocks[1]) == [(_OTHER, _SUBKEY)], "the text itself is trusted"
    assert _select(blocks[1], _OTHER) == [(_OTHER,)]
    assert _select(blocks[1], _OTHER, _SUBKEY) == [(_OTHER, _SUBKEY)]
    with pytest.raises(BadOption, match=f"holds {_OTHER}, but livepatch_repository_fingerprint is {_SUBKEY}"):
        _select(blocks[1], _SUBKEY)


@pytest.mark.parametrize(
    "hidden",
    [
        "after its end",
        "without its begin",
        "without its end",
        "a private key",
        "in compressed data",
        "a subkey",
        "in the text of its user ID",
    ],
)
def test_a_key_that_only_others_find_is_not_in_the_file(blocks: List[str], hidden: str) -> None:
    """rpm, gpg and this parser each find keys in their own way: the host gets none that was not compared."""
    (lab,) = openpgp.parse_public_keys(blocks[0])
    (stranger,) = openpgp.parse_public_keys(_stranger())
    body = _stranger().split("\n\n")[1].split("=AAAA")[0]
    compressed = b"\xc8\xff" + (len(stranger.packets) + 1).to_bytes(4, "big") + b"\x00" + stranger.packets
    named = b"\xcd\xff" + len(_stranger()).to_bytes(4, "big") + _stranger().encode()
    text = {
        "after its end": blocks[0] + body,
        "without its begin": blocks[0] + _stranger().split("\n", 1)[1],
        "without its end": blocks[0] + _stranger().partition("-----END")[0],
        "a private key": blocks[0] + _stranger().replace("PUBLIC", "PRIVATE"),
        "in compressed data": openpgp.format_armor(lab.packets + compressed),
        "a subkey": openpgp.format_armor(lab.packets + stranger.subkeys[0].packets),
        "in the text of its user ID": openpgp.format_armor(lab.packets + named),
    }[hidden]
    assert _select(text, _LAB) == [(_LAB,)]
    written = key_file.format_key_file(key_file.select_pinned_keys(text, [_LAB]))
    assert written.count("-----BEGIN") == 1
    if hidden != "in the text of its user ID":
        assert written == blocks[0].replace("Version: rpm-4.18.0\n", "")


def test_a_key_in_the_middle_of_a_block(blocks: List[str]) -> None:
    """After its checksum, where a parser may stop or go on."""
    body = _stranger().split("\n\n")[1].split("=AAAA")[0]
    text = blocks[0].replace("-----END", body + "=AAAA\n-----END")
    with pytest.raises(BadOption, match="livepatch_repository_key"):
        _select(text, _LAB)
    with pytest.raises(BadOption, match="livepatch_repository_key"):
        _select(text)


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "The key is required"),
        ("https://mirror.example.com/key.asc", "must be the text of the repository's public key"),
        (openpgp.BEGIN + "\nnonsense", "is not a public key, or one without its end. Nothing was changed"),
        (openpgp.BEGIN + "\n\n%%%\n-----END PGP PUBLIC KEY BLOCK-----", r"a damaged one \(not base64"),
        (openpgp.format_armor(b"\xc6\x03\x03xx"), r"a damaged one \(neither a key of version 4"),
        (openpgp.format_armor(b""), "is not a public key"),
        (openpgp.BEGIN + "x" * (1 << 20), "is longer than"),
    ],
)
def test_no_key(text: str, words: str) -> None:
    with pytest.raises(BadOption, match=words):
        key_file.select_pinned_keys(text, [_LAB])


@pytest.mark.parametrize("fingerprint", [_LAB[-16:], "0x" + _LAB, _LAB + " x", "gpg:lab"])
def test_no_fingerprint(blocks: List[str], fingerprint: str) -> None:
    with pytest.raises(BadOption, match=r"which is not a fingerprint\. Give all of it, 40 or 64 hexadecimal digits"):
        key_file.select_pinned_keys(blocks[0], [_LAB, fingerprint])


def test_two_versions_of_a_key(blocks: List[str]) -> None:
    (key,) = openpgp.parse_public_keys(blocks[1])
    with pytest.raises(BadOption, match=f"holds a key twice, in two versions: {_OTHER}, {_OTHER}"):
        key_file.select_pinned_keys(blocks[1] + openpgp.format_armor(key.packets), [_OTHER])
