# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many tasks, ssh executions, connections to the store and templates a rollout of two hosts takes: the trace."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.cost import Options, Row
from tests.support.trees import place_tree
from tests.tools.trace_rollout import FIGURES, run_rollout

_CHECKOUT = str(Path(__file__).parents[2])
_GOALS = {"ssh executions, host of the wave": 3, "ssh executions, canary": 4, "ssh executions, rolled back": 2}


def measure_rows(options: Options) -> Iterator[Row]:
    traces = []
    with tempfile.TemporaryDirectory() as name:
        for number, tree in enumerate(filter(None, (_CHECKOUT, options.base))):
            folder = Path(name) / str(number)
            traces.append(run_rollout(place_tree(tree, folder / "collections"), folder))
    ours, *before = traces
    for title, count in FIGURES.items():
        yield Row(f"{title}, of 2 hosts", count(ours), "", _GOALS.get(title), count(before[0]) if before else None)
