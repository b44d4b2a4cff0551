# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts as a retired word, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools import retired_words

LIST = """
# a comment
name told|of -> result
first insist -> Validate
word whoever -> the thing by its name
word livepatch_(?:turn|gate) -> __livepatch_*
"""
RETIRED = retired_words.read_list(LIST)


@pytest.mark.parametrize(
    "path, text, hits",
    [
        ("a.py", "told = 1\n", ["told"]),
        ("a.py", "def _of(told):\n    return told\n", ["_of", "told"]),
        ("a.py", "# as told by the host\nretold = x.told\n", []),
        ("a.py", "for told in ():\n    pass\n", ["told"]),
        ("a.yml", "- name: Insist on hosts\n", ["Insist on hosts"]),
        ("a.yml", "  short_description: Insist on hosts\n", ["Insist on hosts"]),
        ("a.yml", "- name: Hosts insist\n", []),
        ("a.md", "Whoever reads it, and whoevers\n", ["Whoever"]),
        ("a.md", "`livepatch_gate` and `livepatch_gates` and `__livepatch_gate`\n", ["livepatch_gate"]),
    ],
)
def test_hits(path: str, text: str, hits: list[str]) -> None:
    found = list(retired_words.find(Path(path), text, RETIRED))
    assert sorted(hit.text for hit in found) == sorted(hits)
    assert all(hit.line > 0 and hit.instead in str(hit) for hit in found)


@pytest.mark.parametrize("line", ["word whoever", "verb told -> said", "told"])
def test_a_line_of_another_form_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="not a line of the form"):
        retired_words.read_list(line)


def test_the_list_itself_can_be_read() -> None:
    assert {entry.kind for entry in retired_words.read_list(retired_words.LIST.read_text(encoding="utf-8"))} == set(
        retired_words.KINDS
    )
