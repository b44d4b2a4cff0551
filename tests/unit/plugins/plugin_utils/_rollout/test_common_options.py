# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for a rollout as a whole."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleet.livepatch.plugins.action import rollout_admit, rollout_assess
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import common_options, schema, store_client

_TASKS = Path(__file__).parents[5] / "roles/rollout/tasks"
# Of each host; where one task for all of them looks at it, any host's does.
_OF_A_HOST = {"livepatch_timeout", "livepatch_lock_timeout"}


def _find_settings(tasks: t.Iterable[t.Mapping[str, t.Any]], once: bool = False) -> t.Iterator[str]:
    """The settings that tasks read which run once for all hosts."""
    for task in tasks:
        runs_once = once or bool(task.get("run_once"))
        for part in ("block", "rescue", "always"):
            yield from _find_settings(task.get(part) or (), runs_once)
        if runs_once:
            own = {key: value for key, value in task.items() if key not in ("block", "rescue", "always")}
            yield from re.findall(r"(?<!_)\b(livepatch_[a-z_]+)\b", yaml.safe_dump(own, width=10000))


def test_what_one_task_reads_for_all_hosts_has_to_be_the_same_for_all() -> None:
    files = (
        *("prepare", "begin", "begin_slice", "batch", "follow_collect", "follow_soak", "soak_probe"),
        *("follow_roll_back", "rollback", "finish", "report_prestage"),
    )
    found = {name for file in files for name in _find_settings(yaml.safe_load((_TASKS / f"{file}.yml").read_text()))}
    modules = {name for name in found if name in ("livepatch_report",)}
    read = (rollout_admit.SETTINGS, rollout_assess.SETTINGS, store_client.SETTINGS, ["webhooks"])
    found |= {schema.PREFIX + name for names in read for name in names}
    of_run = {name for name, setting in schema.SETTINGS.items() if setting.scope == "run"}
    assert found - _OF_A_HOST - modules <= of_run
    assert len(found) > 20


def test_canaries_and_gates_are_no_slices() -> None:
    job = {"awx_job_template_name": "reconcile"}
    for other in ({}, {"awx_workflow_job_name": "Live patching"}):
        common_options.validate_whole_inventory({**job, **other})
    common_options.validate_whole_inventory({})
    with pytest.raises(PlanError, match=r"the job template reconcile is sliced, .* Only the playbook wave may be"):
        common_options.validate_whole_inventory({**job, "awx_workflow_job_name": "reconcile"})
