# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workflow that the role awx makes, played as AWX does: along its edges, with what the jobs hand over."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from tests.support.jobs import Job, Jobs

_ROLE = Path(__file__).parents[2] / "roles/awx/vars/main.yml"


class _Loader(yaml.SafeLoader):
    """Knows Ansible's own tag."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(t.cast(yaml.ScalarNode, node)))


def play(jobs: Jobs, approves: Callable[[Mapping[str, t.Any]], bool], **extra: t.Any) -> dict[str, Job | bool]:
    """Runs it to its end.

    :param approves: whether somebody approves in time, by what was handed over so far.
    :param extra: variables of all job templates.
    :returns: what became of each node that was come to, in that order.
    """
    variables = yaml.load(_ROLE.read_text(), _Loader)
    playbooks = {one["name"]: one.get("playbook", one["name"]) for one in variables["__livepatch_awx_templates"]}
    nodes = {one["identifier"]: one for one in variables["__livepatch_awx_nodes"]}
    followers = {
        name for node in nodes.values() for edge in ("success", "failure", "always") for name in node.get(edge, ())
    }
    todo = [name for name in nodes if name not in followers]
    came: dict[str, Job | bool] = {}
    artifacts: dict[str, t.Any] = {}
    while todo:
        name = todo.pop(0)
        if name == "approval":
            came[name] = well = approves(artifacts)
        else:
            playbook = playbooks[name].removesuffix(".yml")
            # What jobs before it handed over wins over a template's own variables (WorkflowJobNode.get_job_kwargs)
            job = jobs.run(playbook, **{**extra, **artifacts})
            came[name], well = job, job.status == "successful"
            artifacts.update(job.artifacts)
        todo += [*nodes[name].get("success" if well else "failure", ()), *nodes[name].get("always", ())]
    return came
