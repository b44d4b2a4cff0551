# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts what one and the same rollout takes in several versions of the collection (as root).

usage: python -m tests.tools.trace_rollout [--tasks] TREE...   (TREE: a git revision, or a folder with the collection)

Two simulated hosts, a canary and a host of the wave after it, are patched without a soak; then they are rolled back, of
which only the ssh executions are told. The hosts are simulated by the version itself: their package tools answer what
its modules ask. What counts is of this checkout, for all versions.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import sys
import tempfile
import typing as t
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.cost import measure
from tests.support.trees import Tree, build_environment, find_program, find_simulation, place_tree

_COUNTING = Path(__file__).parents[1] / "support/counting"
_HOSTS = 2
_ROLLBACK = "rollback"
_SCRIPT = f"""
"$PLAYBOOK" fleet.livepatch.rollout "$@" && echo {_ROLLBACK} >>"$COUNTS_FILE" &&
"$PLAYBOOK" fleet.livepatch.rollback -e livepatch_reason=trace "$@"
"""


@dataclasses.dataclass(frozen=True)
class Trace:
    """What was counted in one run.

    :ivar results: task results by host; each is whether the task runs once for all hosts, whether its arguments have
        templates, and its name.
    """

    canary: str
    other: str
    results: dict[str, list[tuple[bool, bool, str]]]
    ssh: dict[str, int]
    rolled_back_ssh: dict[str, int]
    store: int
    templates: int

    def count_results(self, host: str) -> int:
        """Results of tasks that run on each host."""
        return sum(not once for once, _rendered, _name in self.results[host])

    @property
    def once(self) -> int:
        """Results of tasks that run once for all hosts."""
        return sum(once for results in self.results.values() for once, _rendered, _name in results)

    @property
    def rendered(self) -> int:
        """Results of tasks whose arguments were rendered."""
        return sum(rendered for results in self.results.values() for _once, rendered, _name in results)


# What is told of a trace, by its name
FIGURES: dict[str, t.Callable[[Trace], int]] = {
    "task results, host of the wave": lambda trace: trace.count_results(trace.other),
    "task results, canary": lambda trace: trace.count_results(trace.canary),
    "task results, once for all hosts": lambda trace: trace.once,
    "connections to the store": lambda trace: trace.store,
    "ssh executions, host of the wave": lambda trace: trace.ssh.get(trace.other, 0),
    "ssh executions, canary": lambda trace: trace.ssh.get(trace.canary, 0),
    "ssh executions, rolled back": lambda trace: trace.rolled_back_ssh.get(trace.other, 0),
    "templates rendered": lambda trace: trace.templates,
    "tasks rendered": lambda trace: trace.rendered,
}


def parse_counts(lines: Iterable[str], canary: str, other: str) -> Trace:
    """Read what `counts` and `ssh` have written, and the line between rollout and rollback."""
    lines = list(lines)
    end = lines.index(_ROLLBACK) if _ROLLBACK in lines else len(lines)
    rolled_back_ssh = collections.Counter(line.removeprefix("ssh ") for line in lines[end:] if line.startswith("ssh "))
    words: collections.Counter[str] = collections.Counter()
    ssh: collections.Counter[str] = collections.Counter()
    results: dict[str, list[tuple[bool, bool, str]]] = {canary: [], other: []}
    for line in lines[:end]:
        word, _blank, rest = line.partition(" ")
        words[word] += 1
        if word == "ssh":
            ssh[rest] += 1
        elif word == "task":
            host, once, how, name = rest.split(" ", 3)
            results.setdefault(host, []).append((once == "once", how == "rendered", name))
    return Trace(canary, other, results, dict(ssh), dict(rolled_back_ssh), words["sqlite"], words["template"])


def format_table(traces: Sequence[tuple[str, Trace]]) -> str:
    """A column for each version, a line for each figure."""
    widths = [max(8, len(name)) for name, _trace in traces]
    heads = " ".join(f"{name:>{width}}" for (name, _trace), width in zip(traces, widths, strict=True))
    lines = [f"{'':34} {heads}"]
    for title, count in FIGURES.items():
        cells = (f"{count(trace):>{width}}" for (_name, trace), width in zip(traces, widths, strict=True))
        lines.append(f"{title:34} {' '.join(cells)}")
    return "\n".join(lines)


def format_tasks(trace: Trace) -> str:
    """All task results: r marks a task whose arguments have templates, 1 a task that runs once."""
    lines = []
    for host, results in trace.results.items():
        lines.append(f"{host}{' (canary)' if host == trace.canary else ''}")
        lines += [f"  {'1' if once else ' '}{'r' if rendered else ' '} {name}" for once, rendered, name in results]
    return "\n".join(lines)


def run_rollout(tree: Tree, folder: Path) -> Trace:
    """:raises RuntimeError: rollout or rollback have failed, or the hosts were not touched."""
    counts = folder / "counts"
    (folder / "fleet").mkdir()
    settings = {
        "PYTHONPATH": f"{tree.root}:{tree.collections}",
        "ANSIBLE_CALLBACK_PLUGINS": str(_COUNTING),
        "ANSIBLE_CALLBACKS_ENABLED": "counts",
        "COUNTS_FILE": str(counts),
        "PLAYBOOK": find_program("ansible-playbook"),
    }
    drive = [sys.executable, str(_COUNTING / "drive.py"), find_simulation(tree.root), str(folder / "fleet")]
    drive += ["--hosts", str(_HOSTS), "--ssh", str(_COUNTING / "ssh"), "--"]
    environment = build_environment(tree.collections, folder / "home", settings)
    output = measure([*drive, "sh", "-c", _SCRIPT, "sh"], environment, folder, (0,)).output
    touched: dict[str, float] = json.loads(output.splitlines()[-1])
    if len(touched) != _HOSTS:
        raise RuntimeError(f"{tree.name}: the rollout has not patched the hosts\n{output}")
    # Whatever the versions call their steps: it is the host that was touched first
    canary, other = sorted(touched, key=lambda name: touched[name])
    return parse_counts(counts.read_text().splitlines(), canary, other)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.trace_rollout", description=__doc__)
    parser.add_argument("--tasks", action="store_true", help="list the task results")
    parser.add_argument("trees", nargs="+", metavar="TREE", help="a git revision, or a folder with the collection")
    return parser.parse_args(arguments)


def main() -> int:
    arguments = parse_arguments(sys.argv[1:])
    traces = []
    with tempfile.TemporaryDirectory() as name:
        for number, tree_name in enumerate(arguments.trees):
            folder = Path(name) / str(number)
            folder.mkdir()
            try:
                trace = run_rollout(place_tree(tree_name, folder / "collections"), folder)
            except (ValueError, RuntimeError) as exc:
                print(exc, file=sys.stderr)
                return 1
            traces.append((tree_name, trace))
            if arguments.tasks:
                print(f"{tree_name}\n{format_tasks(trace)}\n")
    print(format_table(traces))
    return 0


if __name__ == "__main__":
    sys.exit(main())
