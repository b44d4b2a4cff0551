# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change windows: time zones, midnight, changes of the clocks, blackouts."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import change_windows

BERLIN = {"start": "02:30", "minutes": 60, "tz": "Europe/Berlin"}
NIGHT = {"days": ["fri", "sat"], "start": "22:00", "minutes": 360}


def at(text: str) -> float:
    return datetime.datetime.fromisoformat(text + "+00:00").timestamp()


@pytest.mark.parametrize(
    ("given", "now", "open_", "opens"),
    [
        ([], "2026-11-25 12:00", True, None),
        # A Wednesday: the next Friday's
        ([NIGHT], "2026-11-25 12:00", False, "2026-11-27 22:00"),
        ([NIGHT], "2026-11-27 21:59", False, "2026-11-27 22:00"),
        ([NIGHT], "2026-11-27 22:00", True, None),
        # Over midnight: Sunday morning is Saturday's
        ([NIGHT], "2026-11-29 03:00", True, None),
        # Ten minutes are needed, nine are left
        ([NIGHT], "2026-11-28 03:51", False, "2026-11-28 22:00"),
        ([NIGHT], "2026-11-28 03:50", True, None),
        # Two that touch are one
        ([NIGHT, {"days": ["sat"], "start": "04:00", "minutes": 60}], "2026-11-28 03:55", True, None),
        # In winter 02:30 is 01:30 UTC, in summer 00:30
        ([BERLIN], "2026-11-25 01:30", True, None),
        ([BERLIN], "2026-11-25 00:30", False, "2026-11-25 01:30"),
        ([BERLIN], "2026-07-25 00:30", True, None),
        # 2026-03-29: 02:30 does not come; the window begins at 03:30 summer time, and still lasts an hour
        ([BERLIN], "2026-03-29 01:29", False, "2026-03-29 01:30"),
        ([BERLIN], "2026-03-29 01:30", True, None),
        ([BERLIN], "2026-03-29 02:21", False, "2026-03-30 00:30"),
        # 2026-10-25: 02:30 comes twice, and counts once
        ([BERLIN], "2026-10-25 00:30", True, None),
        ([BERLIN], "2026-10-25 01:31", False, "2026-10-26 01:30"),
        # Over the change of the clocks an hour is an hour
        ([{"start": "00:00", "minutes": 240, "tz": "Europe/Berlin"}], "2026-03-29 02:49", True, None),
        ([{"start": "00:00", "minutes": 240, "tz": "Europe/Berlin"}], "2026-03-29 02:51", False, "2026-03-29 22:00"),
    ],
)
def test_windows(given: list[dict], now: str, open_: bool, opens: str | None) -> None:
    found = change_windows.check_windows(given, [], at(now), 600)
    assert (found.open, found.opens_at) == (open_, None if opens is None else at(opens))


def test_a_blackout_comes_before_a_window() -> None:
    frozen = [{"from": "2026-11-27 23:00", "to": "2026-11-28 01:00", "reason": "month end"}]
    found = change_windows.check_windows([NIGHT], frozen, at("2026-11-27 23:30"), 600)
    assert (found.open, found.opens_at) == (False, at("2026-11-28 01:00"))
    assert "month end" in found.text
    # What would not be over by its beginning does not begin.
    assert change_windows.check_windows([NIGHT], frozen, at("2026-11-27 22:49"), 600).open is True
    assert change_windows.check_windows([NIGHT], frozen, at("2026-11-27 22:51"), 600).open is False
    weekly = [{"days": ["fri"], "start": "00:00", "minutes": 24 * 60, "reason": "no Fridays"}]
    assert change_windows.check_windows([], weekly, at("2026-11-27 12:00"), 600).opens_at == at("2026-11-28 00:00")


def test_what_is_longer_than_any_window_never_comes() -> None:
    found = change_windows.check_windows([NIGHT], [], at("2026-11-25 12:00"), 361 * 60)
    assert (found.open, found.opens_at) == (False, None)
    assert "long enough" in found.text


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"start": "22:00"}, "minutes"),
        ({"start": "22:00", "minutes": 0}, "minutes"),
        ({"start": 79200, "minutes": 60}, "in quotes"),
        ({"start": "22:00", "minutes": 60, "tz": "Europe/Atlantis"}, "Europe/Atlantis"),
        ({"start": "22:00", "minutes": 60, "days": ["someday"]}, "the day 'someday' is unknown; valid are mon, "),
        ({"start": "22:00", "minutes": 60, "hours": 2}, "hours is unknown; valid are days, start, minutes, tz, reason"),
    ],
)
def test_a_window_that_cannot_be_understood_is_refused(window: dict, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        change_windows.check_windows([window], [], 0, 0)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"to": "2026-12-01"}, "to .2026-12-01. is not after from .2026-12-02.: set a later time"),
        ({"to": "2026-12-02"}, "is not after from"),
        ({"to": "2026-12-03", "days": ["mon"]}, "days is unknown; valid are from, to, reason, tz"),
    ],
)
def test_a_blackout_that_cannot_be_understood_is_refused(more: dict, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        change_windows.check_windows([], [{"from": "2026-12-02", **more}], 0, 0)
