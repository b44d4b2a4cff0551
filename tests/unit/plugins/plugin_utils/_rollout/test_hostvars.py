# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for a rollout as a whole."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml

from ansible_collections.fleet.livepatch.plugins.module_utils import _async_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hostvars

_PLAYBOOKS = Path(__file__).parents[5] / "playbooks"
# Of each host; where one task for all of them looks at it, any host's does.
_OF_A_HOST = {"livepatch_timeout", "livepatch_lock_timeout"}
# Set by playbooks
_OURS = {"livepatch_prestaging"}


def _once(tasks: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[str]:
    """The variables with a default of the tasks that run once for all hosts."""
    for task in tasks:
        for part in ("block", "rescue", "always", "tasks"):
            yield from _once(task.get(part) or ())
        if task.get("run_once"):
            yield from re.findall(r"(livepatch_[a-z_]+)\s*\|\s*default", yaml.safe_dump(dict(task), width=10000))


def test_what_one_task_reads_for_all_hosts_has_to_be_the_same_for_all() -> None:
    names = ("plan.yml", "prestage.yml", "rollout.yml", "wave.yml", "tasks/ask.yml", "tasks/plan.yml")
    files = [_PLAYBOOKS / name for name in names]
    found = {name for file in files for name in _once(yaml.safe_load(file.read_text()))}
    assert found - _OF_A_HOST - _OURS <= set(hostvars.COMMON)
    assert len(found) > 30


@pytest.mark.parametrize("name", hostvars.COMMON)
def test_what_differs_is_refused(name: str) -> None:
    secret = name in ("livepatch_gates", "livepatch_webhooks", "livepatch_report_request")
    theirs = ("one thing", "another") if secret else ("'a'", "None")
    with pytest.raises(
        PlanError, match=f"{name} is {theirs[0]} on web1 and {theirs[1]} on web2: it holds for the whole"
    ):
        hostvars.insist_on_common({"web1": {name: "a"}, "web2": {}})


def test_canaries_and_gates_are_no_slices() -> None:
    job = {"awx_job_template_name": "reconcile"}
    for other in ({}, {"awx_workflow_job_name": "Live patching"}):
        hostvars.insist_on_no_slice({**job, **other})
    hostvars.insist_on_no_slice({})
    with pytest.raises(PlanError, match=r"the job template reconcile is sliced, .* Only the playbook wave may be"):
        hostvars.insist_on_no_slice({**job, "awx_workflow_job_name": "reconcile"})


def test_the_longest_step_is_that_of_the_slowest_host() -> None:
    usual = hostvars.longest_step({"web1": {}, "web2": {"livepatch_timeout": "60"}})
    assert usual == 900 + 1200 + 1200 + 300
    slow = {"livepatch_timeout": 600, "livepatch_unreachable_timeout": 400}
    assert hostvars.longest_step({"web1": {}, "db1": slow}) == usual + 20 * 540 + 100
    with pytest.raises(PlanError, match="livepatch_timeout of web1 is 'soon': it is a number of seconds"):
        hostvars.longest_step({"web1": {"livepatch_timeout": "soon"}})


@pytest.mark.parametrize("timeout, lock_timeout", [(60, 60), (5, 5), (86400, 0)])
def test_a_run_has_time_to_wait_for_the_one_before_and_for_itself(timeout: int, lock_timeout: int) -> None:
    twice = 2 * _async_result.longest(timeout, lock_timeout)

    def evaluated(role: str, file: str, keyword: str) -> t.Any:
        tasks = yaml.safe_load((_PLAYBOOKS.parent / "roles" / role / "tasks" / file).read_text())
        (text,) = (task[keyword] for task in tasks if keyword in task)
        limits = {f"{role}_timeout": str(timeout), f"{role}_lock_timeout": str(lock_timeout)}
        return jinja2.Environment().compile_expression(text.strip("{} "))(**limits, ansible_check_mode=False)

    assert evaluated("install", "start.yml", "async") == twice + 3600, "Ansible's own limit is far above it"
    # Each attempt waits for 30 s on the host.
    assert evaluated("install", "main.yml", "retries") * 30 == pytest.approx(twice, abs=30)
    assert evaluated("verify", "main.yml", "retries") * 30 == pytest.approx(twice, abs=30)
    limits = {"livepatch_timeout": timeout, "livepatch_lock_timeout": lock_timeout}
    assert hostvars.longest_step({"web1": limits}) >= twice + 300


def test_a_window_has_room_for_the_slowest_host() -> None:
    usual = hostvars.reserve({"web1": {}, "web2": {"livepatch_timeout": "60"}}, 0)
    assert usual == 300 + 240 + 120
    assert hostvars.reserve({"web1": {}, "db1": {"livepatch_timeout": 600}}, 3600) == usual + 4 * 540 + 3600
    assert hostvars.reserve({}, 0) == usual
    with pytest.raises(PlanError, match="livepatch_lock_timeout of web1 is 'soon': it is a number of seconds"):
        hostvars.reserve({"web1": {"livepatch_lock_timeout": "soon"}}, 0)
