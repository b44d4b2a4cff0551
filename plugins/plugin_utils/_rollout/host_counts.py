# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts of hosts as operators set them: a number or a percentage. PRIVATE to the collection. Pure."""

from __future__ import annotations

import re

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._options import is_blank


def parse_count(name: str, value: str | int | None, least: int = 0) -> str | None:
    """Parse a number (``5``) or a percentage (``10%``) to text; a blank is None.

    :param name: the setting that holds it.
    :param least: the smallest number that makes sense.
    :raises PlanError: it is neither, or cannot be kept.
    """
    return None if is_blank(value) else require_count(name, value, least)


def require_count(name: str, value: str | int | None, least: int = 0) -> str:
    """Like ``parse_count``, for a setting that must not be empty."""
    text = str(value).strip()
    if not re.fullmatch(r"\d{1,9}%?", text, re.ASCII):
        raise PlanError(f"{name} is {value!r}: set a number of hosts (such as 5) or a percentage (such as 25%)")
    number = int(text.rstrip("%"))
    if number < least:
        raise PlanError(f"{name} is {text}, which admits no host: set it to {least} or more")
    if text.endswith("%") and number > 100:
        raise PlanError(f"{name} is {text}: a share cannot be more than 100%")
    return f"{number}%" if text.endswith("%") else str(number)


def resolve_count(count: str | None, total: int) -> int | None:
    """How many of ``total`` hosts may fail: percentages are rounded down, to none perhaps. None where there is no
    limit.
    """
    if count is None:
        return None
    return total * int(count[:-1]) // 100 if count.endswith("%") else int(count)


def resolve_size(count: str, total: int) -> int:
    """How many of ``total`` hosts go together: percentages are rounded down, and one host always goes."""
    return max(1, resolve_count(count, total) or 0)


def describe_share(count: str, total: int, resolved: int) -> str:
    """A count, and as what a percentage was rounded."""
    if not count.endswith("%"):
        return count
    exact = total * int(count[:-1]) / 100
    rounded = "" if exact == resolved else f", {exact:.2f} rounded {'up' if exact < resolved else 'down'}"
    return f"{count} of {total}{rounded}: {resolved}"
