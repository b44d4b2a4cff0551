# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RPM's order of versions. PRIVATE to the collection: it may change at any time. Pure.

The rules are those of rpm's ``rpmvercmp``: runs of digits and of letters are compared one by one, everything
else only separates; numbers beat letters; ``~`` sorts before everything, the end included; ``^`` sorts after the
end, and before any other suffix.
"""

import functools
import re
from typing import Any, Callable, NamedTuple, Optional


class Evr(NamedTuple):
    # Digits: rpm compares it as a version
    epoch: str
    version: str
    # None where the text has none, which is less than any release
    release: Optional[str]


_TOKEN = re.compile(r"~|\^|[0-9]+|[A-Za-z]+")


def parse_evr(text: str) -> Evr:
    """Parse ``[epoch:]version[-release]``."""
    epoch, colon, rest = text.partition(":")
    if not colon or not re.match(r"[0-9]*\Z", epoch):
        epoch, rest = "", text
    version, dash, release = rest.rpartition("-")
    return Evr(epoch or "0", version if dash else rest, release if dash else None)


def compare_part(left: str, right: str) -> int:
    """Compare two versions, or two releases: negative, 0 or positive."""
    left_tokens, right_tokens = _TOKEN.findall(left), _TOKEN.findall(right)
    for position in range(max(len(left_tokens), len(right_tokens))):
        left_token = left_tokens[position] if position < len(left_tokens) else ""
        right_token = right_tokens[position] if position < len(right_tokens) else ""
        if left_token == right_token:
            continue
        # What is special about a pair, from the strongest rule to the weakest.
        if left_token == "~" or right_token == "~":
            return -1 if left_token == "~" else 1
        if left_token == "^":
            return 1 if right_token == "" else -1
        if right_token == "^":
            return -1 if left_token == "" else 1
        if left_token == "" or right_token == "":
            return -1 if left_token == "" else 1
        if left_token.isdigit() != right_token.isdigit():
            return 1 if left_token.isdigit() else -1
        if left_token.isdigit():
            # Not int(), which refuses thousands of digits: without zeros before them, more digits are more.
            left_token, right_token = left_token.lstrip("0"), right_token.lstrip("0")
            if len(left_token) != len(right_token):
                return -1 if len(left_token) < len(right_token) else 1
        if left_token != right_token:
            return -1 if left_token < right_token else 1
    return 0


def compare(left: str, right: str) -> int:
    """Compare two EVRs (``[epoch:]version[-release]``): negative, 0 or positive."""
    left_evr, right_evr = parse_evr(left), parse_evr(right)
    difference = compare_part(left_evr.epoch, right_evr.epoch) or compare_part(left_evr.version, right_evr.version)
    if difference:
        return difference
    if left_evr.release is None or right_evr.release is None:
        return (left_evr.release is not None) - (right_evr.release is not None)
    return compare_part(left_evr.release, right_evr.release)


sort_key: Callable[[str], Any] = functools.cmp_to_key(compare)
