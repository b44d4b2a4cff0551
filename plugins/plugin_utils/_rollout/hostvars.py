# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout as Ansible's variables hold it: plan, batches, results. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils import _async_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hosts, outcome

# The variables in which the playbooks and roles leave what they found and did, host by host.
ASKED = "__livepatch_host"
INSTALL = "__livepatch_install"
VERIFY = "__livepatch_verify"
FOUND = "__livepatch_reached"
PROBED = "__livepatch_soak_probe"
CONFIRMED = "__livepatch_confirmation"
BACK = "__livepatch_install_end"
DOWNLOADED = "__livepatch_download"
TURN = "__livepatch_admission"
# The fact of localhost that livepatch_plan's result becomes.
ROLLOUT = "__livepatch_rollout"

# Hosts' variables, by host
Variables = t.Mapping[str, t.Mapping[str, t.Any]]

# Where reports go
REPORTS = ("livepatch_report_dir", "livepatch_report_url", "livepatch_report_request")
# What holds for the rollout as a whole, and so must be the same for all of its hosts.
COMMON = (
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
    *REPORTS,
    "livepatch_webhooks",
    "livepatch_metrics_dir",
)


# Of those, what may hold passwords: it is not shown
_SECRET = ("livepatch_gates", "livepatch_webhooks", "livepatch_report_request")

# Hosts' own limits in seconds: their defaults, and how often one step may take each: in its own run, and in one before
# it that it waits for
_RUNS = 2 * _async_result.STEPS
_LIMITS = (
    ("livepatch_timeout", 60, _RUNS),
    ("livepatch_lock_timeout", 60, _RUNS),
    ("livepatch_unreachable_timeout", 300, 1),
)
# For all that has no limit of its own: downloads, scriptlets, an initrd
_OTHERWISE = 900
# The same for a host that goes the usual way, and back: what a window has to have left. It may be set otherwise.
_RESERVES = (("livepatch_timeout", 60, 4), ("livepatch_lock_timeout", 60, 2))
_BESIDES = 300


def everybody(task_vars: t.Mapping[str, t.Any]) -> list[str]:
    """The play's hosts, unreachable and failed ones too."""
    return list(task_vars["ansible_play_hosts_all"])


def variables_of(names: t.Iterable[str], task_vars: t.Mapping[str, t.Any]) -> Variables:
    """The hosts' variables. Ansible works out all of a host's each time that it is asked: ask once."""
    return {name: task_vars["hostvars"][name] for name in names}


def insist_on_common(variables_of_all: Variables, names: t.Iterable[str] = COMMON) -> None:
    """:raises PlanError: one of these variables, which hold for all hosts, is another one on some of them."""
    first: dict[str, tuple[str, t.Any]] = {}
    for name, variables in variables_of_all.items():
        for variable in names:
            value = variables.get(variable)
            other, theirs = first.setdefault(variable, (name, value))
            if value != theirs:
                told = ("one thing", "another") if variable in _SECRET else (repr(theirs), repr(value))
                raise PlanError(
                    f"{variable} is {told[0]} on {other} and {told[1]} on {name}: it holds for the whole run. "
                    "Set it for all hosts, best as an extra variable (-e)"
                )


def insist_on_no_slice(task_vars: t.Mapping[str, t.Any]) -> None:
    """That this is no job to which AWX has given a part of the inventory: canaries and gates need all of it.

    AWX starts the jobs of a slicing from a workflow that it makes, and names as the job template
    (``UnifiedJobTemplate.create_unified_job`` and ``Job.awx_meta_vars`` of AWX 24.6.1); nothing else tells them of it.

    :raises PlanError: it is one.
    """
    names = [task_vars.get(f"awx_{of}_name") for of in ("workflow_job", "job_template")]
    if names[0] and names[0] == names[1]:
        raise PlanError(
            f"the job template {names[1]} is sliced, and this job has only a part of the hosts: set its job slices to "
            "1. Only the playbook wave may be sliced"
        )


def longest_step(variables_of_all: Variables) -> int:
    """Seconds that a step may take at the most, on the slowest of the hosts: a detached run with its way back, one
    before it that still works, and what is waited for hosts that are lost. Whoever has given no sign of life for so
    long has ended.

    :raises PlanError: a limit is no number.
    """
    return _longest(variables_of_all, _LIMITS) + _OTHERWISE


def reserve(variables_of_all: Variables, soak: int) -> int:
    """Seconds of a window that hosts need, the slowest of them, to be patched, to soak, and to be brought back.

    :raises PlanError: a limit is no number.
    """
    return _longest(variables_of_all, _RESERVES) + soak + _BESIDES


def _longest(variables_of_all: Variables, limits: t.Iterable[tuple[str, int, int]]) -> int:
    return sum(
        times * max((_seconds(variable, default, name, of) for name, of in variables_of_all.items()), default=default)
        for variable, default, times in limits
    )


def _seconds(variable: str, default: int, name: str, variables: t.Mapping[str, t.Any]) -> int:
    given = variables.get(variable, default)
    try:
        return int(given)
    except (TypeError, ValueError) as exc:
        raise PlanError(f"{variable} of {name} is {given!r}: it is a number of seconds") from exc


def fleet(variables_of_all: Variables, selection: hosts.HostSelection = hosts.HostSelection()) -> list[hosts.Host]:  # noqa: B008
    """These hosts as they were when asked.

    :raises PlanError: what the operator says of one of them cannot be understood.
    """
    return [
        hosts.parse_host(name, variables, variables.get(ASKED), selection)
        for name, variables in variables_of_all.items()
    ]


def handed_over(**artifacts: t.Any) -> dict[str, t.Any]:
    """For AWX: what a job hands over to the next one of a workflow; IDs and a status, nothing more."""
    # Aggregated, texts of several batches would be appended to each other.
    return {"data": artifacts, "per_host": False, "aggregate": False}


def current(task_vars: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """What livepatch_plan has told of the rollout.

    :raises PlanError: it has told nothing.
    """
    try:
        return t.cast(t.Mapping[str, t.Any], task_vars["hostvars"]["localhost"][ROLLOUT])
    except KeyError as exc:
        raise PlanError(
            "nothing was planned in this run: fleet.livepatch.livepatch_plan comes first, and what it returns as "
            f"rollout has to be the fact {ROLLOUT} of localhost"
        ) from exc


def batch_of(rollout: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """The batch whose turn it is. It is found by who is in the play's batch, of which Ansible may have dropped some."""
    present = set(task_vars["ansible_play_batch"])
    return next(batch for batch in rollout["batches"] if present & set(batch["hosts"]))


def answers(variables: t.Mapping[str, t.Any]) -> outcome.TaskResults:
    return outcome.TaskResults(*(ran(variables.get(name)) for name in (INSTALL, VERIFY, FOUND)))


def latest(variables: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any] | None:
    """What a host has told of itself last, which may be why it could not be asked."""
    told = [result for name in (BACK, FOUND, VERIFY, ASKED) if (result := ran(variables.get(name)))]
    return next((result for result in told if "livepatch" in result), told[0] if told else None)


def ran(result: t.Mapping[str, t.Any] | None) -> t.Mapping[str, t.Any] | None:
    """The result of a task that was not skipped."""
    return None if not result or result.get("skipped") else result


def judged(
    names: t.Iterable[str], rollout: t.Mapping[str, t.Any], variables_of_all: Variables, check_mode: bool
) -> list[outcome.Outcome]:
    """What became of planned hosts. A result that cannot be understood is a failure, and stops nothing else."""
    found = []
    for name in names:
        variables, row = variables_of_all[name], rollout["document"]["hosts"][name]
        try:
            host = hosts.parse_host(name, variables, variables.get(ASKED))
            # What it was when it was planned: it may have gone down since, and an earlier run have begun with it.
            host = dataclasses.replace(host, build_id=row["build_id"], boot_id=row["boot_id"], kmp=row["kmp"])
            one = outcome.determine_outcome(host, variables, answers(variables), rollout["id"], check_mode)
        except (AttributeError, KeyError, TypeError) as exc:
            reason = f"what it answered cannot be understood ({exc!r}): report it as a bug"
            one = outcome.Outcome(name, "failed", reason, "unknown")
        found.append(dataclasses.replace(one, cohort=row["cohort"]))
    return found
