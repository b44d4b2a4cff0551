# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks whether a batch may start, and records that it does: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_count
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import admission, budgets, hostvars, webhooks
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OPTIONS: dict[str, t.Any] = {
    "approval": {"type": "list", "elements": "str", "default": []},
    "windows": {"type": "list", "elements": "dict", "default": []},
    "blackouts": {"type": "list", "elements": "dict", "default": []},
    "needs": {"type": "int"},
    "soak": {"type": "int", "default": 0},
    "slices": {"type": "int", "default": 0},
    **webhooks.OPTIONS,
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        rollout = hostvars.current(task_vars)
        batch = hostvars.batch_of(rollout, task_vars)
        try:
            store = StoreClient(self, task_vars, rollout)
            notices = webhooks.create_notifier(self, options, store.scope, rollout)
            if options["needs"] is None:
                options["needs"] = hostvars.reserve(hostvars.variables_of(batch["starts"], task_vars), options["soak"])
            told = admission.of(store, rollout, batch, options, self._task.check_mode)
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        if told["start"]:
            name = budgets.format_wave_name(rollout["document"], told["wave"])
            count = format_count(told["start"], "host starts", "hosts start")
            notices.notify("wave_start", f"{name}: {count}", wave=told["wave"], hosts=told["start"])
        if not told["go"]:
            if told["detail"].get("for") == "approval":
                notices.notify("approval", told["detail"]["text"], wave=told["wave"])
            self._display.display(f"No further host is started: {told['detail']['text']}")
        return {"changed": False, **told}
