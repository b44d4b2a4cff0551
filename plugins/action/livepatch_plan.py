# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans a rollout: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils.report import text
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import plan, run
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.hosts import PlanError


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "waves": {"type": "list", "elements": "str", "required": True},
                "seed": {"type": "str", "default": ""},
                "budget": {"type": "int", "default": 0},
                "max_in_flight": {"type": "int", "default": 100},
            }
        )
        variables = run.variables_of(run.everybody(task_vars), task_vars)
        try:
            run.insist_on_common(variables)
            planned = plan.make(run.fleet(variables), options["waves"], options["seed"], options["max_in_flight"])
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        self._display.display("\n".join(text.plan(planned)))
        return {"changed": False, "plan": {**planned.as_result(), "budget": options["budget"]}}
