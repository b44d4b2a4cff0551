# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows what is known of the fleet: the controller's part of the module of the same name."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    FORMATS,
    build_printer,
    show_response,
    to_printable,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import (
    document,
    publish,
    status,
    text,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    coordinator,
    drift,
    halt,
    hosts,
    hostvars,
    prestage,
    session,
    store_client,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run

_OPTIONS: dict[str, t.Any] = {
    "subject": {"type": "str", "choices": ["status", "prestage"], "required": True},
    "rollout": {"type": "dict"},
    # A list of Ansible's own would be cut at each comma.
    "assertions": {"type": "raw", "default": []},
    "domain_keys": {"type": "list", "elements": "str", "default": []},
    **publish.OPTIONS,
    "format": {"type": "str", "choices": list(FORMATS), "default": "text"},
}


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        variables = hostvars.VariablesReader(self, task_vars)(hostvars.get_play_hosts(task_vars))
        try:
            hostvars.require_gathered(variables)
            if options["subject"] == "prestage":
                report = self._build_prestage(variables, options, task_vars)
            else:
                location = store_client.locate(self, task_vars)
                drifted = self._find_drift(location, variables, task_vars)
                controls = halt.load_controls(self, task_vars)
                report = _build_status(variables, options, location.scope, drifted, controls)
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from None
        show_response(self._display.display, report.lines, report.result, options["format"])
        problem, paths = report.problem, []
        try:
            if report.document is not None:
                show = build_printer(self._display.display, options["format"])
                paths = publish.deliver_report(options, report.document, show)
        except PlanError as exc:
            # What was found out is shown all the same.
            problem = "; ".join(filter(None, (problem, str(exc))))
        if problem is not None:
            raise AnsibleActionFail(to_printable(problem))
        return {"changed": False, "files": paths, **report.result}

    def _build_prestage(
        self, variables: hostvars.Variables, options: t.Mapping[str, t.Any], task_vars: dict[str, t.Any]
    ) -> _Report:
        if options["rollout"] is None:
            raise PlanError("subject=prestage needs the option rollout, and it is not given")
        run = Run.from_option(options["rollout"])
        _state, planned, _rollout = session.load_whole(store_client.StoreClient(self, task_vars, run), run)
        downloads = []
        for host in hostvars.parse_fleet(variables):
            of_host = variables[host.name]
            answer = hostvars.get_answer(of_host, hostvars.DOWNLOAD)
            left_out = planned.left_out.get(host.name)
            downloads.append(prestage.determine_download(host, left_out, answer, of_host, self._task.check_mode))
        result = {"hosts": [dataclasses.asdict(download) for download in downloads]}
        return _Report(text.format_prestage(downloads), result, text.describe_prestage_problem(downloads))

    def _find_drift(
        self, location: store_client.Location, variables: hostvars.Variables, task_vars: dict[str, t.Any]
    ) -> drift.FleetDrift:
        answers = hostvars.get_latest_answers(variables)
        try:
            return drift.find_drift(coordinator.open_store(self, location, task_vars), answers)
        except Exception as exc:  # such as Ansible's own on the coordinator's variables
            return drift.FleetDrift(problem=str(exc))


class _Report(t.NamedTuple):
    lines: list[str]
    # The same for programs
    result: dict[str, t.Any]
    # Why the run must not exit with 0
    problem: str | None = None
    # Builds what files are made of
    document: t.Callable[[], dict[str, t.Any]] | None = None


def _build_status(
    variables: hostvars.Variables,
    options: t.Mapping[str, t.Any],
    scope: str,
    drifted: drift.FleetDrift,
    controls: t.Mapping[str, t.Any],
) -> _Report:
    """:param controls: the ``halt`` of the scope and its open ``rollout``."""
    now = time.time()
    selection = hosts.HostSelection(tuple(options["domain_keys"]))
    rows = status.build_rows(variables, selection, now, drifted.hosts)
    assertions = options["assertions"]
    try:
        problem = status.check_assertions(rows, [assertions] if isinstance(assertions, str) else list(assertions))
    except PlanError as exc:
        problem = str(exc)
    opened = controls["rollout"] and text.describe_open_rollout(controls["rollout"])
    known = {"halt": controls["halt"], "open_rollout": opened}
    first = [f"Scope {scope}: {line}" for line in (opened and f"open is {opened}", controls["halt"]) if line]
    lines = status.format_status(rows, status.to_day(now), drift.format_drift(drifted, scope))
    return _Report(
        [*first, *([""] if first else []), *lines],
        {**status.to_document(rows), **known, "drift_problem": drifted.problem},
        problem,
        lambda: {**document.build_status(rows, now, scope, problem), **known},
    )
