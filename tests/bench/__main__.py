# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints figures beside their goals, and beside those of the commit before (make bench).

It is a report: a goal that is missed is no error, something that could not be measured is.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

from tests.bench import executions, host, plan, rollout, rows, slices, slow_hosts, status, store
from tests.bench.cost import Options, format_rows
from tests.support.trees import is_revision

BENCHES = {
    "executions": executions.measure_rows,
    "host": host.measure_rows,
    "plan": plan.measure_rows,
    "store": store.measure_rows,
    "rows": rows.measure_rows,
    "slices": slices.measure_rows,
    "status": status.measure_rows,
    "rollout": rollout.measure_rows,
    "slow_hosts": slow_hosts.measure_rows,
}
_BEFORE = "HEAD~1"
# Seconds that a slow host takes
_LONG, _LONGEST = 20.0, 60.0
_FLEETS, _ALL_FLEETS = (200, 1000), (200, 1000, 10_000)


def parse_arguments(arguments: Sequence[str]) -> tuple[list[str], Options]:
    """The names of what is measured, and how."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHES)}; all of them by default")
    parser.add_argument("--full", action="store_true", help="sizes that take hours")
    parser.add_argument(
        "--base", help=f"the git revision, or the folder, to measure beside; no: none. By default {_BEFORE}"
    )
    parser.add_argument("--hosts", type=int, default=100, help="of a rollout that is compared with other playbooks")
    parser.add_argument("--fleets", type=int, nargs="+", help="sizes of fleets of which the same hosts are patched")
    parser.add_argument("--slow", type=float, help="seconds that a slow host takes")
    parsed = parser.parse_args(arguments)
    unknown = sorted(set(parsed.names) - set(BENCHES))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}: choose from {', '.join(BENCHES)}")
    if parsed.slow is not None and parsed.slow < 1:
        parser.error("--slow is 1 or more")
    base = parsed.base
    if base is None:
        base = _BEFORE if is_revision(_BEFORE) else "no"
    fleets = tuple(parsed.fleets or (_ALL_FLEETS if parsed.full else _FLEETS))
    slow = parsed.slow or (_LONGEST if parsed.full else _LONG)
    options = Options(None if base == "no" else base, parsed.full, parsed.hosts, fleets, slow)
    return parsed.names or list(BENCHES), options


def main() -> int:
    names, options = parse_arguments(sys.argv[1:])
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        try:
            for line in format_rows(BENCHES[name](options)):
                print(line, flush=True)
        except Exception:  # the others are measured all the same
            traceback.print_exc()
            failed.append(name)
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
