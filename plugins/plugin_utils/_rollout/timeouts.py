# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long steps of a rollout may take, by the limits of its hosts. PRIVATE to the collection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils import _run_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings

# Hosts' own limits in seconds, and how often one step may take each: in its own run, and in one before it that it waits
# for. A host may wait for itself and for a slow one, and for both to be reached.
_RUNS = 2 * _run_result.STEPS
_STEP_LIMITS = (("timeout", _RUNS), ("lock_timeout", _RUNS), ("unreachable_timeout", 2))
# For all that has no limit of its own: downloads, scriptlets, an initrd
_UNBOUNDED_OVERHEAD = 900
# The same for a host that is patched and rolled back: what a window has to have left. It may be set otherwise.
_WINDOW_LIMITS = (("timeout", 4), ("lock_timeout", 2))
_WINDOW_MARGIN = 300


def compute_lease_seconds(hosts: t.Iterable[HostSettings]) -> int:
    """Seconds that a step may take at the most, on the slowest of the hosts: a detached run with its rollback, one
    before it that still works, and the wait for hosts that are lost. A run that has given no sign of life for so long
    has ended.
    """
    return _sum_slowest(hosts, _STEP_LIMITS) + _UNBOUNDED_OVERHEAD


def compute_window_seconds(hosts: t.Iterable[HostSettings], soak: int) -> int:
    """Seconds of a window that hosts need, the slowest of them, to be patched, to soak, and to be rolled back."""
    return _sum_slowest(hosts, _WINDOW_LIMITS) + soak + _WINDOW_MARGIN


def _sum_slowest(hosts: t.Iterable[HostSettings], limits: t.Iterable[tuple[str, int]]) -> int:
    # Without any host, as one that has the defaults
    each = list(hosts) or [HostSettings()]
    return sum(times * max(int(getattr(settings, name)) for settings in each) for name, times in limits)
