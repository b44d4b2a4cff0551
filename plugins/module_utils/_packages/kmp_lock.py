# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our lock on all KMPs: what else updates the host installs none. PRIVATE to the collection: it may change at any time.

It stays in place while a KMP is installed by the collection, whose package managers pass over it (``port``): so nothing
that ends a run in the middle leaves a host without it. Package managers do not record who set a lock, so the host does:
locks that others have set hold for us, too, and are left alone.
"""

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import port

# Whose lock it is that holds the KMPs
OWN, FOREIGN, NONE = "own", "foreign", "none"


def describe_lock(host: Host, manager: port.PackageManager) -> str:
    """Whose lock holds all KMPs.

    :raises Unmeasured: the package manager's configuration cannot be read.
    """
    if not set(manager.kmp_patterns) <= manager.list_held():
        return NONE
    return OWN if port.list_own_locks(host) else FOREIGN


def is_different(host: Host, manager: port.PackageManager, wanted: bool) -> bool:
    """Whether the lock differs from what is wanted."""
    if wanted:
        return describe_lock(host, manager) == NONE
    return port.list_own_locks(host) != []


def apply_lock(host: Host, manager: port.PackageManager, wanted: bool) -> None:
    """Set the lock, or remove it where it is ours.

    :raises InstallFailed: the package manager failed.
    :raises Unmeasured: its configuration cannot be read or written.
    """
    own = port.list_own_locks(host)
    if wanted:
        missing = [pattern for pattern in manager.kmp_patterns if pattern not in manager.list_held()]
        own = list(dict.fromkeys([*own, *missing]))
        # Recorded before it is set: an unrecorded lock would stay for ever.
        port.record_own_locks(host, own)
        manager.hold(own)
        return
    manager.release(own)
    port.record_own_locks(host, [])
