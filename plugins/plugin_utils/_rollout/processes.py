# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes of the control node, as proc(5) has them. PRIVATE to the collection.

A process is identified by its boot, the namespace of its process ID, the ID, and its start time
(``/proc/<pid>/stat``, field 22).
"""

from __future__ import annotations

import multiprocessing
import os
import typing as t
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError

_PROC = Path("/proc")
STOPPED = "T"
# It has ended, and only waits for its parent
_ENDED = ("Z", "X")


class Process(t.NamedTuple):
    """Each is None where it is not known; ``started`` also of a process that has ended."""

    pid: int
    started: str | None
    boot: str | None
    namespace: str | None


def identify(pid: int) -> Process:
    state, started = _read_stat(pid)
    return Process(pid, None if state in _ENDED else started, _read_boot_id(), _read_namespace())


def identify_playbook() -> Process:
    """The process that runs the playbook, from a step, which is a worker that it has forked.

    :raises PlanError: it has ended, and left the worker behind; or this system has no /proc. No process would renew the
        lease then.
    """
    parent = multiprocessing.parent_process()
    process = identify(os.getppid())
    if parent is not None and parent.pid != process.pid:
        raise PlanError("the process that runs the playbook has ended: nothing is begun")
    if process.started is None:
        raise PlanError(
            f"/proc does not show the process that runs the playbook ({process.pid}): use a control node with Linux"
        )
    return process


def read_state(process: Process) -> str | None:
    """Its state, by its letter; None where it has ended."""
    state, started = _read_stat(process.pid)
    return None if started is None or started != process.started or state in _ENDED else state


def _read_stat(pid: int) -> tuple[str | None, str | None]:
    """State and start time, None where there is no such process."""
    try:
        # The command, in parentheses, may hold blanks and parentheses itself.
        stat = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None, None
    return stat[0].upper(), stat[19]


def _read_boot_id() -> str | None:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _read_namespace() -> str | None:
    try:
        return os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return None
