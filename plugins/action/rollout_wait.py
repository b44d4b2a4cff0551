# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits in a soak: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import halt, hostvars
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

# Seconds between two looks at the halt, and between two signs of life for the lease
_LOOK, _RENEW = 2.0, 60.0


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, {"until": {"type": "float", "required": True}})
        store = StoreClient(self, task_vars, hostvars.current(task_vars))
        renewed, why = time.monotonic(), None
        while why is None and time.time() < options["until"]:
            time.sleep(max(0.0, min(_LOOK, options["until"] - time.time())))
            why = halt.get_halt_reason(self, task_vars)
            if time.monotonic() - renewed > _RENEW:
                store.send_fenced("renew_lease")
                renewed = time.monotonic()
        return {"changed": False, "halted": why}
