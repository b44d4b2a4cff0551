# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Six hosts live patched by AWX' jobs, each in an empty directory: a workflow to its end, a canary that fails, a job
that is cancelled in the middle of a wave."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from pathlib import Path

from tests.lab.fleet import Lab
from tests.support import canary, workflow
from tests.support.controller import Controller
from tests.support.jobs import Event, Job, Jobs

_EVR = "4-150400.2.1"


def _run(came: Mapping[str, Job | bool], name: str) -> Job:
    job = came[name]
    assert isinstance(job, Job)
    return job


def _asked(job: Job, action: str) -> list[str]:
    """The hosts on which a module of the collection was started."""
    return [
        event["event_data"]["host"]
        for event in job.events
        if event["event"] == "runner_on_start" and event["event_data"]["task_action"] == f"fleet.livepatch.{action}"
    ]


def _second_wave_starts() -> t.Callable[[Event], bool]:
    """Whether a job has come so far that hosts of the wave after the canaries migrate."""
    waves: list[int] = []

    def so_far(event: Event) -> bool:
        data = event["event_data"]
        action = data.get("task_action")
        if event["event"] == "runner_on_ok" and action == "fleet.livepatch.rollout_admit":
            waves.append(data["res"]["wave"])
        return waves[-1:] == [1] and action == "fleet.livepatch.livepatch_info" and event["event"] == "runner_retry"

    return so_far


def test_jobs_that_remember_nothing(
    lab: Lab, controller: Controller, tmp_path: Path, figures: dict[str, object]
) -> None:
    lab.up(6, fresh=True)
    environment = {**controller.environment(), "ANSIBLE_FORKS": "10"}
    jobs = Jobs(tmp_path / "jobs", lab.inventory, environment)
    settings: dict[str, t.Any] = {
        "livepatch_coordinator": lab.hosts[0].name,
        "livepatch_refresh": "always",
        "livepatch_waves": [],
        "livepatch_unreachable_timeout": 60,
        "livepatch_report_dir": str(tmp_path / "reports"),
    }

    # A workflow: plan, approval, reconcile, report. What was approved is what runs.
    def approves(artifacts: Mapping[str, t.Any]) -> bool:
        approval = {"livepatch_plan_hash": artifacts["livepatch_plan_hash"]}
        approved = jobs.run("approve", user="eve", **{**settings, **approval})
        assert approved.status == "successful", approved.output
        return True

    came = workflow.play(jobs, approves, **settings, livepatch_approval=["all"])
    assert list(came) == ["plan", "approval", "reconcile", "report"]
    planned, done = _run(came, "plan"), _run(came, "reconcile")
    assert done.status == "successful", done.output
    assert done.artifacts["livepatch_status"] == "done"
    assert done.artifacts["livepatch_plan_hash"] == planned.artifacts["livepatch_plan_hash"]
    assert "6 hosts: 6 done" in done.output
    assert "6 done" in _run(came, "report").output
    assert _asked(planned, "livepatch") == []
    idle = jobs.run("rollout", **settings)
    assert (idle.status, idle.artifacts["livepatch_status"]) == ("successful", "nothing"), idle.output
    assert len(_asked(idle, "livepatch_info")) == 6, "one round trip for each host"
    assert _asked(idle, "livepatch") == []

    # The canary of one kernel fails: its wave goes back, the KMP is barred, the report says so.
    older, newer = (
        [host for host in lab.hosts if (host.kernel == lab.hosts[0].kernel) is first] for first in (True, False)
    )
    canary.add_repository(lab, "refused", older)
    failed = jobs.run("rollout", **settings)
    assert (failed.status, failed.artifacts["livepatch_status"]) == ("failed", "failed"), failed.output
    (bad,) = set(_asked(failed, "livepatch"))
    assert f"  {bad}: failed: the kernel refused" in failed.output
    page = max((tmp_path / "reports").glob("livepatch-rollout-*.html"), key=lambda one: one.stat().st_mtime)
    assert bad in page.read_text() and "the kernel refused" in page.read_text()
    report = jobs.run("report", **settings).output
    assert f"-{_EVR} in cohort " in report.partition("In quarantine:")[2], report
    assert jobs.run("rollout", **settings).artifacts["livepatch_status"] == "barred"

    # A job is cancelled in the middle of a wave. Hosts go on by themselves; the schedule's next job collects them.
    canary.add_repository(lab, "slow", newer)
    cancelled = jobs.run("rollout", until=_second_wave_starts(), **settings)
    assert cancelled.status == "canceled", cancelled.output
    assert cancelled.artifacts == {}
    last = jobs.run("rollout", **settings)
    assert last.artifacts["livepatch_status"] == "done", last.output
    assert "6 hosts: 3 skipped, 3 done" in last.output
    assert last.status == "failed", "a person has to look at those in quarantine"
    for host in newer:
        begun = host.console.read_text(errors="replace").count("livepatch_4_150400_2_1': starting patching transition")
        assert begun == 1, f"{host.name}: {begun} migrations"
        assert host.ssh("cd /sys/kernel/livepatch/livepatch_4_*; cat enabled transition") == "1\n0\n"
    figures.update({"hosts": 6, "cancelled in": "wave 1", "applied twice": 0, "the next job": last.status})
