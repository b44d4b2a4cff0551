# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each key of an answer with values that it must not have."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import answer, fields
from tests.support import answers, hostile

GATHERED = answers.gathered(
    kmp={"rejected": [answers.REJECTION]},
    livepatch={
        "blockers": [answers.BLOCKER],
        "health": {"problems": [{"what": "oops", "text": "BUG: unable to handle"}], "since": answers.BASELINE},
        "health_checks": [{"kind": "service", "name": "nginx", "passed": True, "text": "active"}],
        "job": answers.job(),
        "journal": answers.journal(),
    },
)
_CANDIDATE = {**answers.package(), "vermagic": "6.4.0-default SMP", "module_signer": None}
_CHECK = {"name": "disk /boot", "verdict": "pass", "text": "512 MiB are free, 64 are needed"}
_JOB = answers.job()
# What each module returns, with all that it may
HONEST: dict[str, dict[str, t.Any]] = {
    "livepatch_info": GATHERED,
    "kernel_info": {"changed": False, "kernel": GATHERED["kernel"]},
    "kmp_info": {"changed": False, "kmp": {**GATHERED["kmp"], "kernel_fixed": [], "candidates": [_CANDIDATE]}},
    "livepatch": {"refused": False, **{key: _JOB[key] for key in ("before", "after", "transition", "transaction")}},
    "livepatch_journal": {"changed": True, "before": {**answers.journal(), "schema": 1, "steps": [["loading", 5.5]]}},
    "livepatch_metrics": {"changed": False},
    "livepatch_preflight_info": {
        "preflight": {"passed": True, "checks": [_CHECK], "baseline": answers.BASELINE},
    },
    "livepatch_repository": {"changed": True, "changes": ["write /etc/zypp/repos.d/livepatch.repo"]},
}
KEYS = {
    "livepatch_journal": hostile.JOURNAL_KEYS,
    # Without a state nothing says that the kernel has a build ID.
    "kernel_info": {"kernel": {**hostile.KEYS["kernel"], "build_id": hostile.Value("hex", True)}},
}
MUTATIONS: dict[tuple[str, str], list[hostile.Mutation]] = {}
for _module, _honest in HONEST.items():
    for _mutation in hostile.list_mutations(_honest, KEYS.get(_module, hostile.KEYS)):
        # The whole has a size, whatever the module: once is enough.
        if _module != "livepatch_info" and _mutation.name in hostile.HEAVY:
            continue
        MUTATIONS.setdefault((_module, ".".join(map(str, _mutation.path))), []).append(_mutation)


def _list_texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _list_texts(key)
            yield from _list_texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _list_texts(below)


@pytest.mark.parametrize(("module", "path"), MUTATIONS)
def test_a_key_holds_what_it_may_hold_and_nothing_else(module: str, path: str) -> None:
    honest = HONEST[module]
    wrong = []
    for mutation in MUTATIONS[module, path]:
        try:
            parsed = answer.parse_output(
                mutation.apply(honest), module, set(honest) - {"changed", "refused", "transaction"}
            )
        except fields.WrongAnswer as exc:
            if mutation.accepted or not hostile.is_printable_line(str(exc)) or len(str(exc)) > 400:
                wrong.append((mutation.name, str(exc)))
            continue
        assert parsed is not None
        if not mutation.accepted or not all(map(hostile.is_printable_line, _list_texts(parsed))):
            wrong.append((mutation.name, "passed"))
        # What is registered is read by the same fields.
        read = answer.read_result(json.loads(json.dumps(parsed)))
        if read.failed:
            wrong.append((mutation.name, str(read.msg)))
    assert wrong == []


def test_enough_is_tried() -> None:
    count = sum(map(len, MUTATIONS.values()))
    accepted = sum(mutation.accepted for some in MUTATIONS.values() for mutation in some)
    print(f"{count} mutations of {len(MUTATIONS)} keys, of which {accepted} are answers")
    assert len(hostile.VALUES) >= 20
    assert count > 9000 and 0.1 < accepted / count < 0.5


def test_each_module_is_tried() -> None:
    assert set(HONEST) == set(answer._PARSERS)


def test_each_key_is_in_the_table() -> None:
    """A key that a module returns and that nobody has thought of here is tried with nothing."""

    def walk(value: t.Any, path: hostile.Path = ()) -> t.Iterator[hostile.Path]:
        if isinstance(value, dict) and value and path[-1:] not in (("objects",), ("unmeasured",)):
            for key, below in value.items():
                yield from walk(below, (*path, key))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from walk(value[0], (*path, 0))
        else:
            yield path

    known = hostile.list_keys()
    modules = ("livepatch_info", "livepatch_metrics", "livepatch_preflight_info", "livepatch_repository")
    returned = {path for module in modules for path in walk(HONEST[module])}
    assert returned - set(known) == set()
