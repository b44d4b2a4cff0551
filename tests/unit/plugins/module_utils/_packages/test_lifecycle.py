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
        (_NAME + ", , 2026-12-31", "2026-12-31"),
        ("# a comment\n\n" + _NAME + ", *, 31 Dec 2026, successor", "2026-12-31"),
        ('"kernel-livepatch-*", 3-*, "2026-12-31"', "2026-12-31"),
        ("/^kernel-livepatch-5_14_21-.*-default$/, *, 2026-12-31", "2026-12-31"),
        ("kernel-livepatch-*, *, 2025-01-01\n" + _NAME + ", *, 2026-12-31", "2026-12-31"),
        ("*, 2*, 2025-01-01\n*, 3*, 2026-12-31", "2026-12-31"),
    ],
)
def test_until(host: Any, line: str, expected: str) -> None:
    host.put(_FILE, line)
    assert lifecycle.until(host, _NAME, "3-150400.2.1") == expected


@pytest.mark.parametrize(
    "line, words",
    [
        (None, "no lifecycle-data package"),
        ("bash, *, 2026-12-31", "say nothing of " + _NAME),
        ("kernel.livepatch*, *, 2026-12-31", "say nothing"),
        (_NAME + ", 2*, 2026-12-31", "say nothing"),
        ("/((/, *, 2026-12-31", "say nothing"),
        (_NAME + ", *, some day", "'some day' of .* no date"),
        (_NAME + ", *", "no lifecycle-data package"),
    ],
)
def test_not_told(host: Any, line: Any, words: str) -> None:
    if line is not None:
        host.put(_FILE, line)
        host.put("/usr/share/lifecycle/data/README", _NAME + ", *, 2026-12-31")
    with pytest.raises(Unmeasured, match=words):
        lifecycle.until(host, _NAME, "3-150400.2.1")


def test_local_data_come_last(host: Any) -> None:
    host.put(_FILE, _NAME + ", *, 2026-12-31")
    host.put("/var/lib/lifecycle/data/sle-live-patching.lifecycle", _NAME + ", *, 2027-12-31")
    assert lifecycle.until(host, _NAME, "3-150400.2.1") == "2027-12-31"
