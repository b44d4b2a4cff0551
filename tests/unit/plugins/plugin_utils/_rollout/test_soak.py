# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a wave that soaks is looked at."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import soak


@pytest.mark.parametrize(
    ("seconds", "now", "run_ends", "probes", "until"),
    [
        (0, 1000, 4600, (), None),
        (30, 1000, 4600, (1030,), None),
        (60, 1000, 4600, (1060,), None),
        (1800, 1000, 4600, (1060, 1300, 1900, 2800), None),
        # It is taken up in the middle: what is past is past, and the end is looked at in any case
        (1800, 2000, 4600, (2800,), None),
        (1800, 9000, 9999, (9000,), None),
        # Longer than the run: the next one sees it out
        (7200, 1000, 4600, (1060, 1300, 1900), 8200),
        (7200, 1000, 1100, (1060,), 8200),
        (7200, 5000, 8600, (8200,), None),
    ],
)
def test_schedule(seconds: int, now: float, run_ends: float, probes: tuple[float, ...], until: float | None) -> None:
    assert soak.schedule(1000, seconds, now, run_ends) == soak.Soak(probes, until)
