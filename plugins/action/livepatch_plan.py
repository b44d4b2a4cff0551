# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans a rollout, or takes up the open one: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils.errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils.report import delivery, status, text, words
from ansible_collections.fleet.livepatch.plugins.plugin_utils.report import document as report
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import beginning, hooks, run, sense
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.coordinator import Records
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.gates import outside
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.settings import OPTIONS, Settings

_OF_RUN: dict[str, t.Any] = {
    "only": {"type": "bool", "default": False},
    "plan_hash": {"type": "str", "default": ""},
    "gates": {"type": "list", "elements": "dict", "default": []},
    "skip_gates": {"type": "dict", "default": {}},
    **hooks.OPTIONS,
    **delivery.OPTIONS,
    "format": {"type": "str", "choices": list(words.FORMATS), "default": "text"},
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, options = self.validate_argument_spec(argument_spec={**OPTIONS, **_OF_RUN})
        variables = run.variables_of(run.everybody(task_vars), task_vars)
        records = Records(self, task_vars)
        try:
            run.insist_on_no_slice(task_vars)
            run.insist_on_common(variables)
            # What is wrong with what only later steps take is told before any host is touched.
            outside.parse(options["gates"], options["skip_gates"])
            sense.insist(variables, time.time())
            quarantine = records.ask("quarantine_list")
            settings = Settings.of({**options, "quarantine": quarantine})
            rollout = beginning.begin(
                records,
                run.fleet(variables, settings.choice),
                {**options, "lease": run.longest_step(variables)},
                settings,
                self._task.check_mode,
            )
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        document = rollout["document"]
        self._tell(hooks.of(self, options, records.scope, rollout), rollout, bool(options["only"]))
        lines = text.plan(document, rollout["resumed"], rollout["before"])
        if "ends" in rollout:
            lines = text.brings_back(rollout["owed"])
        self._display.display(words.shown(lines, document, options["format"]))

        def whole() -> dict[str, t.Any]:
            now = time.time()
            rows = status.rows_of(variables, settings.choice, now)
            return report.of_plan(rows, document, rollout["before"], now, records.scope)

        paths = []
        try:
            # A rollout's own report tells of its plan.
            if options["only"]:
                paths = delivery.deliver(options, whole, words.teller(self._display.display, options["format"]))
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        told: dict[str, t.Any] = {"changed": False, "plan": rollout["document"], "rollout": rollout, "files": paths}
        if options["only"]:
            told["ansible_stats"] = run.handed_over(livepatch_plan_hash=rollout["hash"])
        return told

    @staticmethod
    def _tell(told: hooks.Hooks, rollout: t.Mapping[str, t.Any], only: bool) -> None:
        document = rollout["document"]
        what = f"{words.count(document['hosts'], 'host')} in {words.count(document['waves'], 'wave')}"
        if only:
            told.tell("plan", f"Planned: {what}", waves=[len(wave["hosts"]) for wave in document["waves"]])
        elif rollout["resumed"]:
            told.tell("resume", f"A rollout goes on: {len(rollout['hosts'])} of {what} are left")
        elif rollout["id"] is not None:
            told.tell("start", f"A rollout begins: {what}")
