# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the progress of a rollout beside another callback."""

from __future__ import annotations

DOCUMENTATION = r"""
name: events
type: aggregate
short_description: Show rollout progress beside another callback
author: fleet.livepatch contributors (@fleet-livepatch)
description:
  - Adds the lines of P(fleet.livepatch.progress#callback) to the output of another callback, such as that of AWX.
requirements:
  - Enable it in C(ansible.cfg) with C(callbacks_enabled=fleet.livepatch.events).
"""

import time
import typing as t

from ansible.plugins.callback import CallbackBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import show_lines
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import callback_results
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.progress import Progress


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "fleet.livepatch.events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress(time.time)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._show("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._show("failed", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._show("unreachable", result)

    def v2_runner_retry(self, result: t.Any) -> None:
        self._show("retry", result)

    def _show(self, kind: str, result: t.Any) -> None:
        show_lines(self._display.display, self._progress.handle(callback_results.to_result(kind, result)))
