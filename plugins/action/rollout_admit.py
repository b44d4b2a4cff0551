# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks whether a batch may start, and records that it does: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_count, show_lines
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    admission,
    common_options,
    halt,
    schema,
    session,
    webhooks,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gate_input import GateInput
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OPTIONS: dict[str, t.Any] = {
    **common_options.STEP_OPTIONS,
    "step": {"type": "str", "choices": ["start", "reserve", "roll_back"], "default": "start"},
    "hosts": {"type": "list", "elements": "str", "default": []},
}
# What it goes by of the rollout's settings, without their prefix
CONTROLS = ("approval", "approver_not_starter", "windows", "blackouts", "window_min_remaining", "soak")
# And of the run's
SETTINGS = ("slices",)


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        try:
            run = Run.from_option(options["rollout"])
            store = StoreClient(self, task_vars, run)
            if options["step"] == "roll_back":
                return {"changed": False, **admission.admit_rollback(store, run, task_vars["ansible_play_batch"])}
            settings = schema.read_rendered(self._templar, task_vars, *SETTINGS)
            step, stored = session.load_admission(store, run, task_vars["ansible_play_batch"])
            recorded = step.get_controls(["webhooks"])["webhooks"]
            notices = webhooks.create_notifier(self, task_vars, store.scope, run, recorded=recorded)
            settings = {**settings, **step.get_controls(CONTROLS)}
            if options["step"] == "reserve":
                admitted = admission.admit_reserves(store, step, stored, settings, options["hosts"])
                admitted["shares"] = GateInput(store, step).share_out(admitted.pop("members"))
            else:
                admitted = admission.admit_batch(store, step, stored, settings)
        except (AnsibleError, PlanError) as exc:
            if options["step"] == "roll_back":
                raise AnsibleActionFail(str(exc)) from None
            # A failure would end the run, though hosts may be in flight: they are looked at, and the run is reported.
            admitted = admission.refuse(str(exc))
        if admitted["start"] and not self._task.check_mode:
            # Just now it was not halted: the hosts that start need not ask again, each by itself.
            halt.share(store, halt.MAY_START)
        if admitted["start"]:
            count = format_count(admitted["start"], "host starts", "hosts start")
            notices.notify(
                "wave_start", f"{admitted['wave_name']}: {count}", wave=admitted["wave"], hosts=admitted["start"]
            )
        if not admitted["go"]:
            if admitted["detail"].get("for") == "approval":
                notices.notify("approval", admitted["detail"]["text"], wave=admitted["wave"])
            show_lines(self._display.display, [f"No further host is started: {admitted['detail']['text']}"])
        return {"changed": False, **admitted}
