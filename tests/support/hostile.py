# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of hosts that lie: honest ones in which one value is another, and what has to become of each.

What has to become of it is not asked of the parser: a table here says of each key what it is, and an oracle of its own
whether a value can be that.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import math
import operator
import re
import typing as t
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence

# Keys of mappings, and numbers of items in lists
Path = tuple[t.Any, ...]
# The place in a document where raw JSON is put
_PLACE = "@@place@@"
_HUGE = 10_000_000
_DEEP = 100_000

# Raw JSON by a name; many are no JSON of the standard, and Python's json takes some of these.
VALUES: dict[str, str] = {
    "null": "null",
    "true": "true",
    "false": "false",
    "zero": "0",
    "negative": "-1",
    "one": "1",
    "fraction": "1.5",
    "large": "1" + "0" * 25,
    "endless": "1" + "0" * 5000,
    "nan": "NaN",
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "overflow": "1e999",
    "empty text": '""',
    "text": '"never"',
    "10 MB": f'"{"x" * _HUGE}"',
    "escape": r'"\u001b[2J\u001b]0;owned\u0007 3 hosts: 3 patched"',
    "lines": r'"fine\n3 hosts: 3 patched\r\n\tok"',
    "override": r'"\u202egnp.exe"',
    "surrogate": r'"\ud800"',
    "jinja": "\"{{ lookup('ansible.builtin.pipe', 'touch /tmp/fleet.livepatch-owned') }}\"",
    "block": '"{% for x in [1] %}{{ x }}{% endfor %}"',
    "literal": "\"{'ansible_facts': 1}\"",
    "truth": '"True"',
    "html": '"</script><script>alert(1)</script>"',
    "formula": '"=HYPERLINK(\\"http://192.0.2.1\\")"',
    "path": '"../../../../etc/passwd"',
    "shell": '"x; touch /tmp/fleet.livepatch-owned"',
    "empty list": "[]",
    "list": '["x", null]',
    "empty mapping": "{}",
    "mapping": '{"x": {"y": 1}}',
    "deep list": "[" * _DEEP + "]" * _DEEP,
    "deep mapping": '{"x":' * _DEEP + "1" + "}" * _DEEP,
    "unsafe": '{"__ansible_unsafe": "x"}',
    "tagged": '{"__ansible_type": "_TaggedStr", "value": "x", "tags": []}',
}

# Those that take long
HEAVY = ("10 MB", "deep list", "deep mapping")
# Keys by which a result controls ansible-core, or looks as if it came from there
CONTROL: dict[str, str] = {
    "ansible_facts": '{"livepatch_health_checks": {"commands": ["touch /tmp/fleet.livepatch-owned"]}}',
    "ansible_stats": '{"data": {"ansible_ssh_common_args": "-o ProxyCommand=touch"}, "aggregate": true}',
    "add_host": '{"host_name": "a1", "host_vars": {"ansible_host": "192.0.2.1"}}',
    "add_group": '"all"',
    "skipped": "true",
    "unreachable": "true",
    "results": '[{"failed": true}]',
    "rc": "5",
    "attempts": "99",
    "retries": "99",
    "notify": '["all"]',
    "finished": "true",
    "started": "true",
    "ansible_job_id": '"j1.1"',
    "results_file": '"/tmp/fleet.livepatch-owned"',
    "include": '"/tmp/fleet.livepatch-owned.yml"',
    "ansible_delegated_vars": '{"a1": {}}',
    "ansible_loop_var": '"__livepatch_member"',
    "__livepatch_member": '{"host": "a1"}',
    "item": '"a1"',
    "problem": '"a1 is down"',
    "halted": "true",
    "run": '"another"',
    "stdout": '"x"',
    "stderr": '"x"',
}
# The same, which modules may return and of which nothing is kept
DROPPED: dict[str, str] = {
    "invocation": '{"module_args": {}}',
    "exception": '"Traceback of a1"',
    "deprecations": '[{"msg": "a1 is deprecated", "version": "9"}]',
    "diff": '[{"before": "a1", "after": "a1"}]',
    "_ansible_no_log": "true",
    "_ansible_verbose_always": "true",
    "_ansible_delegated_vars": '{"a1": {}}',
    "_ansible_item_label": '"a1"',
}


class Value(t.NamedTuple):
    """What a key holds.

    :ivar kind: the name of one of `_KINDS`.
    """

    kind: str
    optional: bool = False
    # It may be missing
    absent: bool = False


_TEXT, _BOOL, _INT = Value("text"), Value("bool"), Value("int")


def _maybe(kind: str) -> Value:
    return Value(kind, True)


def _absent(kind: str, optional: bool = False) -> Value:
    return Value(kind, optional, True)


_REASONS = Value("reasons")
_PACKAGE: dict[str, t.Any] = {
    "name": Value("name"),
    "evr": Value("evr"),
    "arch": _TEXT,
    "level": _maybe("level"),
    "module": _maybe("text"),
    "module_path": _maybe("text"),
    "module_build_id": _maybe("hex"),
    "cves": _maybe("cves"),
    "severity": _maybe("severity"),
    "issued": _maybe("date"),
    "repository": _maybe("text"),
    "signed": _maybe("text"),
    "vendor": _maybe("text"),
    "target_release": _maybe("text"),
    "downloaded": _BOOL,
    "installed_at": _maybe("moment"),
}
_LEVELS: dict[str, t.Any] = {
    "state": Value("state"),
    "level": _maybe("level"),
    "patches": Value("texts"),
    "kmp": _maybe("text"),
}
_BASELINE: dict[str, t.Any] = {
    "boot_id": _maybe("uuid"),
    "taint": _maybe("int"),
    "log": _maybe("int"),
    "at": Value("moment"),
}
_BLOCKERS: dict[int, t.Any] = {
    0: {
        "tid": Value("signed_less"),
        "command": _TEXT,
        "kernel_thread": _BOOL,
        "state": _maybe("text"),
        "cpu": _maybe("signed_less"),
        "stack": _maybe("text"),
        "class": Value("blocker_class"),
        "advice": _TEXT,
    }
}
# What each key of a result is, by path
KEYS: dict[str, t.Any] = {
    "changed": _absent("flag"),
    "kernel": {
        "release": Value("release"),
        "version": _TEXT,
        "arch": Value("arch"),
        "flavor": _maybe("flavor"),
        "build_id": Value("hex"),  # not null in these states
        "package": {"name": Value("name"), "evr": Value("evr"), "arch": Value("arch")},
        "image": {
            "path": _maybe("path"),
            "build_id": _maybe("hex"),
            "version": _maybe("text"),
            "matches_running": _maybe("bool"),
            "basis": _maybe("image_basis"),
        },
        "proc_version": _maybe("text"),
        "confinement": _maybe("text"),
        "boot_id": _maybe("uuid"),
        "livepatch_supported": _BOOL,
        "mechanism": _maybe("mechanism"),
        "taint": {"value": _INT, "flags": Value("texts")},
        "lockdown": _maybe("word"),
        "module_signature_enforced": _maybe("bool"),
        "next_boot": {"release": _TEXT, "basis": Value("boot_basis")},
        "reboot_pending": _maybe("bool"),
        "unmeasured": _REASONS,
    },
    "kmp": {
        "name": Value("name"),
        "installed": _PACKAGE,
        "selected": _PACKAGE,
        "newest": {
            "evr": Value("evr"),
            "level": _maybe("level"),
            "basis": Value("match_basis"),
            "cves": _maybe("cves"),
        },
        "match": {"basis": Value("match_basis"), "witnesses": Value("texts"), "pending": Value("texts")},
        "pinned_by": _maybe("text"),
        "kernel_fixed": _absent("cves", True),
        "covered_until": _maybe("date"),
        "candidates": {0: {**_PACKAGE, "name": _TEXT, "evr": _TEXT, "vermagic": _absent("text", True)}},
        "rejected": {0: {"name": _TEXT, "evr": _TEXT, "code": Value("code"), "reason": _TEXT}},
        "lock": _maybe("lock"),
        "metadata_age": _maybe("int"),
        "unmeasured": _REASONS,
    },
    "livepatch": {
        "state": Value("state"),
        "reason": Value("message"),
        "evidence": {
            "build_id": _maybe("hex"),
            "match": _maybe("match_basis"),
            "image_matches_running": _maybe("bool"),
            "package": _maybe("text"),
            "signature": _maybe("text"),
            "target_release": _maybe("text"),
            "module_file_build_id": _maybe("hex"),
            "module_build_id": _maybe("hex"),
            "patch": _maybe("text"),
            "enabled": _maybe("bool"),
            "transition": _maybe("bool"),
            "replace": _maybe("bool"),
            "stack_order": _maybe("signed"),
            "module_signer": _maybe("text"),
            "vermagic": _maybe("text"),
            "functions": _maybe("int"),
            "threads_left": _INT,
        },
        "compliance": {
            "cves_fixed": _maybe("cves"),
            "cves_open": _maybe("cves"),
            "kernel_fixed": _maybe("int"),
            "wanted": _maybe("level"),
            "up_to_date": _maybe("bool"),
            "pinned_by": _maybe("text"),
            "covered_until": _maybe("date"),
        },
        "level": _maybe("level"),
        "persistent": _maybe("bool"),
        "patches": {
            0: {
                "name": _TEXT,
                "enabled": _BOOL,
                "transition": _BOOL,
                "replace": _maybe("bool"),
                "stack_order": _maybe("signed"),
                "build_id": _maybe("hex"),
                "objects": Value("counts"),
                "functions": _absent("lists"),
            }
        },
        "blockers": _BLOCKERS,
        "next_boot": {
            "release": _TEXT,
            "kmp": _maybe("text"),
            "level": _maybe("level"),
            "loaded_by": _maybe("loader"),
            "held": _BOOL,
            "missing": Value("texts"),
        },
        "transition": {"running": _BOOL, "patch": _maybe("text"), "to": _maybe("bool")},
        "health": {
            "verdict": Value("verdict"),
            "problems": {0: {"what": Value("code"), "text": _TEXT}},
            "since": _BASELINE,
            "complete": _BOOL,
            "reason": _maybe("text"),
        },
        "job": {
            "failed": Value("flag"),
            "changed": _absent("flag"),
            "msg": _absent("message", True),
            "before": _LEVELS,
            "after": _LEVELS,
            "transition": {"seconds": _maybe("seconds"), "by": _maybe("clock")},
            "transaction": _absent("texts", True),
        },
        "journal": {
            "run": _maybe("text"),
            "rollout": _maybe("text"),
            "plan": _maybe("text"),
            "fence": _maybe("int"),
            "phase": Value("phase"),
            "kmp": _maybe("text"),
            "previous": _maybe("text"),
            "boot_id": _maybe("uuid"),
            "at": _maybe("moment"),
            "problem": _maybe("message"),
            "given": _maybe("bool"),
            "running": _BOOL,
            "interrupted": _BOOL,
        },
        "health_checks": {
            0: {"kind": Value("check_kind"), "name": _TEXT, "passed": _maybe("bool"), "text": _TEXT},
        },
        "unmeasured": _REASONS,
    },
    # Of livepatch; before is livepatch_journal's, too
    "refused": _absent("bool"),
    "after": _LEVELS,
    "transition": {"seconds": _maybe("seconds"), "by": _maybe("clock")},
    "transaction": _absent("texts", True),
    # Of livepatch_preflight_info
    "preflight": {
        "passed": _BOOL,
        "checks": {0: {"name": _TEXT, "verdict": Value("check_verdict"), "text": _TEXT}},
        "baseline": _BASELINE,
    },
    # Of livepatch_repository
    "changes": Value("texts"),
}
# Of livepatch_journal, which returns the file as it is
JOURNAL_KEYS: dict[str, t.Any] = {
    "changed": _absent("flag"),
    "before": {
        "schema": _absent("int"),
        "run": _absent("text", True),
        "fence": _absent("int", True),
        "phase": Value("phase"),
        "boot_id": _absent("uuid", True),
        "began": _absent("moment", True),
        "at": _absent("moment", True),
        "changed": _absent("bool"),
        "problem": _absent("message", True),
        "back": _absent("bool"),
        "steps": _absent("empty"),
    },
}
# Of livepatch, of a run that it has started
START_KEYS: dict[str, t.Any] = {
    "changed": _absent("flag"),
    "detached": Value("bool"),
}
# Of which the whole is another value, beside each of their keys
_BLOCKS: dict[Path, Value] = {
    ("kernel",): Value("no"),
    ("kmp",): Value("no"),
    ("livepatch",): Value("no"),
    ("kernel", "package"): _maybe("no"),
    ("kernel", "image"): Value("no"),
    ("kernel", "taint"): _maybe("no"),
    ("kernel", "next_boot"): _maybe("no"),
    ("kmp", "installed"): _maybe("no"),
    ("kmp", "selected"): _maybe("no"),
    ("kmp", "newest"): _maybe("no"),
    ("kmp", "match"): _maybe("no"),
    ("kmp", "rejected"): Value("empty"),
    ("livepatch", "evidence"): Value("no"),
    ("livepatch", "compliance"): Value("no"),
    ("livepatch", "patches"): Value("empty"),
    ("livepatch", "transition"): Value("no"),
    ("livepatch", "blockers"): Value("empty"),
    ("livepatch", "next_boot"): _maybe("no"),
    ("livepatch", "health"): Value("no"),
    ("livepatch", "health", "problems"): Value("empty"),
    ("livepatch", "health", "since"): _maybe("no"),
    ("livepatch", "journal"): _maybe("no"),
    ("livepatch", "health_checks"): _absent("empty"),
    ("livepatch", "job"): _absent("no", True),
    ("livepatch", "job", "before"): _absent("no"),
    ("livepatch", "job", "after"): _absent("no"),
    ("livepatch", "job", "transition"): _absent("no"),
    ("kmp", "candidates"): _absent("empty"),
    ("after",): Value("no"),
    ("transition",): Value("no"),
    ("preflight",): Value("no"),
    ("preflight", "checks"): Value("empty"),
    ("preflight", "baseline"): Value("no"),
}


def list_keys(keys: Mapping[str, t.Any] | None = None) -> dict[Path, Value]:
    """Each key of a result, and what it holds."""

    def walk(tree: Mapping[t.Any, t.Any], above: Path) -> Iterator[tuple[Path, Value]]:
        for key, below in tree.items():
            if isinstance(below, Value):
                yield (*above, key), below
            else:
                yield from walk(below, (*above, key))

    return {**_BLOCKS, **dict(walk(KEYS if keys is None else keys, ()))}


#
# The oracle
#


def _is_text(value: t.Any) -> bool:
    return isinstance(value, str)


def _is_number(value: t.Any, least: float, most: float) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_real(value: t.Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _matches(pattern: str, longest: int) -> Callable[[t.Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= longest and bool(re.fullmatch(pattern, value))


def _is_one_of(*words: str) -> Callable[[t.Any], bool]:
    return lambda value: isinstance(value, str) and value in words


def _is_date(value: t.Any) -> bool:
    try:
        return datetime.date.fromisoformat(value).isoformat() == str(value)
    except (TypeError, ValueError):
        return False


_RELEASE = r"[a-zA-Z0-9][-a-zA-Z0-9_.+~@:=]*"
_KINDS: dict[str, Callable[[t.Any], bool]] = {
    "no": lambda value: False,
    "bool": lambda value: isinstance(value, bool),
    "flag": lambda value: isinstance(value, (bool, int)) and value in (0, 1),
    "int": lambda value: _is_number(value, 0, 2**63),
    "signed": lambda value: _is_number(value, -(2**31), 2**31),
    "level": lambda value: _is_number(value, 0, 10**9),
    "text": _is_text,
    "message": _is_text,
    "texts": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "empty": lambda value: value == [],
    "cves": lambda value: value == [],
    "reasons": lambda value: value == {} or (isinstance(value, dict) and all(map(_is_text, value.values()))),
    "date": _is_date,
    "hex": _matches("(?:[0-9a-f][0-9a-f])+", 128),
    "uuid": _matches("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", 36),
    "word": _matches("[a-zA-Z0-9_]+", 40),
    "arch": _matches("[a-zA-Z0-9_]+", 40),
    "release": _matches(_RELEASE, 128),
    "flavor": _matches("[-a-zA-Z0-9_.+~@:=]+", 128),
    "name": _matches(_RELEASE, 200),
    "evr": _matches(r"(\d+:)?[a-zA-Z0-9_.+~^]+-[a-zA-Z0-9_.+~^]+", 200),
    "path": lambda value: isinstance(value, str) and value.startswith("/"),
    "state": _is_one_of(
        *["crashed", "unknown", "conflict", "mismatch", "stalled", "transitioning", "not_covered"],
        *["installed", "unpatched", "outdated", "baseline", "patched"],
    ),
    "verdict": _is_one_of("pass", "fail", "inconclusive"),
    "mechanism": _is_one_of("klp", "kgraft"),
    "severity": _is_one_of("low", "moderate", "important", "critical"),
    "image_basis": _is_one_of("build_id", "version"),
    "match_basis": _is_one_of("build_id", "signed_image", "name"),
    "boot_basis": _is_one_of("bls", "grub", "extlinux", "link", "newest_installed"),
    "seconds": lambda value: _is_real(value, 0, 10**9),
    "moment": lambda value: _is_real(value, 0, 253402300799),
    "clock": _is_one_of("kernel log", "watch"),
    "phase": _is_one_of(
        *[
            "installing",
            "loading",
            "migrating",
            "reversing",
            "stalled",
            "removing",
            "verifying",
            "soaking",
            "done",
            "failed",
        ]
    ),
    "code": _matches("[a-z_]+", 40),
    "counts": lambda value: value == {},
    "lists": lambda value: value == {},
    "signed_less": lambda value: _is_number(value, 0, 2**31),
    "lock": _is_one_of("own", "foreign", "none"),
    "loader": _is_one_of("initrd", "service"),
    "check_kind": _is_one_of("command", "url", "service"),
    "check_verdict": _is_one_of("pass", "warn", "fail"),
    "blocker_class": _is_one_of(
        *["stopped", "vcpu", "tracing", "isolated_cpu", "kernel_thread", "uninterruptible", "cpu_bound", "sleeping"]
    ),
}


def parse(raw: str) -> t.Any:
    """What Python makes of raw JSON, None of what it cannot."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def is_accepted(holds: Value, raw: str) -> bool:
    """Whether a key may hold this."""
    if len(raw) > 1_000_000 or re.fullmatch(r"-?\d{30,}|NaN|-?Infinity", raw):
        return False
    value = parse(raw)
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if value is None:
        return raw == "null" and holds.optional
    return _KINDS[holds.kind](value)


def is_printable_line(text: str) -> bool:
    """Whether a terminal shows it as it is, in one line."""
    return all(letter == " " or unicodedata.category(letter)[0] not in "CZ" for letter in text)


#
# Mutations
#


@dataclasses.dataclass(frozen=True)
class Mutation:
    """An honest result, and what differs in it.

    :ivar accepted: whether it still is an answer.
    """

    path: Path
    name: str
    raw: str | None
    accepted: bool

    def apply(self, honest: Mapping[str, t.Any]) -> str:
        """What a host prints. Without raw JSON the key is missing."""
        document = json.loads(json.dumps(honest))
        where = document
        for key in self.path[:-1]:
            where = where[key]
        if self.raw is None:
            del where[self.path[-1]]
            return json.dumps(document)
        where[self.path[-1]] = _PLACE
        return json.dumps(document).replace(f'"{_PLACE}"', self.raw)


def list_mutations(honest: Mapping[str, t.Any], keys: Mapping[str, t.Any] | None = None) -> list[Mutation]:
    """Each key with each value, each key that is missing, and each key that must not be there."""
    mutations = []
    for path, holds in list_keys(keys).items():
        if not _has(honest, path):
            continue
        mutations.append(Mutation(path, "missing", None, holds.absent))
        mutations += [Mutation(path, name, raw, is_accepted(holds, raw)) for name, raw in VALUES.items()]
    places: Sequence[Path] = [(), *((block,) for block in ("kernel", "kmp", "livepatch") if block in honest)]
    for above in places:
        others = {key: raw for key, raw in CONTROL.items() if (*above, key) not in list_keys(keys)}
        mutations += [Mutation((*above, key), "control", raw, False) for key, raw in others.items()]
        mutations += [Mutation((*above, key), "dropped", raw, not above) for key, raw in DROPPED.items()]
    return mutations


def _has(document: t.Any, path: Path) -> bool:
    try:
        functools.reduce(operator.getitem, path, document)
    except (IndexError, KeyError, TypeError):
        return False
    return True
