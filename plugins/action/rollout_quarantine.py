# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Add to the quarantine or clear it: the control node's part of the module rollout_quarantine."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import show_lines
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import quarantine
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, quarantine.OPTIONS)
        try:
            result = quarantine.change_quarantine(StoreClient(self, task_vars), options, task_vars["groups"]["all"])
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from None
        dry = "Check mode, nothing is recorded. " if self._task.check_mode else ""
        first, *others = result.lines
        show_lines(self._display.display, [dry + first, *others])
        return {"changed": result.changed, "entries": result.entries}
