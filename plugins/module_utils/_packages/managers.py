# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the package manager of a host. PRIVATE to the collection: it may change at any time.

Only its own port is imported, since a host compiles what is imported, each time.
"""

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import PackageManagerMissing
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import PackageManager


def find_manager(host: Host, lock_timeout: int) -> PackageManager:
    """:raises PackageManagerMissing: the host has none that the collection supports."""
    if host.get_mtime("/run/ostree-booted") is not None:
        raise PackageManagerMissing(
            "this is an image-based system (rpm-ostree): packages come with the next image and a reboot",
            "Exclude the host, and put the KMP into its image",
        )
    if host.find_tool("zypper"):
        from ansible_collections.fleet.livepatch.plugins.module_utils._packages.zypper import Zypper

        return Zypper(host, lock_timeout)
    if host.find_tool("dnf"):
        if (host.read_link("/usr/bin/dnf") or "").startswith("dnf5"):
            raise PackageManagerMissing(
                "this host has dnf 5, and the collection supports dnf up to 4", "Exclude the host"
            )
        from ansible_collections.fleet.livepatch.plugins.module_utils._packages.dnf import Dnf

        return Dnf(host, lock_timeout)
    raise PackageManagerMissing(
        "this host has neither zypper nor dnf, and the collection supports no other package manager",
        "Install one of them, or exclude the host",
    )
