# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people say of rollouts, and what they ask: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import from_store, publish
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import operator
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OPTIONS: dict[str, t.Any] = {
    **operator.OPTIONS,
    "command": {**operator.OPTIONS["command"], "choices": ["report", *operator.OPTIONS["command"]["choices"]]},
    **publish.OPTIONS,
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        options = _options.parse_options(self, _OPTIONS)
        store = StoreClient(self, task_vars or {})
        try:
            if options["command"] == "report":
                return self._report(store, options)
            said = operator.do(store, options)
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        self._display.display("\n".join(said.lines))
        return {"changed": said.changed, "entries": said.entries, "files": []}

    def _report(self, store: StoreClient, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        lines, rollout = from_store.load_report(store)
        self._display.display("\n".join(lines))
        paths = []
        if rollout is not None:
            made = time.time()
            paths = publish.deliver_report(
                options, lambda: rollout.build_document(made, store.scope), self._display.display
            )
        return {"changed": False, "entries": [], "files": paths}
