# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running commands, and starting and ending the lab's own background processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.errors import LabError


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    stdin: str | bytes = b"",
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Run a command to its end and return its standard output; a failure carries the command's own last words."""
    words = [str(word) for word in command]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    try:
        done = subprocess.run(words, cwd=cwd, input=data, env=environment, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise LabError(f"{words[0]} is not installed: tests/lab/packages.txt lists what the lab needs") from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise LabError(f"{words[0]} failed with exit code {done.returncode}: " + " | ".join(said[-6:]))
    return done.stdout


def text(command: Sequence[str | Path], *, cwd: Path | None = None) -> str:
    """Return the standard output of a command as text."""
    return run(command, cwd=cwd).decode(errors="replace")


def spawn(command: Sequence[str | Path], *, cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one."""
    with log.open("ab") as output:
        # A session of its own: Ctrl-C in the terminal that started the lab must not end the lab.
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def is_ours(pid: int, folder: Path) -> bool:
    """Tell whether the process lives and was started for this folder of the lab.

    Pids are reused, so a recorded number alone says nothing. A zombie has an empty command line and counts as dead.
    """
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(folder) + b"/" in words


def end(pid: int, folder: Path, *, grace: float = 5.0) -> bool:
    """End a process of this folder; False when there was none. SIGKILL follows when SIGTERM is not obeyed."""
    if not is_ours(pid, folder):
        return False
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        os.kill(pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            _reap(pid)
            if not is_ours(pid, folder):
                return True
            time.sleep(0.02)
    raise LabError(f"process {pid} does not end, not even by SIGKILL: see its state in /proc/{pid}/status")


def _reap(pid: int) -> None:
    """Take the exit status of a child, so that a long test run collects no zombies."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
