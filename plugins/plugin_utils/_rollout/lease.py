# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that holds the lease of a rollout, and whether it is still alive. PRIVATE to the collection.

A process is identified by its boot, the namespace of its process ID, the ID, and its start time (proc(5):
``/proc/<pid>/stat``, field 22). Whether a process on another machine, or in another container, has ended cannot
be known here: its lease has to expire.
"""

from __future__ import annotations

import os
import socket
import typing as t
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreError

_PROC = Path("/proc")


def identify_owner(user: str, pid: int | None = None) -> dict[str, t.Any]:
    """The process that runs the playbook: action plugins run in workers that it has forked.

    :param user: on whose behalf it runs.
    """
    return {"user": user, "machine": socket.gethostname(), **_identify(pid or os.getppid())}


def is_dead(owner: t.Mapping[str, t.Any]) -> bool:
    """Whether this owner has surely ended; of slices that hold a lease together, all of them."""
    if "members" in owner:
        return all(is_dead(member) for member in owner["members"].values())
    here = _identify(int(owner.get("pid") or 0))
    if here["started"] is None and here["boot"] is None:
        return False
    same_place = all(owner.get(key) == here[key] for key in ("boot", "namespace"))
    return same_place and owner.get("started") != here["started"]


def with_takeover(request: t.Callable[..., t.Any]) -> t.Any:
    """Does what needs a free lease, and takes the lease over from a holder that died without releasing it.

    :param request: takes the fencing number of such a holder as ``takeover``.
    :raises StoreError: a run that may be alive has the lease.
    """
    try:
        return request()
    except StoreError as exc:
        if exc.holder is None or not is_dead(exc.holder["owner"]):
            raise
        return request(takeover=exc.holder["fence"])


def _identify(pid: int) -> dict[str, t.Any]:
    return {"boot": _read_boot_id(), "namespace": _read_namespace(), "pid": pid, "started": _read_start_time(pid)}


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


def _read_start_time(pid: int) -> str | None:
    try:
        # The command, in parentheses, may hold blanks and parentheses itself.
        stat = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    # A zombie has ended: it only waits for its parent
    return None if stat[0] == "Z" else stat[19]
