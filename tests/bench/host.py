# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules cost a managed host, beside Ansible's `ping` in the same run.

usage: python -m tests.bench.host [REVISION]...   (as root, with the staged collection; revisions to compare with)

A simulated host (tests/simulated/README.md) runs what Ansible would upload. Counted is the module's own process, not
the tools that it calls, which are stand-ins. An import is what an import statement takes, compilation included.
"""

from __future__ import annotations

import io
import json
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.simulated.fleet import Fleet

_COLLECTION = "ansible_collections/fleet/livepatch"
_MODULES = ("livepatch_info", "livepatch")
_RUNS = 15
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
    """Of one run, in milliseconds: all of it, and its imports."""

    total: float
    imports: float


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


def extract_revision(revision: str, target: Path) -> Path:
    """Lay out the collection of a revision where Ansible finds it."""
    archive = subprocess.run(
        ["git", "archive", revision, "plugins", "galaxy.yml", "meta"], stdout=subprocess.PIPE, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(target / _COLLECTION, filter="data")
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


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = {"this": Path(os.environ["ANSIBLE_COLLECTIONS_PATH"])}
        for revision in sys.argv[1:]:
            sources[revision] = extract_revision(revision, folder / str(len(sources)))
        payloads = {("ping", ""): build_payload("ansible.builtin.ping", sources["this"], folder / "ping.py")}
        for source, collections in sources.items():
            for module in _MODULES:
                target = folder / f"{len(payloads)}.py"
                payloads[module, source] = build_payload(f"fleet.livepatch.{module}", collections, target)
        (folder / "fleet").mkdir()
        costs: dict[tuple[str, str], list[Cost]] = {key: [] for key in payloads}
        with Fleet(folder / "fleet", 1) as fleet:
            namespace = fleet.hosts["s001"].folder / "namespace"
            run_payload(payloads["livepatch", "this"], namespace)
            for _run in range(_RUNS):
                for key, payload in payloads.items():
                    cost, result = run_payload(payload, namespace)
                    costs[key].append(cost)
                    # The host may not be what an earlier revision understands.
                    if key[1] in ("", "this") and (result.get("failed") or result.get("changed")):
                        raise RuntimeError(result)
            if fleet.failures:
                raise RuntimeError(fleet.failures[0])
        pings = costs["ping", ""]
        milliseconds = statistics.median(ping.total for ping in pings)
        print(f"a patched host, median of {_RUNS}, in units of the ping before it ({milliseconds:.0f} ms of processor)")
        print(f"{'':30} {'upload':>7} {'total':>6} {'imports':>8}")
        for (module, source), values in costs.items():
            total = statistics.median(cost.total / ping.total for cost, ping in zip(values, pings, strict=True))
            # On top of what ping imports
            imports = statistics.median(
                (cost.imports - ping.imports) / ping.total for cost, ping in zip(values, pings, strict=True)
            )
            size = payloads[module, source].stat().st_size >> 10
            print(f"{module + ' ' + source:30} {size:>4} KB {total:>6.2f} {'+' + format(imports, '.2f'):>8}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
