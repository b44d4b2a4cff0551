# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation of the controller's modules shows can be typed; the hosts are fake.

Those of the modules that run on hosts are in tests/simulated/test_examples.py.
"""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import assess
from tests.support import cores, examples
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost
from tests.support.store import record_waiting

_ALONE = ("rollout_info", "rollout_store")
# Steps of a rollout: what one leaves in variables the next one takes.
_STEPS = ("rollout_begin", "rollout_admit", "rollout_wait", "rollout_assess", "rollout_finish")
_GATHER = {
    "fleet.livepatch.livepatch_info": {"on_unreachable": "report", "refresh": "never"},
    "register": "__livepatch_host",
}


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


def test_status(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    run = _run(fake_fleet, tmp_path, _play(_GATHER, *examples.of_module("livepatch_report")))
    assert run.rc == 0, run.output
    assert "2 hosts: 2 unpatched" in run.output


def test_steps_of_a_rollout(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    begin, admit, wait, assess, finish = map(examples.of_module, _STEPS)
    run = _run(fake_fleet, tmp_path, _play(_GATHER, *begin), _play(*admit, *wait, *assess), _play(*finish))
    assert run.rc == 2, run.output
    assert "Gate after canaries: fail (0 of 1 healthy, budget 0)" in run.output, "no host was patched here"
    (finished,) = run.ended("rollout_finish").values()
    assert finished.result["status"] == "failed"


def _rename(tasks: t.Any, old: str, new: str) -> t.Any:
    return json.loads(json.dumps(tasks).replace(old, new))


def test_steps_work_with_other_register_names(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    steps = [examples.of_module(name) for name in _STEPS]
    for number, name in enumerate(("begun", "admission", "batch", "assessment", "finished")):
        steps = [_rename(tasks, f"__livepatch_{name}", f"mine{number}") for tasks in steps]
    begin, admit, wait, assess, finish = steps
    run = _run(fake_fleet, tmp_path, _play(_GATHER, *begin), _play(*admit, *wait, *assess), _play(*finish))
    assert "Gate after canaries: fail (0 of 1 healthy, budget 0)" in run.output
    (finished,) = run.ended("rollout_finish").values()
    assert finished.result["status"] == "failed"


@pytest.mark.parametrize("name", _STEPS[1:])
def test_a_step_without_the_rollout_fails(fake_fleet: FakeFleet, tmp_path: Path, name: str) -> None:
    (task, *_others) = examples.of_module(name)
    options = task[f"fleet.livepatch.{name}"]
    task[f"fleet.livepatch.{name}"] = {key: value for key, value in options.items() if "{{" not in str(value)}
    run = _run(fake_fleet, tmp_path, _play(task))
    assert run.rc == 2
    assert "missing required arguments: rollout" in run.output


@pytest.mark.parametrize(
    ("step", "option"),
    [("batch", "admission"), ("probe", "assessment"), ("wave", "assessment"), ("rollback", "hosts")],
)
def test_a_step_without_the_result_before_it_fails(
    fake_fleet: FakeFleet, tmp_path: Path, step: str, option: str
) -> None:
    task = {"fleet.livepatch.rollout_assess": {"step": step, "rollout": {}}, "run_once": True}
    run = _run(fake_fleet, tmp_path, _play(task))
    assert run.rc == 2
    assert f"step={step} needs the option {option}, and it is not given" in run.output


def test_a_wave_whose_batch_could_not_be_assessed_is_not_ended(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    """Such as when the store does not answer: a later run assesses the batch."""
    begin, admit, *_others = map(examples.of_module, _STEPS)
    error = {**assess.NO_ASSESSMENT, "verdict": "Gate: error: the store is busy", "error": "the store is busy"}
    step = {"step": "wave", "rollout": "{{ __livepatch_begun.rollout }}", "assessment": error}
    wave = {"fleet.livepatch.rollout_assess": step, "run_once": True}
    run = _run(fake_fleet, tmp_path, _play(_GATHER, *begin), _play(*admit, wave))
    (assessed,) = run.ended("rollout_assess").values()
    assert (assessed.result["error"], assessed.result["go"]) == ("the store is busy", False)
    stored = Store(str(fake_fleet.store), time.time).show("default")["rollout"]
    assert (stored["status"], stored["gates"]) == ("running", [])


def test_answers_registered_by_another_name_are_missed(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    gather = {**_GATHER, "register": "asked"}
    for name in ("rollout_begin", "livepatch_report"):
        run = _run(fake_fleet, tmp_path, _play(gather, *examples.of_module(name)))
        assert run.rc == 2, run.output
        assert "no host of the play has the variable __livepatch_host" in run.output


def test_a_rollback_needs_a_rollout_that_was(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    task = {"fleet.livepatch.rollout_begin": {"mode": "rollback", "reason": "slow"}, "run_once": True}
    run = _run(fake_fleet, tmp_path, _play(task))
    assert "there is nothing to roll back" in run.output


def test_what_is_not_there_is_not_cleared(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    run = _run(fake_fleet, tmp_path, _play(examples.of_module("rollout_quarantine")[1]))
    assert (run.rc, run.changed) == (2, 0), run.output
    assert "livepatch_quarantine_kmp is " in run.output, run.output


def test_an_operators_examples(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    tasks = [task for name in ("control", "quarantine") for task in examples.of_module(f"rollout_{name}")]
    fake_fleet.make({name: FakeHost() for name in ("web1", "web2")}, {}, common={})
    store = Store(str(fake_fleet.store), time.time)
    record_waiting(store)
    kmp = next(task["fleet.livepatch.rollout_quarantine"]["kmp"] for task in tasks if "Clear" in task["name"])
    store.add_to_quarantine([{"kmp": kmp, "cohort": "c", "reason": "an oops", "by": "eve"}])
    path = tmp_path / "play.yml"
    path.write_text(json.dumps([_play(*tasks)]))
    run = fake_fleet.again([str(path)])
    # All but the halt of the rollout that is under way, since it waits
    assert (run.rc, run.changed) == (0, 5), run.output


@pytest.mark.parametrize("name", examples.modules())
def test_each_module_has_an_example(name: str) -> None:
    assert examples.of_module(name)
