# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What steps of a rollout have in common: options, and what they hand over. PRIVATE to the collection. Pure."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError

# Of each step but the first: what rollout_begin returned
STEP_OPTIONS: dict[str, t.Any] = {"rollout": {"type": "dict", "required": True}}


def parse_wave(name: str, text: str) -> int | None:
    """Parse the number of a wave, or all.

    :param name: of the setting.
    :returns: None for all.
    :raises PlanError: it is neither.
    """
    if not re.fullmatch(r"all|[0-9]{1,9}", text.strip()):
        raise PlanError(f"{name} is {text!r}: set it to the number of a wave, or to all")
    return None if text.strip() == "all" else int(text)


def require_absolute(name: str, path: str) -> None:
    """:raises PlanError: it is relative: the next command, from another folder, would use another file."""
    if not os.path.isabs(os.path.expanduser(path)):
        raise PlanError(
            f"{name} is {path!r}, which means another file in each working directory: set an absolute path, such as "
            "'{{ inventory_dir }}/" + os.path.basename(path) + "'"
        )


def validate_whole_inventory(task_vars: t.Mapping[str, t.Any]) -> None:
    """That this is no job to which AWX has given a part of the inventory: canaries and gates need all of it.

    AWX starts the jobs of a slicing from a workflow that it makes, and names as the job template
    (``UnifiedJobTemplate.create_unified_job`` and ``Job.awx_meta_vars`` of AWX 24.6.1); nothing else shows it.

    :raises PlanError: it is one.
    """
    names = [task_vars.get(f"awx_{kind}_name") for kind in ("workflow_job", "job_template")]
    if names[0] and names[0] == names[1]:
        raise PlanError(
            f"the job template {names[1]} is sliced, and this job has only a part of the hosts: set its job slices to "
            "1. Only the playbook wave may be sliced"
        )


def build_stats(**artifacts: t.Any) -> dict[str, t.Any]:
    """For AWX: what a job hands over to the next one of a workflow; IDs and a status, nothing more."""
    # Aggregated, texts of several batches would be appended to each other.
    return {"data": artifacts, "per_host": False, "aggregate": False}
