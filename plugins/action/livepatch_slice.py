# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes part in a wave, and ends that: the controller's part of the module of the same name."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import FORMATS, format_count, format_response
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import text
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import finish, hostvars, start
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OPTIONS: dict[str, t.Any] = {
    "slices": {"type": "int", "default": 1},
    "ended": {"type": "bool", "default": False},
    "format": {"type": "str", "choices": list(FORMATS), "default": "text"},
}
# What the plays that follow go by where there is nothing to do
_NOTHING: dict[str, t.Any] = {"document": {}, "batches": [], "hosts": [], "sizes": [], "pending": []}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        try:
            return self._end(task_vars, options) if options["ended"] else self._begin(task_vars, options["slices"])
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc

    def _begin(self, task_vars: dict[str, t.Any], slices: int) -> dict[str, t.Any]:
        if slices < 1:
            raise PlanError(f"livepatch_slices is {slices}: give the number of jobs that a wave is cut into")
        variables = hostvars.variables_of(hostvars.everybody(task_vars), task_vars)
        hostvars.insist_on_common(variables)
        fleet, lease = hostvars.fleet(variables), hostvars.longest_step(variables)
        rollout = start.join(StoreClient(self, task_vars), fleet, slices, lease, self._task.check_mode)
        if isinstance(rollout, str):
            self._display.display(f"Nothing to do: {rollout}")
            return {"changed": False, "rollout": _NOTHING}
        wave, all_of_them = rollout["wave"], rollout["document"]["waves"][rollout["wave"]]["hosts"]
        count = format_count(all_of_them, "host")
        self._display.display(f"Plan {rollout['hash'][:12]}, wave {wave}: {len(rollout['hosts'])} of {count} here")
        return {"changed": False, "rollout": rollout}

    def _end(self, task_vars: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        rollout = hostvars.current(task_vars)
        variables = hostvars.variables_of(rollout["hosts"], task_vars)
        ended = finish.end_share(StoreClient(self, task_vars, rollout), rollout, variables, self._task.check_mode)
        how = (hostvars.fleet(variables), ended.outcomes, ended.status, ended.detail)
        outcomes = [dataclasses.asdict(one) for one in ended.outcomes]
        told = {"outcomes": outcomes, "status": ended.status, "detail": ended.detail}
        self._display.display(format_response(text.format_outcomes(*how), told, options["format"]))
        problem = text.describe_problem(*how)
        if problem is not None:
            raise PlanError(problem)
        return {"changed": False, **told}
