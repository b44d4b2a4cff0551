# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repositories that a host cannot subscribe to by itself. PRIVATE to the collection: it may change at any time."""

from typing import Callable, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    NoRepository,
    PackageManagerLocked,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.dnf import Dnf
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import PackageManager
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.zypper import Zypper

_MANAGERS: Dict[str, Callable[[Host, int], PackageManager]] = {"suse_manager": Zypper, "rhel": Dnf, "amazon": Dnf}
# What to do where none does
_ADVICE = {
    "suse_manager": "In SUSE Manager, subscribe the system to the child channel of the Live Patching module of its "
    "service pack (Software > Software Channels), or add that channel to its activation key or content project",
    "rhel": "kpatch-patch packages are in the base repositories of a registered system: check subscription-manager "
    "status, and that the content view of Satellite has them",
    "amazon": "Enable live patching: on Amazon Linux 2023 install kpatch-dnf, on Amazon Linux 2 run "
    "amazon-linux-extras enable livepatch. Its documentation lists the supported kernels",
}


def require_kmps(host: Host, kind: str, lock_timeout: int) -> None:
    """Check that a repository offers KMPs, for whatever kernel.

    :raises NoRepository: none does.
    """
    manager = _MANAGERS[kind](host, lock_timeout)
    try:
        problem = "" if manager.search_kmps() else "none was found"
    except PackageManagerLocked:
        raise
    except Unmeasured as exc:
        problem = str(exc)
    if problem:
        raise NoRepository(f"no repository of this host offers KMPs ({problem})", _ADVICE[kind])
