# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for operators: tables, counts, times. PRIVATE to the collection. Pure."""

from __future__ import annotations

import datetime
import json
import typing as t

# The characters of a build ID that are shown
_SHORT_BUILD_ID = 12
# The names that fit on one line
_MAX_NAMES = 12
NOTHING = "-"
FORMATS = ("text", "json")


def format_response(lines: t.Sequence[str], document: t.Mapping[str, t.Any], format_: str) -> str:
    """What is printed: the lines, or the document as JSON."""
    return json.dumps(document, indent=2, sort_keys=True) if format_ == "json" else "\n".join(lines)


def build_printer(display: t.Callable[[str], t.Any], format_: str) -> t.Callable[[str], t.Any]:
    """What prints further lines. With JSON none are printed, since programs read the output."""
    return display if format_ == "text" else lambda line: None


def format_table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[t.Any]]) -> list[str]:
    """Columns as wide as they need to be; None is a dash."""
    cells = [list(head)] + [[NOTHING if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def format_count(things: t.Sized, singular: str, plural: str | None = None) -> str:
    return f"{len(things)} {singular if len(things) == 1 else plural or singular + 's'}"


def abbreviate(names: t.Sequence[str], limit: int = _MAX_NAMES) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def format_status(status: str) -> str:
    """What a rollout with this status does, as a sentence about it goes on."""
    return "has failed" if status == "failed" else f"is {status}"


def format_time(at: float, seconds: bool = False) -> str:
    """:param at: seconds since the epoch; ``seconds``: whether to show them."""
    format_ = "%Y-%m-%d %H:%M:%S UTC" if seconds else "%Y-%m-%d %H:%M UTC"
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime(format_)


def shorten_build_id(build_id: str | None) -> str | None:
    return (build_id or "")[:_SHORT_BUILD_ID] or None
