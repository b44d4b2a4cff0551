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


def everybody(task_vars: t.Mapping[str, t.Any]) -> list[str]:
    """The play's hosts, unreachable and failed ones too."""
    return list(task_vars["ansible_play_hosts_all"])


def fleet(names: t.Iterable[str], task_vars: t.Mapping[str, t.Any]) -> list[hosts.Host]:
    """These hosts as they were when asked."""
    every = task_vars["hostvars"]
    return [hosts.from_result(name, every[name], every[name].get(ASKED)) for name in names]


def outcomes(
    fleet_: t.Iterable[hosts.Host], planned: t.Collection[str], task_vars: t.Mapping[str, t.Any]
) -> list[outcome.Outcome]:
    """What became of these hosts so far."""
    every = task_vars["hostvars"]
    judged = []
    for host in fleet_:
        variables = every[host.name]
        verify = variables.get(VERIFY)
        if verify is not None and verify.get("skipped"):
            verify = None
        judged.append(outcome.judge(host, host.name in planned, variables, variables.get(INSTALL), verify))
    return judged
