# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollout as Ansible's variables hold it: plan, results, outcomes. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import hosts, outcome

# The variables in which the playbooks and roles leave what they found and did, host by host.
ASKED = "livepatch_asked"
INSTALL = "install_result"
VERIFY = "verify_result"
CONFIRM = "livepatch_confirmed"


# Hosts' variables, by host
Variables = t.Mapping[str, t.Mapping[str, t.Any]]

# What holds for the rollout as a whole, and so must be the same for all of its hosts.
COMMON = ("livepatch_targets", "livepatch_waves", "livepatch_seed", "livepatch_budget", "livepatch_max_in_flight")


def everybody(task_vars: t.Mapping[str, t.Any]) -> list[str]:
    """The play's hosts, unreachable and failed ones too."""
    return list(task_vars["ansible_play_hosts_all"])


def variables_of(names: t.Iterable[str], task_vars: t.Mapping[str, t.Any]) -> Variables:
    """The hosts' variables. Ansible works out all of a host's each time that it is asked: ask once."""
    return {name: task_vars["hostvars"][name] for name in names}


def insist_on_common(variables_of_all: Variables) -> None:
    """:raises PlanError: a variable that holds for the whole rollout is another one on some of the hosts."""
    first: dict[str, tuple[str, t.Any]] = {}
    for name, variables in variables_of_all.items():
        for variable in COMMON:
            value = variables.get(variable)
            other, theirs = first.setdefault(variable, (name, value))
            if value != theirs:
                raise hosts.PlanError(
                    f"{variable} is {theirs!r} on {other} and {value!r} on {name}: it holds for the whole rollout. "
                    "Set it for all hosts, best as an extra variable (-e)"
                )


def fleet(variables_of_all: Variables) -> list[hosts.Host]:
    """These hosts as they were when asked.

    :raises PlanError: what the operator says of one of them cannot be understood.
    """
    return [hosts.from_result(name, variables, variables.get(ASKED)) for name, variables in variables_of_all.items()]


def outcomes(
    fleet_: t.Iterable[hosts.Host], planned: t.Collection[str], variables_of_all: Variables, check_mode: bool
) -> list[outcome.Outcome]:
    """What became of these hosts so far. A result that cannot be understood is a failure, and stops nothing else."""
    judged = []
    for host in fleet_:
        variables = variables_of_all[host.name]
        try:
            judged.append(
                outcome.judge(
                    host,
                    host.name in planned,
                    variables,
                    _ran(variables.get(INSTALL)),
                    _ran(variables.get(VERIFY)),
                    _ran(variables.get(CONFIRM)),
                    check_mode,
                )
            )
        except (AttributeError, KeyError, TypeError) as exc:
            reason = f"what it answered cannot be understood ({exc!r}): report it as a bug"
            judged.append(outcome.Outcome(host.name, "failed", reason, "unknown"))
    return judged


def _ran(result: t.Mapping[str, t.Any] | None) -> t.Mapping[str, t.Any] | None:
    return None if not result or result.get("skipped") else result
