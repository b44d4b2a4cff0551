# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import names


@pytest.mark.parametrize(
    "release, expected",
    [
        ("6.1.0-56-cloud-amd64", "kernel-livepatch-6_1_0-56-cloud-amd64"),
        ("6.12.117+deb12-cloud-amd64", "kernel-livepatch-6_12_117+deb12-cloud-amd64"),
        ("5.14.21-150400.24.21-default", "kernel-livepatch-5_14_21-150400_24_21-default"),
        ("4.12.14-195-default", "kernel-livepatch-4_12_14-195-default"),
        ("6.12.0-160000.5-rt", "kernel-livepatch-6_12_0-160000_5-rt"),
    ],
)
def test_kmp_name(release: str, expected: str) -> None:
    assert names.kmp_name(release) == expected


@pytest.mark.parametrize(
    "evr, expected",
    [
        ("1-150400.9.3.1", 1),
        ("14-150400.2.1", 14),
        ("1:3-1", 3),
        ("1.0-0.amzn2023", 1),
        ("10~rc1-1", 10),
        ("git-1", None),
        ("", None),
    ],
)
def test_level(evr: str, expected: Any) -> None:
    assert names.level(evr) == expected


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/lib/modules/6.1.0-56-cloud-amd64/livepatch/livepatch-3-150400_2_1.ko", "livepatch_3_150400_2_1"),
        ("/lib/modules/x/livepatch/livepatch-2-150400_2_1.ko.xz", "livepatch_2_150400_2_1"),
        ("/lib/modules/x/livepatch/livepatch-2-150400_2_1.ko.zst", "livepatch_2_150400_2_1"),
        ("/lib/modules/x/kgraft/kgraft-patch-1-2_2.ko", "kgraft_patch_1_2_2"),
        ("livepatch-3.ko", "livepatch_3"),
    ],
)
def test_module_name(path: str, expected: str) -> None:
    assert names.module_name(path) == expected


@pytest.mark.parametrize(
    "name, expected",
    [
        ("livepatch_3_150400_2_1", 3),
        ("livepatch_14_150400_2_1", 14),
        ("kgraft_patch_1_2_2", 1),
        ("livepatch_sample", None),
        ("my_livepatch_3_1", None),
        ("kpatch_4_18_0_348_12_2_1_2", None),
        ("livepatch_3", None),
    ],
)
def test_module_level(name: str, expected: Any) -> None:
    assert names.module_level(name) == expected


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/lib/modules/6.1.0-56-cloud-amd64/livepatch/livepatch-3-150400_2_1.ko", True),
        ("/usr/lib/modules/x/livepatch/livepatch-3-150400_2_1.ko.xz", True),
        ("/lib/modules/x/kgraft/kgraft-patch-1-2_2.ko", True),
        ("/lib/modules/x/livepatch", False),
        ("/lib/modules/x/livepatch/README", False),
        ("/lib/modules/x/kernel/fs/ext4.ko", False),
        ("/lib/modules/x/livepatch/sub/other.ko", False),
        ("/lib/modules/x/livepatch/x.kobold", False),
    ],
)
def test_is_module(path: str, expected: bool) -> None:
    assert names.is_module(path) is expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        ("- Initial livepatch", []),
        (
            "- Fix for CVE-2099-0003 ('x')\n- Fix for CVE-2099-0002 ('y')\n- CVE-2099-0003 again",
            ["CVE-2099-0002", "CVE-2099-0003"],
        ),
        ("CVE-2024-9999,CVE-2024-10000 CVE-2023-50000", ["CVE-2023-50000", "CVE-2024-9999", "CVE-2024-10000"]),
        ("XCVE-2024-1234 CVE-24-1234 CVE-2024-123", []),
    ],
)
def test_cves(text: str, expected: Any) -> None:
    assert names.cves(text) == expected
