# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible callback for the tests: one line of JSON for each thing that happens, with its time."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: recorder
type: aggregate
short_description: Record what happens
description: Appends a line of JSON for each batch of a play, and for each start and each result of a task on a host, to
  the file E(RECORDER_FILE).
"""


# What steps of rollout_patch run on a host
_MODULES = {"start": "livepatch", "collect": "livepatch_info", "confirm": "livepatch"}


def _describe(task: t.Any) -> dict[str, str]:
    role = task._role.get_name() if task._role else ""
    action = task.action
    if action == "fleet.livepatch.rollout_gather":
        action = "fleet.livepatch.livepatch_info"
    if action == "fleet.livepatch.rollout_patch":
        action = f"fleet.livepatch.{_MODULES[task.args['step']]}"
    return {"task": task.name, "action": action, "role": role}


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._file = open(os.environ["RECORDER_FILE"], "a", encoding="utf-8")  # noqa: SIM115

    def _write(self, kind: str, **fields: t.Any) -> None:
        record = {"kind": kind, "time": time.time(), **fields}
        self._file.write(json.dumps(record, default=str) + "\n")
        self._file.flush()

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._write("play")

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._write("start", host=host.get_name(), **_describe(task))

    def _end(self, outcome: str, result: t.Any, kind: str = "end") -> None:
        # What the results are called without an underscore from ansible-core 2.19 on.
        host, task, data = result._host, result._task, result._result
        self._write(kind, outcome=outcome, host=host.get_name(), **_describe(task), result=dict(data))

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._end("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._end("failed", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._end("unreachable", result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._end("skipped", result, "skip")

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._write("stats", hosts={host: stats.summarize(host) for host in stats.processed})
