# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends a run of a rollout, and reports it: the controller's part of the module of the same name."""

from __future__ import annotations

import dataclasses
import functools
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    FORMATS,
    abbreviate,
    build_printer,
    show_response,
    to_printable,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import (
    document,
    files,
    from_store,
    publish,
    status,
    text,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    budgets,
    common_options,
    controls,
    drift,
    finish,
    halt,
    hosts,
    hostvars,
    retention,
    webhooks,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_OPTIONS: dict[str, t.Any] = {
    **common_options.STEP_OPTIONS,
    **publish.OPTIONS,
    "metrics_dir": {"type": "str", "default": ""},
    "retention_days": {"type": "int", "default": 400},
    "format": {"type": "str", "choices": list(FORMATS), "default": "text"},
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        try:
            run = Run.from_option(options["rollout"])
            store = StoreClient(self, task_vars, run)
            variables = hostvars.VariablesReader(self, task_vars)(hostvars.get_play_hosts(task_vars))
            ended = finish.finish_run(store, run, variables, options["retention_days"])
            problems = [_describe_problem(run, ended)]
            self._notify(task_vars, store, run, ended)
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from None
        result = {
            "outcomes": [dataclasses.asdict(outcome) for outcome in ended.outcomes],
            "status": ended.status,
            "detail": ended.detail,
        }
        lines = text.format_outcomes(ended.fleet, ended.plan, ended.outcomes, ended.status, ended.detail)
        show_response(self._display.display, lines, _as_json(result), options["format"])
        paths: list[str] = []
        try:
            build_report = _select_report(store, run, variables, ended, problems[0])
            if build_report is not None and not (run.mode == "rollback" and self._task.check_mode):
                show = build_printer(self._display.display, options["format"])
                metrics_dir = options["metrics_dir"] if run.mode == "rollout" else ""
                paths = _deliver(options, metrics_dir, functools.lru_cache(maxsize=None)(build_report), show)
        except PlanError as exc:
            # What became of the hosts is shown all the same.
            problems.append(str(exc))
        if ended.has_old:
            self._remove_old(store, options)
        return {
            "changed": False,
            **result,
            "files": paths,
            "problem": to_printable("; ".join(filter(None, problems))) or None,
            **self._hand_over(run, ended),
        }

    def _remove_old(self, store: StoreClient, options: t.Mapping[str, t.Any]) -> None:
        """Last, when all that a run is waited for is done; what is wrong with it is wrong with no host."""
        try:
            removed = retention.remove_old(store, options["retention_days"])
        except AnsibleActionFail as exc:
            self._display.warning(to_printable(f"old rollouts were not removed: {exc}"))
            return
        if removed is not None:
            build_printer(self._display.display, options["format"])(removed)

    @staticmethod
    def _hand_over(run: Run, ended: finish.Ended) -> dict[str, t.Any]:
        if run.mode != "rollout":
            return {}
        stats = common_options.build_stats(
            livepatch_status=ended.status, livepatch_rollout_id=run.id, livepatch_plan_hash=run.hash
        )
        return {"ansible_stats": stats}

    def _notify(self, task_vars: t.Mapping[str, t.Any], store: StoreClient, run: Run, ended: finish.Ended) -> None:
        if run.mode != "rollout" or ended.status not in webhooks.END_EVENTS:
            return
        counts = budgets.count_by_outcome(ended.outcomes)
        message = ended.detail.get("text") or ", ".join(f"{count} {kind}" for kind, count in counts.items())
        recorded = ended.controls.get(controls.WEBHOOKS)
        notices = webhooks.create_notifier(self, task_vars, store.scope, run, recorded=recorded)
        notices.notify(webhooks.END_EVENTS[ended.status], message, status=ended.status, counts=counts)


def _as_json(result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What is printed for programs."""
    return {"hosts": result["outcomes"], "status": result["status"], "detail": result["detail"]}


def _describe_problem(run: Run, ended: finish.Ended) -> str | None:
    """Why the run must not exit with 0; None where it may."""
    if run.mode != "rollback":
        return text.describe_problem(ended.fleet, ended.outcomes, ended.status, ended.detail)
    stuck = [outcome.host for outcome in ended.outcomes if outcome.outcome != "rolled_back"]
    if not stuck or ended.status == "planned":
        return None
    return f"{len(stuck)} of {len(ended.outcomes)} hosts were not rolled back ({abbreviate(stuck)})"


def _select_report(
    store: StoreClient,
    run: Run,
    variables: hostvars.Variables,
    ended: finish.Ended,
    problem: str | None,
) -> t.Callable[[], dict[str, t.Any]] | None:
    """What builds the report's document; None where a slice, which has a part of the hosts only, reports nothing."""
    now = time.time()
    planned = ended.plan
    if planned is None:
        return None
    if run.mode == "rollback":
        recorded = from_store.load_rollout(store, ended.stored)
        if recorded is None:
            return None
        return functools.partial(dataclasses.replace(recorded, halt=ended.halt).build_document, now, store.scope)

    def build_report() -> dict[str, t.Any]:
        selection = hosts.HostSelection(planned.outline.settings.domain_keys)
        drifted = drift.find_drift(store, hostvars.get_latest_answers(variables))
        rows = status.build_rows(variables, selection, now, drifted.hosts)
        if ended.stored is None:
            built = document.build_status(rows, now, store.scope, problem)
        else:
            recorded = document.StoredRollout(planned, ended.stored, list(ended.outcomes))
            built = document.build_rollout(rows, recorded, now, store.scope, problem)
        return {**built, "halt": ended.halt and halt.describe_halt(ended.halt)}

    return build_report


def _deliver(
    options: t.Mapping[str, t.Any],
    metrics_dir: str,
    build_report: t.Callable[[], dict[str, t.Any]],
    show: t.Callable[[str], t.Any],
) -> list[str]:
    paths = publish.deliver_report(options, build_report, show)
    if metrics_dir and build_report()["rollout"]:
        paths.append(files.write_metrics(metrics_dir, build_report()))
    return paths
