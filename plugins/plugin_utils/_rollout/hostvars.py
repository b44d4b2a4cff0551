# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts answered, as Ansible's variables hold it. PRIVATE to the collection.

Nothing else reads the variables that tasks on hosts register; the modules that do so by these functions name them in
their documentation.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hosts, outcome

# livepatch_info before anything is done
GATHERED = "__livepatch_host"
# livepatch, started detached, and what became of it
INSTALL = "__livepatch_install"
VERIFY = "__livepatch_verify"
# livepatch_info on a host that was lost on the way
REACHED = "__livepatch_reached"
# livepatch_info in a soak, in a loop over the hosts that it is delegated to
SOAK_PROBE = "__livepatch_soak_probe"
# livepatch for the next boot of canaries, in such a loop
CONFIRMATION = "__livepatch_confirmation"
# livepatch back to the previous level, when it has ended
ROLLED_BACK = "__livepatch_install_end"
# livepatch with download_only
DOWNLOAD = "__livepatch_download"
# rollout_admit
ADMISSION = "__livepatch_admission"
# The variable of such loops
MEMBER = "__livepatch_member"

# Hosts' variables, by host
Variables = t.Mapping[str, t.Mapping[str, t.Any]]


def get_play_hosts(task_vars: t.Mapping[str, t.Any]) -> list[str]:
    """The play's hosts, unreachable and failed ones too."""
    return list(task_vars["ansible_play_hosts_all"])


def get_variables(names: t.Iterable[str], task_vars: t.Mapping[str, t.Any]) -> Variables:
    """The hosts' variables. Ansible works out all of a host's each time that it is asked: ask once."""
    return {name: task_vars["hostvars"][name] for name in names}


def require_gathered(variables_by_host: Variables) -> None:
    """:raises PlanError: none of the hosts was asked, or the answers were registered by another name."""
    if variables_by_host and not any(GATHERED in variables for variables in variables_by_host.values()):
        raise PlanError(
            f"no host of the play has the variable {GATHERED}: fleet.livepatch.livepatch_info with on_unreachable: "
            f"report comes first, with register: {GATHERED}"
        )


def parse_fleet(
    variables_by_host: Variables,
    selection: hosts.HostSelection = hosts.HostSelection(),  # noqa: B008
) -> list[hosts.Host]:
    """These hosts as they were when they were asked.

    :raises PlanError: a setting of one of them cannot be understood.
    """
    return [
        hosts.parse_host(name, variables, variables.get(GATHERED), selection)
        for name, variables in variables_by_host.items()
    ]


def find_batch(rollout: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """The batch that the play is at. It is found by the play's hosts, of which Ansible may have dropped some.

    :raises PlanError: the play's hosts are in no batch of this rollout.
    """
    present = set(task_vars["ansible_play_batch"])
    for batch in rollout["batches"]:
        if present & set(batch["hosts"]):
            return t.cast(t.Mapping[str, t.Any], batch)
    raise PlanError(
        "none of the play's hosts is in a batch of the rollout: the option rollout is another run's. Give it what "
        "rollout_begin has returned in this run"
    )


def get_result(variables: t.Mapping[str, t.Any], name: str) -> t.Mapping[str, t.Any] | None:
    """The registered result of a task, None where it was skipped or did not run."""
    result = variables.get(name)
    return None if not result or result.get("skipped") else result


def get_task_results(variables: t.Mapping[str, t.Any]) -> outcome.TaskResults:
    return outcome.TaskResults(*(get_result(variables, name) for name in (INSTALL, VERIFY, REACHED)))


def get_latest_answer(variables: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any] | None:
    """What a host has answered last, which may be why it could not be asked."""
    results = [result for name in (ROLLED_BACK, REACHED, VERIFY, GATHERED) if (result := get_result(variables, name))]
    return next((result for result in results if "livepatch" in result), results[0] if results else None)


def get_member_results(variables_by_host: Variables, name: str) -> dict[str, t.Mapping[str, t.Any]]:
    """The results of a task that each of these hosts ran in a loop, delegated to its share of the wave; by member."""
    return {
        str(result[MEMBER]): result
        for variables in variables_by_host.values()
        for result in (variables.get(name) or {}).get("results", ())
    }


def find_refused_admission(variables_by_host: Variables) -> t.Mapping[str, t.Any] | None:
    """The admission that did not let a batch of these hosts start."""
    admissions = (variables.get(ADMISSION) or {} for variables in variables_by_host.values())
    return next((admission for admission in admissions if not admission.get("go", True)), None)


def determine_outcomes(
    names: t.Iterable[str], rollout: t.Mapping[str, t.Any], variables_by_host: Variables, check_mode: bool
) -> list[outcome.Outcome]:
    """What became of planned hosts. A result that cannot be understood is a failure, and stops nothing else."""
    outcomes = []
    for name in names:
        variables, row = variables_by_host[name], rollout["document"]["hosts"][name]
        try:
            host = hosts.parse_host(name, variables, variables.get(GATHERED))
            # What it was when it was planned: it may have gone down since, and an earlier run have begun with it.
            host = dataclasses.replace(host, build_id=row["build_id"], boot_id=row["boot_id"], kmp=row["kmp"])
            results = get_task_results(variables)
            result = outcome.determine_outcome(host, variables, results, rollout["id"], check_mode)
        except (AttributeError, KeyError, TypeError) as exc:
            reason = f"what it answered cannot be understood ({exc!r}): report it as a bug"
            result = outcome.Outcome(name, "failed", reason, "unknown")
        outcomes.append(dataclasses.replace(result, cohort=row["cohort"]))
    return outcomes
