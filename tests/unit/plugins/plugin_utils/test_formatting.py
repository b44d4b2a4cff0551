# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is shown is printable, whoever is quoted in it."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _formatting
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError

_PLUGINS = Path(__file__).parents[4] / "plugins"
TEXTS = st.text(st.characters(codec=None, categories=None))  # halves of surrogates too


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("6.1.0-56", "6.1.0-56"),
        ("  a  b", "  a  b"),
        ("Zürich 日本", "Zürich 日本"),
        ("a\x1b[31mb\x1b]0;owned\x07", "a?[31mb?]0;owned?"),
        ("3 hosts\n3 hosts: 3 patched\r\nx", "3 hosts 3 hosts: 3 patched  x"),
        ("a\tb\x0bc\x85d\u2028e\u2029f\xa0g", "a b c d e f g"),
        ("\x9b31m\x00\x7f", "?31m??"),
        ("\u202eevil\u2066\u200b\ufeff\xad", "?evil????"),
        ("\ud800", "?"),
        ("\ufffe", "?"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert _formatting.to_printable(text) == shown
    assert _formatting.format_table(("A",), [(text,)])[1] == re.sub(" +", " ", shown).strip()
    assert str(PlanError(text)) == shown
    lines: list[str] = []
    _formatting.show_lines(lines.append, [text, text])
    assert lines == [f"{shown}\n{shown}"]


@hypothesis.given(TEXTS)
def test_any_text_becomes_one_line(text: str) -> None:
    assert _formatting.to_printable(text).isprintable()
    assert _formatting.to_one_line(text, 20).isprintable()
    assert len(_formatting.to_one_line(text, 20)) <= 20


def test_a_cell_is_cut() -> None:
    head, row = _formatting.format_table(("HOST", "STATE"), [("web1", "x" * 10_000_000)])
    assert len(row) < 200 and row.endswith("...")
    assert head == "HOST  STATE"


@hypothesis.given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
        lambda parts: st.lists(parts) | st.tuples(parts) | st.dictionaries(TEXTS, parts),
        max_leaves=10,
    )
)
def test_any_data_become_json(value: object) -> None:
    text = _formatting.to_json(value)
    text.encode("ascii")

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(text, parse_constant=refuse) == json.loads(json.dumps(_formatting.clean(value)))


def test_what_json_does_not_have_is_null() -> None:
    given = {"a": math.nan, "b": [math.inf, -math.inf, 1.5, 2], "c\n": ("x\x1b", None, True)}
    assert json.loads(_formatting.to_json(given)) == {"a": None, "b": [None, None, 1.5, 2], "c ": ["x?", None, True]}


def test_plugins_show_lines_by_the_one_function() -> None:
    shown_by_hand = [
        str(path.relative_to(_PLUGINS))
        for path in _PLUGINS.rglob("*.py")
        if re.search(r"\b_?display\.(display|warning|v+|error|banner)\((?!to_printable)", path.read_text())
    ]
    assert shown_by_hand == []
