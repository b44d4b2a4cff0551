# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results as Ansible passes them to callbacks. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import to_printable
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.progress import Result


def to_result(kind: str, result: t.Any) -> Result:
    """:param kind: ok, failed, unreachable or retry, as the callback's method is called."""
    # ansible-core 2.19 and later offer these without the underscore.
    host, task, data = result._host, result._task, result._result
    return Result(host.get_name(), task.action, task.args.get("step"), data, kind, host.get_vars())


def describe_failure(kind: str, result: t.Any) -> str:
    """A failed task, in one line."""
    host, task, data = result._host, result._task, result._result
    # Without the name of its role, which is the same for all
    prefix = "" if task.run_once else f"{host.get_name()}: "
    problem = _task_errors.describe_error(dict(data, **{kind: True}), host.get_vars())
    return to_printable(f"{prefix}{task.name or task.get_name()}: {problem}")
