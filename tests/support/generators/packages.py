# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions, what is in packages and initrds, and what repositories say of them. Python 3.6."""

import struct
from html import escape
from typing import Any, Dict, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import initrd
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import (
    advisories,
    module_file,
    payload,
    port,
    repo_files,
)
from tests.support import factories
from tests.support.generators.case import (
    REFUSED,
    UNKNOWN,
    VALUE,
    Case,
    Chance,
    Files,
    cut,
    nonsense,
    pack,
)


def make_versions(chance: Chance) -> Case:
    """A version, and one of which a single rule says where it comes."""
    digits = "".join(chance.choice("123456789") for _digit in range(9)) * chance.choice([1, 1, 2, 3, 600])
    digits = digits[: chance.choice([1, 2, len(digits)])]
    words = [digits, *(chance.choice(["1", "42", "el", "a", "git"]) for _word in range(chance.randrange(3)))]
    base = chance.choice(".-_+").join(words).replace("-", "_")
    other, sign = chance.choice(
        [
            (base, 0),
            ("000" + base, 0),
            (base + "...", 0),
            (base + ".0", -1),
            (base + "a" if base[-1].isdigit() else base + ".1", -1),
            (base + "^1", -1),
            (base + "~1", 1),
            ("1" + digits + base[len(digits) :], -1),
            (digits[:-1] + "0" + base[len(digits) :], 1),
            ("x" + base, 1),
        ]
    )
    epoch, more = chance.choice([("", 0), ("0:", 0), ("7:", 1), ("9" * 5000 + ":", 1)])
    own, wanted = chance.choice(["", "0:", ":"]) + base + "-1", epoch + other + "-1"
    expected = -1 if more else sign

    def parse() -> Any:
        difference, back = _evr.compare(own, wanted), _evr.compare(wanted, own)
        return (difference > 0) - (difference < 0), (back > 0) - (back < 0)

    return Case((own[:80], wanted[:80]), parse, (VALUE,), (expected, -expected))


def make_level(chance: Chance) -> Case:
    digits = chance.choice([str(chance.randrange(10**9)), str(chance.randrange(200)), "1" * chance.randrange(10, 5000)])
    name = chance.choice(["kernel-livepatch-6_1_0-56-default", "kpatch-patch-4_18_0-305"])
    evr = f"1-{digits}.el8" if name.startswith("kpatch") else f"{digits}-150400.2.1"
    if chance.random() < 0.2:
        return Case(evr, lambda: _kmp_names.parse_level(name, "x" + evr.replace("-", "-x")), (UNKNOWN,))
    if len(digits) > 9:
        return Case(evr[:80], lambda: _kmp_names.parse_level(name, evr), (UNKNOWN,))
    return Case(evr, lambda: _kmp_names.parse_level(name, evr), (VALUE,), int(digits))


def make_module(chance: Chance) -> Case:
    target = chance.choice([factories.RELEASE, "5.14.21-150400.24.103-default"])
    identity = chance.choice([None, "ab" * 20, "0123456789abcdef"])
    signer = chance.choice([None, "Somebody's kernel key"])
    big = chance.random() < 0.3
    data = factories.module(
        target + " SMP mod_unload ", identity, "Y", "big" if big else "little", chance.random() < 0.3
    )
    table = struct.unpack_from(">Q" if big else "<Q", data, 0x28)[0]
    right: Tuple[str, ...] = (VALUE,)
    way = chance.randrange(8)
    if way == 0:
        right, data = (REFUSED,), cut(chance, data) if table > 64 else data[: 64 + chance.randrange(200)]
    elif way == 1:
        right, data = (REFUSED,), data.replace(b"vermagic=", b"vermagik=")
    elif way == 2:
        right, data = (REFUSED,), data[:4] + chance.choice([b"\1", b"\0", b"\xff"]) + data[5:]
    elif way == 3:
        # Of a section: its place or its size, beyond the file
        right, at = (REFUSED,), table + 64 * chance.randrange(1, 4) + chance.choice([0x18, 0x20])
        data = data[:at] + b"\x7f" * 8 + data[at + 8 :]
    elif way == 4:
        right, data = (REFUSED, UNKNOWN), nonsense(chance)
    data = factories.signed(data, signer) if signer and right == (VALUE,) else data
    packed = pack(chance, data)
    if packed != data and right == (VALUE,) and chance.random() < 0.3:
        right, packed = (REFUSED,), packed[: chance.randrange(1, len(packed))]
    value = (identity, target, True, signer is not None, signer)

    def parse() -> Any:
        module = module_file.parse_module(Files({}), packed, "/x.ko")
        return module.build_id, module.target_release, module.livepatch, module.signed, module.signer

    return Case(packed, parse, right, value)


def _archive(chance: Chance) -> Tuple[bytes, Dict[str, bytes]]:
    files = {"/etc/a": b"", "/usr/share/doc/" + "b" * chance.randrange(1, 200): b"b" * chance.randrange(500)}
    wanted = {
        f"/lib/modules/x/livepatch/l{number}.ko": bytes([number]) * chance.randrange(1, 3000)
        for number in range(chance.randrange(3))
    }
    files.update(wanted)
    return factories.cpio(files), wanted


def make_payload(chance: Chance) -> Case:
    data, value = _archive(chance)
    right: Tuple[str, ...] = (VALUE,)
    way = chance.randrange(8)
    if way == 0:
        right, data = (REFUSED,), cut(chance, data, 16)
    elif way == 1:
        right, at = (REFUSED,), chance.choice([6, 54, 94])
        data = (
            data[:at]
            + chance.choice([b"-0000001", b"0x000001", b"1_000000", b" 0000001", b"zzzzzzzz"])
            + data[at + 8 :]
        )
    elif way == 2:
        right, data = (REFUSED,), data[:94] + chance.choice([b"ffffffff", b"00001001"]) + data[102:]
    elif way == 3:
        right, data = (REFUSED,), chance.choice([b"070707", b"070703", b"<html>"]) + data[6:]
    elif way == 4:
        right, data = (REFUSED,), nonsense(chance)
    return Case(data, lambda: payload.extract_files(Files({}, data), "/x.rpm", _kmp_names.is_module), right, value)


def make_initrd(chance: Chance) -> Case:
    first, in_first = _archive(chance)
    second, in_second = _archive(chance)
    packed = pack(chance, second)
    data = first + bytes(4 * chance.randrange(200)) + packed
    right = VALUE
    if chance.random() < 0.3:
        right = REFUSED
        data = first + chance.choice([b"\1" + packed, packed[: len(packed) // 2]])
    value = sorted(path.rpartition("/")[2] for path in [*in_first, *in_second])
    return Case(data, lambda: initrd.list_modules(Files({"/i": data}), "/i"), (right,), value)


def make_advisories(chance: Chance) -> Case:
    updates, value = [], []
    for number in range(chance.randrange(1, 4)):
        name = chance.choice(["kmp", "kmp", "bash"])
        cves = sorted({f"CVE-{chance.randrange(2000, 2030)}-{chance.randrange(1000, 9999)}" for _cve in range(3)})
        severity, rank = chance.choice([("low", "low"), ("Medium", "moderate"), ("dreadful", None), ("", None)])
        issued, day = chance.choice(
            [
                ("1772442000", "2026-03-02"),
                ("2026-03-02T09:00:00Z", "2026-03-02"),
                ("2026-13-41", None),
                ("99999999999", "5138-11-16"),
                ("\u0662\u0660\u0662\u0666-01-01", None),
                ("9" * 5000, None),
            ]
        )
        status = chance.choice(["stable", "retracted"])
        references = "".join(f"<reference type='cve' id='{cve}'/>" for cve in cves)
        evr = ("", "{}-1".format(chance.choice(["3", "9" * 5000])))
        updates.append(
            f"<update status='{status}'><id>A-{number}</id><severity>{severity}</severity><issued date='{issued}'/>"
            f"<title>{escape(chance.choice(['a & b', 'CVE-2020-1', '<x>']))}</title>"
            f"<references>{references}</references>"
            f"<pkglist><collection><package name='{name}' version='{evr[1][:-2]}' release='1'/></collection></pkglist>"
            "</update>"
        )
        if name == "kmp":
            value.append((f"A-{number}", status == "retracted", rank, day, tuple(cves), (("kmp", evr[1]),), "lab"))
    text = "<updates>{}</updates>".format("".join(updates))
    right: Tuple[str, ...] = (VALUE,)
    way = chance.randrange(9)
    if way == 0:
        right, text = (REFUSED,), cut(chance, text.encode(), 1).decode("utf-8", "ignore")
    elif way == 1:
        right, text = (REFUSED,), chance.choice(["<!DOCTYPE updates>", "<!DOCTYPE updates [<!ENTITY a 'a'>]>"]) + text
    elif way == 2:
        right, text = (
            (REFUSED,),
            text.replace("<updates>", "<updates><update><package name='kmp' release='1'/></update>"),
        )
    elif way == 3:
        right, text = (
            (REFUSED,),
            text.replace("<updates>", "<updates>" + chance.choice(["<a>" * 60, "&b;", "\x1b", "</b>"])),
        )
    elif way == 4:
        right, text = (REFUSED,), chance.choice(["<html/>", "", "x", "<repomd/>"])
    path = chance.choice(["repodata/u.xml", "../../u.xml", "/repodata/../u.xml", "repodata/./u.xml"])
    place = "/r/repodata/u.xml" if path.startswith("repodata") else "/r/u.xml"
    packed = pack(chance, text.encode())
    index = f"<repomd><data type='updateinfo'><location href='{path}'/></data></repomd>".encode()
    if right == (VALUE,) and chance.random() < 0.15:
        right, index = (REFUSED,), chance.choice([index[: chance.randrange(len(index))], b"<!DOCTYPE repomd>" + index])
    host = Files({"/r/repodata/repomd.xml": index, place: packed, "/u.xml": b"outside"})
    data = (path, text[:900], index)
    return Case(data, lambda: advisories.read_advisories(host, [port.Metadata("lab", "/r")], {"kmp"}), right, value)


def make_repositories(chance: Chance) -> Case:
    lines, value = [], []
    for number in range(chance.randrange(1, 5)):
        enabled = chance.choice([None, "1", "0", "Yes", "true", "off", "", "9" * 5000, "%(x)s", "\u0661"])
        lines += [f"[r{number}]", "name = x", "baseurl=http://[::1]/$releasever/%(a)s"]
        lines += [] if enabled is None else [f"enabled={enabled}"]
        if enabled in (None, "1", "Yes", "true"):
            value.append(f"r{number}")
    right = VALUE
    way = chance.randrange(6)
    if way == 0:
        right = REFUSED
        lines.insert(0, chance.choice(["name=x", "garbage", "\0", "]"]))
    elif way == 1:
        right = REFUSED
        lines.insert(1, "a line without a value")
    elif way == 2:
        right = REFUSED
        lines += [f"[x{number}]" for number in range(1001)]
    elif way == 3:
        lines += ["", "# a comment", "; another"]
    text = "\n".join(lines).encode()
    host = Files({"/etc/yum.repos.d/a.repo": text, "/etc/yum.repos.d/b.txt": b"garbage"})
    return Case(text[:900], lambda: repo_files.list_enabled(host, "/etc/yum.repos.d"), (right,), value)
