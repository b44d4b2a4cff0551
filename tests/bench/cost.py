# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command costs, and the rows that the bench prints."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import time
import typing as t
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of processors, of the command and of all that it has started and waited for; seconds of the clock; and
    the memory of the largest process, in MiB.
    """

    cpu: float
    wall: float
    mib: float
    output: str


def measure(command: Sequence[str], environment: Mapping[str, str], folder: Path, statuses: Collection[int]) -> Cost:
    """Runs a command to its end.

    :param folder: the working directory.
    :raises RuntimeError: it has ended with none of these exit statuses.
    """
    path = folder / "output.txt"
    started = time.monotonic()
    with path.open("w") as file:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall, output = time.monotonic() - started, path.read_text(errors="replace")
    if process.returncode not in statuses:
        raise RuntimeError(f"{shlex.join(command)} ended with {process.returncode}\n{output[-5000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, output)


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure.

    :ivar goal: what it is to be at most; None where there is no goal.
    :ivar before: the same figure of the commit before.
    """

    name: str
    figure: float
    unit: str = ""
    goal: float | None = None
    before: float | None = None

    @property
    def mark(self) -> str:
        if self.goal is None:
            return ""
        return "ok" if self.figure <= self.goal else "missed"


def format_rows(rows: Iterable[Row]) -> Iterator[str]:
    """The lines of a table, each as soon as its row is measured."""
    yield f"{'FIGURE':58} {'SEEN':>9} {'GOAL':>7} {'BEFORE':>9}"
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal:g}"
        before = "" if row.before is None else f"{row.before:.2f}"
        name = f"{row.name}, {row.unit}" if row.unit else row.name
        yield f"{name:58} {row.figure:>9.2f} {goal:>7} {before:>9} {row.mark}".rstrip()


class Options(t.NamedTuple):
    """What the bench is run with.

    :ivar base: the git revision, or the folder, that is measured beside; None: nothing is.
    :ivar full: the sizes that take hours.
    :ivar hosts: those of a rollout that is compared with other playbooks.
    :ivar fleets: the sizes of fleets of which the same hosts are patched.
    :ivar slow: seconds that a slow host takes.
    """

    base: str | None = None
    full: bool = False
    hosts: int = 100
    fleets: tuple[int, ...] = (200, 1000)
    slow: float = 20.0
