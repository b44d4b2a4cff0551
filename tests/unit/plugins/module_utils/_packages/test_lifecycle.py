# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import lifecycle

_NAME = "kernel-livepatch-5_14_21-150400_24_21-default"
_FILE = "/usr/share/lifecycle/data/sle-module-live-patching.lifecycle"


@pytest.mark.parametrize(
    "line, expected",
    [
        (_NAME + ", *, 2026-12-31", "2026-12-31"),
        (_NAME + ",*,2026-12-31", "2026-12-31"),
        ("# a comment\n\n" + _NAME + ", *, 2026-12-31, successor", "2026-12-31"),
        ('"kernel-livepatch-*", 3-*, "2026-12-31"', "2026-12-31"),
        ("/^kernel-livepatch-5_14_21-.*-default$/, *, 2026-12-31", "2026-12-31"),
        ("kernel-livepatch-*, *, 2025-01-01\n" + _NAME + ", *, 2026-12-31", "2026-12-31"),
        ("*, *, 2026-12-31\n# a comment\u2028*, *, 2025-01-01\x0c*, *", "2026-12-31"),
        ("*, 2*, 2025-01-01\n*, 3*, 2026-12-31", "2026-12-31"),
        ("/a{99999999999}/, *, 2025-01-01\n*, *, 2026-12-31", "2026-12-31"),
    ],
)
def test_until(host: Any, line: str, expected: str) -> None:
    host.put(_FILE, line)
    assert lifecycle.find_last_day(host, _NAME, "3-150400.2.1") == expected


@pytest.mark.parametrize(
    "date, expected",
    [
        ("2026-12-31", "2026-12-31"),
        ("2026/12/31", "2026-12-31"),
        ("20261231", "2026-12-31"),
        ("2026-12-31T23:59:59Z", "2026-12-31"),
        ("2026-12-31 23:59:59 +0100", "2026-12-31"),
        ("31 Dec 2026", "2026-12-31"),
        ("1 May 2026 00:00 UTC", "2026-05-01"),
        ("Dec 31 2026", "2026-12-31"),
        ('"December 31, 2026"', "2026-12-31"),
        ("31 Dec \u0662\u0660\u0662\u0666", None),
        # Cut off, each of them another date for a reader that takes what it can get
        ("2026-12-3", None),
        ("2026-1", None),
        ("2026123", None),
        ("31 Dec 202", None),
        ("2026-02-30", None),
        ("2026-12/31", None),
        ("0000-01-01", None),
        ("31 Dez 2026", None),
        ("some day", None),
        ("2026-12-31 or so", None),
    ],
)
def test_dates(host: Any, date: str, expected: Any) -> None:
    host.put(_FILE, f"{_NAME}, *, {date}")
    if expected is None:
        with pytest.raises(Unmeasured, match=f"{date!r} for .* not a date"):
            lifecycle.find_last_day(host, _NAME, "3-150400.2.1")
    else:
        assert lifecycle.find_last_day(host, _NAME, "3-150400.2.1") == expected


@pytest.mark.parametrize(
    "line, words",
    [
        (None, "no lifecycle-data package"),
        ("#\n  # a comment, with, commas", "no lifecycle-data package"),
        ("bash, *, 2026-12-31", "do not name " + _NAME),
        ("kernel.livepatch*, *, 2026-12-31", "do not name"),
        (_NAME + ", 2*, 2026-12-31", "do not name"),
        (_NAME + ", , 2026-12-31", "do not name"),
        ("/((/, *, 2026-12-31", "do not name"),
        # A successor instead of a date: the line that counts tells none
        (_NAME + ", *, 2026-12-31\n" + _NAME + ", *, , successor", "do not name"),
        ("bash, *, 2026-12-31\n" + _NAME + ", *", "sle-module-live-patching.lifecycle is damaged.* line 2. Reinstall"),
        ('"' + _NAME + ", *, 2026-12-31", "damaged or truncated in line 1"),
        (_NAME + ', *, "2026-12-31', "damaged or truncated in line 1"),
        (_NAME + ", *, " + "9" * 200000, "damaged or truncated in line 1"),
    ],
)
def test_not_told(host: Any, line: Any, words: str) -> None:
    if line is not None:
        host.put(_FILE, line)
    host.put("/usr/share/lifecycle/data/README", _NAME + ", *, 2026-12-31")
    with pytest.raises(Unmeasured, match=words):
        lifecycle.find_last_day(host, _NAME, "3-150400.2.1")


def test_the_last_line_counts(host: Any) -> None:
    """zypper-lifecycle reads /var first, and /usr/share last."""
    host.put("/var/lib/lifecycle/data/sle-live-patching.lifecycle", _NAME + ", *, 2027-12-31")
    assert lifecycle.find_last_day(host, _NAME, "3-150400.2.1") == "2027-12-31"
    host.put(_FILE, _NAME + ", *, 2026-12-31")
    assert lifecycle.find_last_day(host, _NAME, "3-150400.2.1") == "2026-12-31"
