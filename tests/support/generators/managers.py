# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What zypper and dnf print of packages and transactions, and what comes of it. Python 3.6."""

import datetime
from typing import Any, Callable, Dict, List, Optional, Tuple
from xml.sax.saxutils import quoteattr

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    InstallFailed,
    TransactionRefused,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import (
    kernel_provenance,
    port,
    rpm,
    selection,
    transaction_check,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.dnf import Dnf
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.zypper import Zypper
from tests.support.generators.case import NO_XML, REFUSED, VALUE, Case, Chance, Files, cut

_KMP = "kernel-livepatch-6_1_0-56-default"
_NAMES = [_KMP, "kernel-livepatch-6_1_0-57-default", "kgraft-patch-4_4_73-5-default", "kpatch-patch-4_18_0-305"]
_NO_KMPS = ["kernel-livepatch-tools", "kernel-livepatch-6_1_0-56-default-debuginfo", "bash", "a&b<c>\"d' \u00e9"]
_NONE = Completed(1, "package x is not installed\n", "")


def _element(chance: Chance, name: str, attributes: Dict[str, str]) -> str:
    """An element with its attributes in any order, and in any spelling."""
    pairs = list(attributes.items())
    chance.shuffle(pairs)
    words = []
    for key, value in pairs:
        text = quoteattr(value)
        if chance.random() < 0.2:
            text = text.replace("e", chance.choice(["&#101;", "&#x65;"]))
        words.append(f"{key} = {text}" if chance.random() < 0.1 else f"{key}={text}")
    end = chance.choice(["/>", " />", f"></{name}>", f"><description>&lt;x/&gt;</description></{name}>"])
    return "<{}{}{}{}".format(name, chance.choice([" ", "\n\t"]), " ".join(words), end)


def _stream(inner: str) -> str:
    message = '<message type="info">Loading repository data...</message>'
    return f"<?xml version='1.0'?>\n<stream>\n{message}\n{inner}</stream>\n"


def _spoil(chance: Chance, text: str) -> str:
    """What is no XML any more."""
    start = text.index("<stream>") + len("<stream>")
    bad = [*NO_XML, "\ud800"]
    return chance.choice(
        [
            cut(chance, text.encode(), 3).decode("utf-8", "ignore"),
            text[:start] + chance.choice(bad) + text[start:],
            chance.choice(["Warning: x\n", "<a/>", "\0"]) + text,
            text + chance.choice(["x", "<a/>", text]),
            "",
        ]
    )


def make_search(chance: Chance) -> Case:
    """The candidates that ``zypper search`` shows, by the aliases of their repositories."""
    repositories = [
        (chance.choice(["lab", "SLE-Module-Live-Patching", "a & 'b'", "\u00e9"]), alias)
        for alias in ("lab", "other/x", "third")
    ]
    rows, value = [], []
    for _row in range(chance.randrange(5)):
        name = chance.choice(_NAMES + _NO_KMPS)
        evr = chance.choice(["3-150400.2.1", "10-1", "1:1-1", "3-1 x"])
        label = chance.choice(["(System Packages)", "unknown", *(each[0] for each in repositories)])
        shown = {
            "name": name,
            "edition": evr,
            "arch": "x86_64",
            "repository": label,
            "status": "installed",
            "kind": "package",
        }
        rows.append(_element(chance, "solvable", shown))
        aliases: List[Optional[str]] = [alias for known, alias in repositories if known == label] or [label]
        for alias in [None] if label[0] == "(" else aliases:
            found = (name, evr, "x86_64", alias, False)
            if name in _NAMES and found not in value:
                value.append(found)
    listed = [_element(chance, "repo", {"name": name, "alias": alias, "enabled": "1"}) for name, alias in repositories]
    repos = _stream("<repo-list>{}</repo-list>".format("".join(listed)))
    rc, right = 0 if rows else chance.choice([0, 104]), VALUE
    text = _stream("<search-result><solvable-list>{}</solvable-list></search-result>".format("".join(rows)))
    if chance.random() < 0.2:
        text = text.replace("<search-result>", "<a>" * 500 + "<search-result>").replace(
            "</stream>", "</a>" * 500 + "</stream>"
        )
    way = chance.randrange(12)
    if way in (0, 1):
        right, text = REFUSED, _spoil(chance, text)
    elif way == 2 and rows:
        right, missing = REFUSED, chance.choice(["name", "edition", "arch", "repository"])
        text = text.replace(f"{missing}=", f"x{missing}=").replace(f"{missing} =", f"x{missing} =")
    elif way == 3:
        right, rc = REFUSED, chance.choice([1, 4, 6, 7, 100, 106, -9])
    elif way == 4:
        right = REFUSED
        text = text.replace(
            "</stream>",
            "<message type='warning'>Skipping repository 'lab' because of the above error.</message></stream>",
        )
    elif way == 5 and any(row for row in rows if "(" not in row):
        right, repos = (
            REFUSED,
            chance.choice([_spoil(chance, repos), repos.replace("alias", "b"), repos.replace("name", "b")]),
        )

    def answer(words: str) -> Completed:
        return Completed(rc, text, "") if " search " in words else Completed(0, repos, "")

    return Case(
        (rc, text[-2000:], repos),
        lambda: Zypper(Files({}, answer=answer), 1).list_offered("6.1.0-56-default"),
        (right,),
        value,
    )


_PACKAGE = rpm.Package(_KMP, "4-1", "x86_64")
_CANDIDATE = port.Candidate(*_PACKAGE, repository=None)
# Each with what becomes of the transaction that has it: a live patch, or something else
_OWN = ("install", *_PACKAGE)
_HARMLESS = [
    ("install", "kernel-livepatch-tools", "1.2-1", "noarch"),
    ("install", "kpatch", "1:0.9-1", "noarch"),
    ("install", "wanted", "1-1", "x86_64"),
]
_HARMFUL = [
    ("install", "kernel-default", "6.1.0-57", "x86_64"),
    ("install", "wanted-too", "1-1", "x86_64"),
    ("remove", "kernel-livepatch-tools", "1.2-1", "noarch"),
    ("remove", "vital", "1:1-1", "x86_64"),
    ("remove", _KMP, "3-1", "x86_64"),
    ("upgrade", "glibc", "2.36-1", "x86_64"),
    ("downgrade", *_PACKAGE),
    ("reinstall", "wanted", "1-1", "x86_64"),
    ("install", _KMP, "5-1", "x86_64"),
    ("install", _KMP, "4-1", "noarch"),
]


def _choose_steps(chance: Chance) -> Tuple[List[Any], bool]:
    """The steps of a transaction, and whether it installs the KMP and nothing that it must not."""
    steps: List[Any] = [_OWN] if chance.random() < 0.8 else []
    steps += chance.sample(_HARMLESS, chance.randrange(3))
    harmful = chance.sample(_HARMFUL, chance.choice([0, 0, 0, 1, 2]))
    chance.shuffle(steps)
    for step in harmful:
        steps.insert(chance.randrange(len(steps) + 1), step)
    return steps, _OWN in steps and not harmful


def _preview(manager: port.PackageManager) -> Any:
    try:
        steps = manager.preview(_CANDIDATE)
    except InstallFailed as exc:
        raise Unmeasured(str(exc)) from exc
    try:
        transaction_check.check_installation(steps, _PACKAGE, ("wanted",))
    except TransactionRefused:
        return sorted(steps), False
    return sorted(steps), True


def make_summary(chance: Chance) -> Case:
    """What ``zypper install`` would do."""
    steps, allowed = _choose_steps(chance)
    actions = chance.choice([sorted({step[0] for step in steps}), [step[0] for step in steps]])
    groups, left = [], list(steps)
    for action in actions:
        own = [step for step in left if step[0] == action]
        own = own if len(set(actions)) == len(actions) else own[:1]
        for step in own:
            left.remove(step)
        rows = [
            _element(
                chance, "solvable", {"type": "package", "name": name, "edition": evr, "arch": arch, "summary": "a > b"}
            )
            for _action, name, evr, arch in own
        ]
        if chance.random() < 0.1:
            rows.append(
                _element(chance, "solvable", {"type": "pattern", "name": "x", "edition": "1", "arch": "noarch"})
            )
        groups.append("<to-{0}>{1}</to-{0}>".format(action, "".join(rows)))
    if chance.random() < 0.2:
        step = ("change-vendor", "glibc", "2.36-1", "x86_64")
        steps, allowed = [*steps, step], False
        shown = {
            "type": "package",
            "name": step[1],
            "edition": step[2],
            "edition-old": "1",
            "arch": step[3],
            "arch-old": "x",
        }
        groups.append("<to-change-vendor>{}</to-change-vendor>".format(_element(chance, "solvable", shown)))
    half = chance.choice([0, 0, 0, len(groups) // 2])
    summaries = ["".join(groups[:half]), "".join(groups[half:])] if half else ["".join(groups)]
    text = _stream("".join(f"<install-summary packages-to-change='1'>{inner}</install-summary>" for inner in summaries))
    rc, right = chance.choice([0, 0, 102, 103]), VALUE
    way = chance.randrange(10)
    if way in (0, 1):
        right, text = REFUSED, _spoil(chance, text)
    elif way == 2 and steps:
        right, missing = REFUSED, chance.choice(["name", "edition", "arch"])
        text = text.replace(f" {missing}=", f" x{missing}=").replace(f"{missing} =", f"x{missing} =")
        text = text.replace(f"\t{missing}=", f"\tx{missing}=")
    elif way == 3:
        right, rc = REFUSED, chance.choice([1, 4, 8, 104, 106, -9])
    elif way == 4:
        text, steps, allowed = _stream("<message type='info'>Nothing to do.</message>"), [], False
    elif way == 5:
        text = text.replace("<install-summary", "<message>to-remove</message><install-summary", 1)
    host = Files({}, answer=lambda _words: Completed(rc, text, ""))
    return Case((rc, text), lambda: _preview(Zypper(host, 1)), (right,), (sorted(steps), allowed))


_HEADINGS = {
    "install": ["Installing", "Installing dependencies", "Installing weak dependencies"],
    "upgrade": ["Upgrading"],
    "downgrade": ["Downgrading"],
    "reinstall": ["Reinstalling"],
    "remove": ["Removing", "Removing dependent packages", "Removing unused dependencies"],
}


def make_table(chance: Chance) -> Case:
    """What ``dnf install`` would do."""
    steps, allowed = _choose_steps(chance)
    rows: List[str] = []
    for action, name, evr, arch in steps:
        rows.append(chance.choice(_HEADINGS[action]) + ":")
        columns = [f" {name}", arch, evr, chance.choice(["lab", "@System", "@lab"]), "93 k"]
        line = columns[0]
        for column in columns[1:]:
            line += chance.choice(["  ", "  ", "   ", "\n" + " " * chance.choice([2, 20, 40])]) + column
        rows += line.split("\n")
        if action == "install" and chance.random() < 0.1:
            rows.append("     replacing  lab-tool.noarch 1-1")
            steps, allowed = [*steps, ("remove", "lab-tool", "1-1", "noarch")], False
    if chance.random() < 0.15:
        heading = chance.choice(["Skipping packages with conflicts", "Something new"])
        rows += [heading + ":", " odd  noarch  1-1  lab  1 k"]
        steps, allowed = [*steps, (heading.lower(), "odd", "1-1", "noarch")], False
    right, out, error = (
        VALUE,
        "Dependencies resolved.\n====\n Package  Architecture  Version  Repository  Size\n====\n",
        "",
    )
    way = chance.randrange(8)
    if way == 0 and steps:
        right = REFUSED
        rows += ["Removing:", chance.choice([" vital", " vital noarch", " vital\n noarch 1-1"])]
    end = "\nTransaction Summary\n====\nInstall  1 Package\n\nOperation aborted.\n"
    text = out + "\n".join(rows) + "\n" + end
    if way == 1:
        right, error = REFUSED, "Error: Unable to find a match"
        text = chance.choice(["", text[: -len(end)], text.replace("Transaction Summary", "Summary"), "\0" * 99])
    elif way == 2:
        text, steps, allowed = "Dependencies resolved.\nNothing to do.\nComplete!\n", [], False
    host = Files({}, answer=lambda _words: Completed(1, text, error))
    return Case(text, lambda: _preview(Dnf(host, 1)), (right,), (sorted(steps), allowed))


def make_query(chance: Chance) -> Case:
    """The packages that ``dnf repoquery`` prints, and those that are tagged for a kernel's build."""
    records, offered, tagged = [], [], set()
    for number in range(chance.randrange(1, 5)):
        name, version = chance.choice(_NAMES + _NO_KMPS[:3]), chance.choice(["3-1", f"{number}-150400.2.1", "1~rc-1"])
        epoch, prefix = chance.choice([("0", ""), ("", ""), ("(none)", ""), ("7", "7:")])
        tag, fits = chance.choice(
            [
                ("livepatch-target(build-id) = 3b43", True),
                ("  livepatch-target(build-id) = 3b43\t", True),
                ("livepatch-target(build-id) = 3b43a", False),
                ("livepatch-target(build-id) >= 3b43", False),
                ("livepatch-target(build-id)", False),
                ("x livepatch-target(build-id) = 3b43", False),
                ("", False),
            ]
        )
        provides = [tag, f"{name} = {version}", chance.choice(["\u00e9", "", "a\x1b[31m", "x" * 900])]
        chance.shuffle(provides)
        records.append("\x1f".join([name, epoch, version, "x86_64", f"r{number}", "\n".join(provides)]))
        if name in _NAMES:
            offered.append((name, prefix + version, "x86_64", f"r{number}", False))
            if fits:
                tagged.add(offered[-1][:4])
    between = chance.choice(["\n", "", "\n\n"])
    text, rc, right = "".join(record + "\x1e" + between for record in records), 0, VALUE
    way = chance.randrange(10)
    if way == 0:
        # Within the last record
        right, text = REFUSED, text[: text.rindex(records[-1]) + chance.randrange(1, len(records[-1]))]
    elif way == 1:
        right, text = REFUSED, text.replace("\x1f", chance.choice(["", "\x1f\x1f", " "]), 1)
    elif way == 2:
        # As a plugin prints it
        text = chance.choice(["Updating Subscription Management repositories.\n", "a\n\nb:\n", "\n"]) + text
    elif way == 3:
        right = REFUSED
        text += chance.choice(["x", "Error: a\n", "\0", "<html>", text[:-2]])
        text = text.rstrip("\x1e\n")
    elif way == 4:
        right, rc = REFUSED, chance.choice([1, 100, -9])
    elif way == 5:
        text, offered, tagged = chance.choice(["", "\n"]), [], set()

    def answer(words: str) -> Completed:
        return _NONE if words.startswith("rpm ") else Completed(rc, text, "")

    def parse() -> Any:
        manager = Dnf(Files({}, answer=answer), 1)
        return manager.list_offered("6.1.0-56-default"), manager.list_targeting("3b43")

    return Case((rc, text), parse, (right,), (offered, tagged))


_LETTERS = "aZ09._+~^%{}"


def make_candidate(chance: Chance) -> Case:
    """Whether a package can have this version: one that cannot counts as refused."""

    def word(count: int) -> str:
        return "".join(chance.choice(_LETTERS) for _letter in range(count))

    evr = (
        chance.choice(["", "0:", "7:", "4294967295:"])
        + word(chance.choice([1, 3, 90]))
        + "-"
        + word(chance.choice([1, 3, 90]))
    )
    right = VALUE
    if chance.random() < 0.5:
        right = REFUSED
        at = chance.randrange(len(evr) + 1)
        odd = [
            "\n",
            " ",
            "\0",
            "/",
            "\u0663",
            "\u00b2",
            "\u202e",
            "-",
            ":",
            "\x1b",
            "'",
            "$(x)",
            "a" * 201,
            "1" * 5000,
            "\ud800",
        ]
        evr = chance.choice(
            [
                evr[:at] + chance.choice(odd) + evr[at:],
                evr.replace("-", ""),
                "",
                "-",
                evr + "-",
                "-" + evr,
                evr + "\n",
                "x:" + evr,
            ]
        )
    signer = kernel_provenance.Origin(None, ["x"], None, None, [])
    kernel = selection.Kernel("6.1.0-56-default", "default", "x86_64", "3b43", [_KMP], signer)
    known = selection.KnownCandidate(port.Candidate(_KMP, evr, "x86_64", "lab"), "this")

    def parse() -> Any:
        made = selection.select_kmp(kernel, [known], Policy("never", 1, 1), datetime.date(2026, 12, 31), None)
        if made.selected is not None:
            return made.selected.candidate.evr
        raise Unmeasured(made.rejected[0]["code"])

    return Case(evr[:300], parse, (right,), evr)


GENERATORS: Dict[str, Callable[[Chance], Case]] = {
    "zypper search": make_search,
    "zypper install": make_summary,
    "dnf install": make_table,
    "dnf repoquery": make_query,
    "candidates": make_candidate,
}
