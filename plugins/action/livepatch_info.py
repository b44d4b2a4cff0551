# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathers what is true of a host's live patch: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.module_utils import _argspec
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options, _task_errors

# Seconds between two attempts to reach a host that is lost
_RETRY_INTERVAL = 10.0
# Options that are not for the host
_CONTROLLER_ONLY = ("on_unreachable", "unreachable_timeout")


class ActionModule(ActionBase):
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        if self._task.args.get("on_unreachable") != "report":
            return self._gather(_options.parse_options(self, _argspec.LIVEPATCH_INFO), task_vars)
        try:
            result = self._gather(_options.parse_options(self, _argspec.LIVEPATCH_INFO), task_vars)
        except AnsibleError as exc:
            result = {"unreachable": isinstance(exc, AnsibleConnectionFailure), "failed": True, "msg": str(exc)}
        problem = _task_errors.describe_error(result, task_vars)
        return result if problem is None else {"changed": False, "problem": problem}

    def _gather(self, options: t.Mapping[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Asks the host, and again as long as it cannot be reached and its time is not over.

        :raises AnsibleConnectionFailure: it cannot be reached.
        """
        deadline = time.monotonic() + options["unreachable_timeout"]
        while True:
            error = None
            try:
                result = self._ask(task_vars)
            except AnsibleConnectionFailure as exc:
                result, error = {"unreachable": True}, exc
            left = deadline - time.monotonic()
            if not result.get("unreachable") or left <= 0:
                break
            time.sleep(min(_RETRY_INTERVAL, left))
            # What is left of a connection that broke would only say so again.
            self._connection.reset()
        if error is not None:
            raise error
        return result

    def _ask(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        arguments = {name: value for name, value in self._task.args.items() if name not in _CONTROLLER_ONLY}
        return t.cast(
            "dict[str, t.Any]",
            self._execute_module(
                module_name="fleet.livepatch.livepatch_info",
                module_args=arguments,
                task_vars=task_vars,
                wrap_async=bool(self._task.async_val),
            ),
        )
