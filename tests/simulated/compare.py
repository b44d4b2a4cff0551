# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same calls of modules on two hosts, and where their answers differ: how a simulated host is checked against a lab
host.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence

# What is called, one after the other, with its options. All of it is possible on each host that starts unpatched.
SCRIPT: tuple[tuple[str, Mapping[str, t.Any]], ...] = (
    ("livepatch_info", {"refresh": "never"}),
    ("livepatch", {"level": 1}),
    ("livepatch", {}),
    ("livepatch", {}),
    ("livepatch", {"level": 2}),
    ("livepatch", {"level": 2, "allow_downgrade": True}),
    ("livepatch_info", {"refresh": "never"}),
    ("livepatch", {"state": "previous"}),
    ("livepatch", {"state": "absent"}),
    ("livepatch", {"state": "absent", "allow_unsupported": True}),
    ("livepatch", {"state": "absent", "allow_unsupported": True}),
    ("livepatch_info", {"refresh": "never"}),
)
# What is compared of an answer. The rest tells of a machine, a moment, or of how a package was built.
_COMPARED = (
    "changed",
    "msg",
    "before",
    "after",
    "kmp.installed.evr",
    "kmp.selected.evr",
    "kmp.match.basis",
    "livepatch.state",
    "livepatch.level",
    "livepatch.compliance.wanted",
    "livepatch.compliance.up_to_date",
    "livepatch.patches.name",
    "livepatch.patches.enabled",
    "livepatch.patches.transition",
    "livepatch.transition",
    "livepatch.blockers",
    "livepatch.journal.phase",
    "livepatch.journal.kmp",
    "livepatch.journal.previous",
)
# Build IDs and runs, releases (with the dots that names of packages do not have), and seconds
_MADE = (
    (re.compile(r"\b[0-9a-f]{32,40}\b"), "<id>"),
    (re.compile(r"\b\d+[._]\d+[._]\d+[-+][0-9a-z+~_.-]+?-cloud-amd64\b"), "<release>"),
    (re.compile(r"\b\d+(\.\d+)? s\b"), "<seconds>"),
)


def told(answer: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What is to be the same of an answer on any host; keys that it does not have are None."""
    return {key: _plain(_at(answer, key.split("."))) for key in _COMPARED}


def differences(ours: Sequence[Mapping[str, t.Any]], theirs: Sequence[Mapping[str, t.Any]]) -> list[str]:
    """A line for each thing that differs between the answers of two hosts to the calls of the script."""
    found = []
    for number, ((module, options), one, other) in enumerate(zip(SCRIPT, ours, theirs, strict=True), 1):
        left, right = told(one), told(other)
        call = f"{number}. {module} {dict(options)}"
        found += [f"{call}: {key}: {left[key]!r}, {right[key]!r}" for key in _COMPARED if left[key] != right[key]]
    return found


def _at(value: t.Any, keys: list[str]) -> t.Any:
    if not keys:
        return value
    if isinstance(value, list):
        return [_at(each, keys) for each in value]
    return _at(value.get(keys[0]), keys[1:]) if isinstance(value, Mapping) else None


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        for pattern, word in _MADE:
            value = pattern.sub(word, value)
    return value
