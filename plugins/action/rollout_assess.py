# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Assesses a batch, its wave, and what was rolled back: the controller's part of the module of the same name."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import show_lines
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    assess,
    batch_end,
    common_options,
    controls,
    hostvars,
    schema,
    session,
    webhooks,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gate_input import GateInput
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

# What each step needs of the steps before it
_STEP_INPUTS = {
    "batch": "admission",
    "slow": "assessment",
    "reserve": "assessment",
    "probe": "assessment",
    "wave": "assessment",
    "rollback": "hosts",
}
_OPTIONS: dict[str, t.Any] = {
    **common_options.STEP_OPTIONS,
    "step": {"type": "str", "choices": list(_STEP_INPUTS), "required": True},
    "admission": {"type": "dict"},
    "assessment": {"type": "dict"},
    "hosts": {"type": "list", "elements": "str"},
}
# The settings of the run that it goes by, without their prefix; the gates have the secrets that are not recorded
SETTINGS = ("max_runtime", "gates", "skip_gates")


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        step = options["step"]
        if options[_STEP_INPUTS[step]] is None:
            raise AnsibleActionFail(f"step={step} needs the option {_STEP_INPUTS[step]}, and it is not given")
        if "error" in (options["assessment"] or {}) or _is_decided(options["assessment"]):
            # The step before has spoken the last word on the batch, or could not assess, and reported that.
            return {"changed": False, **options["assessment"]}
        try:
            run = Run.from_option(options["rollout"])
            store = StoreClient(self, task_vars, run)
            goes_by, assessment = self._assess(store, run, options, task_vars)
            recorded = goes_by.get(controls.WEBHOOKS)
            _notify(webhooks.create_notifier(self, task_vars, store.scope, run, recorded=recorded), step, assessment)
        except Exception as exc:  # whatever it is, a gate that cannot assess must not end the run without its report
            error = str(exc) if isinstance(exc, (AnsibleError, PlanError)) else f"{exc!r}: report it as a bug"
            verdict = (
                f"Gate: error: {error}. What became of this batch is not recorded, and no further host is patched: fix "
                "that, then run the playbook again, and the hosts are asked"
            )
            assessment = {**assess.NO_ASSESSMENT, "verdict": verdict, "error": error}
        if _is_decided(assessment) or "error" in assessment:
            show_lines(self._display.display, [assessment["verdict"]])
        return {"changed": False, **assessment}

    def _assess(
        self, store: StoreClient, run: Run, options: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]
    ) -> tuple[t.Mapping[str, t.Any], dict[str, t.Any]]:
        """What the rollout goes by, and the assessment."""
        name, assessment = options["step"], options["assessment"]
        read_variables, present = hostvars.VariablesReader(self, task_vars), task_vars["ansible_play_batch"]
        if name == "rollback":
            names = [host for host in options["hosts"] if host in set(present)]
            state, outline = session.load_outline(store, run)
            budget = outline.settings.budgets["wave"]
            return state.controls, assess.assess_rollback(store, run, budget, names, read_variables)
        step = session.load_step(store, run, present)
        gate = GateInput(store, step)
        settings = schema.read_rendered(self._templar, task_vars, *SETTINGS)
        goes_by, run_ends = step.get_controls(["soak", "gates"]), step.state.began + settings["max_runtime"]
        gates = controls.restore_secrets(controls.GATES, goes_by["gates"], settings["gates"])
        of_wave = batch_end.WaveOptions(goes_by["soak"], run_ends, gates, settings["skip_gates"])
        if name == "batch":
            assessment = assess.assess_batch(gate, options["admission"], read_variables, of_wave)
        elif name == "slow":
            assessment = assess.assess_slow(gate, assessment, read_variables, of_wave)
        elif name == "reserve":
            assessment = assess.assess_reserves(gate, assessment, options["admission"], read_variables, of_wave)
        elif name == "probe":
            assessment = assess.assess_probe(gate, assessment, read_variables)
        else:
            assessment = assess.assess_wave(gate, assessment, of_wave)
        return step.state.controls, assessment


def _is_decided(assessment: t.Mapping[str, t.Any] | None) -> bool:
    """Whether the last word on a batch was spoken."""
    return "status" in (assessment or {})


def _notify(notices: webhooks.Notifier, step: str, assessment: t.Mapping[str, t.Any]) -> None:
    """Posts the events of a step. A batch that is not its wave's last is none, unless the rollout stops there."""
    verdict, counts = assessment["verdict"], assessment.get("counts")
    if step == "rollback" and assessment["hosts"]:
        notices.notify("rollback", verdict, hosts=assessment["hosts"], counts=counts)
    have_ended = step in ("batch", "slow", "reserve") and assessment["follow"] not in (assess.COLLECT, assess.RESERVE)
    if have_ended and (assessment["last"] or not assessment["passed"]):
        notices.notify("wave_end", assessment["of_hosts"], wave=assessment["wave"], counts=counts)
    # A batch that was not admitted has come to no gate.
    has_gate = _is_decided(assessment) and not (assessment["refused"] and assessment["passed"])
    if has_gate and (assessment["last"] or not assessment["go"]):
        notices.notify("gate", verdict, wave=assessment["wave"], status=assessment["status"], go=assessment["go"])
