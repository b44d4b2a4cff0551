# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan for 100,000 hosts in 40 cohorts and 30 failure domains costs."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Iterator

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import planning
from tests.bench.cost import Options, Row
from tests.bench.store_steps import COHORTS, make_fleet, make_settings

_HOSTS = 100_000


def _plan(count: int) -> tuple[float, float]:
    """Seconds of the processor, and MiB with the hosts and the plan, in a process of its own."""
    fleet = make_fleet(count)
    # Not those of the clock: others work on this machine as well.
    started = time.process_time()
    settings = make_settings(waves=["1%", "5%", "25%"], max_per_domain="20%")
    document = planning.build_plan(fleet, settings).as_document()
    seconds = time.process_time() - started
    if len(document["hosts"]) != count or len(document["cohorts"]) != COHORTS:
        raise RuntimeError("that is no plan of these hosts")
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_rows(_options: Options) -> Iterator[Row]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, mib = pool.apply(_plan, (_HOSTS,))
    yield Row(f"plan of {_HOSTS} hosts", seconds, "s", 5)
    yield Row(f"plan of {_HOSTS} hosts", mib, "MiB", 500)
