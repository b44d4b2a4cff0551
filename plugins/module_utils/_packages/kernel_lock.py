# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our lock on the kernel's package. PRIVATE to the collection: it may change at any time.

It keeps out a kernel that the fleet has no KMP for, and keeps the running one with its KMP. Package managers do not
record who set a lock, so the host does: a lock that an administrator has set is left alone.
"""

from typing import List

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import PackageManager

_OWN_LOCKS = "/var/lib/fleet.livepatch/kernel-lock"


def is_different(host: Host, manager: PackageManager, package: str, wanted: bool) -> bool:
    """Whether the lock on this package differs from what is wanted."""
    if wanted:
        return package not in manager.list_locked()
    return _list_own_locks(host) != []


def apply_lock(host: Host, manager: PackageManager, package: str, wanted: bool) -> None:
    """Set the lock on this package, or remove all of ours.

    :raises InstallFailed: the package manager failed.
    """
    if wanted:
        # Recorded before it is set: an unrecorded lock would stay for ever.
        host.save(_OWN_LOCKS, "\n".join([*_list_own_locks(host), package]) + "\n")
        manager.lock(package)
        return
    for name in _list_own_locks(host):
        if name in manager.list_locked():
            manager.unlock(name)
    host.unlink(_OWN_LOCKS)


def _list_own_locks(host: Host) -> List[str]:
    return (host.read_text(_OWN_LOCKS) or "").split()
