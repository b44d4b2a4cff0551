# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change windows and blackouts. PRIVATE to the collection. Pure.

A window begins at a time of day in a time zone and lasts so many minutes of elapsed time, also over a change of the
clocks. One that would begin in the hour that a change of the clocks leaves out begins an hour later by the new time;
one in the
hour that comes twice begins the first time (PEP 495, ``fold=0``).
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
import zoneinfo

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# A window that does not come in this time does not come
_DAYS_AHEAD = 60


@dataclasses.dataclass(frozen=True)
class Opening:
    """``open``: there is time enough now. ``opens_at``: else when there will be, None where that is not in sight."""

    open: bool
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
    """Whether so many seconds are left now.

    :param windows: each with ``days`` (mon to sun, by default all), ``start`` (22:00), ``minutes`` and ``tz`` (by
        default UTC). Without any it is always open.
    :param blackouts: each with ``from`` and ``to`` (ISO 8601) and ``reason``, or as a window.
    :param now: seconds since the epoch.
    :raises PlanError: one of them cannot be understood.
    """
    shut = sorted((span for one in blackouts for span in _blackout(one, now)), key=lambda span: span.start)
    spans = sorted((span for one in windows for span in _weekly(one, now, "livepatch_windows")), key=lambda s: s.start)
    spans = _joined(spans) if windows else [_Span(now, float("inf"))]
    at = next((span for span in shut if span.start <= now < span.end), None)
    for span in spans:
        begin = max(span.start, now)
        for black in shut:
            if black.end <= begin or black.start >= begin + needed:
                continue
            # What would run into a blackout waits for its end.
            begin = black.end
        if begin + needed <= span.end:
            if begin <= now:
                return Opening(True, None, "the change window is open")
            why = f"a blackout ({at.why})" if at else "no change window with time enough is open"
            return Opening(False, begin, f"{why}; the next one opens at {_told(begin)}")
    why = f"a blackout ({at.why})" if at else "no change window is open"
    return Opening(False, None, f"{why}, and none that is long enough ({needed:.0f} s) comes within {_DAYS_AHEAD} days")


def _weekly(given: t.Mapping[str, t.Any], now: float, variable: str) -> list[_Span]:
    unknown = set(given) - {"days", "start", "minutes", "tz", "reason"}
    if unknown:
        raise PlanError(f"{variable}: {', '.join(sorted(unknown))} is not known: give days, start, minutes, tz")
    zone = _zone(str(given.get("tz") or "UTC"), variable)
    days = [_day(one, variable) for one in given.get("days") or _DAYS]
    at = _time_of_day(given.get("start"), variable)
    minutes = given.get("minutes")
    if not str(minutes).isdigit() or int(str(minutes)) == 0:
        raise PlanError(f"{variable}: minutes is {minutes!r}: give how many minutes it lasts")
    lasts = int(str(minutes)) * 60
    # One that began some days ago may still be open.
    first = datetime.datetime.fromtimestamp(now - lasts, zone).date() - datetime.timedelta(days=1)
    spans = []
    for number in range(_DAYS_AHEAD + lasts // 86400 + 2):
        day = first + datetime.timedelta(days=number)
        if day.weekday() in days:
            start = datetime.datetime.combine(day, at, zone).timestamp()
            spans.append(_Span(start, start + lasts, str(given.get("reason") or "")))
    return spans


def _blackout(given: t.Mapping[str, t.Any], now: float) -> list[_Span]:
    if "from" not in given and "to" not in given:
        return _weekly(given, now, "livepatch_blackouts")
    unknown = set(given) - {"from", "to", "reason", "tz"}
    if unknown:
        raise PlanError(f"livepatch_blackouts: {', '.join(sorted(unknown))} is not known: give from, to, reason")
    zone = _zone(str(given.get("tz") or "UTC"), "livepatch_blackouts")
    start, end = (_moment(given.get(key), zone, key) for key in ("from", "to"))
    if end <= start:
        raise PlanError(f"livepatch_blackouts: it ends ({given['to']}) before it begins ({given['from']})")
    return [_Span(start, end, str(given.get("reason") or "no reason is given"))]


def _joined(spans: list[_Span]) -> list[_Span]:
    """Spans that touch are one."""
    joined: list[_Span] = []
    for span in spans:
        if joined and span.start <= joined[-1].end:
            joined[-1] = _Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _zone(name: str, variable: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise PlanError(
            f"{variable}: the time zone {name!r} is not known here: give a name such as Europe/Berlin "
            "(is tzdata installed?)"
        ) from exc


def _day(given: t.Any, variable: str) -> int:
    name = str(given).lower()[:3]
    if name not in _DAYS:
        raise PlanError(f"{variable}: {given!r} is no day: give {', '.join(_DAYS)}")
    return _DAYS.index(name)


def _time_of_day(given: t.Any, variable: str) -> datetime.time:
    try:
        return datetime.time.fromisoformat(str(given))
    except ValueError as exc:
        # YAML makes a number of 22:00 that is not quoted.
        raise PlanError(f"{variable}: start is {given!r}: give a time of day in quotes, such as '22:00'") from exc


def _moment(given: t.Any, zone: zoneinfo.ZoneInfo, key: str) -> float:
    try:
        at = given if isinstance(given, datetime.datetime) else datetime.datetime.fromisoformat(str(given))
    except ValueError as exc:
        raise PlanError(f"livepatch_blackouts: {key} is {given!r}: give a time such as '2026-12-24 18:00'") from exc
    return (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()


def _told(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
