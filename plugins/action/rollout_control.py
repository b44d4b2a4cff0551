# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Halt, resume or abort a rollout, approve or reject a wave: the control node's part of the module rollout_control."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import ALL_SCOPES
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import show_lines
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import halt, operator, webhooks
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, operator.OPTIONS)
        store = StoreClient(self, task_vars)
        if options["action"] == "notify":
            return self._notify(store, task_vars)
        try:
            result = operator.run_action(store, options)
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from None
        dry = "Check mode, nothing is recorded. " if self._task.check_mode else ""
        show_lines(self._display.display, [dry + result.message])
        return {"changed": result.changed, "message": result.message}

    def _notify(self, store: StoreClient, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        stored = store.send("get_halt", scope=store.scope)
        if stored is not None:
            try:
                notifier = webhooks.create_notifier(self, task_vars, store.scope, required=True)
            except PlanError as exc:
                raise AnsibleActionFail(f"rollouts are halted, but no webhook was notified: {exc}") from None
            everywhere = stored.get("scope") == ALL_SCOPES
            notifier.notify("halt", halt.describe_halt(stored), status="halted", everywhere=everywhere)
        return {"changed": False, "message": "No halt is recorded" if stored is None else halt.describe_halt(stored)}
