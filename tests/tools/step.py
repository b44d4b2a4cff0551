# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one check and sums it up in a line; what the check printed is shown only if it fails.

usage: step.py NAME [--only PATTERN]... [--skip PATTERN]... [--given TEXT] -- COMMAND...   (from the checkout's root)

COMMAND runs in the staged copy of the collection. A check that passed is not run again before something changes: the
files it reads (all of the staged ones, or those that the patterns select; `*` matches `/` too), the command, the tools,
and the TEXT, which tells what else the outcome depends on.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import subprocess
import sys
import time
from pathlib import Path

CACHE = Path(".cache").absolute()
STAGE = CACHE / "stage/ansible_collections/fleet/livepatch"


def inputs_of(command: list[str], only: list[str], skip: list[str], given: str) -> str:
    """A hash of everything that the outcome depends on."""

    def is_one(pattern: str, name: str) -> bool:
        return fnmatch.fnmatchcase(name, pattern)

    parts = [repr(command), given]
    for line in (CACHE / "stage.list").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        name = line.split("  ", 1)[1]
        if any(is_one(pattern, name) for pattern in only) and not any(is_one(pattern, name) for pattern in skip):
            parts.append(line)
    parts += [packages.read_text(encoding="utf-8") for packages in sorted(CACHE.glob("venv*/.packages"))]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--skip", action="append", default=[])
    parser.add_argument("--given", default="")
    split = sys.argv.index("--")
    arguments, command = parser.parse_args(sys.argv[1:split]), sys.argv[split + 1 :]

    passed = CACHE / "steps" / arguments.name.replace(": ", "-").replace(" ", "-")
    inputs = inputs_of(command, arguments.only or ["*"], arguments.skip, arguments.given)
    if passed.is_file() and passed.read_text(encoding="utf-8") == inputs:
        print(f"{arguments.name} ok (nothing changed since it passed)", flush=True)
        return 0

    begin = time.monotonic()
    run = subprocess.run(
        command, cwd=STAGE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    seconds = time.monotonic() - begin
    if run.returncode == 0:
        passed.parent.mkdir(parents=True, exist_ok=True)
        passed.write_text(inputs, encoding="utf-8")
        print(f"{arguments.name} ok ({seconds:.0f} s)", flush=True)
        return 0
    # In one piece: other checks run at the same time
    output = run.stdout.decode("utf-8", "replace").rstrip()
    print(f"{arguments.name} FAILED (exit code {run.returncode}, {seconds:.0f} s):\n{output}", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
