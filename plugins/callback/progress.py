# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the progress of a rollout instead of task results."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Show rollout progress
author: fleet.livepatch contributors (@fleet-livepatch)
description:
  - Shows a rollout wave by wave, with how many hosts have finished, which of them migrate slowly, which threads block
    them, and what failed, one line each. Results of tasks on each host are not shown.
  - In a terminal, and with the Python package C(rich) on the control node, the running batch is redrawn below these
    lines. Elsewhere each update is a line.
  - With C(-v) these lines are added to the output of P(ansible.builtin.default#callback).
  - P(fleet.livepatch.events#callback) shows the same lines beside another callback.
requirements:
  - Set it in C(ansible.cfg) with C(stdout_callback=fleet.livepatch.progress).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  redraw:
    description: Whether to redraw the running batch where the terminal supports it.
    type: bool
    default: true
    env:
      - name: FLEET_LIVEPATCH_REDRAW
    ini:
      - section: callback_progress
        key: redraw
"""

import atexit
import functools
import time
import typing as t

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Default

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import show_lines
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import callback_results, terminal
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.progress import Progress

# What the default callback shows for each task, play and host, and this one with -v only
_DETAIL = (
    "v2_runner_on_skipped",
    "v2_runner_item_on_ok",
    "v2_runner_item_on_failed",
    "v2_runner_item_on_skipped",
    "v2_playbook_on_include",
    "v2_playbook_on_play_start",
    "v2_playbook_on_task_start",
    "v2_playbook_on_handler_task_start",
    "v2_playbook_on_no_hosts_matched",
    "v2_playbook_on_no_hosts_remaining",
    "v2_playbook_on_notify",
    "v2_playbook_on_stats",
    "v2_runner_on_async_poll",
    "v2_runner_on_async_ok",
    "v2_runner_on_async_failed",
)


class CallbackModule(Default):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "fleet.livepatch.progress"

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress(time.time)
        self._bottom: terminal.Bottom | None = None

    def set_options(self, *arguments: t.Any, **options: t.Any) -> None:
        super().set_options(*arguments, **options)
        if self.get_option("redraw") and not self._display.verbosity and terminal.can_redraw():
            self._progress, self._bottom = Progress(time.time, redraws=True), terminal.Bottom()
            # However Ansible exits, its last messages must not be overwritten.
            atexit.register(self._bottom.clear)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._show("ok", result)
        if self._display.verbosity:
            super().v2_runner_on_ok(result)
        else:
            # Such as a KMP that was not taken: no operator should have to look for that.
            self._handle_warnings(result._result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._show("failed", result)
        if self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._show("unreachable", result)
        if self._display.verbosity:
            super().v2_runner_on_unreachable(result)

    def v2_runner_retry(self, result: t.Any) -> None:
        self._show("retry", result)
        if self._display.verbosity:
            super().v2_runner_retry(result)

    def _show(self, kind: str, result: t.Any) -> None:
        task_result = callback_results.to_result(kind, result)
        failed = kind in ("failed", "unreachable")
        color = constants.COLOR_ERROR if failed else None
        show = functools.partial(self._display.display, color=color)
        for line in self._progress.handle(task_result):
            show_lines(show, [line])
        # With verbosity the default callback shows the failure.
        if failed and not self._progress.has_failed(task_result.host) and not self._display.verbosity:
            show_lines(show, [callback_results.describe_failure(kind, result)])
        if self._bottom is not None:
            self._bottom.show(self._progress.format_batch())


def _with_verbosity(name: str) -> t.Callable[..., None]:
    def method(self: CallbackModule, *arguments: t.Any, **options: t.Any) -> None:
        if self._display.verbosity:
            getattr(super(CallbackModule, self), name)(*arguments, **options)

    return method


for _name in _DETAIL:
    setattr(CallbackModule, _name, _with_verbosity(_name))
