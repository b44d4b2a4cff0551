# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts of hosts as operators set them: a number or a percentage. PRIVATE to the collection. Pure."""

from __future__ import annotations

import re

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._options import is_blank


def parse_count(name: str, value: str | int | None) -> str | None:
    """Parse a number (``5``) or a percentage (``10%``) to text; a blank is None.

    :param name: the setting that holds it.
    :raises PlanError: it is neither.
    """
    return None if is_blank(value) else require_count(name, value)


def require_count(name: str, value: str | int | None) -> str:
    """Like ``parse_count``, for a setting that must not be empty."""
    text = str(value).strip()
    if not re.fullmatch(r"\d+%?", text):
        raise PlanError(f"{name} is {value!r}: set a number of hosts (such as 5) or a percentage (such as 25%)")
    return text


def resolve_count(count: str | None, total: int) -> int | None:
    """How many of ``total`` hosts a count means, percentages rounded down. None where there is no limit."""
    if count is None:
        return None
    return total * int(count[:-1]) // 100 if count.endswith("%") else int(count)
