# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long steps of a rollout may take, by the limits of its hosts. PRIVATE to the collection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings

# Hosts' own limits in seconds, and how often a host that is patched and rolled back may take each: what a window has to
# have left. It may be set otherwise.
_WINDOW_LIMITS = (("timeout", 4), ("lock_timeout", 2))
_WINDOW_MARGIN = 300


def compute_window_seconds(hosts: t.Iterable[HostSettings], soak: int) -> int:
    """Seconds of a window that hosts need, the slowest of them, to be patched, to soak, and to be rolled back."""
    return _sum_slowest(hosts, _WINDOW_LIMITS) + soak + _WINDOW_MARGIN


def _sum_slowest(hosts: t.Iterable[HostSettings], limits: t.Iterable[tuple[str, int]]) -> int:
    # Without any host, as one that has the defaults
    each = list(hosts) or [HostSettings()]
    return sum(times * max(int(getattr(settings, name)) for settings in each) for name, times in limits)
