# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who runs a rollout: the process that holds its lease, and whether it still lives. PRIVATE to the collection.

A process is told by what no other one shares: the boot, the namespace of its process ID, the ID, and when it started
(proc(5): ``/proc/<pid>/stat``, field 22). Of a process on another machine, or in another container, nobody can say here
that it has ended: its lease has to run out.
"""

from __future__ import annotations

import getpass
import os
import socket
import typing as t
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreError

_PROC = Path("/proc")


def current(pid: int | None = None) -> dict[str, t.Any]:
    """The process that runs the playbook: action plugins run in workers that it has forked."""
    return {"user": _user(), "machine": socket.gethostname(), **_identity(pid or os.getppid())}


def gone(owner: t.Mapping[str, t.Any]) -> bool:
    """Whether this owner has surely ended; of slices that hold a lease together, all of them."""
    if "members" in owner:
        return all(gone(one) for one in owner["members"].values())
    here = _identity(int(owner.get("pid") or 0))
    if here["started"] is None and here["boot"] is None:
        return False
    same_place = all(owner.get(key) == here[key] for key in ("boot", "namespace"))
    return same_place and owner.get("started") != here["started"]


def unless_gone(ask: t.Callable[..., t.Any]) -> t.Any:
    """Asks the store for what only the holder of the lease may do, and again in the name of a holder that has ended
    without giving it back: there is nothing to wait for then.

    :param ask: takes the number of such a holder as ``takeover``.
    :raises StoreError: somebody else holds it, or may do so.
    """
    try:
        return ask()
    except StoreError as exc:
        if exc.holder is None or not gone(exc.holder["owner"]):
            raise
        return ask(takeover=exc.holder["fence"])


def _identity(pid: int) -> dict[str, t.Any]:
    return {"boot": _boot(), "namespace": _namespace(), "pid": pid, "started": _started(pid)}


def _boot() -> str | None:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _namespace() -> str | None:
    try:
        return os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return None


def _started(pid: int) -> str | None:
    try:
        # The command, in parentheses, may hold blanks and parentheses itself.
        stat = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    # A zombie has ended: it only waits for whoever started it
    return None if stat[0] == "Z" else stat[19]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        return str(os.getuid())
