# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What steps of a rollout have in common: options, settings that hold for the whole run, what they hand over. PRIVATE
to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError

# Of each step but the first: what rollout_begin returned
STEP_OPTIONS: dict[str, t.Any] = {"rollout": {"type": "dict", "required": True}}

# Where reports go
REPORT_SETTINGS = ("livepatch_report_dir", "livepatch_report_url", "livepatch_report_request")
# Settings that hold for the rollout as a whole, and so must be the same for all of its hosts
COMMON_SETTINGS = (
    "livepatch_targets",
    "livepatch_scope",
    "livepatch_coordinator",
    "livepatch_coordinator_address",
    "livepatch_store_path",
    "livepatch_waves",
    "livepatch_seed",
    "livepatch_canaries",
    "livepatch_max_in_flight",
    "livepatch_slices",
    "livepatch_max_per_wave",
    "livepatch_max_per_domain",
    "livepatch_max_per_group",
    "livepatch_domain_keys",
    "livepatch_cohort_key",
    "livepatch_filter",
    "livepatch_kernel_versions",
    "livepatch_levels",
    "livepatch_prestaged",
    "livepatch_budget",
    "livepatch_budget_batch",
    "livepatch_budget_cohort",
    "livepatch_budget_rollout",
    "livepatch_budget_lost",
    "livepatch_budget_unreachable",
    "livepatch_halt_scope",
    "livepatch_plan_hash",
    "livepatch_soak",
    "livepatch_max_runtime",
    "livepatch_gates",
    "livepatch_skip_gates",
    "livepatch_approval",
    "livepatch_windows",
    "livepatch_window_min_remaining",
    "livepatch_blackouts",
    "livepatch_output",
    *REPORT_SETTINGS,
    "livepatch_webhooks",
    "livepatch_metrics_dir",
)
# Of those, what may hold passwords: it is not shown
_SECRET_SETTINGS = ("livepatch_gates", "livepatch_webhooks", "livepatch_report_request")


def validate_common_settings(
    variables_by_host: t.Mapping[str, t.Mapping[str, t.Any]], settings: t.Iterable[str] = COMMON_SETTINGS
) -> None:
    """:raises PlanError: one of these settings, which hold for all hosts, differs between two of them."""
    first: dict[str, tuple[str, t.Any]] = {}
    for host, variables in variables_by_host.items():
        for setting in settings:
            value = variables.get(setting)
            other, other_value = first.setdefault(setting, (host, value))
            if value != other_value:
                secret = setting in _SECRET_SETTINGS
                values = ("one thing", "another") if secret else (repr(other_value), repr(value))
                raise PlanError(
                    f"{setting} is {values[0]} on {other} and {values[1]} on {host}: it holds for the whole run. "
                    "Set it for all hosts, best as an extra variable (-e)"
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
