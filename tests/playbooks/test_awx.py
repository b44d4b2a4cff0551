# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX needs: a project, an execution environment, and jobs that remember nothing; the hosts are fake."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.support import cores, workflow
from tests.support.fake_fleet import FakeFleet, FakeHost
from tests.support.jobs import PROJECT, Event, Jobs, name_launcher

_CHECKOUT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


@pytest.fixture
def jobs(fake_fleet: FakeFleet, tmp_path: Path) -> Jobs:
    hosts = {name: FakeHost() for name in ("a1", "a2", "b1", "b2")}
    coordinator = FakeHost({"active": "3-1"})
    there = {"livepatch_coordinator": "c1", "livepatch_store_path": str(tmp_path / "rollouts.sqlite3")}
    fake_fleet.make({**hosts, "c1": coordinator}, {}, common={**there, "livepatch_waves": []})
    return Jobs(tmp_path / "jobs", fake_fleet.inventory, fake_fleet.environment())


def test_the_project_has_each_playbook(fake_fleet: FakeFleet) -> None:
    playbooks = {path.name for path in (_CHECKOUT / "playbooks").glob("[!_]*.yml")}
    assert {path.name for path in PROJECT.glob("*.yml")} == playbooks
    for path in PROJECT.glob("*.yml"):
        assert yaml.safe_load(path.read_text())[0]["ansible.builtin.import_playbook"] == f"fleet.livepatch.{path.stem}"


def _create_context(folder: Path) -> Path:
    definition = _CHECKOUT / "docs/awx/execution-environment.yml"
    create = [_BIN / "ansible-builder", "create", "-f", definition, "-c", folder, "--output-filename", "Containerfile"]
    made = subprocess.run(create, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return folder


def test_the_execution_environment_has_what_a_rollout_needs(tmp_path: Path) -> None:
    """And nothing else: the other tests run with just that (tests/support/cores.py)."""
    context = _create_context(tmp_path / "context")
    assert "fleet.livepatch" in (context / "_build/requirements.yml").read_text()
    stage = _CHECKOUT / ".cache/stage"
    read = subprocess.run([_BIN / "ansible-builder", "introspect", stage], capture_output=True, text=True, check=False)
    told = yaml.safe_load(read.stdout)
    wanted = (_CHECKOUT / "meta/ee-requirements.txt").read_text().splitlines()
    assert [one.partition("  #")[0] for one in told["python"]] == [one for one in wanted if one and one[0] != "#"]
    assert not told["system"]


@pytest.mark.slow
def test_the_execution_environment_has_nothing_without_a_hash(tmp_path: Path) -> None:
    """What the build has pip do, in an environment instead of an image."""
    found = subprocess.run([_CHECKOUT / "tests/tools/find-python", "3.11"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip("no Python 3.11 is at hand, which the image has")
    subprocess.run([found.stdout.strip(), "-m", "venv", tmp_path / "env"], check=True)
    context = _create_context(tmp_path / "context")
    assemble = f"$PYCMD -m pip install -r '{_CHECKOUT}/meta/ee-requirements.txt'"
    env = {**os.environ, "PYCMD": str(tmp_path / "env/bin/python")}
    installed = []
    for line in (context / "Containerfile").read_text().splitlines():
        word, _blank, rest = line.partition(" ")
        if word == "ENV":
            env.update([rest.split("=", 1)])
        command = assemble if rest == "/output/scripts/assemble" else rest
        if word == "RUN" and command.startswith("$PYCMD -m pip install"):
            command = command.replace("/tmp/requirements.txt", f"'{context}/_build/pins/requirements.txt'")
            run = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, check=False)
            assert run.returncode == 0, run.stderr
            installed.append("Successfully installed" in run.stdout)
    assert installed == [True, False, False, False], "all of it by the first, which has hashes"
    check = [tmp_path / "env/bin/ansible-runner", "--version"]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0
    assert env["PIP_NO_INDEX"] == "", "who builds on the image has an index"


@pytest.mark.slow
def test_jobs_that_remember_nothing_go_on_where_the_last_one_ended(fake_fleet: FakeFleet, jobs: Jobs) -> None:
    planned = jobs.run("plan")
    assert planned.status == "successful", planned.output
    assert len(planned.artifacts["livepatch_plan_hash"]) == 64 and planned.artifacts["livepatch_plan_hosts"] == 4
    first = jobs.run("rollout", livepatch_approval=[1])
    assert (first.status, first.artifacts["livepatch_status"]) == ("successful", "waiting"), first.output
    assert len(fake_fleet.touched()) == 1, "the canary"
    hash_ = first.artifacts["livepatch_plan_hash"]
    again = jobs.run("rollout", livepatch_approval=[1])
    assert (again.status, again.artifacts) == ("successful", first.artifacts), again.output
    if name_launcher("eve") == "eve":
        alone = jobs.run("approve", livepatch_plan_hash=hash_, awx_user_name="eve", tower_user_name="eve")
        assert alone.status == "failed" and "(scheduled) was launched by no user" in alone.output, alone.output
    approved = jobs.run("approve", livepatch_plan_hash=hash_, livepatch_wave=1, user="eve")
    assert approved.status == "successful" and f"by {name_launcher('eve')}" in approved.output, approved.output
    last = jobs.run("rollout", livepatch_approval=[1])
    assert (last.status, last.artifacts) == ("successful", {**first.artifacts, "livepatch_status": "done"}), last.output
    assert set(fake_fleet.touched()) == {"a1", "a2", "b1", "b2"}
    assert " Wave 1: starting 3 hosts: " in last.output, "the project's callback tells how it gets on"


@pytest.mark.parametrize("in_time", [True, cores.slow(False)])
def test_the_workflow_runs_what_was_approved_or_nothing(fake_fleet: FakeFleet, jobs: Jobs, in_time: bool) -> None:
    def approves(artifacts: Mapping[str, t.Any]) -> bool:
        if in_time:
            jobs.run("approve", livepatch_plan_hash=artifacts["livepatch_plan_hash"], user="eve")
        return in_time

    came = workflow.play(jobs, approves, livepatch_approval=["all"])
    assert list(came) == ["plan", "changes", "approval", *(["reconcile"] if in_time else []), "report"]
    assert set(fake_fleet.touched()) == ({"a1", "a2", "b1", "b2"} if in_time else set())
    if in_time:
        # There is nothing left to approve, and nobody is asked.
        idle = workflow.play(jobs, lambda artifacts: False, livepatch_approval=["all"])
        assert list(idle) == ["plan", "changes", "report"]


@pytest.mark.slow
def test_a_job_that_is_cancelled_is_taken_up(fake_fleet: FakeFleet, jobs: Jobs) -> None:
    def starts(event: Event) -> bool:
        data = event["event_data"]
        verifies = data.get("task_action") == "fleet.livepatch.livepatch_info" and "verify" in data.get("role", "")
        return event["event"] == "runner_on_start" and verifies

    cancelled = jobs.run("rollout", until=starts)
    assert (cancelled.status, cancelled.artifacts) == ("canceled", {}), cancelled.output
    last = jobs.run("rollout")
    assert (last.status, last.artifacts["livepatch_status"]) == ("successful", "done"), last.output
    assert {name: len(kmps) for name, kmps in fake_fleet.touched().items()} == {"a1": 1, "a2": 1, "b1": 1, "b2": 1}


@pytest.mark.parametrize("playbook", ["approve", "reject", "halt", "resume", "abort", "quarantine", "report"])
def test_what_people_say_is_said_to_the_coordinator_itself(fake_fleet: FakeFleet, jobs: Jobs, playbook: str) -> None:
    """Their tasks must not be done on the control node."""
    (fake_fleet.folder("c1") / "gone").touch()
    job = jobs.run(playbook, livepatch_plan_hash="0" * 12, user="eve")
    assert job.status == "failed", job.output
    assert "UNREACHABLE" in job.output or "unreachable" in job.output


@pytest.mark.slow
def test_a_job_that_finds_nothing_to_do_says_so(jobs: Jobs) -> None:
    jobs.run("rollout")
    idle = jobs.run("rollout")
    assert (idle.status, idle.artifacts["livepatch_status"]) == ("successful", "nothing"), idle.output


def test_a_job_over_no_hosts_fails(jobs: Jobs) -> None:
    """To AWX itself that is a success."""
    assert jobs.run("rollout", livepatch_targets="nobody").status == "failed"
