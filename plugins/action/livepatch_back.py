# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chooses who is brought back, and ends that: the controller's part of the module of the same name."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils.errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils.report import delivery, recorded, text, words
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import beginning, ending, run, sense
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.coordinator import Records

_OPTIONS: dict[str, t.Any] = {
    "ended": {"type": "bool", "default": False},
    "wave": {"type": "int"},
    "cohort": {"type": "str"},
    "reason": {"type": "str", "default": ""},
    **delivery.OPTIONS,
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        if options["ended"]:
            return self._end(task_vars, options)
        if not options["reason"].strip():
            raise AnsibleActionFail("the reason is missing (livepatch_reason): the quarantine and the report keep it")
        names = run.everybody(task_vars)
        try:
            run.insist_on_no_slice(task_vars)
            # What is brought back is told to hooks: else that would fail when it has been done.
            sense.insist(run.variables_of(names[:1], task_vars), time.time())
            rollout = beginning.back(
                Records(self, task_vars),
                names,
                {key: options[key] for key in ("wave", "cohort")},
                options["reason"],
                run.longest_step(run.variables_of(names, task_vars)),
                self._task.check_mode,
            )
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        chosen = words.count(rollout["hosts"], "host")
        self._display.display(f"Of the plan {rollout['hash'][:12]}: {chosen} to bring back")
        return {"changed": False, "rollout": rollout}

    def _end(self, task_vars: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        rollout = run.current(task_vars)
        records = Records(self, task_vars, rollout)
        ended = ending.end_back(records, rollout, self._task.check_mode)
        self._display.display("\n".join(text.rollout([], ended.outcomes, ended.status, ended.detail)))
        stuck = [one.host for one in ended.outcomes if one.outcome != "rolled_back"]
        problems, paths = [], []
        if stuck:
            problems.append(f"{len(stuck)} of {len(ended.outcomes)} hosts were not brought back ({words.some(stuck)})")
        if not self._task.check_mode:
            try:
                paths = self._deliver(records, options)
            except PlanError as exc:
                problems.append(str(exc))
            if problems:
                raise AnsibleActionFail("; ".join(problems))
        return {"changed": False, "outcomes": [dataclasses.asdict(one) for one in ended.outcomes], "files": paths}

    def _deliver(self, records: Records, options: t.Mapping[str, t.Any]) -> list[str]:
        """The report of the whole rollout, of which hosts were brought back."""
        found = recorded.read(records, records.ask("show", scope=records.scope)["rollout"])
        if found is None:
            return []
        return delivery.deliver(options, lambda: found.document(time.time(), records.scope), self._display.display)
