# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a wave that soaks is looked at, and when a run ends and leaves the rest to the next. PRIVATE to the
collection. Pure."""

from __future__ import annotations

import dataclasses

# After one, five and fifteen minutes, as Canonical's Livepatch client reports, and at the end. What breaks breaks
# early.
_EARLY = (60.0, 300.0, 900.0)


@dataclasses.dataclass(frozen=True)
class Soak:
    """``probes``: times at which this run asks the wave's hosts. ``until``: when the soak ends, None where this run
    sees it out.
    """

    probes: tuple[float, ...]
    until: float | None


def schedule(began: float, seconds: float, now: float, run_ends: float) -> Soak:
    """What of a soak this run does. All times are seconds since the epoch.

    :param began: when the last host of the wave was done.
    :param seconds: how long the wave has to stay healthy.
    :param run_ends: a run that would last longer leaves the rest to the next one.
    """
    if seconds <= 0:
        return Soak((), None)
    end = began + seconds
    early = [began + after for after in _EARLY if after < seconds and began + after > now]
    if end <= run_ends:
        return Soak((*early, max(end, now)), None)
    return Soak(tuple(at for at in early if at <= run_ends), end)
