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
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_count, show_lines
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    admission,
    budgets,
    common_options,
    hostvars,
    timeouts,
    webhooks,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OPTIONS: dict[str, t.Any] = {
    **common_options.STEP_OPTIONS,
    "approval": {"type": "list", "elements": "str", "default": []},
    "approver_not_starter": {"type": "bool", "default": False},
    "windows": {"type": "list", "elements": "dict", "default": []},
    "blackouts": {"type": "list", "elements": "dict", "default": []},
    "min_remaining": {"type": "int"},
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
        rollout = options["rollout"]
        try:
            batch = hostvars.find_batch(rollout, task_vars)
            store = StoreClient(self, task_vars, rollout)
            notices = webhooks.create_notifier(self, options, store.scope, rollout)
            if options["min_remaining"] is None:
                variables = hostvars.VariablesReader(self, task_vars)(batch["starts"])
                options["min_remaining"] = timeouts.compute_window_seconds(variables, options["soak"])
            admitted = admission.admit_batch(store, rollout, batch, options, self._task.check_mode)
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from None
        if admitted["start"]:
            name = budgets.format_wave_name(rollout["document"], admitted["wave"])
            count = format_count(admitted["start"], "host starts", "hosts start")
            notices.notify("wave_start", f"{name}: {count}", wave=admitted["wave"], hosts=admitted["start"])
        if not admitted["go"]:
            if admitted["detail"].get("for") == "approval":
                notices.notify("approval", admitted["detail"]["text"], wave=admitted["wave"])
            show_lines(self._display.display, [f"No further host is started: {admitted['detail']['text']}"])
        return {"changed": False, **admitted}
