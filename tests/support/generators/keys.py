# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys that packages are signed with, and what rpm prints of keys and signatures. Python 3.6."""

import base64
import hashlib
import struct
from html import escape
from typing import Any, Callable, Dict, List, NamedTuple, Set, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import openpgp, rpm
from tests.support import factories
from tests.support.generators.case import REFUSED, UNKNOWN, VALUE, Case, Chance, Files

_MARK = "-----{} PGP PUBLIC KEY BLOCK-----"
# What a key's maker calls himself, and what is shown of it
_OWNERS = [
    (b"SUSE Package Signing Key <build@suse.de>", "SUSE Package Signing Key <build@suse.de>"),
    (b"\x1b[31mred\nnext\0", "[31mrednext"),
    ("gnp\u202eexe \u00e9".encode(), "gnpexe \u00e9"),
    (b"\xff\xc3", "\ufffd\ufffd"),
    (b"x" * 500, "x" * 200),
    (b"-----END PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"),
    (b"", ""),
    (b"\x01\x02", ""),
]


class _Key(NamedTuple):
    body: bytes
    fingerprint: str
    key_id: str


def _random_bytes(chance: Chance, count: int) -> bytes:
    return bytes(chance.randrange(256) for _byte in range(count))


def _make_key(chance: Chance) -> _Key:
    """A key's packet and what it is called: RFC 4880, section 12.2, and RFC 9580, section 5.5.4."""
    material = _random_bytes(chance, chance.choice([1, 33, 180, 190, 270, 600]))
    if chance.random() < 0.7:
        body = b"\x04" + _random_bytes(chance, 4) + b"\x01" + material
        digest = hashlib.sha1(b"\x99" + struct.pack(">H", len(body)) + body).hexdigest()
        return _Key(body, digest.upper(), digest[24:])
    body = b"\x06" + _random_bytes(chance, 4) + b"\x1b" + struct.pack(">I", len(material)) + material
    digest = hashlib.sha256(b"\x9b" + struct.pack(">I", len(body)) + body).hexdigest()
    return _Key(body, digest.upper(), digest[:16])


def _wrap(chance: Chance, tag: int, body: bytes) -> bytes:
    """A packet with its length in any of the forms that can hold it (RFC 4880, section 4.2)."""
    size = len(body)
    old, new = bytes([0x80 | tag << 2]), bytes([0xC0 | tag])
    forms = [new + b"\xff" + struct.pack(">I", size) + body]
    forms += [new + bytes([size]) + body] if size < 192 else []
    forms += [new + struct.pack(">H", size - 192 + 0xC000) + body] if 192 <= size < 8384 else []
    if tag < 16:
        forms += [bytes([old[0] | 2]) + struct.pack(">I", size) + body]
        forms += [old + bytes([size]) + body] if size < 256 else []
        forms += [bytes([old[0] | 1]) + struct.pack(">H", size) + body] if size < 65536 else []
    return chance.choice(forms)


def _make_block(chance: Chance) -> Tuple[List[Tuple[int, bytes]], List[Any]]:
    """The packets of some keys, and the keys."""
    packets: List[Tuple[int, bytes]] = []
    value = []
    for _number in range(chance.choice([1, 1, 2])):
        key = _make_key(chance)
        packets.append((6, key.body))
        key_ids, owners = [key.key_id], []
        for kind in chance.sample(["user", "user", "subkey", "subkey", "other", "other"], chance.randrange(6)):
            if kind == "user":
                text, shown = chance.choice(_OWNERS)
                owners += [shown] if text else []
                packets.append((13, text))
            elif kind == "subkey":
                subkey = _make_key(chance)
                key_ids.append(subkey.key_id)
                packets.append((14, subkey.body))
            else:
                # Signature, trust, image, and one that nobody knows
                packets.append((chance.choice([2, 12, 17, 60]), _random_bytes(chance, chance.choice([0, 5, 191, 300]))))
        value.append((key.fingerprint, tuple(key_ids), next(iter(owners), "")))
    return packets, value


def _armor(chance: Chance, data: bytes) -> str:
    """RFC 4880, section 6.2, in the ways that it allows; a checksum that is wrong says nothing (RFC 9580, 6.1)."""
    text = base64.b64encode(data).decode()
    width = chance.choice([64, 76, 61, 7])
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    lines += chance.choice([[], ["=AAAA"], ["=" + base64.b64encode(_random_bytes(chance, 3)).decode()]])
    headers = chance.sample(["Version: rpm-4.18.0", "Comment: =\u00e9", "Hash: SHA256"], chance.randrange(3))
    end, space = chance.choice(["\n", "\r\n"]), chance.choice(["", "", " \t"])
    rows = [_MARK.format("BEGIN"), *headers, "", *lines, _MARK.format("END")]
    return "".join(row + space + end for row in rows[:-1]) + rows[-1] + end


def make_public_keys(chance: Chance) -> Case:
    packets, value = _make_block(chance)
    way = chance.randrange(16)
    right = REFUSED if way < 9 else VALUE
    if way == 0:
        # A user ID, a signature or a subkey where a key should be
        packets.insert(0, (chance.choice([13, 2, 14]), b"\x04" + bytes(9)))
    elif way == 1:
        packets.insert(chance.randrange(1, len(packets) + 1), (14, chance.choice([b"", b"\x03", b"\x05", b"\x84"])))
    elif way == 2 and chance.random() < 0.3:
        # Longer than the length in what a fingerprint of version 4 is made of
        packets.append((chance.choice([6, 14]), b"\x04" + bytes(65535)))
    elif way == 2:
        packets.append((6, b"\0" + packets[0][1]))
    data = b"".join(_wrap(chance, tag, body) for tag, body in packets)
    if way == 3:
        last = _wrap(chance, 13, b"somebody else <a@example.com>")
        data += last[: chance.randrange(1, len(last))]
    elif way == 4:
        # Trailing garbage that is no packet
        data += bytes([chance.randrange(0x80)]) + _random_bytes(chance, chance.randrange(9))
    elif way == 9:
        # A packet without its length, which ends with the text
        right, data = REFUSED, data + b"\xb7somebody else"
    elif way == 5:
        data += bytes([0xC0 | chance.choice([6, 13, 14]), chance.randrange(0xE0, 0xFF)]) + bytes(600)
    elif way == 6:
        data += chance.choice(
            [b"\xcd\xff\xff\xff\xff\xff", b"\xcd\xff\0", b"\xb6\x7f\xff\xff\xff", b"\xcd\xc0", b"\xb5\x01"]
        )
    text = _armor(chance, data)
    if way == 7:
        at = text.index("\n\n") + 2 if "\n\n" in text else len(text) - 45
        text = text[:at] + chance.choice(["%", "\u00e9", "\0", "_", "-", "====\n", "a=b=\n"]) + text[at:]
    elif way == 8:
        # One letter less than there were
        packed = base64.b64encode(data).decode().rstrip("=")
        packed = packed[: len(packed) - (len(packed) - 1) % 4] + "\n"
        text = "{}\n\n{}{}\n".format(_MARK.format("BEGIN"), packed, _MARK.format("END"))
    others = [
        chance.choice(["", "what is in between\n", "-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----\n"])
    ]
    for _block in range(chance.randrange(2)):
        more, keys = _make_block(chance)
        others += [_armor(chance, b"".join(_wrap(chance, *packet) for packet in more))]
        value = value + keys
    if way == 15:
        text, value = (
            chance.choice(["", "nothing", _MARK.format("BEGIN"), text[:-40], text.replace("PUBLIC", "PRIVATE")]),
            [],
        )
        others = [""]

    def parse() -> Any:
        try:
            keys = openpgp.parse_public_keys("".join([text, *others]))
            return [(key.fingerprint, key.key_ids, key.owner) for key in keys]
        except ValueError as exc:
            raise Unmeasured(str(exc)) from exc

    return Case("".join([text, *others])[:3000], parse, (right,), value)


def _print_package(fields: Dict[str, str]) -> str:
    return "<package>{}</package>\n".format("".join(f"<{name}>{text}</{name}>" for name, text in fields.items()))


def _print_text(text: str) -> str:
    """As rpm's ``:xml`` prints a string."""
    return f"\t<string>{escape(text, False)}</string>" if text else "\t<string/>"


def make_trusted_keys(chance: Chance) -> Case:
    """Of several keys with one ID none counts, and a damaged one is left out."""
    texts = []
    owners: Dict[str, Set[Tuple[str, str]]] = {}
    for _number in range(chance.randrange(1, 4)):
        seed, subkeys = chance.choice("abcd"), chance.sample("wxyz", chance.randrange(3))
        texts.append(factories.public_key(seed, "Owner <" + seed + "> &amp;", *subkeys))
        if chance.random() < 0.2:
            texts[-1] = texts[-1].replace("\n\n", "\n\n" + chance.choice(["%", "AAAA", "\u00e9"]))
            continue
        for each in (seed, *subkeys):
            owners.setdefault(factories.key_id(each), set()).add((factories.fingerprint(seed), f"Owner <{seed}> &amp;"))
    in_files = chance.random() < 0.3
    fields = [_print_package({"key": _print_text(text)}) for text in texts]
    right, out, error = VALUE, "".join(fields), ""
    way = chance.randrange(8)
    if way == 0:
        right, out = (
            REFUSED,
            chance.choice(
                [
                    out[: chance.randrange(out.rindex("<package>") + 1, len(out) - 10)],
                    out.replace("key>", "kez>"),
                    "&a;" + out,
                ]
            ),
        )
    elif way == 1 and in_files:
        right, error = REFUSED, "error: cannot open Packages database in /var/lib/rpm\n"
    none = Completed(1, "package gpg-pubkey is not installed\n", error)

    def answer(words: str) -> Completed:
        if words == "rpmkeys --export":
            return Completed(0, "\n".join(texts), "")
        return none if in_files else Completed(0, out, "")

    value = {key_id: next(iter(known)) for key_id, known in owners.items() if len(known) == 1}
    right = VALUE if in_files and way == 0 else right
    return Case((out, in_files), lambda: rpm.list_keys(Files({}, answer=answer)), (right,), value)


def make_signer(chance: Chance) -> Case:
    keys = [_make_key(chance) for _number in range(3)]
    trusted = {key.key_id: rpm.Signer(key.fingerprint, "A") for key in keys}
    # Also under what is left of a wrong number of digits
    own = chance.choice(keys)
    digits, right = chance.choice([own.key_id, own.fingerprint]), VALUE
    if chance.random() < 0.4:
        right = UNKNOWN
        longer = own.key_id + chance.choice(["0", "00", "0" * 16, "0" * 23, "0" * 25, "0" * 47, "0" * 49])
        digits = chance.choice([own.key_id[8:], own.key_id[1:], "0" + own.key_id, longer, own.key_id + "g", "x"])
    words = chance.choice(["Key ID ", "key ID ", "Key Fingerprint: ", "Key ID: "])
    text = f"RSA/SHA512, Tue Nov 24 08:20:39 2026, {words}{chance.choice([digits, digits.upper()])}"
    if right == VALUE and chance.random() < 0.2:
        right, text = (
            UNKNOWN,
            chance.choice(["", "(none)", text + " or so", text + ", Key ID 0", text.replace("Key", "")]),
        )
        text = text.replace("key", "")
    value = rpm.Signer(own.fingerprint, "A")
    return Case(text, lambda: rpm.find_signer(text, trusted), (right,), value)


def make_verified(chance: Chance) -> Case:
    """Signatures in a package, of which rpm skips some, damaged by who has made the package."""
    keys = [_make_key(chance) for _number in range(2)]
    trusted = {key.key_id: rpm.Signer(key.fingerprint, "A") for key in keys}
    kinds = chance.choice([["header"], ["legacy"], ["header", "legacy"], ["newest"], ["newest", "header", "legacy"]])
    only_one = chance.random() < 0.6
    made = []
    for kind in kinds + chance.sample(kinds, chance.choice([0, 0, 1])):
        key = keys[0] if only_one else chance.choice(keys)
        made.append((kind, key, chance.random() < (0.05 if only_one else 0.5)))
    # rpm 6 looks at nothing else where there are some of version 6.
    looks_at = [one for one in made if one[0] == "newest"] if chance.random() < 0.5 else []
    seen = [(kind, key) for kind, key, skipped in looks_at or made if not skipped]
    prefix = {"newest": "openpgp ", "header": "", "legacy": "legacy "}
    tags = "".join(
        f"{prefix[kind]}RSA/SHA512, Tue Nov 24 08:20:39 2026, Key ID {key.key_id}\n" for kind, key, _s in made
    )
    lines = [
        "    {}V4 RSA/SHA512 Signature, key ID {}: OK".format("" if kind == "legacy" else "Header ", key.key_id[8:])
        for kind, key in seen
    ]
    lines += ["    Header SHA256 digest: OK"]
    fields = [f"<{name}><string>x</string></{name}>" for name in ("name", "version", "release", "arch", "vendor")]
    fields += [f"<epoch>0</epoch><signature>{tags}</signature>", "<requires/><provides/><files/><changelog/><digests/>"]
    text = "<package>{}</package>".format("".join(fields))

    def answer(words: str) -> Completed:
        return Completed(0, "\n".join(["/x.rpm:", *lines, ""]), "") if "-Kv" in words else Completed(0, text, "")

    signers = {key.fingerprint for _kind, key, _skipped in made}
    # Whoever is found has made one of them that counts, and no other key has made one.
    right = (VALUE,) if not any(skipped for _kind, _key, skipped in made) else (VALUE, UNKNOWN)
    if len(signers) > 1 or not seen:
        right = (UNKNOWN,)
    return Case(
        (tags, lines),
        lambda: rpm.verify_file(Files({}, answer=answer), "/x.rpm", trusted).signer,
        right,
        rpm.Signer(made[0][1].fingerprint, "A"),
    )


_DIGESTS = [
    "Header SHA1 digest",
    "Header SHA256 digest",
    "Payload SHA256 ALT digest",
    "MD5 digest",
    "Payload SHA3-256 digest",
]
_SIGNATURES = [
    "Header V4 RSA/SHA512 Signature, key ID d5db9429",
    "V3 RSA/SHA256 Signature, key ID 39db7c82",
    "Header DSA signature",
    "Header OpenPGP V4 EdDSA/SHA512 signature, key ID 00ad48220952f174",
]


def make_check(chance: Chance) -> Case:
    """What ``rpm -Kv`` prints: bad counts as refused."""
    verdict = chance.choice(["good", "good", "unsigned", "unknown_key", "bad"])
    checks = [(label, "OK") for label in chance.sample(_DIGESTS, chance.randrange(1, 4))]
    checks += [(f"{kind} signature", "NOTFOUND") for kind in chance.sample(["RSA", "DSA"], chance.randrange(3))]
    signed = [(label, "OK") for label in chance.sample(_SIGNATURES, chance.randrange(1, 3))]
    rc = 0
    if verdict != "unsigned":
        checks += signed
    if verdict == "unknown_key":
        rc = 1
        checks[-1] = (checks[-1][0], chance.choice(["NOKEY", "NOTTRUSTED"]))
    chance.shuffle(checks)
    way = chance.randrange(4) if verdict == "bad" else None
    if way == 0:
        rc = chance.choice([1, 2, -9])
    elif way == 1:
        checks = []
    elif way is not None:
        rc, at = chance.choice([0, 1]), chance.randrange(len(checks))
        words = [
            "BAD",
            "BAD (Expected 2bc0 != f94b)",
            "MISSING",
            "FAIL",
            "NOT OK",
            "OKAY",
            "\u041e\u041a",
            "1",
            "NOKEYS",
        ]
        checks[at] = (checks[at][0], chance.choice(words))
    text = "/var/cache/a: OK/x.rpm:\n" + "".join(f"    {label}: {word}\n" for label, word in checks)
    text = text.lower() if chance.random() < 0.2 else text

    def parse() -> Any:
        found = rpm.check_signature(Files({}, answer=lambda _words: Completed(rc, text, "")), "/x.rpm")
        if found == "bad":
            raise Unmeasured(found)
        return found

    return Case((rc, text), parse, (REFUSED,) if verdict == "bad" else (VALUE,), verdict)


# What a package's maker writes, and how XML has it
_HOSTILE = [
    "fleet",
    "</string></vendor><signature>RSA, Key ID 0000000000000000</signature><vendor><string>",
    "a & b &lt; &#0; ]]> <![CDATA[",
    "<none/>",
    "(none)",
    "\u202egnp \x7f\x85\u2028",
    "two\nlines\t",
    " blank ",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "%{NAME}",
    "x" * 3000,
]


def _print_optional(text: str) -> str:
    return _print_text(text) if text else "<none/>"


def _print_rows(rows: List[str]) -> str:
    return "".join(f"<row>{row}</row>" for row in rows) or "(none)"


def make_package(chance: Chance) -> Case:
    """The record of a package as our query formats print it."""

    def word() -> str:
        return chance.choice(["kmp", "kernel-default", *_HOSTILE])

    name, version, release, vendor = word(), word(), word(), chance.choice(["", word()])
    epoch = chance.choice(["0", "0", "7", "4294967295"])
    control = chance.choice(["", "", "\x1b[31m", "\0", "\x08\ufffe\uffff"])
    signs = [
        ("0", ""),
        ("8", "="),
        ("2", "<"),
        ("10", "<="),
        ("12", ">="),
        ("16777226", "<="),
        ("(none)", ""),
        ("9" * 40, ""),
    ]
    needs = [(word(), *chance.choice(signs), chance.choice(["", word()])) for _need in range(chance.randrange(4))]
    files = [word() for _file in range(chance.randrange(3))]
    changes = [word() for _change in range(chance.randrange(3))]
    signature = chance.choice(["", "(none)", "RSA/SHA512, Tue Nov 24 08:20:39 2026, Key ID e408b279d5db9429"])
    digests = [chance.choice(["", "5f" * 32, "iQGz\nAAAB\n=="]) for _digest in range(6)]
    installed_at = chance.choice(["1795593600", "", "(none)", "-1", "9" * 40])
    fields = {
        "name": _print_text(name),
        "epoch": epoch,
        "version": _print_text(version),
        "release": _print_text(release),
        "arch": _print_text("x86_64"),
        "vendor": _print_optional(vendor + control),
        "signature": signature,
        "requires": _print_rows(
            [f"{_print_text(need[0])}<flags>{need[1]}</flags>{_print_text(need[3])}" for need in needs]
        ),
        "provides": "(none)",
        "files": _print_rows([_print_text(file) for file in files]),
        "changelog": _print_rows([_print_text(change) for change in changes]),
        "digests": "".join(f"\t<base64>{digest}</base64>" if digest else "<none/>" for digest in digests),
    }
    shown = "".join("\ufffd" for letter in control if letter not in "[31m") + ("[31m" if "[" in control else "")
    evr = f"{version}-{release}" if epoch == "0" else f"{epoch}:{version}-{release}"
    value: Any = (
        (name, evr, "x86_64"),
        (vendor + shown) or None,
        signature if "Key" in signature else None,
        [(need[0], need[2], need[3]) for need in needs],
        files,
        "\n".join(changes),
        [],
        tuple("".join(digest.split()) for digest in digests),
        int(installed_at) if len(installed_at) == 10 else None,
    )
    # A record without it is one all the same: when that was is unknown then.
    time = f"<installed_at>{installed_at}</installed_at>" if installed_at else ""
    right, record = VALUE, _print_package(fields).replace("</package>", time + "</package>")
    text = record * chance.choice([1, 1, 2])
    number = text.count("<package>")
    way = chance.randrange(12)
    if way == 0:
        right, text = REFUSED, text[: chance.randrange(len(text) - len("/package>\n"))] if number == 1 else text[:-12]
    elif way == 1:
        right, field = REFUSED, chance.choice(sorted(fields))
        text = text.replace(f"<{field}>", "<other>").replace(f"</{field}>", "</other>")
    elif way == 2:
        right, text = REFUSED, chance.choice(["", "x", "<html/>", "error: a", "<package>", "</rpm><rpm>" + text])
    elif way == 3:
        bad = ["&b;", "&#0;", "&#xd800;", "<", "<!DOCTYPE a>", "<a b=c/>", "<?xml version='1.0'?>", "<a>" * 9000]
        right, text = REFUSED, chance.choice(bad) + text
    elif way == 4:
        right, text = REFUSED, text + chance.choice(["<packages/>", "<a>" * 3000 + "</a>" * 3000])
    elif way == 5:
        text = "warning: waiting for transaction lock\n" + text + "\nwarning: x\n"

    def parse() -> Any:
        found = rpm.list_installed(Files({}, answer=lambda _words: Completed(0, text, "")), "kmp")
        return [tuple(content) for content in found]

    return Case(text[:2000], parse, (right,), [value] * number)


GENERATORS: Dict[str, Callable[[Chance], Case]] = {
    "public keys": make_public_keys,
    "trusted keys": make_trusted_keys,
    "signers": make_signer,
    "signature checks": make_check,
    "verified files": make_verified,
    "packages": make_package,
}
