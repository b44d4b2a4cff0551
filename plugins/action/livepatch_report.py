# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows what is known of the fleet: the controller's part of the module of the same name."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils.errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils.report import status, text, words
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import prestage, run
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.outcome import Outcome


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "of": {"type": "str", "choices": ["status", "rollout", "prestage"], "required": True},
                "closed": {"type": "dict", "default": {}},
                # A list of Ansible's own would be cut at each comma.
                "require": {"type": "raw", "default": []},
                "format": {"type": "str", "choices": list(words.FORMATS), "default": "text"},
            }
        )
        variables = run.variables_of(run.everybody(task_vars), task_vars)
        fleet = run.fleet(variables)
        if options["of"] == "status":
            report = _of_status(fleet, variables, options["require"])
        elif options["of"] == "prestage":
            report = _of_prestage(fleet, variables, task_vars, self._task.check_mode)
        else:
            report = _of_rollout(fleet, options["closed"])
        self._display.display(words.shown(report.lines, report.told, options["format"]))
        if report.problem is not None and not self._task.check_mode:
            raise AnsibleActionFail(report.problem)
        return {"changed": False, **report.told}


class _Report(t.NamedTuple):
    """For people, for programs, and why the run must not end well."""

    lines: list[str]
    told: dict[str, t.Any]
    problem: str | None = None


def _of_status(fleet: list[Host], variables: run.Variables, required: t.Any) -> _Report:
    today = datetime.datetime.now(datetime.timezone.utc).date()
    rows = [status.of(host, variables[host.name], variables[host.name].get(run.ASKED), today) for host in fleet]
    try:
        run.insist_on_common(variables, ("livepatch_require", "livepatch_output"))
        problem = status.lacking(rows, [required] if isinstance(required, str) else list(required))
    except PlanError as exc:
        problem = str(exc)
    return _Report(status.lines(rows, today), status.as_document(rows), problem)


def _of_rollout(fleet: list[Host], closed: t.Mapping[str, t.Any]) -> _Report:
    outcomes = [Outcome(**row) for row in closed["outcomes"]]
    how = (fleet, outcomes, closed["status"], closed["detail"])
    told = {"hosts": closed["outcomes"], "status": closed["status"], "detail": closed["detail"]}
    return _Report(text.rollout(*how), told, text.attention(*how))


def _of_prestage(
    fleet: list[Host], variables: run.Variables, task_vars: t.Mapping[str, t.Any], check_mode: bool
) -> _Report:
    left_out = run.current(task_vars)["document"]["left_out"]
    found = []
    for host in fleet:
        of_host = variables[host.name]
        result = run.ran(of_host.get(run.DOWNLOADED))
        found.append(prestage.of(host, left_out.get(host.name), result, of_host, check_mode))
    told = {"hosts": [dataclasses.asdict(one) for one in found]}
    return _Report(text.prestage(found), told, text.not_fetched(found))
