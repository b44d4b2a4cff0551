# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows what is known of the fleet: the controller's part of the module of the same name."""

from __future__ import annotations

import dataclasses
import functools
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import FORMATS, build_printer, format_response
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import (
    document,
    files,
    publish,
    status,
    text,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hosts, hostvars, prestage, store_client
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(
            self,
            {
                "of": {"type": "str", "choices": ["status", "rollout", "prestage"], "required": True},
                "closed": {"type": "dict", "default": {}},
                # A list of Ansible's own would be cut at each comma.
                "require": {"type": "raw", "default": []},
                **publish.OPTIONS,
                "metrics_dir": {"type": "str", "default": ""},
                "format": {"type": "str", "choices": list(FORMATS), "default": "text"},
            },
        )
        variables = hostvars.variables_of(hostvars.everybody(task_vars), task_vars)
        if options["of"] == "status":
            report = _of_status(variables, task_vars, options["require"])
        elif options["of"] == "prestage":
            report = _of_prestage(variables, task_vars, self._task.check_mode)
        else:
            report = _of_rollout(variables, task_vars, options["closed"])
        self._display.display(format_response(report.lines, report.told, options["format"]))
        problem, paths = report.problem, []
        try:
            paths = _deliver(report, options, build_printer(self._display.display, options["format"]))
        except PlanError as exc:
            # What was found out is shown all the same.
            problem = "; ".join(filter(None, (problem, str(exc))))
        if problem is not None:
            raise AnsibleActionFail(problem)
        return {"changed": False, "files": paths, **report.told}


def _deliver(report: _Report, options: t.Mapping[str, t.Any], say: t.Callable[[str], t.Any]) -> list[str]:
    if report.document is None:
        return []
    document = functools.lru_cache(maxsize=None)(report.document)
    paths = publish.deliver_report(options, document, say)
    if options["metrics_dir"] and document()["rollout"]:
        paths.append(files.write_metrics(options["metrics_dir"], document()))
    return paths


class _Report(t.NamedTuple):
    """For people, for programs, and why the run must not end well; ``document`` makes what files are made of."""

    lines: list[str]
    told: dict[str, t.Any]
    problem: str | None = None
    document: t.Callable[[], dict[str, t.Any]] | None = None


def _of_status(variables: hostvars.Variables, task_vars: dict[str, t.Any], required: t.Any) -> _Report:
    now = time.time()
    keys = task_vars.get("livepatch_domain_keys") or ()
    rows, today = status.build_rows(variables, hosts.HostSelection(tuple(keys)), now), status.to_day(now)
    try:
        hostvars.insist_on_common(variables, ("livepatch_assertions", *hostvars.REPORTS, "livepatch_output"))
        problem = status.check_assertions(rows, [required] if isinstance(required, str) else list(required))
    except PlanError as exc:
        problem = str(exc)
    whole = functools.partial(document.build_status, rows, now, store_client.get_scope(task_vars), problem)
    return _Report(status.format_status(rows, today), status.to_document(rows), problem, whole)


def _of_rollout(variables: hostvars.Variables, task_vars: dict[str, t.Any], closed: t.Mapping[str, t.Any]) -> _Report:
    outcomes = [Outcome(**row) for row in closed["outcomes"]]
    how = (hostvars.fleet(variables), outcomes, closed["status"], closed["detail"])
    told = {"hosts": closed["outcomes"], "status": closed["status"], "detail": closed["detail"]}
    problem = text.describe_problem(*how)

    def whole() -> dict[str, t.Any]:
        now, scope, plan = time.time(), store_client.get_scope(task_vars), hostvars.current(task_vars)["document"]
        rows = status.build_rows(variables, hosts.HostSelection(tuple(plan["settings"]["domain_keys"])), now)
        if closed["recorded"] is None:
            return document.build_status(rows, now, scope, problem)
        return document.build_rollout(
            rows, document.StoredRollout(plan, closed["recorded"], outcomes), now, scope, problem
        )

    return _Report(text.format_outcomes(*how), told, problem, whole)


def _of_prestage(variables: hostvars.Variables, task_vars: t.Mapping[str, t.Any], check_mode: bool) -> _Report:
    left_out = hostvars.current(task_vars)["document"]["left_out"]
    found = []
    for host in hostvars.fleet(variables):
        of_host = variables[host.name]
        result = hostvars.ran(of_host.get(hostvars.DOWNLOADED))
        found.append(prestage.determine_download(host, left_out.get(host.name), result, of_host, check_mode))
    told = {"hosts": [dataclasses.asdict(one) for one in found]}
    return _Report(text.format_prestage(found), told, text.describe_prestage_problem(found))
