# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RPM's own order of versions. PRIVATE to the collection: it may change at any time. Pure.

The rules are those of rpm's ``rpmvercmp``: runs of digits and of letters are compared one by one, everything
else only separates; numbers beat letters; ``~`` sorts before everything, the end included; ``^`` sorts after the
end, and before any other suffix.
"""

import functools
import re
from typing import Any, Callable, NamedTuple, Optional


# release: None where the text has none, which is less than any release
class Evr(NamedTuple):
    epoch: int
    version: str
    release: Optional[str]


_TOKEN = re.compile(r"~|\^|[0-9]+|[A-Za-z]+")


def parse(text: str) -> Evr:
    """Takes ``[epoch:]version[-release]`` apart."""
    epoch, colon, rest = text.partition(":")
    if not colon or not re.match(r"[0-9]*\Z", epoch):
        epoch, rest = "", text
    version, dash, release = rest.rpartition("-")
    return Evr(int(epoch or 0), version if dash else rest, release if dash else None)


def compare_part(left: str, right: str) -> int:
    """Compares two versions, or two releases: negative, 0 or positive."""
    ours, theirs = _TOKEN.findall(left), _TOKEN.findall(right)
    for position in range(max(len(ours), len(theirs))):
        one = ours[position] if position < len(ours) else ""
        other = theirs[position] if position < len(theirs) else ""
        if one == other:
            continue
        # What is special about a pair, from the strongest rule to the weakest.
        if one == "~" or other == "~":
            return -1 if one == "~" else 1
        if one == "^":
            return 1 if other == "" else -1
        if other == "^":
            return -1 if one == "" else 1
        if one == "" or other == "":
            return -1 if one == "" else 1
        if one.isdigit() != other.isdigit():
            return 1 if one.isdigit() else -1
        if one.isdigit():
            difference = int(one) - int(other)
            if difference:
                return difference
            continue
        return -1 if one < other else 1
    return 0


def compare(left: str, right: str) -> int:
    """Compares two EVRs (``[epoch:]version[-release]``): negative, 0 or positive."""
    ours, theirs = parse(left), parse(right)
    difference = ours.epoch - theirs.epoch or compare_part(ours.version, theirs.version)
    if difference:
        return difference
    if ours.release is None or theirs.release is None:
        return (ours.release is not None) - (theirs.release is not None)
    return compare_part(ours.release, theirs.release)


key: Callable[[str], Any] = functools.cmp_to_key(compare)
