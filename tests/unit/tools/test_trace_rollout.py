# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.support.trees import find_simulation, place_tree
from tests.tools.trace_rollout import format_table, format_tasks, parse_arguments, parse_counts

LINES = [
    "template",
    "ssh s001",
    "ssh s002",
    "ssh s002",
    "sqlite",
    "template",
    "task s001 each rendered Gather facts, once",
    "task s002 each plain Gather facts, once",
    "task s002 once rendered Record it",
    "task localhost once plain Validate",
]


def test_counts_are_read() -> None:
    trace = parse_counts(LINES, canary="s002", other="s001")
    assert (trace.store, trace.templates, trace.ssh) == (1, 2, {"s001": 1, "s002": 2})
    assert trace.rolled_back_ssh == {}
    back = parse_counts([*LINES, "rollback", "ssh s001", "template", "sqlite"], canary="s002", other="s001")
    assert dataclasses.replace(back, rolled_back_ssh={}) == trace
    assert back.rolled_back_ssh == {"s001": 1}
    assert (trace.count_results("s001"), trace.count_results("s002")) == (1, 1), "what runs once is no host's"
    assert (trace.once, trace.rendered) == (2, 2)


def test_table_has_a_column_for_each_version() -> None:
    trace = parse_counts(LINES, canary="s002", other="s001")
    lines = format_table([("f4a7bfe", trace), ("a-long-branch", trace)]).splitlines()
    assert len(lines) == 10
    assert lines[0].split() == ["f4a7bfe", "a-long-branch"]
    assert {len(line) for line in lines} == {len(lines[0])}, "in columns"
    assert "ssh executions, canary" in lines[6]
    assert lines[6].split()[-2:] == ["2", "2"]


def test_tasks_are_listed_by_host() -> None:
    listed = format_tasks(parse_counts(LINES, canary="s002", other="s001"))
    assert listed.splitlines()[:3] == ["s002 (canary)", "     Gather facts, once", "  1r Record it"]


def test_simulated_hosts_are_those_of_the_version(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no simulated hosts"):
        find_simulation(tmp_path)
    (old := tmp_path / "tests/scale").mkdir(parents=True)
    (old / "fleet.py").touch()
    assert find_simulation(tmp_path) == "tests.scale"
    (new := tmp_path / "tests/simulated").mkdir()
    (new / "fleet.py").touch()
    assert find_simulation(tmp_path) == "tests.simulated"


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (source := tmp_path / "source").mkdir()
    (source / "galaxy.yml").write_text("namespace: fleet\n")
    (source / "plugins").mkdir()
    (source / "plugins/new.py").touch()
    tree = place_tree(str(source), tmp_path / "collections")
    assert sorted(path.name for path in tree.root.rglob("*")) == ["galaxy.yml", "new.py", "plugins"]


def test_what_is_no_collection_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no git revision"):
        place_tree("no-such-revision", tmp_path / "a")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no galaxy\.yml"):
        place_tree(str(tmp_path / "empty"), tmp_path / "b")


def test_arguments() -> None:
    arguments = parse_arguments(["f4a7bfe", "HEAD", "--tasks"])
    assert (arguments.trees, arguments.tasks) == (["f4a7bfe", "HEAD"], True)
    with pytest.raises(SystemExit):
        parse_arguments([])
