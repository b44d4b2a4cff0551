# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathers what is true of a host's live patch: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options, _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._host_action import HostAction, Result

# Seconds between two attempts to reach a host that is lost
_RETRY_INTERVAL = 10.0
# Options that are not for the host
_CONTROLLER_ONLY = ("on_unreachable", "unreachable_timeout")


class ActionModule(HostAction):
    module_name = "livepatch_info"

    def act(self, task_vars: dict[str, t.Any]) -> Result:
        if self._task.args.get("on_unreachable") != "report":
            return self._gather(task_vars)
        try:
            result = self._gather(task_vars)
        except AnsibleError as exc:
            result = {"failed": True, "msg": str(exc)}
        problem = _task_errors.describe_error(result, task_vars)
        return result if problem is None else {"changed": False, "problem": problem}

    def _gather(self, task_vars: dict[str, t.Any]) -> Result:
        """Asks the host, and again as long as it cannot be reached and its time is not over."""
        options = _options.parse_options(self, _argspec.LIVEPATCH_INFO)
        arguments = {name: value for name, value in self._task.args.items() if name not in _CONTROLLER_ONLY}
        required = {"livepatch" if name == "functions" else name for name in options["gather"]}
        deadline = time.monotonic() + options["unreachable_timeout"]
        while True:
            result = self.run_module(dict(arguments), task_vars, required)
            left = deadline - time.monotonic()
            if not result.get("unreachable") or left <= 0:
                return result
            time.sleep(min(_RETRY_INTERVAL, left))
            # What is left of a connection that broke would only say so again.
            self._connection.reset()
