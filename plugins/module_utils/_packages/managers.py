# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which package manager a host has. PRIVATE to the collection: it may change at any time."""

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import PackageManagerMissing
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import PackageManager
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.zypper import Zypper


def find(host: Host, lock_timeout: int) -> PackageManager:
    """:raises PackageManagerMissing: the host has none that the collection knows."""
    if host.which("zypper"):
        return Zypper(host, lock_timeout)
    raise PackageManagerMissing(
        "this host has no zypper, and the collection knows no other package manager yet",
        "Install zypper, or leave the host out",
    )
