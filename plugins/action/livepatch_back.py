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

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import abbreviate, format_count
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import from_store, publish, text
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import finish, hostvars, start, validation
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OPTIONS: dict[str, t.Any] = {
    "ended": {"type": "bool", "default": False},
    "wave": {"type": "int"},
    "cohort": {"type": "str"},
    "reason": {"type": "str", "default": ""},
    **publish.OPTIONS,
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        if options["ended"]:
            return self._end(task_vars, options)
        if not options["reason"].strip():
            raise AnsibleActionFail("the reason is missing (livepatch_reason): the quarantine and the report keep it")
        names = hostvars.everybody(task_vars)
        try:
            hostvars.insist_on_no_slice(task_vars)
            # What is brought back is told to hooks: else that would fail when it has been done.
            validation.insist(hostvars.variables_of(names[:1], task_vars), time.time())
            rollout = start.back(
                StoreClient(self, task_vars),
                names,
                {key: options[key] for key in ("wave", "cohort")},
                options["reason"],
                hostvars.longest_step(hostvars.variables_of(names, task_vars)),
                self._task.check_mode,
            )
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from exc
        chosen = format_count(rollout["hosts"], "host")
        self._display.display(f"Of the plan {rollout['hash'][:12]}: {chosen} to bring back")
        return {"changed": False, "rollout": rollout}

    def _end(self, task_vars: dict[str, t.Any], options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        rollout = hostvars.current(task_vars)
        store = StoreClient(self, task_vars, rollout)
        ended = finish.end_back(store, rollout, self._task.check_mode)
        self._display.display("\n".join(text.format_outcomes([], ended.outcomes, ended.status, ended.detail)))
        stuck = [one.host for one in ended.outcomes if one.outcome != "rolled_back"]
        problems, paths = [], []
        if stuck:
            problems.append(f"{len(stuck)} of {len(ended.outcomes)} hosts were not brought back ({abbreviate(stuck)})")
        if not self._task.check_mode:
            try:
                paths = self._deliver(store, options)
            except PlanError as exc:
                problems.append(str(exc))
            if problems:
                raise AnsibleActionFail("; ".join(problems))
        return {"changed": False, "outcomes": [dataclasses.asdict(one) for one in ended.outcomes], "files": paths}

    def _deliver(self, store: StoreClient, options: t.Mapping[str, t.Any]) -> list[str]:
        """The report of the whole rollout, of which hosts were brought back."""
        found = from_store.load_rollout(store, store.send("show", scope=store.scope)["rollout"])
        if found is None:
            return []
        return publish.deliver_report(
            options, lambda: found.build_document(time.time(), store.scope), self._display.display
        )
