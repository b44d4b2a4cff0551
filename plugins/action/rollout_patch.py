# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts and collects what a step has worked out for a host: the controller's part of the module of the same name."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail

from ansible_collections.fleet.livepatch.plugins.module_utils import _run_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _host_change, _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._host_action import HostAction, Result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import changes, hostvars

# Seconds for which a host is asked whether its run has ended, and between two attempts to reach a host that is lost
_WAIT = 30
_RETRY_INTERVAL = 10.0
_SKIPPED: Result = {"changed": False, "skipped": True, "skip_reason": "nothing is to be done on this host"}
# Of a host that is left to a later step
_IN_FLIGHT: Result = {"changed": False, "unreachable": False, "in_flight": True}
_OPTIONS: dict[str, t.Any] = {
    "step": {"type": "str", "choices": ["start", "collect", "confirm"], "required": True},
}


class ActionModule(HostAction):
    module_name = "livepatch_info"
    result_keys = ("livepatch", "kernel", "kmp")
    _was_lost = False

    def act(self, task_vars: dict[str, t.Any]) -> Result:
        step, member = _options.parse_options(self, _OPTIONS)["step"], task_vars.get(hostvars.MEMBER)
        if member is not None:
            return self._act_on_member(step, member, task_vars)
        if step == "confirm":
            raise AnsibleActionFail(f"step=confirm needs the loop variable {hostvars.MEMBER}, and it is not there")
        change = changes.find(task_vars["inventory_hostname"])
        if change is None:
            return dict(_SKIPPED)
        if step == "start":
            return self._start(change.options, True, task_vars)
        running = hostvars.find_running(task_vars["inventory_hostname"], task_vars, change)
        return dict(_SKIPPED) if running is None or self._task.check_mode else self._collect(running, task_vars)

    def _act_on_member(self, step: str, member: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        """Do it on the host that the task is delegated to."""
        if step == "confirm":
            return self._start(member["options"], False, task_vars)
        if "run" in member:
            return self._collect(changes.Running(**member), task_vars)
        change = changes.Change(**{key: value for key, value in member.items() if key != "host"})
        if step == "start":
            return self._start(change.options, True, task_vars)
        started = hostvars.get_reserve_answers({"": task_vars}).get(member["host"])
        running = changes.find_running(member["host"], change, started.install if started else None)
        return dict(_SKIPPED) if running is None else self._collect(running, task_vars)

    def _start(self, options: t.Mapping[str, t.Any], detach: bool, task_vars: dict[str, t.Any]) -> Result:
        arguments = {**options, "detach": detach}
        return _host_change.start_change(self, arguments, options, task_vars, options.get("fence"))

    def _collect(self, running: changes.Running, task_vars: dict[str, t.Any]) -> Result:
        """Ask the host whether the run has ended. ``again`` asks for another attempt, which is an action of its own."""
        result = self._ask(running, task_vars)
        was_lost = running.lost or self._was_lost
        lost = {"lost": True} if was_lost else {}
        seconds = time.time() - running.began
        if result.get("unreachable"):
            is_left = running.patience is not None and seconds < running.unreachable_timeout
            return {**result, **lost, **(_IN_FLIGHT if is_left else {})}
        if result.get("failed"):
            return {**result, **lost}
        if seconds < running.max_seconds and not _has_ended(result, running, seconds, was_lost):
            return {**result, **(_IN_FLIGHT if running.patience is not None else {"again": True})}
        return {**result, **lost, **_judge(result, running.goes_back)}

    def _ask(self, running: changes.Running, task_vars: dict[str, t.Any]) -> Result:
        """Once, and again as long as the host cannot be reached and its time is not over."""
        wait = _WAIT if running.patience is None else running.patience
        deadline: float | None = None
        while True:
            result = self.run_module({**running.info, "run": running.run, "wait": wait}, task_vars)
            if not result.get("unreachable"):
                return result
            self._was_lost = True
            now = time.monotonic()
            if deadline is None:
                deadline = now + (running.unreachable_timeout if running.patience is None else running.patience)
            if now >= deadline:
                return result
            time.sleep(min(_RETRY_INTERVAL, deadline - now))
            # What is left of a connection that broke would only say so again.
            self._connection.reset()


def _has_ended(result: t.Mapping[str, t.Any], running: changes.Running, seconds: float, was_lost: bool) -> bool:
    """Whether nothing more is to be expected of the run.

    :param seconds: since it was started.
    :param was_lost: the host could not be reached for a while.
    """
    livepatch = result["livepatch"]
    journal = livepatch["journal"]
    if livepatch["job"] is not None:
        return True
    if journal is not None and journal["run"] == running.run:
        return not journal["running"]
    # It has recorded nothing, and may be about to: with the host, or with what was sent to it, it may be gone, too.
    works = journal is not None and journal["running"]
    return was_lost and not works and seconds >= _run_result.START_TIMEOUT


def _judge(result: t.Mapping[str, t.Any], goes_back: bool) -> Result:
    """What of it Ansible displays; the step that assesses the host goes by its facts."""
    livepatch = result["livepatch"]
    job = livepatch["job"] or {}
    is_success = not job.get("failed", True) if goes_back else livepatch["compliance"]["up_to_date"] is True
    if is_success:
        return {"changed": bool(job.get("changed"))}
    state = f"{livepatch['state']}: {livepatch['reason']}"
    return {"changed": bool(job.get("changed")), "failed": True, "msg": job.get("msg") or state}
