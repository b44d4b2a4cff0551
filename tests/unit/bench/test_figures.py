# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the bench is called, and what it makes of what it has measured."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import BENCHES, parse_arguments
from tests.bench.cost import Options, Row, format_rows, measure
from tests.bench.rollout import Steps, build_ratio_rows, build_step_rows, sum_steps


def test_arguments() -> None:
    names, options = parse_arguments(["--base", "no"])
    assert names == list(BENCHES)
    assert options == Options(None, False, 100, (200, 1000), 20)
    names, options = parse_arguments(["rollout", "--base", "f4a7bfe", "--full", "--hosts", "50"])
    assert (names, options) == (["rollout"], Options("f4a7bfe", True, 50, (200, 1000, 10_000), 60))
    assert parse_arguments(["--fleets", "150", "300", "--base", "no"])[1].fleets == (150, 300)


@pytest.mark.parametrize("arguments", [["nothing"], ["--slow", "0"]])
def test_wrong_arguments(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(arguments)


def test_a_goal_is_met_or_missed() -> None:
    assert [Row("a", 1.2, "", goal).mark for goal in (1.2, 1.1, None)] == ["ok", "missed", ""]
    lines = list(format_rows([Row("a", 1.25, "s", 2, 0.5), Row("b", 3)]))
    assert lines[1].split() == ["a,", "s", "1.25", "2", "0.50", "ok"]
    assert lines[2].split() == ["b", "3.00"]


def line(batch: int | None, seconds: float) -> str:
    return json.dumps({"task": "t", "seconds": seconds, "batch": batch})


def test_steps_of_the_last_batch_that_started_count() -> None:
    canaries = [line(3, 9.0)] * 3
    wave = [line(4, 1.0), line(4, 5.0)]
    waits = [line(5, 7.0)]
    assert sum_steps([line(None, 0.5), *canaries, *wave, *waits, line(None, 0.25)]) == Steps(6.0, 0.75)
    with pytest.raises(ValueError, match="no batch"):
        sum_steps(waits)


def test_rows_of_steps() -> None:
    rows = {row.name: row for row in build_step_rows({200: Steps(1, 2), 10_000: Steps(1.5, 16)}, {})}
    assert rows["steps of a batch, 10000 / 200 hosts"].mark == "missed"
    assert rows["plan, close and report, 10000 hosts"].mark == "missed"
    assert rows["plan, close and report, 200 hosts"].mark == ""
    before = {200: Steps(2, 4), 10_000: Steps(8, 32)}
    rows = {row.name: row for row in build_step_rows({200: Steps(1, 2), 10_000: Steps(1.2, 9)}, before)}
    ratio = rows["steps of a batch, 10000 / 200 hosts"]
    assert (ratio.mark, ratio.before) == ("ok", 4)


def test_rows_of_ratios() -> None:
    (row,) = build_ratio_rows({"rollout / own playbook": 0.6}, {"rollout / own playbook": 0.8}, 50)
    assert (row.name, row.goal, row.before, row.mark) == ("rollout / own playbook (50 hosts)", 0.5, 0.8, "missed")


def test_a_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('out of order'); raise SystemExit(3)"]
    with pytest.raises(RuntimeError, match="ended with 3\nout of order"):
        measure(command, os.environ, tmp_path, (0,))
    cost = measure(command, os.environ, tmp_path, (3,))
    assert cost.output == "out of order\n"
    assert cost.cpu > 0
    assert cost.mib > 1
