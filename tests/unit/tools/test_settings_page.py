# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docs/settings.md is what the role rollout's argument specification says, and the README names no other settings."""

from __future__ import annotations

import re
from pathlib import Path

from tests.tools import settings_page

_CHECKOUT = Path(__file__).parents[3]
_PAGE = _CHECKOUT / "docs/settings.md"


def test_the_page_is_up_to_date() -> None:
    rendered = settings_page.render(settings_page.SPECIFICATION.read_text(encoding="utf-8"))
    assert _PAGE.read_text(encoding="utf-8") == rendered, "run: tests/tools/settings_page.py > docs/settings.md"


def test_the_defaults_of_the_readme_are_those_of_the_page() -> None:
    row = re.compile(r"^\| `(livepatch_\w+)` \|(.*)\|$", re.MULTILINE)
    page = {name: cells.split(" | ") for name, cells in row.findall(_PAGE.read_text(encoding="utf-8"))}
    readme = row.findall((_CHECKOUT / "README.md").read_text(encoding="utf-8"))
    assert len(readme) > 5
    for name, cells in readme:
        default = cells.partition("|")[0].strip().strip("`").replace("'", '"')
        assert page[name][2].strip("`") == ("" if default == "empty" else default), name


def test_markup_becomes_markdown() -> None:
    specification = """
argument_specs:
  main:
    options:
      livepatch_x:
        description:
          - Host setting. Its value is never shown.
          - V(a) or O(livepatch_y=b), see P(fleet.livepatch.metrics#role) and M(fleet.livepatch.livepatch).
        type: list
        elements: str
        default: [a]
        choices: [a, b]
      livepatch_z:
        description:
          - Run setting.
          - The option O(fleet.livepatch.livepatch_info#module:policy) has V(C#), see P(fleet.livepatch.install#role).
        type: dict
        options:
          key:
            description: A key.
            type: list
            elements: dict
            options:
              below:
                description: A key of it.
                type: str
"""
    assert settings_page.render(specification).splitlines()[-4:] == [
        (
            '| `livepatch_x` | host | list of str | `["a"]` | `a` or `livepatch_y=b`, see `fleet.livepatch.metrics` '
            "and `fleet.livepatch.livepatch`. Choices: `a`, `b`. Its value is never shown. |"
        ),
        (
            "| `livepatch_z` | run | dict |  | The option `policy` of the module `fleet.livepatch.livepatch_info` has "
            "`C#`, see `fleet.livepatch.install`. |"
        ),
        "| `livepatch_z.key` |  | list of dict |  | A key. |",
        "| `livepatch_z.key.below` |  | str |  | A key of it. |",
    ]
