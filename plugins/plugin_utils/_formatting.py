# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How things are put for people: tables, counts, names. PRIVATE to the collection. Pure."""

from __future__ import annotations

import datetime
import json
import typing as t

# As many characters of a build ID as a person compares
_SHORT = 12
# Names on one line; of more, how many
_NAMES = 12
NOTHING = "-"
FORMATS = ("text", "json")


def format_response(lines: t.Sequence[str], told: t.Mapping[str, t.Any], format_: str) -> str:
    """What is printed: the lines, or, for programs, what they tell of."""
    return json.dumps(told, indent=2, sort_keys=True) if format_ == "json" else "\n".join(lines)


def build_printer(show: t.Callable[[str], t.Any], format_: str) -> t.Callable[[str], t.Any]:
    """What shows people more lines; programs read what is printed, and get none."""
    return show if format_ == "text" else lambda line: None


def format_table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[t.Any]]) -> list[str]:
    """Columns as wide as they need to be; None is shown as a dash."""
    cells = [list(head)] + [[NOTHING if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def format_count(things: t.Sized, word: str, words: str | None = None) -> str:
    return f"{len(things)} {word if len(things) == 1 else words or word + 's'}"


def abbreviate(names: t.Sequence[str], most: int = _NAMES) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def format_time(at: float) -> str:
    """Seconds since the epoch, for people."""
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def shorten_build_id(build_id: str | None) -> str | None:
    return (build_id or "")[:_SHORT] or None
