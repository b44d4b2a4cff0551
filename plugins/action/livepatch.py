# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Live patches a host: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t
import uuid

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec, _run_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._host_action import HostAction, Result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import halt


class ActionModule(HostAction):
    module_name = "livepatch"
    result_keys = ("before", "after", "transition", "livepatch", "kernel", "kmp")

    def act(self, task_vars: dict[str, t.Any]) -> Result:
        # Here and not on the host: of a detached run's bad options nothing would be seen before it is collected.
        options = _options.parse_options(self, _argspec.LIVEPATCH)
        arguments = dict(self._task.args)
        arguments["run"] = arguments.get("run") or uuid.uuid4().hex
        # The last thing before it starts: a task of its own would be asked of all hosts before any of them starts.
        halted = None if self._goes_back(arguments) or self._task.check_mode else halt.get_halt_reason(self, task_vars)
        if halted is not None:
            return {"changed": False, "failed": True, "halted": True, "msg": f"not started: {halted}"}
        # It may have to wait for the run before it, which may take as long.
        max_seconds = 2 * round(_run_result.longest(options["timeout"], options["lock_timeout"]))
        # In check mode it is not started, and predicts as ever.
        required = ("detached",) if options["detach"] and not self._task.check_mode else None
        # Of a host that was not reached too: it may have started, and the task that reaches the host again has to know
        # by which name.
        return {**self.run_module(arguments, task_vars, required), "run": arguments["run"], "max_seconds": max_seconds}

    def _goes_back(self, arguments: dict[str, t.Any]) -> bool:
        """A halt stops what is new on a host, and not what puts it in order."""
        return arguments.get("state") == "previous"
