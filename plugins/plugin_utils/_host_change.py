# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a change of a host is started: the last look at the halt, and the run's name. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t
import uuid

from ansible_collections.fleet.livepatch.plugins.module_utils import _run_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._host_action import HostAction, Result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import halt

# Keys of a result of a change
RESULT_KEYS = ("before", "after", "transition", "livepatch", "kernel", "kmp")


def start_change(
    action: HostAction,
    arguments: t.Mapping[str, t.Any],
    limits: t.Mapping[str, t.Any],
    task_vars: dict[str, t.Any],
    fence: int | None = None,
) -> Result:
    """Run the module livepatch on the host, unless rollouts are halted.

    :param arguments: the module's, ``detach`` among them.
    :param fence: the number of the rollout's lease, which must not be lost; None without a rollout.
    :param limits: its ``timeout`` and ``lock_timeout`` in seconds.
    :returns: its result, with the ``run``, when it ``began`` in seconds since the epoch, and its ``max_seconds``: of a
        host that was not reached too, since the run may have started there, and is collected by its name.
    """
    check_mode = action._task.check_mode
    if not check_mode:
        # The last thing before it starts: a task of its own would be asked of all hosts before any of them starts.
        goes_back = arguments.get("state") == "previous"
        halted = None if goes_back and fence is None else halt.get_halt_reason(action, task_vars, fence, goes_back)
        if halted is not None:
            return {"changed": False, "failed": True, "halted": True, "msg": f"not started: {halted}"}
    run = arguments.get("run") or uuid.uuid4().hex
    # It may have to wait for the run before it, which may take as long.
    max_seconds = 2 * round(_run_result.longest(limits["timeout"], limits["lock_timeout"]))
    # In check mode it is not started, and predicts as ever.
    required = ("detached",) if arguments["detach"] and not check_mode else RESULT_KEYS
    began = time.time()
    result = action.run_module({**arguments, "run": run}, task_vars, required, module="livepatch")
    return {**result, "run": run, "began": began, "max_seconds": max_seconds}
