# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import policy

# 2026-11-24, 23:59:59 UTC
_NOW = 1795564799.0
_NAME = "kernel-livepatch-6_1_0-56-cloud-amd64"


def _check(max_age: int = 600, lock_timeout: int = 60, **what: Any) -> policy.Policy:
    return policy.validate_policy(policy.Policy("never", max_age, lock_timeout, **what), _NOW)


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"kmp_version": "3"},
        {"kmp_version": "3-150400.2.1", "max_version": "1:3~rc1^git-2"},
        {"issued_before": "2026-11-24"},
        {"cves": ("CVE-2026-1234", "CVE-2026-1234567"), "min_age": 0},
    ],
)
def test_makes_sense(what: Any) -> None:
    _check(**what)


@pytest.mark.parametrize(
    "what, words",
    [
        ({"kmp_version": ""}, "kmp_version is '', which is not a package version"),
        ({"kmp_version": "newest!"}, "kmp_version is 'newest!'"),
        ({"kmp_version": "3-1-1"}, "kmp_version is '3-1-1'"),
        ({"kmp_version": "3\n"}, "kmp_version is"),
        ({"max_version": "$(reboot)"}, "max_version is"),
        ({"issued_before": "2026-11-25"}, r"in the future: this host's clock says 2026-11-24"),
        ({"issued_before": "24.11.2026"}, "which is not a date"),
        ({"issued_before": ""}, "which is not a date"),
        ({"cves": ("CVE-2026-1",)}, "'CVE-2026-1', which is not a CVE"),
        ({"cves": ("cve-2026-1234",)}, "which is not a CVE"),
        ({"min_age": -1}, "min_age is -1"),
        ({"max_age": -1}, "refresh_max_age is -1"),
        ({"lock_timeout": -1}, "lock_timeout is -1"),
    ],
)
def test_makes_none(what: Any, words: str) -> None:
    with pytest.raises(BadOption, match=words):
        _check(**what)


@pytest.mark.parametrize(
    "pattern, expected",
    [
        (_NAME, True),
        ("3-150400.2.1", True),
        (_NAME + "-3-150400.2.1", True),
        ("kernel-livepatch-*", True),
        ("*-3-*", True),
        ("3", False),
        ("3-*", True),
        ("2-*", False),
        ("KERNEL-livepatch-*", False),
        ("", False),
    ],
)
def test_matches(pattern: str, expected: bool) -> None:
    assert policy.matches_any([pattern], _NAME, "3-150400.2.1") is expected
