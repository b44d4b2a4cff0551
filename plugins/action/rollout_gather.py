# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathers a host's live patch by the host's settings: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.action import livepatch_info
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._host_action import Result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema

_OPTIONS = ("policy", "refresh", "lock_timeout")


class ActionModule(livepatch_info.ActionModule):
    def act(self, task_vars: dict[str, t.Any]) -> Result:
        try:
            options = schema.read_rendered(self._templar, task_vars, *_OPTIONS)
        except PlanError as exc:
            return {"changed": False, "problem": str(exc)}
        self._task.args = {"on_unreachable": "report", **options}
        return super().act(task_vars)
