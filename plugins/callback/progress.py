# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of Ansible's for people who watch a rollout."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Show how a rollout gets on
author: fleet.livepatch contributors (@fleet-livepatch)
description:
  - Shows a rollout wave by wave, how many of its hosts have ended, which of them migrate slowly and what holds them,
    and what went wrong, in a line each. What tasks do on each host is not shown.
  - In a terminal, and with the Python package C(rich) on the control node, what runs is drawn anew below these lines.
    Elsewhere each piece of news is a line.
  - With C(-v) it is Ansible's own output, with these lines among it.
  - P(fleet.livepatch.events#callback) tells the same beside another callback.
requirements:
  - It is set as the callback that writes to the terminal (C(stdout_callback=fleet.livepatch.progress) in
    C(ansible.cfg)).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  redraw:
    description: Whether what runs is drawn anew where that can be done.
    type: bool
    default: true
    env:
      - name: FLEET_LIVEPATCH_REDRAW
    ini:
      - section: callback_progress
        key: redraw
"""

import atexit
import time
import typing as t

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Default

from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import callback_results, terminal
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.progress import Progress

# What Ansible's own callback shows of each task, play and host, and this one with -v only
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
            # Whatever ends Ansible, what it says last is not to be drawn over.
            atexit.register(self._bottom.clear)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._tell("ok", result)
        if self._display.verbosity:
            super().v2_runner_on_ok(result)
        else:
            # A KMP that was passed over, say: nobody must have to look for that.
            self._handle_warnings(result._result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._tell("failed", result)
        if self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._tell("unreachable", result)
        if self._display.verbosity:
            super().v2_runner_on_unreachable(result)

    def v2_runner_retry(self, result: t.Any) -> None:
        self._tell("retry", result)
        if self._display.verbosity:
            super().v2_runner_retry(result)

    def _tell(self, kind: str, result: t.Any) -> None:
        heard = callback_results.to_result(kind, result)
        bad = kind in ("failed", "unreachable")
        color = constants.COLOR_ERROR if bad else None
        for line in self._progress.of(heard):
            self._display.display(line, color=color)
        # With verbosity Ansible's own words follow.
        if bad and not self._progress.knows(heard.host) and not self._display.verbosity:
            self._display.display(callback_results.describe_failure(kind, result), color=color)
        if self._bottom is not None:
            self._bottom.show(self._progress.now())


def _with_verbosity(name: str) -> t.Callable[..., None]:
    def method(self: CallbackModule, *arguments: t.Any, **options: t.Any) -> None:
        if self._display.verbosity:
            getattr(super(CallbackModule, self), name)(*arguments, **options)

    return method


for _name in _DETAIL:
    setattr(CallbackModule, _name, _with_verbosity(_name))
