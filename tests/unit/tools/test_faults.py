# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of faults: each has a scenario that reproduces it, and tests that are there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.tools import reproduce_faults
from tests.tools.faults import FAULTS, OPEN, Fault

_CHECKOUT = Path(__file__).parents[3]


def _list_functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_each_fault_is_reproduced_by_a_scenario() -> None:
    assert [fault.number for fault in FAULTS] == list(range(1, 32)) == sorted(reproduce_faults.SCENARIOS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.number))
def test_each_fault_has_tests_that_are_there(fault: Fault) -> None:
    assert bool(fault.tests) == (fault.number not in OPEN), fault.text
    for node in fault.tests:
        file, _separator, function = node.partition("::")
        assert function in _list_functions(_CHECKOUT / file), node
