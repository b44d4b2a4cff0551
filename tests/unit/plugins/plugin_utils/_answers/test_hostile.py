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

HONEST = answers.gathered(livepatch={"job": answers.job(), "journal": answers.journal()})
MUTATIONS: dict[str, list[hostile.Mutation]] = {}
for _mutation in hostile.list_mutations(HONEST):
    MUTATIONS.setdefault(".".join(_mutation.path), []).append(_mutation)


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


@pytest.mark.parametrize("path", MUTATIONS)
def test_a_key_holds_what_it_may_hold_and_nothing_else(path: str) -> None:
    wrong = []
    for mutation in MUTATIONS[path]:
        try:
            parsed = answer.parse_output(mutation.apply(HONEST), "livepatch_info", ("kernel", "kmp", "livepatch"))
        except fields.WrongAnswer as exc:
            if mutation.accepted or not hostile.is_printable_line(str(exc)) or len(str(exc)) > 400:
                wrong.append((mutation.name, str(exc)))
            continue
        assert parsed is not None
        if not mutation.accepted or not all(map(hostile.is_printable_line, _list_texts(parsed))):
            wrong.append((mutation.name, "passed"))
        # What is registered is read by the same fields.
        read = answer.read_result(json.loads(json.dumps(parsed)))
        if read.facts is None and set(HONEST) <= set(parsed):
            wrong.append((mutation.name, str(read.msg)))
    assert wrong == []


def test_enough_is_tried() -> None:
    count = sum(map(len, MUTATIONS.values()))
    accepted = sum(mutation.accepted for some in MUTATIONS.values() for mutation in some)
    print(f"{count} mutations of {len(MUTATIONS)} keys, of which {accepted} are answers")
    assert len(hostile.VALUES) >= 20
    assert count > 4000 and 0.1 < accepted / count < 0.5


def test_each_key_is_in_the_table() -> None:
    """A key that livepatch_info returns and that nobody has thought of here is tried with nothing."""

    def walk(value: t.Any, path: hostile.Path = ()) -> t.Iterator[hostile.Path]:
        if isinstance(value, dict) and value and path[-1:] not in (("objects",), ("unmeasured",)):
            for key, below in value.items():
                yield from walk(below, (*path, key))
        else:
            yield path

    known = hostile.list_keys()
    missing = {path for path in walk(HONEST) if path not in known and path[:2] not in known and path[:3] not in known}
    assert missing == set()
