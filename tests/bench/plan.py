# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan costs: `make bench` plans for 10,000 and for 100,000 hosts in 40 cohorts and 30 failure domains."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import planning
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import OPTIONS, Settings

_COHORTS, _DOMAINS = 40, 30
# Seconds and MiB for the larger of the two
_FLOOR = (5, 500)


def _fleet(count: int) -> list[Host]:
    return [
        Host(
            f"host{number:06}",
            "unpatched",
            "",
            release="6.4.0-150600.23.7-default",
            build_id=f"{number % _COHORTS:040x}",
            arch="x86_64",
            flavor="default",
            kmp="kernel-livepatch-6_4_0-150600_23_7-default-3-1",
            boot_id=f"{number:032x}",
            domains=(f"dc={number % _DOMAINS}",),
        )
        for number in range(count)
    ]


def _plan(count: int) -> tuple[float, float, float]:
    """Hosts, seconds of the processor, and MiB with the hosts and the plan, in a process of its own."""
    fleet = _fleet(count)
    # Not those of the clock: others work on this machine as well.
    started = time.process_time()
    defaults = {name: spec.get("default") for name, spec in OPTIONS.items()}
    settings = Settings.from_options({**defaults, "waves": ["1%", "5%", "25%"], "max_per_domain": "20%"})
    document = planning.build_plan(fleet, settings).as_document()
    seconds = time.process_time() - started
    if len(document["hosts"]) != count or len(document["cohorts"]) != _COHORTS:
        raise RuntimeError("that is no plan of these hosts")
    return count, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    measured = []
    for count in (10_000, 100_000):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            measured.append(pool.apply(_plan, (count,)))
    print(f"{'HOSTS':>8} {'SECONDS':>8} {'MIB':>6}")
    for hosts, seconds, mib in measured:
        print(f"{hosts:>8.0f} {seconds:>8.2f} {mib:>6.0f}")
    (_small, quick, _less), (_large, slow, much) = measured
    print(f"ten times the hosts take {slow / quick:.1f} times as long; floors are {_FLOOR[0]} s and {_FLOOR[1]} MiB")
    return 0 if slow < _FLOOR[0] and much < _FLOOR[1] else 1


if __name__ == "__main__":
    sys.exit(main())
