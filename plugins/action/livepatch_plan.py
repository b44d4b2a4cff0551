# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans a rollout, or takes up the open one: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    FORMATS,
    build_printer,
    format_count,
    format_response,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import document as report
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import publish, status, text
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hostvars, start, validation, webhooks
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import runner
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import OPTIONS, Settings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OF_RUN: dict[str, t.Any] = {
    "only": {"type": "bool", "default": False},
    "plan_hash": {"type": "str", "default": ""},
    "gates": {"type": "list", "elements": "dict", "default": []},
    "skip_gates": {"type": "dict", "default": {}},
    **webhooks.OPTIONS,
    **publish.OPTIONS,
    "format": {"type": "str", "choices": list(FORMATS), "default": "text"},
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, {**OPTIONS, **_OF_RUN})
        variables = hostvars.variables_of(hostvars.everybody(task_vars), task_vars)
        store = StoreClient(self, task_vars)
        try:
            hostvars.insist_on_no_slice(task_vars)
            hostvars.insist_on_common(variables)
            # What is wrong with what only later steps take is told before any host is touched.
            runner.parse_gates(options["gates"], options["skip_gates"])
            validation.insist(variables, time.time())
            quarantine = store.send("list_quarantine")
            settings = Settings.from_options(options, quarantine)
            rollout = start.begin(
                store,
                hostvars.fleet(variables, settings.selection),
                {**options, "lease": hostvars.longest_step(variables)},
                settings,
                self._task.check_mode,
            )
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        document = rollout["document"]
        self._tell(webhooks.create_notifier(self, options, store.scope, rollout), rollout, bool(options["only"]))
        lines = text.format_plan(document, rollout["resumed"], rollout["before"])
        if "ends" in rollout:
            lines = text.format_pending_rollback(rollout["owed"])
        self._display.display(format_response(lines, document, options["format"]))

        def whole() -> dict[str, t.Any]:
            now = time.time()
            rows = status.build_rows(variables, settings.selection, now)
            return report.build_plan(rows, document, rollout["before"], now, store.scope)

        paths = []
        try:
            # A rollout's own report tells of its plan.
            if options["only"]:
                paths = publish.deliver_report(options, whole, build_printer(self._display.display, options["format"]))
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        told: dict[str, t.Any] = {"changed": False, "plan": rollout["document"], "rollout": rollout, "files": paths}
        if options["only"]:
            told["ansible_stats"] = hostvars.handed_over(livepatch_plan_hash=rollout["hash"])
        return told

    @staticmethod
    def _tell(told: webhooks.Notifier, rollout: t.Mapping[str, t.Any], only: bool) -> None:
        document = rollout["document"]
        what = f"{format_count(document['hosts'], 'host')} in {format_count(document['waves'], 'wave')}"
        if only:
            told.notify("plan", f"Planned: {what}", waves=[len(wave["hosts"]) for wave in document["waves"]])
        elif rollout["resumed"]:
            told.notify("resume", f"A rollout goes on: {len(rollout['hosts'])} of {what} are left")
        elif rollout["id"] is not None:
            told.notify("start", f"A rollout begins: {what}")
