# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a host with livepatch_info: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import problems


class ActionModule(ActionBase):
    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        try:
            result = self._execute_module(
                module_name="fleet.livepatch.livepatch_info", module_args=self._task.args, task_vars=task_vars
            )
        except AnsibleError as exc:
            result = {"unreachable": isinstance(exc, AnsibleConnectionFailure), "failed": True, "msg": str(exc)}
        problem = problems.of(result, task_vars)
        return result if problem is None else {"changed": False, "problem": problem}
