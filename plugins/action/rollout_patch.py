# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts and collects what a step has worked out for a host: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _host_change, _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._host_action import HostAction, Result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import changes, hostvars

# Seconds for which a host is asked whether its run has ended, and between two attempts to reach a host that is lost
_WAIT = 30
_RETRY_INTERVAL = 10.0
# Seconds after which a slow host is left to a later step, be it that it works or that it cannot be reached
_PATIENCE = 10
_SKIPPED: Result = {"changed": False, "skipped": True, "skip_reason": "nothing is to be done on this host"}
_OPTIONS: dict[str, t.Any] = {
    "step": {"type": "str", "choices": ["start", "collect"], "required": True},
    "member": {"type": "dict"},
}


class ActionModule(HostAction):
    module_name = "livepatch_info"
    result_keys = ("livepatch", "kernel", "kmp")
    _was_lost = False

    def act(self, task_vars: dict[str, t.Any]) -> Result:
        options = _options.parse_options(self, _OPTIONS)
        if options["member"] is not None:
            return self._collect(changes.Running(**options["member"]), task_vars)
        change = changes.find(task_vars["inventory_hostname"])
        if change is None:
            return dict(_SKIPPED)
        if options["step"] == "start":
            return _host_change.start_change(self, {**change.options, "detach": True}, change.options, task_vars)
        running = hostvars.find_running(task_vars["inventory_hostname"], task_vars, change)
        return dict(_SKIPPED) if running is None or self._task.check_mode else self._collect(running, task_vars)

    def _collect(self, running: changes.Running, task_vars: dict[str, t.Any]) -> Result:
        """Ask the host whether the run has ended. ``again`` asks for another attempt, which is an action of its own."""
        leaves = running.leave_slow
        result = self._ask(running, task_vars)
        lost = {"lost": True} if running.lost or self._was_lost else {}
        if leaves and (result.get("unreachable") or not _has_ended(result, running)):
            return {**result, **lost, "changed": False, "unreachable": False, "in_flight": True}
        if result.get("unreachable") or result.get("failed"):
            return {**result, **lost}
        if not _has_ended(result, running) and time.time() - running.began < running.max_seconds:
            return {**result, "again": True}
        return {**result, **lost, **_judge(result, running.goes_back)}

    def _ask(self, running: changes.Running, task_vars: dict[str, t.Any]) -> Result:
        """Once, and again as long as the host cannot be reached and its time is not over."""
        wait = _PATIENCE if running.leave_slow else _WAIT
        deadline: float | None = None
        while True:
            result = self.run_module({**running.info, "run": running.run, "wait": wait}, task_vars)
            if not result.get("unreachable"):
                return result
            self._was_lost = True
            now = time.monotonic()
            if deadline is None:
                deadline = now + (_PATIENCE if running.leave_slow else running.unreachable_timeout)
            if now >= deadline:
                return result
            time.sleep(min(_RETRY_INTERVAL, deadline - now))
            # What is left of a connection that broke would only say so again.
            self._connection.reset()


def _has_ended(result: t.Mapping[str, t.Any], running: changes.Running) -> bool:
    """Whether nothing more is to be expected of the run."""
    if result.get("failed"):
        return True
    livepatch = result["livepatch"]
    journal = livepatch["journal"] or {}
    if livepatch["job"] is not None or (journal.get("run") == running.run and not journal["running"]):
        return True
    # Of a host that was not reached when it was to start nothing may have started.
    return running.lost and journal.get("run") != running.run


def _judge(result: t.Mapping[str, t.Any], goes_back: bool) -> Result:
    """What of it Ansible displays; the step that assesses the host goes by its facts."""
    livepatch = result["livepatch"]
    job = livepatch["job"] or {}
    is_success = not job.get("failed", True) if goes_back else livepatch["compliance"]["up_to_date"] is True
    if is_success:
        return {"changed": bool(job.get("changed"))}
    state = f"{livepatch['state']}: {livepatch['reason']}"
    return {"changed": bool(job.get("changed")), "failed": True, "msg": job.get("msg") or state}
