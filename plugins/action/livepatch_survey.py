# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a host with livepatch_info: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import fact_cache

# Seconds between two attempts to reach a host that is lost
_PAUSE = 10.0


class ActionModule(ActionBase):
    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        arguments = dict(self._task.args)
        record = boolean(arguments.pop("record", False))
        deadline = time.monotonic() + float(arguments.pop("grace", 0) or 0)
        while True:
            result = self._ask(arguments, task_vars)
            left = deadline - time.monotonic()
            if not result.get("unreachable") or left <= 0:
                break
            time.sleep(min(_PAUSE, left))
            # What is left of a connection that broke would only say so again.
            self._connection.reset()
        problem = _task_errors.describe_error(result, task_vars)
        answer = result if problem is None else {"changed": False, "problem": problem}
        if record:
            answer["ansible_facts"] = fact_cache.build_facts(task_vars["inventory_hostname"], answer, time.time())
        return answer

    def _ask(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        try:
            return t.cast(
                "dict[str, t.Any]",
                self._execute_module(
                    module_name="fleet.livepatch.livepatch_info", module_args=arguments, task_vars=task_vars
                ),
            )
        except AnsibleError as exc:
            return {"unreachable": isinstance(exc, AnsibleConnectionFailure), "failed": True, "msg": str(exc)}
