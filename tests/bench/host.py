# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules cost a managed host, beside Ansible's `ping` in the same run.

A simulated host (tests/simulated/README.md) runs what Ansible would upload. Counted is the module's own process, not
the tools that it calls, which are stand-ins. An import is what an import statement takes, compilation included.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.bench.cost import Options, Row
from tests.simulated.fleet import Fleet
from tests.support.trees import place_tree

_CHECKOUT = Path(__file__).parents[2]
_MODULES = ("livepatch_info", "livepatch")
_RUNS = 15
_GOAL = 150
# Run by a Python whose search path has the collection
_BUILD = """\
import json, sys
from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar
init_plugin_loader()
name, interpreter = sys.argv[1:]
path = module_loader.find_plugin_with_context(name).plugin_resolved_path
built = modify_module(
    module_name=name,
    module_path=path,
    module_args={},
    templar=Templar(DataLoader()),
    task_vars={"ansible_python_interpreter": interpreter},
    module_compression="ZIP_DEFLATED",
)
sys.stdout.buffer.write(built.b_module_data)
"""
# Run on the host: of imports inside of imports only the outermost counts
_MEASURE = """\
import atexit, builtins, resource, sys, time
inner, depth, imports = builtins.__import__, 0, 0.0
def timed(*arguments, **named):
    global depth, imports
    depth += 1
    began = time.process_time()
    try:
        return inner(*arguments, **named)
    finally:
        depth -= 1
        if depth == 0:
            imports += time.process_time() - began
def report():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print("seconds", usage.ru_utime + usage.ru_stime, imports, file=sys.stderr)
atexit.register(report)
builtins.__import__ = timed
sys.argv = sys.argv[1:]
with open(sys.argv[0]) as stream:
    exec(compile(stream.read(), sys.argv[0], "exec"))
"""


class Cost(NamedTuple):
    """Of one run, in milliseconds: all of it, and its imports; KiB of what is uploaded."""

    total: float
    imports: float
    upload: float = 0.0


def build_payload(name: str, collections: Path, target: Path) -> Path:
    """Write what Ansible uploads to run a module."""
    data = subprocess.run(
        [sys.executable, "-c", _BUILD, name, sys.executable],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections), "PYTHONPATH": str(collections)},
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    target.write_bytes(data)
    return target


def run_payload(payload: Path, namespace: Path) -> tuple[Cost, dict[str, object]]:
    """Run a module on a simulated host.

    :returns: what it cost, and its result.
    """
    # Nothing of the developer's environment, such as other places for byte code
    enter = ["nsenter", f"--mount={namespace}", "env", "-i", f"PATH={os.defpath}", sys.executable]
    run = subprocess.run([*enter, "-c", _MEASURE, str(payload)], capture_output=True, text=True, check=False)
    seconds = re.search(r"^seconds ([\d.]+) ([\d.]+)$", run.stderr, re.MULTILINE)
    if seconds is None:
        raise RuntimeError(run.stdout + run.stderr)
    return Cost(*(1000 * float(part) for part in seconds.groups())), json.loads(run.stdout)


def _measure(folder: Path, sources: dict[str, Path]) -> dict[tuple[str, str], list[Cost]]:
    """
    :param sources: what ANSIBLE_COLLECTIONS_PATH is for each version.
    :returns: what the modules cost, by their names and version; of ping the version is the first one.
    """
    ours = next(iter(sources))
    payloads = {("ping", ours): build_payload("ansible.builtin.ping", sources[ours], folder / "ping.py")}
    for source, collections in sources.items():
        for module in _MODULES:
            target = folder / f"{len(payloads)}.py"
            payloads[module, source] = build_payload(f"fleet.livepatch.{module}", collections, target)
    (folder / "fleet").mkdir()
    costs: dict[tuple[str, str], list[Cost]] = {key: [] for key in payloads}
    with Fleet(folder / "fleet", 1) as fleet:
        namespace = fleet.hosts["s001"].folder / "namespace"
        run_payload(payloads["livepatch", ours], namespace)
        for _run in range(_RUNS):
            for key, payload in payloads.items():
                cost, result = run_payload(payload, namespace)
                costs[key].append(cost._replace(upload=payload.stat().st_size / 1024))
                # The host may not be what an earlier version understands.
                if key[1] == ours and (result.get("failed") or result.get("changed")):
                    raise RuntimeError(result)
        if fleet.failures:
            raise RuntimeError(fleet.failures[0])
    return costs


def measure_rows(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trees = [str(_CHECKOUT), *([] if options.base is None else [options.base])]
        sources = {tree: place_tree(tree, folder / f"tree{number}").collections for number, tree in enumerate(trees)}
        costs = _measure(folder, sources)
    pings = costs.pop(("ping", trees[0]))
    yield Row("ping on a host", statistics.median(ping.total for ping in pings), "ms of processor")
    for module in _MODULES:
        figures = []
        for tree in trees:
            pairs = list(zip(costs[module, tree], pings, strict=True))
            more = statistics.median(cost.total - ping.total for cost, ping in pairs)
            # On top of what ping imports
            imports = statistics.median((cost.imports - ping.imports) / ping.total for cost, ping in pairs)
            figures.append((more, imports, pairs[0][0].upload))
        ours, before = figures[0], figures[1] if options.base else (None, None, None)
        goal = _GOAL if module == "livepatch_info" else None
        yield Row(f"{module} on a host, more than ping", ours[0], "ms of processor", goal, before[0])
        yield Row(f"imports of {module} / ping", ours[1], before=before[1])
        yield Row(f"upload of {module}", ours[2], "KiB", before=before[2])
