# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How new repositories are, what was remembered of them, and until when a kernel is patched. Python 3.6."""

import json
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import freshness, lifecycle, port
from tests.support.generators.case import NO_XML, NOW, REFUSED, VALUE, Case, Chance, Files, cut, pack

_KMP = "kernel-livepatch-6_1_0-56-default"
_LAB = port.Metadata("lab", "/r")
# What a time stamp may be, and the seconds that it stands for
_STAMPS: List[Tuple[str, Optional[int]]] = [
    ("1796053783", 1796053783),
    ("1796053783.25", 1796053783),
    (" \n1796053784 ", 1796053784),
    ("&#49;79605<!-- 9 -->3785", 1796053785),
    ("<![CDATA[1796053786]]>", 1796053786),
    ("0", 0),
    ("999999999999", 999999999999),
    ("9" * 13, None),
    ("9" * 5000, None),
    ("-5", None),
    ("1e9", None),
    ("0x10", None),
    ("\u0661\u0667", None),
    ("1 2", None),
    ("", None),
]
_REVISIONS = [
    ("1796053783", "1796053783"),
    ("8.10", "8.10"),
    ("", ""),
    (" 17\n", "17"),
    ("1<!-- x -->2&#51;", "123"),
    ("<![CDATA[a&b]]>", "a&b"),
    ("a\u202e\u0085b", "ab"),
    ("9" * 300, "9" * 100),
    ("\u00e9", "\u00e9"),
]
# Where an index may say that a file is, and where it is looked for: nowhere but in the repository's folder
_PLACES = [
    ("repodata/s.xml.gz", "/r/repodata/s.xml.gz"),
    ("repodata/./x/../s.xml.gz", "/r/repodata/s.xml.gz"),
    ("../../s.xml", "/r/s.xml"),
    ("/etc/s.xml", "/r/etc/s.xml"),
    ("//etc/s.xml", "/r/etc/s.xml"),
    ("/../etc/s.xml", "/r/etc/s.xml"),
    ("///etc/s.xml", "/r/etc/s.xml"),
]
_ELSEWHERE = ("/etc/s.xml", "/s.xml", "/repodata/s.xml.gz")


def _encode(chance: Chance, text: str) -> bytes:
    """The same document in other words."""
    way = chance.randrange(6)
    if way == 0:
        return text.encode("utf-16")
    if way == 1:
        latin = "".join(letter if ord(letter) < 256 else f"&#{ord(letter)};" for letter in text)
        return ("<?xml version='1.0' encoding='ISO-8859-1'?>" + latin).encode("latin-1")
    if way == 2:
        return b"\xef\xbb\xbf" + text.encode()
    if way == 3:
        return (
            "<?xml version='1.0' encoding=\"UTF-8\"?><!-- <revision>1</revision> -->\n" + text + "<?a b?>\n"
        ).encode()
    return text.encode()


def _spoil(chance: Chance, text: str, root: str) -> bytes:
    """What is no document any more, or declares what a repository has no reason to."""
    inside = [*NO_XML, "<a/"]
    ways: List[Any] = [
        cut(chance, text.encode(), 1),
        text.replace(f"<{root}>", f"<{root}>" + chance.choice(inside)).encode(),
        (chance.choice([f"<!DOCTYPE {root}>", f"<!DOCTYPE {root} [<!ENTITY a '1'>]>"]) + text).encode(),
        (chance.choice(["x", text, "<?xml?>"]) + text).encode(),
        (text + chance.choice(["x", "<a/>", "\0", text])).encode(),
        text.replace(f"<{root}>", f"<{root}>\u00e9").encode("latin-1", "replace"),
        "<?xml version='1.0' encoding='{}'?>{}".format(
            chance.choice(["hex", "utf-7", "nonsense", "utf-32", "undefined", "idna", "utf-16", "rot13"]), text
        ).encode(),
        text.encode("utf-16")[:-1],
    ]
    return bytes(chance.choice(ways))


def _look(host: Files, accepted: Any = ()) -> freshness.Checked:
    return freshness.check_repositories(host, [_LAB], [port.Candidate(_KMP, "3-1", "x86_64", "lab")], [_KMP], accepted)


def make_index(chance: Chance) -> Case:
    """What is remembered of a repository that is seen for the first time, and whether it has expired."""
    written, revision = chance.choice(_REVISIONS)
    stamps = [chance.choice(_STAMPS) for _stamp in range(chance.randrange(4))]
    lifetime, seconds = chance.choice([*_STAMPS, ("60", 60)])
    href, place = chance.choice(_PLACES)
    has_file = chance.random() < 0.7
    blocks = [
        f"<data type='k{number}'><checksum>17</checksum><timestamp>{stamp}</timestamp><location href='a'/></data>"
        for number, (stamp, _seconds) in enumerate(stamps)
    ]
    blocks.append(f"<data type=\"suseinfo\"><location href='{href}'/><open-size>9</open-size></data>")
    blocks.append(chance.choice(["", "<a>" * 1000 + "</a>" * 1000, "<tags><content>x</content></tags>", "<data/>"]))
    chance.shuffle(blocks)
    blocks.insert(chance.randrange(len(blocks) + 1), chance.choice(["", f"<revision>{written}</revision>"]))
    text = "<repomd>{}</repomd>".format("".join(blocks))
    revision = revision if "<revision>" in text else ""
    known = [stamp for _written, stamp in stamps if stamp is not None]
    issued = max(known, default=None)
    info = f"<suseinfo><expire>{lifetime}</expire><keywords><k>a</k></keywords></suseinfo>"
    expires = None if issued is None or not seconds or not has_file else issued + seconds
    stale = expires is not None and expires < NOW
    way = chance.randrange(10)
    right = VALUE
    data, packed = _encode(chance, text), pack(chance, _encode(chance, info))
    if way in (0, 1):
        right, data = REFUSED, _spoil(chance, text, "repomd")
    elif way == 2 and chance.random() < 0.1:
        right, data = REFUSED, data + b" " * (4 << 20)
    elif way == 3 and has_file and issued is not None:
        right, packed = REFUSED, pack(chance, _spoil(chance, info, "suseinfo"))
    elif way == 4 and has_file and issued is not None:
        right, packed = REFUSED, packed[: len(packed) // 2]
    files = dict.fromkeys(_ELSEWHERE, b"<suseinfo><expire>1</expire></suseinfo>")
    files["/r/repodata/repomd.xml"] = data
    if has_file:
        files[place] = packed

    def parse() -> Any:
        host = Files(files)
        checked = _look(host)
        entry = json.loads(files.get(freshness.PATH, b"{}").decode()).get("repositories", {}).get("lab")
        return entry and (entry["revision"], entry["issued"]), "expired at" in (checked.problem or ""), checked.age

    value = None if stale else (revision, issued), stale, None if issued is None else max(0, NOW - issued)
    return Case((data[:1500], href, packed[:200], has_file), parse, (right,), value)


_JSON: List[Any] = [None, True, 7, 1.5, "", "x", [], [1], {}, {"a": 1}, {"a": "b"}, [[["x"]]], -1, 10**30, [[]] * 9]
_FITS: Dict[str, Callable[[Any], bool]] = {
    "revision": lambda value: isinstance(value, str),
    "issued": lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool)),
    "kmps": lambda value: value in ({}, {"a": "b"}),
    "accepted": lambda value: isinstance(value, list),
}


def make_memory(chance: Chance) -> Case:
    """Whether a repository has gone back, and what is kept of others."""
    now_shown = chance.choice(["17", "1796053783", "8.9"])
    offered = chance.choice(["3-1", "10-1", "1:1-1", "03-1"])
    newer = chance.choice(["18", "1796053784", "9" * 20])
    entry: Dict[str, Any] = {
        "revision": chance.choice([now_shown, "16", "9", "100", "0018", newer, "", "words"]),
        "issued": chance.choice([None, 1, NOW]),
        "kmps": chance.choice([{_KMP: offered}, {_KMP: "2-1", "other": "9-1"}]),
        "accepted": [{"revision": "4", "reason": "x", "at": 5}],
    }
    right, way = VALUE, chance.randrange(10)
    text = None
    if way in (0, 1, 2):
        key = chance.choice(sorted(entry))
        entry[key] = chance.choice(_JSON)
        right = VALUE if _FITS[key](entry[key]) else REFUSED
    elif way == 3:
        right = REFUSED
        del entry[chance.choice(sorted(entry))]
    document: Any = {"schema": 1, "repositories": {"lab": entry, "other \u00e9": dict(entry)}}
    if way == 4:
        right, document["schema"] = REFUSED, chance.choice([None, 0, 2, "1", [1], {}])
    elif way == 5:
        right, document["repositories"] = (
            REFUSED,
            chance.choice([None, [], 1, "x", {"lab": None}, {"lab": []}, {"lab": "x"}]),
        )
    elif way == 6:
        whole = json.dumps(document)
        bad = chance.choice(["NaN", "-Infinity", "[" * 100000, "{", "nul", '"\\ud8', "'x'", "[1,]"])
        right, text = (
            REFUSED,
            chance.choice([cut(chance, whole.encode()).decode(), whole + "x", whole[:-1] + f', "a": {bad}}}']),
        )
        if bad in ("NaN", "-Infinity") and text.endswith(bad + "}"):
            text = re.sub(r'"issued": \w+', '"issued": ' + bad, whole)
    data = (json.dumps(document, sort_keys=True) if text is None else text).encode()
    files = {
        freshness.PATH: data,
        "/r/repodata/repomd.xml": f"<repomd><revision>{now_shown}</revision></repomd>".encode(),
    }
    # The index has no time stamp, so that words have no order.
    revisions = [
        revision for revision in (entry.get("revision"), now_shown) if re.match(r"[0-9]{1,20}\Z", str(revision))
    ]
    back = len(revisions) == 2 and int(str(revisions[0])) > int(str(revisions[1]))
    kmps = entry["kmps"] if isinstance(entry.get("kmps"), dict) else {}
    lost = kmps.get(_KMP) in ("10-1", "1:1-1")
    # What has no KMP for the running kernel is looked at all the same, since it offers one now.
    value = back or lost, sorted(document["repositories"].get("other \u00e9", {}).items()) if right == VALUE else None

    def parse() -> Any:
        checked = _look(Files(files))
        kept = json.loads(files[freshness.PATH].decode())["repositories"]["other \u00e9"]
        return checked.problem is not None, sorted(kept.items())

    return Case((data[:1500], now_shown), parse, (right,), value)


_DAYS = [
    "2026-12-31",
    "2026/12/31",
    "20261231",
    "31 Dec 2026",
    "31 December 2026",
    "Dec 31, 2026",
    "December 31 2026",
    "2026-12-31T12:00:00Z",
    "2026-12-31 12:00 +0100",
]
_NO_DAYS = [
    "2026-13-31",
    "2026-02-30",
    "26-12-31",
    "2026-12-3",
    "2026-12/31",
    "31 Foo 2026",
    "31 \u0662\u0660\u0662\u0666",
    "31 Dec \u0662\u0660\u0662\u0666",
    "\u0662\u0660\u0662\u0666-\u0661\u0662-31",
    "0000-01-01",
    "1e9",
    "9" * 5000,
    "tomorrow",
    "2026-12-31 or so",
    "2026-12-31T12",
]


def make_lifecycle(chance: Chance) -> Case:
    """The last line that fits counts."""
    names = [_KMP, "kernel-livepatch-*", "*-6_1_0-*", "/^kernel-livepatch-6_1/", "/default$/", f'"{_KMP}"', "*"]
    others = [
        "bash",
        "kernel-livepatch-6_1_0-5",
        "/^livepatch/",
        "kernel-livepatch-6_1_0-56-default-x",
        "/(/",
        "//",
        "/\\/",
    ]
    versions, no_versions = ["*", "3-1", "3-*", "*-1"], ["4-1", "3", "3-1.1", "-"]
    rows, right, day = [], REFUSED, ""
    for _row in range(chance.randrange(1, 6)):
        name, version, date = chance.choice(names), chance.choice(versions), chance.choice(_DAYS)
        quoted = '"' + date + '"' if "," in date else date
        fits = True
        if chance.random() < 0.4:
            fits = False
            name, version = chance.choice([(name, chance.choice(no_versions)), (chance.choice(others), version)])
        elif chance.random() < 0.2:
            date = quoted = chance.choice(_NO_DAYS)
        forms = ["{}, {}, {}", "{},{},{}", "{},  {},{},"] + ([] if name[0] == '"' else [" {} ,{}, {}, 2027-01-01"])
        rows.append(chance.choice(forms).format(name, version, quoted))
        if fits:
            right, day = (VALUE, "2026-12-31") if date in _DAYS else (REFUSED, "")
        if chance.random() < 0.2:
            rows.append(
                chance.choice(["", "# a comment, *, 2020-01-01", "# a\u2028*, *, 2020-01-01", "  #x\f*, *, x", " \t"])
            )
    if chance.random() < 0.1:
        right = REFUSED
        rows.insert(
            chance.randrange(len(rows)), chance.choice([_KMP, _KMP + ", *", '"x, *, 2026-12-31', 'a"b, "c"d, e'])
        )
    text = chance.choice(["\n", "\r\n"]).join(rows).encode()
    files = {"/usr/share/lifecycle/data/a.lifecycle": text, "/usr/share/lifecycle/data/b.txt": b"*, *, 2020-01-01"}
    return Case(text[:900], lambda: lifecycle.find_last_day(Files(files), _KMP, "3-1"), (right,), day)


GENERATORS: Dict[str, Callable[[Chance], Case]] = {
    "indexes": make_index,
    "remembered repositories": make_memory,
    "lifecycles": make_lifecycle,
}
