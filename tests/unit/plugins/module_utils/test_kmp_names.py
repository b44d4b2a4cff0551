# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names


@pytest.mark.parametrize(
    "release, suse, kgraft, kpatch, amazon",
    [
        (
            "6.1.0-56-cloud-amd64",
            "kernel-livepatch-6_1_0-56-cloud-amd64",
            "kgraft-patch-6_1_0-56-cloud-amd64",
            "kpatch-patch-6_1_0-56",
            "kernel-livepatch-6.1.0-56",
        ),
        (
            "6.12.117+deb12-cloud-amd64",
            "kernel-livepatch-6_12_117+deb12-cloud-amd64",
            "kgraft-patch-6_12_117+deb12-cloud-amd64",
            "kpatch-patch-6_12_117+deb12-cloud-amd64",
            "kernel-livepatch-6.12.117+deb12-cloud-amd64",
        ),
        (
            "5.14.21-150400.24.21-default",
            "kernel-livepatch-5_14_21-150400_24_21-default",
            "kgraft-patch-5_14_21-150400_24_21-default",
            "kpatch-patch-5_14_21-150400_24_21",
            "kernel-livepatch-5.14.21-150400.24.21",
        ),
        (
            "4.18.0-348.12.2.el8_5.x86_64",
            "kernel-livepatch-4_18_0-348_12_2_el8_5_x86_64",
            "kgraft-patch-4_18_0-348_12_2_el8_5_x86_64",
            "kpatch-patch-4_18_0-348_12_2",
            "kernel-livepatch-4.18.0-348.12.2",
        ),
        (
            "6.12.94-123.174.amzn2023.x86_64",
            "kernel-livepatch-6_12_94-123_174_amzn2023_x86_64",
            "kgraft-patch-6_12_94-123_174_amzn2023_x86_64",
            "kpatch-patch-6_12_94-123_174",
            "kernel-livepatch-6.12.94-123.174",
        ),
        (
            "4.18.0-305.el8.x86_64",
            "kernel-livepatch-4_18_0-305_el8_x86_64",
            "kgraft-patch-4_18_0-305_el8_x86_64",
            "kpatch-patch-4_18_0-305",
            "kernel-livepatch-4.18.0-305",
        ),
    ],
)
def test_names_of_the_vendors(release: str, suse: str, kgraft: str, kpatch: str, amazon: str) -> None:
    found = (
        _kmp_names.format_suse_name(release),
        _kmp_names.format_kgraft_name(release),
        _kmp_names.format_kpatch_name(release),
        _kmp_names.format_amazon_name(release),
    )
    assert found == (suse, kgraft, kpatch, amazon)


SUSE, KGRAFT = "kernel-livepatch-6_1_0-56-cloud-amd64", "kgraft-patch-4_12_14-122_80-default"
KPATCH, AMAZON = "kpatch-patch-4_18_0-305", "kernel-livepatch-6.12.94-123.174"


@pytest.mark.parametrize(
    "name, evr, expected, initial",
    [
        (SUSE, "1-150400.9.3.1", 1, True),
        (SUSE, "14-150400.2.1", 14, False),
        (SUSE, "1:3-1", 3, False),
        (SUSE, "10~rc1-1", 10, False),
        (SUSE, "git-1", None, False),
        # No vendor's: a number that JSON's readers do not all take
        (SUSE, "9" * 5000 + "-1", None, False),
        (KPATCH, "1-" + "9" * 5000, None, False),
        (SUSE, "", None, False),
        (KGRAFT, "1-2.2", 1, True),
        (KGRAFT, "7-2.2", 7, False),
        (KPATCH, "0-0.el8", 0, True),
        (KPATCH, "1-1.el8", 1, False),
        (KPATCH, "1-4.el8_2", 4, False),
        (AMAZON, "1.0-0.amzn2023", 0, True),
        (AMAZON, "1.0-12.amzn2023", 12, False),
    ],
)
def test_level(name: str, evr: str, expected: Any, initial: bool) -> None:
    found = _kmp_names.parse_level(name, evr)
    assert (found, _kmp_names.is_initial(name, found)) == (expected, initial)


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
    assert _kmp_names.parse_module_name(path) == expected


@pytest.mark.parametrize(
    "name, expected",
    [
        ("livepatch_3_150400_2_1", 3),
        ("livepatch_14_150400_2_1", 14),
        ("kgraft_patch_1_2_2", 1),
        ("livepatch_sample", None),
        ("my_livepatch_3_1", None),
        ("kpatch_4_18_0_348_12_2_1_2", 2),
        ("kpatch_meminfo", None),
        ("kpatch_1", None),
        ("livepatch_3", None),
    ],
)
def test_module_level(name: str, expected: Any) -> None:
    assert _kmp_names.parse_module_level(name) == expected


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/lib/modules/6.1.0-56-cloud-amd64/livepatch/livepatch-3-150400_2_1.ko", True),
        ("/usr/lib/modules/x/livepatch/livepatch-3-150400_2_1.ko.xz", True),
        ("/lib/modules/x/kgraft/kgraft-patch-1-2_2.ko", True),
        ("/usr/lib/kpatch/4.18.0-305.el8.x86_64/kpatch-4_18_0-305-1-1.ko", True),
        ("/lib/modules/x/livepatch", False),
        ("/lib/modules/x/livepatch/README", False),
        ("/lib/modules/x/kernel/fs/ext4.ko", False),
        ("/lib/modules/x/livepatch/sub/other.ko", False),
        ("/lib/modules/x/livepatch/x.kobold", False),
    ],
)
def test_is_module(path: str, expected: bool) -> None:
    assert _kmp_names.is_module(path) is expected


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
        ("CVE-2024-" + "1" * 19 + " CVE-2024-" + "1" * 5000, ["CVE-2024-" + "1" * 19]),
    ],
)
def test_cves(text: str, expected: Any) -> None:
    assert _kmp_names.find_cves(text) == expected
