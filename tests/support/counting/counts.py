# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible callback: counts what a run does, whatever the collection is made of (tests/tools/trace_rollout.py)."""

from __future__ import annotations

import functools
import os
import sqlite3
import typing as t

import jinja2
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: counts
type: aggregate
short_description: Count what a run does
description:
  - Appends a line for each thing that is counted to the file E(COUNTS_FILE). The first word is what it is.
  - C(template) is a template or a condition that was rendered, C(sqlite) a connection to a database.
  - C(task HOST HOW TASK) is a result, where HOW is V(once) for a task that runs once for all hosts, V(rendered) or
    V(plain) for whether the task's arguments have templates.
"""

# Runs once for all hosts of a batch
_META = ("meta", "ansible.builtin.meta", "ansible.legacy.meta")


def _append(file: int, line: str) -> None:
    # Short enough to be written at once, by any of the workers
    os.write(file, line[:1000].encode() + b"\n")


def _count_calls(owner: t.Any, name: str, file: int, word: str) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def counted(*arguments: t.Any, **options: t.Any) -> t.Any:
        _append(file, word)
        return original(*arguments, **options)

    setattr(owner, name, counted)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "counts"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(*arguments, **options)
        # Before the first worker is forked: all of them have this file, and what is counted in it
        self._file = os.open(os.environ["COUNTS_FILE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        _count_calls(jinja2.Environment, "from_string", self._file, "template")
        _count_calls(jinja2.Environment, "compile_expression", self._file, "template")
        _count_calls(sqlite3, "connect", self._file, "sqlite")

        # Whether the arguments of a task have templates, by its ID: with a result come those that are rendered
        self._templated: dict[str, bool] = {}

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._templated[task._uuid] = "{{" in repr(task.args)

    def _end(self, result: t.Any, skipped: bool = False) -> None:
        task = result._task
        once = "once" if task.run_once is True or task.action in _META else "each"
        how = "plain" if skipped or not self._templated.get(task._uuid) else "rendered"
        _append(self._file, f"task {result._host.get_name()} {once} {how} {task.name}")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._end(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._end(result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._end(result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._end(result, skipped=True)
