# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process that renews the lease of a run, whatever task runs, and ends with the run. PRIVATE to the collection.

A lease is short, so that a run that was killed, with its machine or its container, does not hold up the next one for
long, and a task may take hours. So a process of its own renews it. A step that is delegated to the coordinator starts
that process, which keeps the connection that Ansible has opened for the step, with the passwords that were asked for.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import time
import typing as t

from ansible.utils.display import Display

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import processes
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient, StoreError

# How often the lease is renewed in its time, and the run is looked at, in seconds
_RENEWALS = 4
_INTERVAL = 0.5


def start(store: StoreClient, run: Run, seconds: int) -> None:
    """Start it for the process that runs the playbook, of which a step is a child.

    :param seconds: those of the lease.
    """
    playbook = processes.identify_playbook()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            # An orphan: the step does not wait for it.
            if os.fork() == 0:
                _leave_step()
                store.detach()
                keep_lease(lambda: _renew(store, run), playbook, seconds)
        os._exit(0)
    os.waitpid(pid, 0)


def keep_lease(renew: t.Callable[[], bool], playbook: processes.Process, seconds: float) -> None:
    """Renew the lease as long as the playbook runs. One that is stopped (SIGSTOP) is to lose it, and to find that out
    when it goes on.

    :param renew: whether the lease is still this run's.
    """
    due = time.monotonic()
    while (state := processes.read_state(playbook)) is not None:
        if state != processes.STOPPED and time.monotonic() >= due:
            try:
                if not renew():
                    return
                due = time.monotonic() + seconds / _RENEWALS
            except Exception:  # whatever a connection raises: the coordinator may be back in time
                due = time.monotonic() + min(5.0, seconds / _RENEWALS)
        time.sleep(_INTERVAL)


def _renew(store: StoreClient, run: Run) -> bool:
    try:
        store.send("renew_lease", scope=store.scope, fence=run.fence, rollout=run.id)
    except StoreError as exc:
        if exc.is_lost:
            return False
        raise
    return True


def _leave_step() -> None:
    """What ends with a step, or with its terminal, does not end this process; and the step does not wait for it."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Replaced, not closed: what uses them, such as Python's tracker of shared memory, would close them once more.
    null = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the list
            os.dup2(null, int(name))
    # Messages would go to the playbook's process by a queue, which is closed by now.
    Display()._final_q = None
    # What it shares with the playbook's process stays shared.
    gc.disable()
