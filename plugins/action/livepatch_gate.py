# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges a wave: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import outcome, run


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "waves": {"type": "list", "elements": "list", "required": True},
                "budget": {"type": "int", "default": 0},
            }
        )
        # The wave is found by who is in the batch, and judged by who was planned: Ansible drops hosts from a batch.
        batch = set(task_vars["ansible_play_batch"])
        number = next((n for n, wave in enumerate(options["waves"]) if batch & set(wave)), None)
        if number is None:
            raise AnsibleActionFail("no host of this batch is in a planned wave: " + ", ".join(sorted(batch)))
        members = options["waves"][number]
        outcomes = run.outcomes(run.fleet(members, task_vars), members, task_vars)
        verdict = outcome.gate(number, outcomes, options["budget"], self._task.check_mode)
        self._display.display(verdict.text)
        return {"changed": False, "passed": verdict.passed, "wave": number, "verdict": verdict.text}
