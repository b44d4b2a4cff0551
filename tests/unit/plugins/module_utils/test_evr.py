# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr

# rpm's own tests (tests/rpmvercmp.at) and more of the kind, each confirmed with rpm 4.18's rpm.vercmp
_PARTS = """
1.0 1.0 0
1.0 2.0 -1
2.0.1 2.0 1
2.0.1a 2.0.1 1
5.5p1 5.5p2 -1
5.5p10 5.5p1 1
10xyz 10.1xyz -1
xyz10 xyz10.1 -1
xyz.4 8 -1
xyz.4 2 -1
5.5p2 5.6p1 -1
6.0.rc1 6.0 1
10b2 10a1 1
1.0a 1.0aa -1
10.0001 10.1 0
10.0001 10.0039 -1
4.999.9 5.0 -1
20101121 20101122 -1
2.0 2_0 0
a+ a_ 0
+a _a 0
+_ _+ 0
1.0~rc1 1.0 -1
1.0~rc1 1.0~rc2 -1
1.0~rc1~git123 1.0~rc1 -1
1.0^ 1.0 1
1.0^git1 1.0 1
1.0^git1 1.0^git2 -1
1.0^git1 1.01 -1
1.0^20160101 1.0.1 -1
1.0^20160101^git1 1.0^20160101 1
1.0~rc1^git1 1.0~rc1 1
1.0^git1~pre 1.0^git1 -1
1.0^git1~pre 1.0 1
1.0^git1 1.0~rc1 1
1b.fc17 1.fc17 -1
1g.fc17 1.fc17 1
1.0. 1.0 0
1.0~ 1.0 -1
1.0~ 1.0^ -1
1.0~~ 1.0~ -1
~ 1 -1
^ 1 -1
150400.2.1 150400.9.3.1 -1
150400.24.21 150400.24.100 -1
305.el8 305.3.1.el8_4 -1
6.12.0 6.4.0 1
14 2 1
1.0.z 1.0.9 -1
Z a -1
007 7 0
0 00 0
99999999999999999999 100000000000000000000 -1
1a1 1a 1
"""
_CASES = [line.split() for line in _PARTS.split("\n") if line]


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


@pytest.mark.parametrize("one, other, expected", _CASES, ids=["{} {}".format(*case) for case in _CASES])
def test_parts(one: str, other: str, expected: str) -> None:
    assert _sign(_evr.compare_part(one, other)) == int(expected)
    assert _sign(_evr.compare_part(other, one)) == -int(expected)
    # Versions decide before releases, and releases by the same rule
    assert _sign(_evr.compare("3:" + one + "-1", "3:" + other + "-1")) == int(expected)
    assert _sign(_evr.compare("7-" + one, "7-" + other)) == int(expected)


@pytest.mark.parametrize(
    "one, other, expected",
    [
        # The release goes down while the level goes up
        ("1-150400.9.3.1", "14-150400.2.1", -1),
        ("2-150400.2.1", "14-150400.2.1", -1),
        ("3-150400.2.1", "3-150400.2.1", 0),
        ("3-150400.2.1", "3-150400.10.1", -1),
        ("1:1-1", "2-9", 1),
        ("2:1-1", "10:1-1", -1),
        ("0:1-1", "1-1", 0),
        ("1.0~rc1-9", "1.0-1", -1),
        ("1.0-1", "1.0-1.1", -1),
        ("1-0.amzn2023", "1-0.amzn2022", 1),
        # Epochs are compared as versions are, however absurd: by rpm 4.18.0's rpm.ver
        ("4294967296:1-1", "1:1-1", 1),
        ("1-1", "4294967296:1-1", -1),
        ("99999999999999999999:1-1", "100000000000000000000:1-1", -1),
        ("007:1-1", "7:1-1", 0),
        (":1-1", "1-1", 0),
        ("000:1-1", "1-1", 0),
        # No release is less than any release, even one that is less than nothing
        ("1.0", "1.0-1", -1),
        ("1.0", "1.0-~rc1", -1),
        ("1.0", "1.0-", -1),
    ],
)
def test_compare(one: str, other: str, expected: int) -> None:
    assert _sign(_evr.compare(one, other)) == expected
    assert _sign(_evr.compare(other, one)) == -expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("3-150400.2.1", ("0", "3", "150400.2.1")),
        ("2:3-1", ("2", "3", "1")),
        ("1.0", ("0", "1.0", None)),
        ("1.0-", ("0", "1.0", "")),
        (":1-1", ("0", "1", "1")),
        ("1-2-3", ("0", "1-2", "3")),
        ("a:1-1", ("0", "a:1", "1")),
        ("\u00b2:1-1", ("0", "\u00b2:1", "1")),
        ("", ("0", "", None)),
    ],
)
def test_parse(text: str, expected: Any) -> None:
    assert _evr.parse_evr(text) == expected


_NINES, _ZEROS = "9" * 5000, "0" * 5000


# Python's int() refuses more than 4300 digits from 3.11 on, and takes its time before. Printed by rpm 4.18.0:
# rpm --eval '%{lua: print(rpm.vercmp("...", "..."))}', and for those with an epoch by comparing rpm.ver("...").
@pytest.mark.parametrize(
    "one, other, expected",
    [
        (_NINES, _NINES, 0),
        (_NINES, _NINES + "0", -1),
        ("1" + _NINES, "9" + _ZEROS, -1),
        (_ZEROS, "0", 0),
        (_ZEROS + "7", "7", 0),
        (_NINES, "a", 1),
        ("1." + _NINES, "1.8", 1),
        (_NINES + "a", _NINES, 1),
        ("1.0" + "a" * 5000, "1.0" + "a" * 4999, 1),
        (_NINES + ":1-1", "1:1-1", 1),
        (_NINES + ":1-1", _NINES + "0:1-1", -1),
        (_ZEROS + "1:1-1", "1:9-1", -1),
        (_NINES + "-1", _NINES + "-1", 0),
        ("1-" + _NINES, "1-1", 1),
        ("1-" + _ZEROS, "1-0", 0),
        ("1." + _NINES + "-1", "1.a-1", 1),
        (_NINES + "~1-1", _NINES + "-1", -1),
    ],
    ids=range(17),
)
def test_thousands_of_digits(one: str, other: str, expected: int) -> None:
    assert _sign(_evr.compare(one, other)) == expected
    assert _sign(_evr.compare(other, one)) == -expected


def test_key_sorts() -> None:
    levels = ["14-150400.2.1", "1-150400.9.3.1", "2-150400.2.1", "1:1-1", "3-150400.2.1"]
    assert sorted(levels, key=_evr.sort_key) == [levels[1], levels[2], levels[4], levels[0], levels[3]]
