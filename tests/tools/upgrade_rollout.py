# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Goes on with a rollout that an earlier version of the collection has begun (as root).

usage: python -m tests.tools.upgrade_rollout REVISION...

Each version patches the canary of four simulated hosts, and waits for an approval. This checkout then shows the
rollout, waits as well, and patches the rest. No host may be patched twice.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from tests.bench.cost import measure
from tests.simulated.fleet import Fleet
from tests.support.trees import build_environment, find_program, place_tree

_CHECKOUT = Path(__file__).parents[2]
_WAVES = {"livepatch_waves": [1, 1]}


def _run(collections: Path, folder: Path, fleet: Fleet, name: str, **settings: object) -> str:
    """What a playbook has printed.

    :raises RuntimeError: it has failed.
    """
    environment = {**build_environment(collections, folder / "home", {}), **fleet.environment}
    command = [find_program("ansible-playbook"), f"fleet.livepatch.{name}", "-i", str(fleet.inventory())]
    return measure([*command, "-e", json.dumps(settings)], environment, folder, (0,)).output


def upgrade_rollout(revision: str, folder: Path) -> str:
    """What became of the hosts, in one line.

    :raises RuntimeError: it is not what it should be.
    :raises ValueError: there is no such revision.
    """
    old = place_tree(revision, folder / "old").collections
    new = place_tree(str(_CHECKOUT), folder / "new").collections
    (folder / "fleet").mkdir()
    with Fleet(folder / "fleet", 4, kernels=1) as fleet:
        _run(old, folder, fleet, "rollout", **_WAVES, livepatch_approval=["1"])
        begun = fleet.touched()
        if len(begun) != 1:
            raise RuntimeError(f"{revision} has patched {sorted(begun)}, and not the canary alone")
        if "4 hosts: 3 pending, 1 done" not in _run(new, folder, fleet, "report"):
            raise RuntimeError("the report does not have what was recorded")
        _run(new, folder, fleet, "rollout", **_WAVES, livepatch_approval=["1"])
        if fleet.touched() != begun:
            raise RuntimeError("it has patched hosts without an approval")
        _run(new, folder, fleet, "rollout", **_WAVES)
        patched = fleet.touched()
    if len(patched) != 4 or any(len(kmps) != 1 for kmps in patched.values()):
        raise RuntimeError(f"it has not patched each host once: {patched}")
    return f"{revision}: its rollout was taken up, 4 of 4 hosts patched, none twice"


def main() -> int:
    if len(sys.argv) < 2 or os.geteuid() != 0:
        print(__doc__, file=sys.stderr)
        return 2
    for revision in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as name:
            try:
                print(upgrade_rollout(revision, Path(name)), flush=True)
            except (RuntimeError, ValueError) as exc:
                print(f"{revision}: {exc}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
