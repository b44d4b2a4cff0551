# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait for the end of the kernel's migration, on the host itself. PRIVATE to the collection."""

from typing import NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import Mechanism

# The kernel retries about once a second; a look costs one small read.
INTERVAL = 0.1


class Migration(NamedTuple):
    completed: bool
    # How long it took
    seconds: float
    # By which clock: "kernel log" where that has both times, else "watch"
    by: str


def wait_for_end(host: Host, mechanism: Mechanism, name: str, started: float, timeout: float) -> Migration:
    """Wait until the transition of a patch is over, or ``timeout`` seconds have passed since ``started``.

    A patch that disappears meanwhile has ended its transition as well: what is active then is for the state to show.
    """
    while mechanism.is_in_transition(name):
        elapsed = host.clock() - started
        if elapsed >= timeout:
            return Migration(False, round(elapsed, 3), "watch")
        host.sleep(INTERVAL)
    began, finished = mechanism.read_log_times(name)
    if began is not None and finished is not None:
        return Migration(True, round(finished - began, 3), "kernel log")
    return Migration(True, round(host.clock() - started, 3), "watch")


def find_running(mechanism: Mechanism) -> Optional[str]:
    """Find the patch whose transition runs: the kernel does one at a time."""
    return next((patch.name for patch in mechanism.list_patches() if patch.transition), None)


def wait_for_others(host: Host, mechanism: Mechanism, timeout: float) -> Optional[str]:
    """Wait until no transition runs, since the kernel does one at a time (EBUSY otherwise).

    :returns: the name of the patch whose transition still runs after ``timeout`` seconds, None when none runs.
    """
    started = host.clock()
    while True:
        busy = find_running(mechanism)
        if busy is None or host.clock() - started >= timeout:
            return busy
        host.sleep(INTERVAL)
