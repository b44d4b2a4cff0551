# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges a wave: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import outcome, run


class ActionModule(ActionBase):
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec={"plan": {"type": "dict", "required": True}})
        try:
            number, verdict = self._judge(options["plan"], task_vars or {})
        except Exception as exc:  # whatever it is, a gate that cannot judge must not end the run without its report
            number, verdict = None, outcome.Verdict(False, f"Gate: error: {exc!r}: no further host is touched")
        self._display.display(verdict.text)
        return {"changed": False, "passed": verdict.passed, "wave": number, "verdict": verdict.text}

    def _judge(self, plan: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> tuple[int, outcome.Verdict]:
        # The wave is found by who is in the batch, and judged by who was planned: Ansible drops hosts from a batch.
        batch = set(task_vars["ansible_play_batch"])
        number = next(n for n, wave in enumerate(plan["waves"]) if batch & set(wave))
        wave = plan["waves"][number]
        # Of a wave in batches, all that have gone so far.
        last = max(wave.index(host) for host in batch if host in wave)
        members = wave[: last + 1]
        check_mode = self._task.check_mode
        variables = run.variables_of(members, task_vars)
        outcomes = run.outcomes(run.fleet(variables), members, variables, check_mode)
        return number, outcome.gate(number, outcomes, plan["budget"], check_mode)
