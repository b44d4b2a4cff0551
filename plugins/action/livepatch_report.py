# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows what is known of the fleet: the controller's part of the module of the same name."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils.report import text
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import run
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.outcome import Outcome


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "of": {"type": "str", "choices": ["status", "rollout"], "required": True},
                "closed": {"type": "dict", "default": {}},
            }
        )
        fleet = run.fleet(run.variables_of(run.everybody(task_vars), task_vars))
        if options["of"] == "status":
            self._display.display("\n".join(text.status(fleet)))
            return {"changed": False, "hosts": [dataclasses.asdict(host) for host in fleet]}

        closed = options["closed"]
        outcomes = [Outcome(**row) for row in closed["outcomes"]]
        self._display.display("\n".join(text.rollout(fleet, outcomes, closed["status"], closed["detail"])))
        problem = text.attention(fleet, outcomes, closed["status"], closed["detail"])
        if problem is not None and not self._task.check_mode:
            raise AnsibleActionFail(problem)
        return {"changed": False, "hosts": closed["outcomes"]}
