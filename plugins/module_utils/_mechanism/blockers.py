# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The threads that keep a transition from completing. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict, List

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

# A host's result is small: ten thousand of them live in the controller's memory.
_MOST = 10


def find(host: Host, target: int) -> List[Dict[str, Any]]:
    """Threads, not processes, whose ``patch_state`` is not yet ``target`` (1 patched, 0 unpatched), ten at most.

    One pass over /proc, no process per thread. ``patch_state`` is -1 where no transition runs
    (Linux fs/proc/base.c); it needs root to be read.
    """
    blockers: List[Dict[str, Any]] = []
    for pid in host.names("/proc"):
        if not pid.isdigit():
            continue
        for tid in host.names(f"/proc/{pid}/task"):
            base = f"/proc/{pid}/task/{tid}"
            if host.text(base + "/patch_state") != str(1 - target):
                continue
            blockers.append(_thread(host, base, int(tid)))
            if len(blockers) == _MOST:
                return blockers
    return blockers


def _thread(host: Host, base: str, tid: int) -> Dict[str, Any]:
    # "tid (command) state ppid pgrp session tty tpgid flags": the command may hold blanks and brackets itself.
    command, _bracket, rest = (host.text(base + "/stat") or "").partition("(")[2].rpartition(")")
    fields = rest.split()
    return {
        "tid": tid,
        "command": command,
        # PF_KTHREAD, Linux include/linux/sched.h
        "kernel_thread": bool(len(fields) > 6 and int(fields[6]) & 0x00200000),
        "state": fields[0] if fields else None,
    }
