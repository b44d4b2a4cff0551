# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a value of a setting holds a rollout back more than another one. PRIVATE to the collection. Pure.

Values are in the setting's type. Where neither surely admits less than the other, they are different.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import change_windows, common_options

# How a given value relates to the recorded one
SAME, TIGHTER, LOOSER, DIFFERENT = "same", "tighter", "looser", "different"

# Of the recorded value and the given one
Compare = t.Callable[[t.Any, t.Any], str]


def compare_unordered(recorded: t.Any, given: t.Any) -> str:
    return SAME if recorded == given else DIFFERENT


def compare_numbers(strict: t.Callable[..., t.Any]) -> Compare:
    """:param strict: min where the smaller number is tighter, max where the larger one is."""

    def compare(recorded: float | None, given: float | None) -> str:
        if recorded == given:
            return SAME
        # What is worked out otherwise may be either.
        if recorded is None or given is None:
            return DIFFERENT
        return TIGHTER if strict(recorded, given) == given else LOOSER

    return compare


def compare_flags(strict: bool) -> Compare:
    """:param strict: the value that is tighter."""

    def compare(recorded: bool, given: bool) -> str:
        if recorded == given:
            return SAME
        return TIGHTER if given == strict else LOOSER

    return compare


def compare_choices(*choices: str) -> Compare:
    """:param choices: the tightest first."""

    def compare(recorded: str, given: str) -> str:
        return _compare_order(choices.index(recorded), choices.index(given))

    return compare


def compare_counts(recorded: str | None, given: str | None) -> str:
    """Counts of hosts that may fail, as a number or a share; None is no limit. A share is of another number each time,
    so that it compares with no number but 0.
    """
    if recorded is None or given is None:
        return _compare_order(recorded is None, given is None)
    (old, is_old_share), (new, is_new_share) = _parse_count(recorded), _parse_count(given)
    if is_old_share != is_new_share and old and new:
        return DIFFERENT
    return _compare_order(old, new)


def compare_supersets(recorded: t.Sequence[t.Any], given: t.Sequence[t.Any]) -> str:
    """More of what holds back is tighter."""
    return _compare_sets(_as_texts(recorded), _as_texts(given))


def compare_subsets(recorded: t.Sequence[t.Any], given: t.Sequence[t.Any]) -> str:
    """Less of what is tolerated is tighter."""
    return _compare_sets(_as_texts(given), _as_texts(recorded))


def compare_approvals(recorded: t.Sequence[str], given: t.Sequence[str]) -> str:
    old, new = (
        {common_options.parse_wave("livepatch_approval", text) for text in waves} for waves in (recorded, given)
    )
    # None is all.
    if None in old or None in new:
        return _compare_order(None not in old, None not in new)
    return _compare_sets(old, new)


def compare_health_checks(recorded: t.Mapping[str, t.Any], given: t.Mapping[str, t.Any]) -> str:
    def read(checks: t.Mapping[str, t.Any]) -> set[tuple[str, str]]:
        lists = {kind: checks.get(kind) or [] for kind in ("commands", "urls", "services")}
        return {(kind, text) for kind, texts in lists.items() for text in texts}

    old, new = read(recorded), read(given)
    # Without a check its timeout is of no matter.
    if old and new and recorded.get("timeout") != given.get("timeout"):
        return DIFFERENT
    return _compare_sets(old, new)


def compare_windows(recorded: t.Sequence[t.Mapping[str, t.Any]], given: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Without a window it is always open."""
    if not recorded or not given:
        return _compare_order(not recorded, not given)
    old, new = ([change_windows.parse_week(window) for window in windows] for windows in (recorded, given))
    is_narrower = all(any(outer.includes(inner) for outer in old) for inner in new)
    is_wider = all(any(outer.includes(inner) for outer in new) for inner in old)
    if is_narrower:
        return SAME if is_wider else TIGHTER
    return LOOSER if is_wider else DIFFERENT


def _compare_order(recorded: t.Any, given: t.Any) -> str:
    """By numbers of which the smaller one is tighter."""
    if recorded == given:
        return SAME
    return TIGHTER if given < recorded else LOOSER


def _compare_sets(recorded: t.AbstractSet[t.Any], given: t.AbstractSet[t.Any]) -> str:
    if recorded == given:
        return SAME
    if given > recorded:
        return TIGHTER
    return LOOSER if given < recorded else DIFFERENT


def _as_texts(values: t.Sequence[t.Any]) -> set[str]:
    return {json.dumps(value, sort_keys=True, default=str) for value in values}


def _parse_count(text: str) -> tuple[int, bool]:
    """The number, and whether it is a share."""
    return int(text.strip().rstrip("%")), text.strip().endswith("%")
