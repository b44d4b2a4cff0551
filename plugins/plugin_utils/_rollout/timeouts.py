# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long steps of a rollout may take, by the limits of its hosts. PRIVATE to the collection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils import _run_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._options import is_blank
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema

# Hosts' variables, by host
Variables = t.Mapping[str, t.Mapping[str, t.Any]]

# Hosts' own limits in seconds, and how often one step may take each: in its own run, and in one before it that it waits
# for
_RUNS = 2 * _run_result.STEPS
_STEP_LIMITS = (("livepatch_timeout", _RUNS), ("livepatch_lock_timeout", _RUNS), ("livepatch_unreachable_timeout", 1))
# For all that has no limit of its own: downloads, scriptlets, an initrd
_UNBOUNDED_OVERHEAD = 900
# The same for a host that is patched and rolled back: what a window has to have left. It may be set otherwise.
_WINDOW_LIMITS = (("livepatch_timeout", 4), ("livepatch_lock_timeout", 2))
_WINDOW_MARGIN = 300


def compute_lease_seconds(variables_by_host: Variables) -> int:
    """Seconds that a step may take at the most, on the slowest of the hosts: a detached run with its rollback, one
    before it that still works, and the wait for hosts that are lost. A run that has given no sign of life for so long
    has ended.

    :raises PlanError: a limit is no number.
    """
    return _sum_slowest(variables_by_host, _STEP_LIMITS) + _UNBOUNDED_OVERHEAD


def compute_window_seconds(variables_by_host: Variables, soak: int) -> int:
    """Seconds of a window that hosts need, the slowest of them, to be patched, to soak, and to be rolled back.

    :raises PlanError: a limit is no number.
    """
    return _sum_slowest(variables_by_host, _WINDOW_LIMITS) + soak + _WINDOW_MARGIN


def _sum_slowest(variables_by_host: Variables, limits: t.Iterable[tuple[str, int]]) -> int:
    return sum(
        times
        * max(
            (_parse_seconds(setting, host, variables) for host, variables in variables_by_host.items()),
            default=schema.SETTINGS[setting].default,
        )
        for setting, times in limits
    )


def _parse_seconds(setting: str, host: str, variables: t.Mapping[str, t.Any]) -> int:
    value: t.Any = variables.get(setting)
    try:
        return int(schema.SETTINGS[setting].default if is_blank(value) else value)
    except (TypeError, ValueError):
        raise PlanError(f"{setting} of {host} is {value!r}: it is a number of seconds") from None
