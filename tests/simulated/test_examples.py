# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation of modules and roles that run on hosts shows can be typed, on a simulated host.

Left out are the role repository, whose example names a mirror and a key that are not there (see
tests/lab_scenarios/repository.py), and the role rollout, which the playbooks enter.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulated.fleet import Fleet
from tests.support import examples
from tests.support.controller import Controller, Run

_PATCH: list[dict[str, t.Any]] = [{"fleet.livepatch.livepatch": {}}]


@pytest.fixture
def fleet(tmp_path: Path, controller: Controller) -> Iterator[Fleet]:
    with Fleet(tmp_path, 1) as hosts:
        controller.settings = hosts.environment
        yield hosts
        assert hosts.failures == []


def _run(controller: Controller, fleet: Fleet, *plays: t.Any) -> Run:
    path = controller.folder / "play.yml"
    # No node_exporter is there: its folder is another one.
    own = {"hosts": "all", "gather_facts": False, "vars": {"metrics_dir": "/run"}}
    path.write_text(json.dumps([{**play, **own} for play in plays]))
    return controller.run([str(path), "-i", str(fleet.inventory())])


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("kernel_info", []),
        ("kmp_info", []),
        ("livepatch_preflight_info", []),
        ("livepatch", []),
        ("livepatch_info", _PATCH),
        ("livepatch_journal", _PATCH),
    ],
)
def test_modules(controller: Controller, fleet: Fleet, name: str, before: list[dict[str, t.Any]]) -> None:
    run = _run(controller, fleet, {"tasks": [*before, *examples.of_module(name)]})
    assert run.rc == 0, run.output
    assert run.ended(name)


@pytest.mark.parametrize(
    ("name", "before"),
    [("preflight", []), ("install", []), ("verify", _PATCH), ("metrics", _PATCH), ("rollback", _PATCH)],
)
def test_roles(controller: Controller, fleet: Fleet, name: str, before: list[dict[str, t.Any]]) -> None:
    run = _run(controller, fleet, {"tasks": before}, *examples.of_role(name))
    assert run.rc == 0, run.output


def test_each_role_has_an_example() -> None:
    assert [name for name in examples.roles() if not examples.of_role(name)] == ["rollout"]
