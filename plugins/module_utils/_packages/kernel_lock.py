# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lock on the kernel's package, which can be taken back. PRIVATE to the collection: it may change at any time.

With it no kernel comes in that the fleet has no KMP for, and none goes away with its KMP. Package managers do not
remember who has set a lock, so the host does: one that an administrator has set is left alone.
"""

from typing import List

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import PackageManager

_OURS = "/var/lib/fleet.livepatch/kernel-lock"


def differs(host: Host, manager: PackageManager, package: str, wanted: bool) -> bool:
    """Whether the lock on this package is not as it is wanted."""
    if wanted:
        return package not in manager.locked()
    return _ours(host) != []


def put(host: Host, manager: PackageManager, package: str, wanted: bool) -> None:
    """Sets the lock on this package, or takes all of ours away.

    :raises InstallFailed: the package manager does not do it.
    """
    if wanted:
        # Before it is set: one that is there and nobody's would stay for ever.
        host.save(_OURS, "\n".join([*_ours(host), package]) + "\n")
        manager.lock(package)
        return
    for name in _ours(host):
        if name in manager.locked():
            manager.unlock(name)
    host.unlink(_OURS)


def _ours(host: Host) -> List[str]:
    return (host.text(_OURS) or "").split()
