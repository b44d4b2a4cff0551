# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show what is recorded of rollouts: the control node's part of the module rollout_info."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import build_printer, show_lines
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import from_store, publish
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import quarantine
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OPTIONS: dict[str, t.Any] = {
    "subject": {"type": "str", "choices": ["rollout", "quarantine"], "default": "rollout"},
    **publish.OPTIONS,
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        options = _options.parse_options(self, _OPTIONS)
        store = StoreClient(self, task_vars or {})
        records = store.send("show", scope=store.scope)
        result = {"changed": False, **records, "files": []}
        if options["subject"] == "quarantine":
            show_lines(self._display.display, quarantine.describe_quarantine(records["quarantine"]))
            return result
        lines, rollout = from_store.load_report(store, records)
        show_lines(self._display.display, lines)
        if rollout is not None:
            made = time.time()
            try:
                result["files"] = publish.deliver_report(
                    options,
                    lambda: rollout.build_document(made, store.scope),
                    build_printer(self._display.display, "text"),
                )
            except PlanError as exc:
                raise AnsibleActionFail(str(exc)) from None
        return result
