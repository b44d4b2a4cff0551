# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits in a soak: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import common_options, halt
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

# Seconds between two looks at the halt, and between two signs of life for the lease
_CHECK_INTERVAL, _RENEW_INTERVAL = 2.0, 60.0
_OPTIONS: dict[str, t.Any] = {**common_options.STEP_OPTIONS, "until": {"type": "float", "required": True}}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        try:
            store = StoreClient(self, task_vars, Run.from_option(options["rollout"]))
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from None
        renewed, halted = time.monotonic(), None
        while halted is None and time.time() < options["until"]:
            time.sleep(max(0.0, min(_CHECK_INTERVAL, options["until"] - time.time())))
            halted = halt.get_halt_reason(self, task_vars)
            if time.monotonic() - renewed > _RENEW_INTERVAL:
                store.send_fenced("renew_lease")
                renewed = time.monotonic()
        return {"changed": False, "halted": halted}
