# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection has written itself, and what others may have made of it since. Python 3.6."""

import json
from typing import Any, Callable, Dict, List

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from tests.support.generators.case import (
    REFUSED,
    VALUE,
    Case,
    Chance,
    Files,
    cut,
)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _entry(chance: Chance) -> Dict[str, Any]:
    entry = {
        "schema": 1,
        "phase": chance.choice([*_journal.UNFINISHED, _journal.SOAKING, _journal.DONE, _journal.FAILED]),
        "kmp": chance.choice(
            [None, "kernel-livepatch-6_1_0-56-default-3-150400.2.1", "kpatch-patch-4_18_0-305-1:1-7.el8"]
        ),
        "boot_id": chance.choice([None, "5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11"]),
        "problem": chance.choice([None, "the kernel refused it: \u00e9"]),
        "previous": chance.choice([None, "2-150400.2.1"]),
        "run": chance.choice([None, "r-1"]),
        "plan": None,
        "deadline": chance.choice([None, 12.5, 99]),
        "rollout": chance.choice([None, "weekly"]),
        "fence": chance.choice([None, 0, 1800000000]),
        "back": chance.choice([True, False]),
        "baseline": chance.choice([None, {"boot_id": "one", "taint": 512, "log": None, "at": 1.5}]),
        "undo": chance.choice(
            [
                None,
                {
                    "was_absent": True,
                    "previous_evr": None,
                    "was_held": False,
                    "was_persistent": True,
                    "previous_arch": "x86_64",
                    "previous_digests": ["5f" * 32],
                },
            ]
        ),
        "began": 1800000000.123,
        "at": 1800000001,
        "changed": False,
        "transition": {"seconds": None, "by": None},
        "steps": [["installing", 1800000000.1], ["loading", 1800000001]],
    }
    if chance.random() < 0.3:
        entry.update(before={"state": "unpatched", "level": None}, after={"state": "patched"}, blockers=[{"tid": 7}])
    return entry


_JSON: List[Any] = [
    None,
    True,
    False,
    0,
    -1,
    7,
    1.5,
    "",
    "x",
    "\ud800",
    [],
    [1],
    {},
    {"a": 1},
    [[["x", 1]]],
    10**30,
    1e308,
    [[]] * 9,
]
# What each key of a record can be besides; all others are refused
_ALSO: Dict[str, Callable[[Any], bool]] = {
    "plan": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "boot_id": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "problem": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "previous": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "run": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "rollout": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "kmp": lambda value: value is None,
    "deadline": lambda value: value is None or (_is_number(value) and value != 10**30),
    "began": lambda value: _is_number(value) and value != 10**30,
    "at": lambda value: _is_number(value) and value != 10**30,
    "fence": lambda value: value is None or (_is_number(value) and isinstance(value, int) and 0 <= value < 2**64),
    "back": lambda value: isinstance(value, bool),
    "changed": lambda value: isinstance(value, bool),
    "baseline": lambda value: value is None,
    "transition": lambda value: value is None,
    "steps": lambda value: value == [],
    "before": lambda value: value is None or isinstance(value, dict),
    "after": lambda value: value is None or isinstance(value, dict),
    "blockers": lambda value: value is None or value == [],
}


def make_journal(chance: Chance) -> Case:
    entry = _entry(chance)
    right, value = VALUE, dict(entry)
    text = json.dumps(entry)
    way = chance.randrange(10)
    if way in (3, 4, 5):
        key = chance.choice(sorted(entry))
        entry[key] = chance.choice(_JSON)
        text = json.dumps(entry)
        if key == "undo":
            value["undo"] = None
        elif _ALSO.get(key, lambda _value: False)(entry[key]):
            value[key] = entry[key]
        else:
            right = REFUSED
        if entry[key] == 10**30:
            right = REFUSED
    elif way == 6:
        right = REFUSED
        del entry[chance.choice(["schema", "phase", "kmp", "boot_id", "problem", "deadline"])]
        text = json.dumps(entry)
    elif way == 7:
        right = REFUSED
        bad = chance.choice(["NaN", "Infinity", "-Infinity", "9" * 5000, "[" * 100000, "{", "nul", '"\\ud8', "1" * 21])
        text = text[:-1] + f', "more": {bad}}}'
    elif way == 8:
        right = REFUSED
        text = json.dumps(chance.choice([each for each in _JSON if each != 10**30]))
    elif way == 9:
        right, text = REFUSED, cut(chance, text.encode()).decode()
    elif chance.random() < 0.3:
        entry["later"] = value["later"] = chance.choice([None, "x", [1], {"a": {}}])
        text = json.dumps(entry)
    data = text.encode("utf-8")
    return Case(text[:900], lambda: _journal.Journal(Files({_journal.PATH: data})).read(), (right,), value)
