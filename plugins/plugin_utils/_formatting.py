# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text for operators: lines, tables, counts, times. PRIVATE to the collection. Pure.

Hosts, servers and repositories are quoted in it. What is shown or written passes through here, so that none of them can
write to a terminal anything but printable text within its line, nor break a file that others parse.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import typing as t

# The characters of a build ID that are shown
_SHORT_BUILD_ID = 12
# The names that fit on one line
_MAX_NAMES = 12
# The characters of a table's cell, and of a message that comes from elsewhere
_MAX_CELL = 120
_MAX_MESSAGE = 500
NOTHING = "-"
FORMATS = ("text", "json")


def to_printable(text: str) -> str:
    """A text as one line that a terminal only prints: other white space becomes blanks, and what is not printable
    (escapes, directions of writing, halves of surrogates) question marks.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " if letter.isspace() else "?" for letter in text)


def to_one_line(text: str, max_length: int = _MAX_MESSAGE) -> str:
    """A text as a printable line without superfluous white space, cut at ``max_length`` characters."""
    # What is cut is not looked at: it may be long
    folded = to_printable(re.sub(r"\s+", " ", text[: 4 * max_length]).strip())
    return folded if len(folded) <= max_length else folded[: max_length - 3] + "..."


def clean(value: t.Any) -> t.Any:
    """Data as every reader takes them: texts are printable, and numbers that JSON does not have are null."""
    if isinstance(value, str):
        return to_printable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, t.Mapping):
        return {clean(key) if isinstance(key, str) else key: clean(part) for key, part in value.items()}
    return [clean(part) for part in value] if isinstance(value, list | tuple) else value


def to_json(value: t.Any, **options: t.Any) -> str:
    """Data as JSON (RFC 8259), cleaned."""
    return json.dumps(clean(value), allow_nan=False, **options)


def show_lines(display: t.Callable[[str], t.Any], lines: t.Iterable[str]) -> None:
    """Shows lines to the operator. All plugins do it by this."""
    display("\n".join(map(to_printable, lines)))


def show_response(
    display: t.Callable[[str], t.Any], lines: t.Sequence[str], document: t.Mapping[str, t.Any], format_: str
) -> None:
    """Shows the lines, or the document as JSON."""
    show_lines(display, to_json(document, indent=2, sort_keys=True).split("\n") if format_ == "json" else lines)


def build_printer(display: t.Callable[[str], t.Any], format_: str) -> t.Callable[[str], t.Any]:
    """What prints further lines. With JSON none are printed, since programs read the output."""
    return (lambda line: show_lines(display, [line])) if format_ == "text" else lambda line: None


def format_table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[t.Any]]) -> list[str]:
    """Columns as wide as they need to be; None is a dash."""
    cells = [list(head)] + [[_format_cell(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _format_cell(cell: t.Any) -> str:
    return NOTHING if cell is None else to_one_line(str(cell), _MAX_CELL)


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
