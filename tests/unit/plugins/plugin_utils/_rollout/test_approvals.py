# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approvals hold for one plan, for one wave or all, until they expire, and until somebody says otherwise."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import approvals


def said(wave: int | None = 1, hash_: str = "aa", expires: float | None = None, granted: bool = True) -> dict:
    return {"hash": hash_, "wave": wave, "who": "eve", "expires": expires, "granted": granted}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "inconclusive"),
        ([said()], "pass"),
        ([said(None)], "pass"),
        ([said(2)], "inconclusive"),
        ([said(hash_="bb")], "inconclusive"),
        ([said(expires=101)], "pass"),
        ([said(expires=100)], "inconclusive"),
        ([said(), said(granted=False)], "fail"),
        ([said(granted=False), said()], "pass"),
        # A refusal of this wave is newer than the approval of all
        ([said(None), said(1, granted=False)], "fail"),
        ([said(granted=False, expires=99)], "inconclusive"),
    ],
)
def test_approvals(given: list[dict], expected: str) -> None:
    assert approvals.find(given, "aa", 1, 100).verdict == expected


def test_an_expired_one_is_told_of() -> None:
    assert "the approval by eve expired" in approvals.find([said(expires=50)], "aa", 1, 100).text
