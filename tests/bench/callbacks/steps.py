# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible callback for the bench: how long tasks that run once for all hosts take, by the clock."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: steps
type: aggregate
short_description: Time what runs once
description: Appends a line of JSON to the file E(STEPS_FILE) for each task that runs once and has a result, with its
  name, its seconds, and the number of the play's batch, which is null in plays without batches.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "steps"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        self._file = open(os.environ["STEPS_FILE"], "a", encoding="utf-8")  # noqa: SIM115
        self._plays = 0
        self._batch: int | None = None
        self._started = 0.0

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._plays += 1
        self._batch = self._plays if play.serial else None

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._started = time.monotonic()

    def _end(self, result: t.Any) -> None:
        if result._task.run_once is not True:
            return
        row = {"task": result._task.name, "seconds": time.monotonic() - self._started, "batch": self._batch}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._end(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._end(result)
