# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._packages.dnf import Dnf
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.zypper import Zypper


# zypper, dnf: whether they check what is in a repository with these settings
@pytest.mark.parametrize(
    "main, own, zypper, dnf",
    [
        ("", "", True, False),
        ("", "gpgcheck=0", False, False),
        ("", "gpgcheck = OFF", False, False),
        ("", "gpgcheck=1", True, True),
        ("", "gpgcheck=0\nrepo_gpgcheck=1", True, True),
        ("", "gpgcheck=0\npkg_gpgcheck=yes", True, True),
        ("", "gpgcheck=0\nrepo_gpgcheck=0\npkg_gpgcheck=0", False, False),
        ("", "gpgcheck=perhaps", True, False),
        ("gpgcheck=1", "", True, True),
        ("gpgcheck=1", "gpgcheck=0", False, False),
        ("gpgcheck=off", "", False, False),
        ("gpgcheck=off", "gpgcheck=1", True, True),
        ("gpgcheck=off\nrepo_gpgcheck=on", "", True, True),
        ("gpgcheck=off\nrepo_gpgcheck=on", "repo_gpgcheck=off", False, False),
    ],
)
def test_checked(host: Any, main: str, own: str, zypper: bool, dnf: bool) -> None:
    if main:
        host.put("/etc/zypp/zypp.conf", f"## a comment\n[main]\n{main}")
        host.put("/etc/dnf/dnf.conf", f"[main]\n{main}")
    for folder in ("/etc/zypp/repos.d", "/etc/yum.repos.d"):
        host.put(f"{folder}/a.repo", f"[a]\nname=a\nenabled=1\n{own}")
    host.put("/var/cache/dnf/a-0123456789abcdef/repodata/repomd.xml")
    assert [each.checked for each in Zypper(host, 1).list_metadata()] == [zypper]
    assert [each.checked for each in Dnf(host, 1).list_metadata()] == [dnf]


def test_configuration_of_the_distribution(host: Any) -> None:
    host.put("/etc/zypp/repos.d/a.repo", "[a]\nname=a")
    host.put("/usr/etc/zypp/zypp.conf", "[main]\ngpgcheck=off")
    assert not Zypper(host, 1).list_metadata()[0].checked
    host.put("/etc/zypp/zypp.conf", "[main]")
    assert Zypper(host, 1).list_metadata()[0].checked
