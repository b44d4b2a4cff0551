# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which change in the journal was interrupted; what it holds is tests of the change."""

from typing import Any, Dict, Optional

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal


@pytest.mark.parametrize("phase", [*_journal.UNFINISHED, _journal.SOAKING, _journal.FAILED, "done"])
@pytest.mark.parametrize("boot_id", ["this", "another", None])
@pytest.mark.parametrize("runs", [True, False])
def test_which_change_was_interrupted(phase: str, boot_id: Optional[str], runs: bool) -> None:
    """One of this boot that has not finished, and on which no run works any more."""
    expected = phase in _journal.UNFINISHED and boot_id == "this" and not runs
    assert _journal.is_interrupted({"phase": phase, "boot_id": "this"}, boot_id, runs) is expected


def test_without_a_record_nothing_was_interrupted() -> None:
    assert _journal.is_interrupted(None, "this", False) is False


@pytest.mark.parametrize(
    ("entry", "boot_id", "is_loaded", "given"),
    [
        ({"phase": "installing", "given": False}, "this", False, False),
        # The package's own script has loaded it
        ({"phase": "installing", "given": False}, "this", True, True),
        # Or may have, before the host went down
        ({"phase": "installing", "given": False}, "another", False, None),
        ({"phase": "installing", "given": True}, "another", False, True),
        ({"phase": "migrating", "given": True}, "this", False, True),
        ({"phase": "failed", "given": False}, "this", True, False),
        ({"phase": "failed", "given": True}, "another", False, True),
        # Of an earlier version
        ({"phase": "failed"}, "this", True, None),
    ],
)
def test_whether_the_kernel_was_given_the_module(
    entry: Dict[str, Any], boot_id: str, is_loaded: bool, given: Optional[bool]
) -> None:
    assert _journal.was_given(dict(entry, boot_id="this"), boot_id, is_loaded) is given
