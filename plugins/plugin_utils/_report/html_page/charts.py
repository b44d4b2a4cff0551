# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's charts, as plain SVG. PRIVATE to the collection. Pure."""

from __future__ import annotations

import datetime
import html
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_count

_WIDTH, _LABEL, _ROW = 800, 200, 24
_BINS = 20


def format_clock(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _build_svg(height: int, title: str, body: t.Iterable[str]) -> str:
    text = html.escape(title)
    return (
        f'<figure><div class="wide" tabindex="0" role="region" aria-label="{text}, as a chart">'
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" '
        f'aria-label="{text}">{"".join(body)}</svg></div><figcaption>{text}</figcaption></figure>'
    )


def draw_timeline(waves: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """A bar per started wave: from the start of its first host to the verdict of its gate."""
    started = [wave for wave in waves if wave["started"] is not None]
    if not started:
        return ""
    first = min(wave["started"] for wave in started)
    last = max([wave["ended"] or wave["started"] for wave in started])
    scale = (_WIDTH - _LABEL - 10) / max(last - first, 1.0)
    body = []
    for row, wave in enumerate(started):
        top = row * _ROW
        left = _LABEL + (wave["started"] - first) * scale
        ended = wave["ended"] if wave["ended"] is not None else last
        width = max((ended - wave["started"]) * scale, 3)
        mood = {"pass": "good", "fail": "bad"}.get(wave["verdict"], "warn")
        label = f"{wave['name']}: {wave['hosts']}"
        body.append(f'<text x="0" y="{top + 16}">{html.escape(label)}</text>')
        body.append(
            f'<rect class="{mood}" x="{left:.1f}" y="{top + 4}" width="{width:.1f}" height="{_ROW - 8}">'
            f"<title>{html.escape(label)} hosts, {ended - wave['started']:.0f} s</title></rect>"
        )
    title = f"Waves from {format_clock(first)} to {format_clock(last)} UTC, with the number of hosts of each"
    return _build_svg(len(started) * _ROW + 4, title, body)


def draw_histogram(values: t.Sequence[float]) -> str:
    """How many hosts took how many seconds."""
    longest = max(values)
    step = max(longest / _BINS, 0.1)
    counts = [0] * (int(longest / step) + 1)
    for value in values:
        counts[int(value / step)] += 1
    highest, height = max(counts), 160
    width = _WIDTH / len(counts)
    body = []
    for number, count in enumerate(counts):
        tall = height * count / highest
        text = f"{number * step:.1f} to {(number + 1) * step:.1f} s: {count}"
        place = f'x="{number * width + 1:.1f}" y="{height - tall + 14:.1f}" width="{max(width - 2, 1):.1f}"'
        body.append(f'<rect class="bar" {place} height="{tall:.1f}"><title>{text}</title></rect>')
    body.append(f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{height + 14}" y2="{height + 14}"/>')
    body.append(f'<text x="0" y="{height + 30}">0 s</text>')
    body.append(f'<text x="{_WIDTH}" y="{height + 30}" text-anchor="end">{longest:.1f} s</text>')
    body.append(f'<text class="soft" x="0" y="11">{highest}</text>')
    peak = format_count(range(highest), "host")
    title = f"{format_count(values, 'migration')}: the longest took {longest:.1f} s; the highest bar is {peak}"
    return _build_svg(height + 36, title, body)
