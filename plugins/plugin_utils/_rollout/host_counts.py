# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers of hosts as people give them: a number, or a share. PRIVATE to the collection. Pure."""

from __future__ import annotations

import re

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError


def parse_count(name: str, value: str | int | None) -> str | None:
    """A number (``5``) or a share (``10%``) as text; None and ``''`` are None.

    :param name: the variable that it is given by.
    :raises PlanError: it is neither.
    """
    text = "" if value is None else str(value).strip()
    if text and not re.fullmatch(r"\d+%?", text):
        raise PlanError(f"{name}: {value!r} is neither a number of hosts nor a share such as 25%")
    return text or None


def resolve_count(value: str | None, planned: int) -> int | None:
    """How many of so many hosts that are: of a share as many as are whole in it. None where there is no limit."""
    if value is None:
        return None
    return planned * int(value[:-1]) // 100 if value.endswith("%") else int(value)
