# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation of the controller's modules shows can be typed; the hosts are pretended.

Those of the modules that run on hosts are in tests/simulated/test_examples.py.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from tests.support import cores, examples
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost

_ALONE = ("rollout_info", "rollout_store", "livepatch_survey")
# Steps of a rollout: what one leaves in variables the next one takes.
_STEPS = ("livepatch_plan", "rollout_admit", "rollout_wait", "rollout_assess", "livepatch_close")


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


def _play(*tasks: t.Any) -> dict[str, t.Any]:
    return {"hosts": "all", "gather_facts": False, "tasks": list(tasks)}


def _run(fake_fleet: FakeFleet, tmp_path: Path, *plays: t.Any) -> Run:
    path = tmp_path / "play.yml"
    path.write_text(json.dumps(plays))
    return fake_fleet.run({name: FakeHost() for name in ("web1", "web2")}, [str(path)], {}, common={})


@pytest.mark.parametrize("name", _ALONE)
def test_alone(fake_fleet: FakeFleet, tmp_path: Path, name: str) -> None:
    run = _run(fake_fleet, tmp_path, _play(*examples.of_module(name)))
    assert run.rc == 0, run.output


def test_steps_of_a_rollout(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    plan, turn, wait, gate, close = map(examples.of_module, _STEPS)
    kept = {
        "ansible.builtin.set_fact": {"__livepatch_rollout": "{{ planned.rollout }}"},
        "run_once": True,
        "delegate_to": "localhost",
        "delegate_facts": True,
    }
    plays = [_play(*examples.of_module("livepatch_survey"), *plan, kept), _play(*turn, *wait, *gate), _play(*close)]
    run = _run(fake_fleet, tmp_path, *plays)
    assert run.rc == 0, run.output
    assert "Gate after canaries: fail (0 of 1 healthy, budget 0)" in run.output, "nobody was patched here"
    (closed,) = run.ended("livepatch_close").values()
    assert closed.result["status"] == "failed"


def test_steps_need_a_plan(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    run = _run(fake_fleet, tmp_path, _play(*examples.of_module("rollout_wait")))
    assert run.rc == 2
    assert "nothing was planned in this run: fleet.livepatch.livepatch_plan comes first" in run.output


def test_what_needs_a_rollout_that_was(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    run = _run(fake_fleet, tmp_path, _play(*examples.of_module("livepatch_back")))
    assert "nothing to bring hosts back from" in run.output


def test_what_is_not_there_is_not_cleared(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    run = _run(fake_fleet, tmp_path, _play(examples.of_module("rollout_quarantine")[1]))
    assert (run.rc, run.changed) == (0, 0), run.output


def test_an_operators_examples(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    tasks = [task for name in ("control", "quarantine") for task in examples.of_module(f"rollout_{name}")]
    run = _run(fake_fleet, tmp_path, _play(*tasks))
    # The halt of all scopes, its end, and the host in quarantine
    assert (run.rc, run.changed) == (0, 3), run.output


@pytest.mark.parametrize("name", examples.modules())
def test_each_module_has_an_example(name: str) -> None:
    assert examples.of_module(name)
