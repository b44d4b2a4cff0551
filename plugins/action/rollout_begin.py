# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Begins a run of a rollout: the controller's part of the module of the same name."""

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
    show_lines,
    show_response,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import document as report
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import publish, status, text
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    common_options,
    hostvars,
    rollback,
    session,
    slices,
    start,
    timeouts,
    webhooks,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import OPTIONS, Settings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_MODES = ("plan", "prestage", "rollout", "slice", "rollback")
_OPTIONS: dict[str, t.Any] = {
    "mode": {"type": "str", "choices": list(_MODES), "required": True},
    **OPTIONS,
    "plan_hash": {"type": "str", "default": ""},
    "slices": {"type": "int", "default": 1},
    "wave": {"type": "str", "default": "all"},
    "cohort": {"type": "str"},
    "reason": {"type": "str", "default": ""},
    **webhooks.OPTIONS,
    **publish.OPTIONS,
    "format": {"type": "str", "choices": list(FORMATS), "default": "text"},
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        variables = hostvars.VariablesReader(self, task_vars)(hostvars.get_play_hosts(task_vars))
        store = StoreClient(self, task_vars)
        try:
            if options["mode"] == "slice":
                return self._join_wave(store, variables, options)
            common_options.validate_whole_inventory(task_vars)
            if options["mode"] == "rollback":
                return self._begin_rollback(store, variables, options)
            return self._begin_rollout(store, variables, options)
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from None

    def _begin_rollout(
        self, store: StoreClient, variables: hostvars.Variables, options: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Plans, and begins or resumes the rollout unless only a plan is wanted."""
        mode = options["mode"]
        hostvars.require_gathered(variables)
        # Hosts that are to download it have not done so yet.
        prestaged = options["prestaged"] and mode != "prestage"
        quarantine = store.send("list_quarantine")
        settings = Settings.from_options({**options, "prestaged": prestaged}, quarantine)
        fleet = hostvars.parse_fleet(variables, settings.selection)
        if mode == "rollout":
            seconds = timeouts.compute_lease_seconds(variables)
            rollout = start.begin_rollout(store, fleet, settings, options["plan_hash"], seconds, self._task.check_mode)
        else:
            rollout = start.save_new_plan(store, fleet, settings, options["plan_hash"])
        document = rollout["document"]
        self._notify(webhooks.create_notifier(self, options, store.scope, rollout), rollout, mode)
        lines = text.format_plan(document, rollout["resumed"], rollout["before"])
        if "ends" in rollout:
            lines = text.format_pending_rollback(rollout["owed"])
        show_response(self._display.display, lines, document, options["format"])
        result: dict[str, t.Any] = {"changed": False, "plan": document, "rollout": rollout, "files": []}
        if mode != "rollout":
            result["ansible_stats"] = common_options.build_stats(livepatch_plan_hash=rollout["hash"])
        if mode == "plan":

            def build_report() -> dict[str, t.Any]:
                now = time.time()
                rows = status.build_rows(variables, settings.selection, now)
                return report.build_plan(rows, document, rollout["before"], now, store.scope)

            show = build_printer(self._display.display, options["format"])
            result["files"] = publish.deliver_report(options, build_report, show)
        return result

    @staticmethod
    def _notify(notices: webhooks.Notifier, rollout: t.Mapping[str, t.Any], mode: str) -> None:
        document = rollout["document"]
        size = f"{format_count(document['hosts'], 'host')} in {format_count(document['waves'], 'wave')}"
        if mode != "rollout":
            notices.notify("plan", f"Planned: {size}", waves=[len(wave["hosts"]) for wave in document["waves"]])
        elif rollout["resumed"]:
            notices.notify("resume", f"A rollout goes on: {len(rollout['hosts'])} of {size} are left")
        elif rollout["id"] is not None:
            notices.notify("start", f"A rollout begins: {size}")

    def _join_wave(
        self, store: StoreClient, variables: hostvars.Variables, options: t.Mapping[str, t.Any]
    ) -> dict[str, t.Any]:
        """Takes part in a wave, with the hosts of this job."""
        if options["slices"] < 1:
            raise PlanError(f"livepatch_slices is {options['slices']}: give the number of jobs that a wave is cut into")
        hostvars.require_gathered(variables)
        fleet, seconds = hostvars.parse_fleet(variables), timeouts.compute_lease_seconds(variables)
        rollout = slices.join_wave(store, fleet, options["slices"], seconds, self._task.check_mode)
        if isinstance(rollout, str):
            show_lines(self._display.display, [f"Nothing to do: {rollout}"])
            return {"changed": False, "rollout": session.NOTHING_TO_DO}
        wave = rollout["wave"]
        count = format_count(rollout["document"]["waves"][wave]["hosts"], "host")
        line = f"Plan {rollout['hash'][:12]}, wave {wave}: {len(rollout['hosts'])} of {count} here"
        show_lines(self._display.display, [line])
        return {"changed": False, "rollout": rollout}

    def _begin_rollback(
        self, store: StoreClient, variables: hostvars.Variables, options: t.Mapping[str, t.Any]
    ) -> dict[str, t.Any]:
        """Selects the hosts that are rolled back."""
        if not options["reason"].strip():
            raise PlanError("the reason is missing (livepatch_reason): the quarantine and the report keep it")
        rollout = rollback.begin_rollback(
            store,
            list(variables),
            common_options.parse_wave("livepatch_wave", options["wave"]),
            options["cohort"],
            options["reason"],
            timeouts.compute_lease_seconds(variables),
            self._task.check_mode,
        )
        count = format_count(rollout["hosts"], "host")
        show_lines(self._display.display, [f"Of the plan {rollout['hash'][:12]}: {count} to roll back"])
        return {"changed": False, "rollout": rollout}
