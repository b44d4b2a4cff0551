# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watching the kernel's migration to its end, on the host itself. PRIVATE to the collection."""

from typing import NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import Mechanism

# The kernel retries about once a second; a look costs one small read.
INTERVAL = 0.1


# seconds: how long it took, by the kernel's log where that tells (``by`` says which clock).
class Migration(NamedTuple):
    completed: bool
    seconds: float
    by: str


def wait(host: Host, mechanism: Mechanism, name: str, started: float, timeout: float) -> Migration:
    """Waits until the transition of a patch is over, or ``timeout`` seconds since ``started`` have gone by.

    A patch that goes away while we watch has ended its transition as well: what is active then is for the
    verdict to say, not for the watcher.
    """
    while mechanism.in_transition(name):
        elapsed = host.clock() - started
        if elapsed >= timeout:
            return Migration(False, round(elapsed, 3), "watch")
        host.sleep(INTERVAL)
    began, finished = mechanism.logged(name)
    if began is not None and finished is not None:
        return Migration(True, round(finished - began, 3), "kernel log")
    return Migration(True, round(host.clock() - started, 3), "watch")


def running(mechanism: Mechanism) -> Optional[str]:
    """The patch whose transition runs: the kernel does one at a time."""
    return next((one.name for one in mechanism.patches() if one.transition), None)


def wait_for_others(host: Host, mechanism: Mechanism, timeout: float) -> Optional[str]:
    """Waits until no transition runs, since the kernel does one at a time (EBUSY otherwise).

    :returns: the name of the patch whose transition still runs after ``timeout`` seconds, None when all is quiet.
    """
    started = host.clock()
    while True:
        busy = running(mechanism)
        if busy is None or host.clock() - started >= timeout:
            return busy
        host.sleep(INTERVAL)
