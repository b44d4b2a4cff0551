# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of each kind for each setting, with what is documented to become of them.

What is right is said here anew, by type and for each setting that means more than its type: it is not asked of the
code that it is compared with.
"""

from __future__ import annotations

import datetime
import typing as t

import yaml

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema

# A value that each of these settings takes; the others take the one of their type
_GOOD: dict[str, t.Any] = {
    "livepatch_approval": ["1", "all"],
    "livepatch_assertions": ["length(hosts) > `0`"],
    "livepatch_backup_path": "/srv/backup.sqlite3",
    "livepatch_blackouts": [{"from": "2026-12-20", "to": "2027-01-03", "reason": "year end"}],
    "livepatch_budget": "30",
    "livepatch_budget_batch": "30",
    "livepatch_budget_cohort": "30%",
    "livepatch_budget_lost": "0",
    "livepatch_budget_rollout": "30",
    "livepatch_budget_unreachable": "100%",
    "livepatch_canaries": "2",
    "livepatch_cohort_key": "kernel.flavor",
    "livepatch_criticality": 0.25,
    "livepatch_expires": "2090-11-30T06:00+00:00",
    "livepatch_filter": "kernel.arch == 'x86_64'",
    "livepatch_gates": [{"name": "desk", "type": "http", "url": "https://desk.example.com"}],
    "livepatch_health_checks": {"commands": ["true"], "timeout": 3},
    "livepatch_kernel_versions": ">=6.4",
    "livepatch_levels": ">=2, <9",
    "livepatch_max_per_domain": "30",
    "livepatch_max_per_group": "30",
    "livepatch_max_per_wave": "30%",
    "livepatch_names_allowed": ["livepatch_site_*"],
    "livepatch_plan_hash": "ab" * 32,
    "livepatch_policy": {"allow_name_match": True},
    "livepatch_preflight_tolerate": ["disk", "taint"],
    "livepatch_reserves": "2",
    "livepatch_report_mode": "0640",
    "livepatch_report_request": {"headers": {"x": "y"}},
    "livepatch_service_group": ["web", "db"],
    "livepatch_skip_gates": {},
    "livepatch_store_path": "/srv/rollouts.sqlite3",
    "livepatch_wave": "1",
    "livepatch_waves": ["1", "25%"],
    "livepatch_webhooks": [{"url": "https://chat.example.com/x"}],
    "livepatch_windows": [{"days": ["sat"], "start": "22:00", "minutes": 360, "tz": "Europe/Berlin"}],
}
# What these settings mean nothing without
COMPANIONS: dict[str, dict[str, t.Any]] = {"livepatch_max_per_domain": {"livepatch_domain_keys": ["dc"]}}
_GOOD_OF_TYPE: dict[str, t.Any] = {
    "str": "web",
    "path": "/srv/web",
    "int": 30,
    "bool": True,
    "list": ["dc", "rack"],
}
# Text that may be given as a whole number
_NUMBERS_TOO = ("livepatch_canaries", "livepatch_reserves", "livepatch_seed", "livepatch_reason", "livepatch_wave")

_LARGE = 10**30
_SURROGATE = "\udc80"
_DATE = datetime.date(2026, 11, 30)
# By type: kinds of values that are refused
_NO_NUMBERS: dict[str, t.Any] = {
    "a boolean": True,
    "on as text": "on",
    "a number in sixties as text": "1:30",
    "a grouped number as text": "1_000",
    "a hexadecimal number as text": "0x1e",
    "words": "a few",
    "a date": _DATE,
    "a list": [30],
    "a mapping": {"minutes": 1},
    "negative": -1,
    "negative text": "-1",
    "not a number": float("nan"),
    "not a number as text": "nan",
    "infinite": float("inf"),
    "infinite as text": "inf",
    "minus infinite": float("-inf"),
    "very large": _LARGE,
    "very large text": "9" * 400,
    "very large as a float": 1e300,
    "digits of another script": "\u0663\u0660",
    "a surrogate": _SURROGATE,
}
_REFUSED: dict[str, dict[str, t.Any]] = {
    "int": {**_NO_NUMBERS, "a fraction": 1.5, "a fraction as text": "1.5"},
    "float": _NO_NUMBERS,
    "bool": {
        "a number": 2,
        "words": "maybe",
        "a date": _DATE,
        "a list": [True],
        "a mapping": {"yes": True},
        "not a number": float("nan"),
        "very large": _LARGE,
        "a surrogate": _SURROGATE,
    },
    "str": {
        "a boolean": True,
        "a fraction": 1.5,
        "a list": ["web"],
        "a mapping": {"web": 1},
        "not a number": float("nan"),
        "infinite": float("inf"),
        "a surrogate": f"web{_SURROGATE}",
        "a null character": "web\0",
    },
    "list": {
        "a boolean": True,
        "a fraction": 1.5,
        "a mapping": {"web": 1},
        "a list as text": '["web"]',
        "a list of nothing": [None],
        "a list of blanks": ["web", " "],
        "a list of lists": [["web"]],
        "a list of fractions": [1.5],
        "a list of a boolean": [False],
        "a list with what is no number": [float("nan")],
        "a list with a surrogate": [_SURROGATE],
    },
    "dict": {
        "a boolean": True,
        "a number": 3,
        "a list": ["web"],
        "words": "min_age=3",
        "a mapping as text": '{"min_age": 3}',
        "a date": _DATE,
        "a mapping with a surrogate": {"headers": _SURROGATE},
        "a mapping with a key with a surrogate": {_SURROGATE: "x"},
        "a mapping with what is no number": {"timeout": float("nan")},
        "a mapping with an infinite number": {"timeout": float("inf")},
        "a mapping with a very large number": {"timeout": _LARGE},
    },
    "raw": {
        "a boolean": True,
        "a number": 3,
        "a mapping": {"web": 1},
        "a list of nothing": [None],
        "a list of numbers": [3],
        "a surrogate": _SURROGATE,
    },
}
# What is text as a program sees it, and what was typed
_YAML = {
    "int": {"a number": "30", "text": "'30'", "text with blanks": "' 30 '", "octal": "036", "hexadecimal": "0x1e"},
    "bool": {word: word for word in ("on", "yes", "true", "True", "'on'", "'yes'", "'true'", "1", "'1'")},
    "float": {"a number": "0.25", "text": "'0.25'", "scientific": "2.5e-1"},
}
BLANK = ("", None, " ", "\t")


def get_good(setting: schema.Setting) -> t.Any:
    """A value that is taken, as it is read."""
    if setting.choices and setting.type == "str":
        return setting.choices[-1]
    if setting.name in _GOOD:
        return _GOOD[setting.name]
    return _GOOD_OF_TYPE[setting.type]


def list_spellings(setting: schema.Setting) -> dict[str, t.Any]:
    """How `get_good` may be given, by kind."""
    good = get_good(setting)
    spellings: dict[str, t.Any] = {"as it is": good}
    # As -e name=value and INI files give it
    if setting.type in _YAML:
        spellings |= {f"YAML: {kind}": yaml.safe_load(text) for kind, text in _YAML[setting.type].items()}
    elif setting.type == "list" and setting.elements == "str":
        spellings["text"] = ",".join(good)
    elif setting.name in _NUMBERS_TOO and good.isdigit():
        spellings["a number"] = int(good)
    return spellings


def list_refused(setting: schema.Setting) -> dict[str, t.Any]:
    """What is refused, by kind."""
    refused = dict(_REFUSED["str" if setting.type == "path" else setting.type])
    if setting.elements == "dict":
        # Each of them has options of its own, which are checked
        refused |= {"a list of words": ["web"], "words": "web", "an unknown key": [{"nope": 1}]}
    if setting.type == "dict" and "options" in setting.spec:
        refused["an unknown key"] = {"nope": 1}
    if setting.choices:
        refused["none of the choices"] = ["nope"] if setting.type == "list" else "nope"
    return refused
