# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of a gate's options. PRIVATE to the collection. Pure."""

from __future__ import annotations

import math
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError


def parse_flag(gate: str, options: t.Mapping[str, t.Any], key: str, default: bool) -> bool:
    """A boolean option of a gate, as Ansible reads booleans: the text "false" is false.

    :raises PlanError: it is not a boolean.
    """
    try:
        return bool(boolean(options.get(key, default)))
    except TypeError as exc:
        raise PlanError(f"gate {gate}: {key} is {options[key]!r}: set true or false") from exc


def parse_number(gate: str, options: t.Mapping[str, t.Any], key: str) -> float:
    """:raises PlanError: the gate's option is not a finite number."""
    value = options[key]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise PlanError(f"gate {gate}: {key} is {value!r}: set a number")
    return number
