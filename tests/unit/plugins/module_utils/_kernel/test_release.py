# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import release


@pytest.mark.parametrize(
    "text, arch, version, flavor",
    [
        ("6.1.0-56-cloud-amd64", "x86_64", "6.1.0", "cloud-amd64"),
        ("6.12.117+deb12-cloud-amd64", "x86_64", "6.12.117+deb12", "cloud-amd64"),
        ("5.14.21-150400.24.103-default", "x86_64", "5.14.21", "default"),
        ("6.12.0-160000.5-rt", "x86_64", "6.12.0", "rt"),
        ("4.12.14-122.80-default", "s390x", "4.12.14", "default"),
        ("3.12.61-52.77-xen", "x86_64", "3.12.61", "xen"),
        ("5.14.0-70.13.1.el9_0.x86_64", "x86_64", "5.14.0", None),
        ("6.18.44.aarch64", "aarch64", "6.18.44", None),
        ("6.18.44", "x86_64", "6.18.44", None),
        ("5.15.0-91-generic", "x86_64", "5.15.0", "generic"),
        pytest.param(
            "6.7.0-rc7-1-default",
            "x86_64",
            "6.7.0",
            "default",
        ),
    ],
)
def test_parse(text: str, arch: str, version: str, flavor: Any) -> None:
    assert release.parse_release(text, arch) == (text, version, flavor)
