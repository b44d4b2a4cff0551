# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples that the documentation shows."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import yaml

_CHECKOUT = Path(__file__).parents[2]
Tasks = list[dict[str, t.Any]]


def modules() -> list[str]:
    return sorted(path.stem for path in (_CHECKOUT / "plugins/modules").glob("*.py"))


def roles() -> list[str]:
    return sorted(path.parent.name for path in (_CHECKOUT / "roles").glob("*/README.md"))


def blocks(guide: Path, language: str) -> list[str]:
    """What a guide shows in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", guide.read_text(), re.MULTILINE | re.DOTALL)


def of_module(name: str) -> Tasks:
    """The tasks that a module's documentation shows."""
    tree = ast.parse((_CHECKOUT / f"plugins/modules/{name}.py").read_text())
    texts = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()
        if isinstance(node.value, ast.Constant)
    }
    tasks: Tasks = yaml.safe_load(texts["EXAMPLES"])
    return tasks


def of_role(name: str) -> Tasks:
    """The plays that a role's README shows."""
    return [play for block in blocks(_CHECKOUT / f"roles/{name}/README.md", "yaml") for play in yaml.safe_load(block)]
