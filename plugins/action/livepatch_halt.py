# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets or clears the halt flag: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import webhooks
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.lease import current
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OPTIONS: dict[str, t.Any] = {
    "halted": {"type": "bool", "default": True},
    "everywhere": {"type": "bool", "default": False},
    "reason": {"type": "str", "default": ""},
    "if_running": {"type": "bool", "default": False},
    **webhooks.OPTIONS,
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        options = _options.parse_options(self, _OPTIONS)
        store = StoreClient(self, task_vars or {})
        scope = None if options["everywhere"] else store.scope
        by = str(current()["user"])
        if options["halted"]:
            under_way = store.scope if options["if_running"] else None
            told = store.send("halt", scope=scope, reason=options["reason"], by=by, under_way=under_way)
        else:
            told = store.send("resume", scope=scope, by=by)
        if told is None:
            self._display.display("In check mode nothing is halted, and no halt taken back")
            return {"changed": False, "halted": False}
        if options["halted"] and not told["halted"]:
            self._display.display(f"No rollout is under way (scope {store.scope}): nothing is halted")
            return {"changed": False, "halted": False}
        said = "No host starts any more; those in flight finish" if options["halted"] else "Rollouts may go on"
        self._display.display(f"{said} ({'all scopes' if scope is None else 'scope ' + scope})")
        if options["halted"] and told["changed"]:
            text = f"{said}: {options['reason']} ({by})"
            try:
                webhooks.of(self, options, store.scope).tell("halt", text, status="halted", everywhere=scope is None)
            except PlanError as exc:
                raise AnsibleActionFail(f"rollouts are halted, and nobody was told: {exc}") from exc
        return {"changed": told["changed"], "halted": options["halted"]}
