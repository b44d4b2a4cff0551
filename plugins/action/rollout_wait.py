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

# Seconds between two looks at the halt
_CHECK_INTERVAL = 2.0
_OPTIONS: dict[str, t.Any] = {**common_options.STEP_OPTIONS, "until": {"type": "float", "required": True}}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        try:
            run = Run.from_option(options["rollout"])
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from None
        halted = None
        while halted is None and time.time() < options["until"]:
            time.sleep(max(0.0, min(_CHECK_INTERVAL, options["until"] - time.time())))
            halted = halt.get_halt_reason(self, task_vars, run.fence)
        return {"changed": False, "halted": halted}
