# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change windows and blackouts. PRIVATE to the collection. Pure.

A window starts at a time of day in a time zone and lasts a number of minutes of elapsed time, also over a change of the
clocks. If the start is in the hour that the change skips, the window starts an hour later by the new time; if it is in
the hour that is repeated, it starts the first time (PEP 495, ``fold=0``).
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
import zoneinfo

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_time

_WEEKLY_KEYS = ("days", "start", "minutes", "tz", "reason")
_BLACKOUT_KEYS = ("from", "to", "reason", "tz")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# How far ahead to look for the next window
_DAYS_AHEAD = 60


@dataclasses.dataclass(frozen=True)
class Opening:
    # Whether enough time is left now
    open: bool
    # When it will be, None where that is not within the days to look ahead
    opens_at: float | None
    text: str


@dataclasses.dataclass(frozen=True)
class _Span:
    start: float
    end: float
    why: str = ""


def check_windows(
    windows: t.Sequence[t.Mapping[str, t.Any]],
    blackouts: t.Sequence[t.Mapping[str, t.Any]],
    now: float,
    needed: float,
) -> Opening:
    """Whether as many seconds as needed are left now.

    :param windows: each with ``days`` (mon to sun, by default all), ``start`` (22:00), ``minutes`` and ``tz`` (by
        default UTC). Without any it is always open.
    :param blackouts: each with ``from`` and ``to`` (ISO 8601) and ``reason``, or as a window.
    :param now: seconds since the epoch.
    :raises PlanError: a window or a blackout is wrong.
    """
    closed = sorted((span for given in blackouts for span in _parse_blackout(given, now)), key=lambda span: span.start)
    spans = [span for given in windows for span in _parse_weekly(given, now, "livepatch_windows")]
    spans = _merge(sorted(spans, key=lambda span: span.start)) if windows else [_Span(now, float("inf"))]
    current = next((span for span in closed if span.start <= now < span.end), None)
    for span in spans:
        begin = max(span.start, now)
        for blackout in closed:
            if blackout.end <= begin or blackout.start >= begin + needed:
                continue
            # A start that would run into a blackout waits for its end.
            begin = blackout.end
        if begin + needed <= span.end:
            if begin <= now:
                return Opening(True, None, "the change window is open")
            why = f"a blackout ({current.why})" if current else "no change window with enough time is open"
            return Opening(False, begin, f"{why}; the next one opens at {format_time(begin)}")
    why = f"a blackout ({current.why})" if current else "no change window is open"
    return Opening(False, None, f"{why}, and none that is long enough ({needed:.0f} s) opens within {_DAYS_AHEAD} days")


def describe_window(given: t.Mapping[str, t.Any]) -> str:
    """A window as an operator has set it."""
    days = given.get("days") or ["each day"]
    text = (
        f"{', '.join(map(str, days))} from {given['start']} for {given['minutes']} minutes ({given.get('tz') or 'UTC'})"
    )
    return text + (f", {given['reason']}" if given.get("reason") else "")


def describe_blackout(given: t.Mapping[str, t.Any]) -> str:
    """A blackout as an operator has set it."""
    if "from" not in given:
        return describe_window(given)
    reason = f", {given['reason']}" if given.get("reason") else ""
    return f"{given['from']} to {given['to']} ({given.get('tz') or 'UTC'}){reason}"


@dataclasses.dataclass(frozen=True)
class Week:
    """When a window is open in each week."""

    days: frozenset[int]
    # Minutes since midnight in its time zone
    start: float
    end: float
    zone: str

    def includes(self, other: Week) -> bool:
        """Whether it is surely open when the other one is: in the same time zone, on the day on which both begin."""
        return (
            self.zone == other.zone and self.days >= other.days and self.start <= other.start and other.end <= self.end
        )


def parse_week(given: t.Mapping[str, t.Any]) -> Week:
    """:raises PlanError: the window is wrong."""
    variable = "livepatch_windows"
    days = frozenset(_parse_day(day, variable) for day in given.get("days") or _DAYS)
    at = _parse_time_of_day(given.get("start"), variable)
    start = at.hour * 60 + at.minute + at.second / 60
    return Week(days, start, start + int(given["minutes"]), str(given.get("tz") or "UTC"))


def _parse_weekly(given: t.Mapping[str, t.Any], now: float, variable: str) -> list[_Span]:
    _require_keys(given, _WEEKLY_KEYS, variable)
    zone = _parse_zone(str(given.get("tz") or "UTC"), variable)
    days = [_parse_day(day, variable) for day in given.get("days") or _DAYS]
    at = _parse_time_of_day(given.get("start"), variable)
    minutes = given.get("minutes")
    if not str(minutes).isdigit() or int(str(minutes)) == 0:
        raise PlanError(f"{variable}: minutes is {minutes!r}: set it to the number of minutes that the window lasts")
    lasts = int(str(minutes)) * 60
    # A window that started some days ago may still be open.
    first = datetime.datetime.fromtimestamp(now - lasts, zone).date() - datetime.timedelta(days=1)
    spans = []
    for number in range(_DAYS_AHEAD + lasts // 86400 + 2):
        day = first + datetime.timedelta(days=number)
        if day.weekday() in days:
            start = datetime.datetime.combine(day, at, zone).timestamp()
            spans.append(_Span(start, start + lasts, str(given.get("reason") or "")))
    return spans


def _parse_blackout(given: t.Mapping[str, t.Any], now: float) -> list[_Span]:
    if "from" not in given and "to" not in given:
        return _parse_weekly(given, now, "livepatch_blackouts")
    _require_keys(given, _BLACKOUT_KEYS, "livepatch_blackouts")
    zone = _parse_zone(str(given.get("tz") or "UTC"), "livepatch_blackouts")
    start, end = (_parse_moment(given.get(key), zone, key) for key in ("from", "to"))
    if end <= start:
        raise PlanError(
            f"livepatch_blackouts: to ({given['to']}) is not after from ({given['from']}): set a later time"
        )
    return [_Span(start, end, str(given.get("reason") or "no reason was given"))]


def _require_keys(given: t.Mapping[str, t.Any], valid: t.Sequence[str], variable: str) -> None:
    unknown = sorted(set(given) - set(valid))
    if unknown:
        raise PlanError(f"{variable}: {', '.join(unknown)} is unknown; valid are {', '.join(valid)}")


def _merge(spans: list[_Span]) -> list[_Span]:
    """Makes one of spans that touch."""
    merged: list[_Span] = []
    for span in spans:
        if merged and span.start <= merged[-1].end:
            merged[-1] = _Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _parse_zone(name: str, variable: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise PlanError(
            f"{variable}: the time zone {name!r} is unknown on the control node: set tz to a name "
            "such as Europe/Berlin, or install tzdata"
        ) from None


def _parse_day(given: t.Any, variable: str) -> int:
    name = str(given).lower()[:3]
    if name not in _DAYS:
        raise PlanError(f"{variable}: the day {given!r} is unknown; valid are {', '.join(_DAYS)}")
    return _DAYS.index(name)


def _parse_time_of_day(given: t.Any, variable: str) -> datetime.time:
    try:
        return datetime.time.fromisoformat(str(given))
    except ValueError:
        # YAML reads 22:00 without quotes as a number.
        raise PlanError(f"{variable}: start is {given!r}: set it to a time of day in quotes, such as '22:00'") from None


def _parse_moment(given: t.Any, zone: zoneinfo.ZoneInfo, key: str) -> float:
    try:
        at = given if isinstance(given, datetime.datetime) else datetime.datetime.fromisoformat(str(given))
    except ValueError:
        raise PlanError(
            f"livepatch_blackouts: {key} is {given!r}: set it to a time such as '2026-12-24 18:00'"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()
