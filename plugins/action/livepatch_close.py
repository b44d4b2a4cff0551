# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends a run of a rollout: the controller's part of the module of the same name."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import budgets, finish, hostvars, webhooks
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, webhooks.OPTIONS)
        rollout = hostvars.current(task_vars)
        store = StoreClient(self, task_vars, rollout)
        ended = finish.end(store, rollout, task_vars, self._task.check_mode)
        if ended.status in webhooks.END_EVENTS:
            counts = budgets.count_by_outcome(ended.outcomes)
            text = ended.detail.get("text") or ", ".join(f"{count} {kind}" for kind, count in counts.items())
            notices = webhooks.create_notifier(self, options, store.scope, rollout)
            notices.notify(webhooks.END_EVENTS[ended.status], text, status=ended.status, counts=counts)
        return {
            "changed": False,
            "status": ended.status,
            "detail": ended.detail,
            "recorded": ended.shown,
            "outcomes": [dataclasses.asdict(one) for one in ended.outcomes],
            "ansible_stats": hostvars.handed_over(
                livepatch_status=ended.status, livepatch_rollout_id=rollout["id"], livepatch_plan_hash=rollout["hash"]
            ),
        }
