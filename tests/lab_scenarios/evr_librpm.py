# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our order of versions is librpm's, on the hard cases and on thousands of generated pairs."""

from __future__ import annotations

import random
import subprocess

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr
from tests.lab import apt

_SEED = 3
_PAIRS = 6000

# rpm's own tests (tests/rpmvercmp.at), and versions as KMPs and kernels have them
_HARD = """
1.0 2.0 2.0.1 2.0.1a 5.5p1 5.5p2 5.5p10 10xyz 10.1xyz xyz10 xyz10.1 xyz.4 8 2 5.6p1 6.0.rc1 6.0 10b2 10a1 1.0a
1.0aa 10.0001 10.1 10.0039 4.999.9 5.0 20101121 20101122 2_0 a a+ a_ +a _a + _ +_ _+ 1.0~rc1 1.0~rc2 1.0~rc1~git123
1.0^ 1.0^git1 1.0^git2 1.01 1.0^20160101 1.0.1 1.0^20160101^git1 1.0~rc1^git1 1.0^git1~pre 1b.fc17 1.fc17 1g.fc17
1. 1.0. 1.0~ 1.0~~ 1.0^~ ~ ^ ~~ ^^ ~^ ^~ . .. 0 00 007 7 Z z A 99999999999999999999 100000000000000000000
150400.2.1 150400.9.3.1 150400.24.21 150400.24.100 305.el8 305.3.1.el8_4 6.12.0 6.4.0 5.14.21 14 1.0-1 1.0-2
2-150400.2.1 14-150400.2.1 1-150400.9.3.1 1:1-1 2:1-1 10:1-1 0:1-1 1-1 3-1 1.0~rc1-9 1.0^git1-1 1-0.amzn2023
1-0.amzn2022 5.14.21-150400.24.103 1- 1:1 1.0é 1.0è é 1.é.1 1..1 1.-1 a1 1a 1a1 a.1 1.a
"""

_PIECES = ["0", "1", "2", "9", "10", "007", "150400", "99999999999999999999", "a", "b", "Z", "rc", "git", "el8", "fc"]
_MARKS = [".", ".", ".", "_", "+", "~", "^", "..", ".~", "^.", "", "~~", ",", "é"]


def _part(random_: random.Random) -> str:
    text = random_.choice(["", "", "", "~", "^", "."])
    for _number in range(random_.randint(1, 4)):
        text += random_.choice(_PIECES) + random_.choice(_MARKS)
    return text if random_.random() < 0.3 else text.rstrip("._+~^,é")


def _near(random_: random.Random, text: str) -> str:
    """Almost the same: pairs that only differ a little are where rules matter."""
    at = random_.randrange(len(text) + 1)
    return text[:at] + random_.choice([*_MARKS, *_PIECES]) + text[at + random_.randint(0, 2) :]


def _random_evr(random_: random.Random, version: str, release: str) -> str:
    epoch = random_.choice(["", "", "", "0:", "1:", "2:", "10:"])
    return epoch + (version or "0") + random_.choice(["-" + (release or "0"), "-" + (release or "0"), ""])


def _pairs() -> tuple[list[tuple[str, str]], int]:
    random_ = random.Random(_SEED)
    pairs = [(left, right) for left in _HARD.split() for right in _HARD.split()]
    hard = len(pairs)
    for _number in range(_PAIRS // 2):
        left = _part(random_)
        pairs.append((left, _near(random_, left) if random_.random() < 0.7 else _part(random_)))
        release = _part(random_)
        other = _near(random_, left) if random_.random() < 0.4 else left
        other_release = _near(random_, release) if random_.random() < 0.7 else release
        pairs.append((_random_evr(random_, left, release), _random_evr(random_, other, other_release)))
    return pairs, hard


def _librpm(pairs: list[tuple[str, str]]) -> list[int]:
    """What librpm says: one call of rpm for hundreds of pairs."""
    told: list[int] = []
    for start in range(0, len(pairs), 500):
        # Texts travel as numbers, so that neither rpm's macros nor Lua see anything in them.
        words = [
            "{" + ",".join("string.char(" + ",".join(map(str, text.encode())) + ")" for text in pair) + "}"
            for pair in pairs[start : start + 500]
        ]
        program = "for _,p in ipairs({" + ",".join(words) + "}) do print(rpm.vercmp(p[1],p[2])..' ') end"
        done = subprocess.run(["rpm", "--eval", "%{lua: " + program + "}"], check=True, capture_output=True, text=True)
        told += [int(word) for word in done.stdout.split()]
    return told


def test_order(figures: dict[str, object]) -> None:
    apt.ensure(["rpm"])
    pairs, hard = _pairs()
    # An empty version is none, and librpm refuses to compare it.
    pairs = [pair for pair in pairs if all(text and not text.startswith(("-", ":")) for text in pair)]
    librpm = _librpm(pairs)
    assert len(librpm) == len(pairs)
    wrong = []
    for (left, right), expected in zip(pairs, librpm, strict=True):
        difference = _evr.compare(left, right)
        if (difference > 0) - (difference < 0) != expected:
            wrong.append((left, right, expected, difference))
    assert not wrong, f"{len(wrong)} of {len(pairs)}: {wrong[:20]}"
    figures["pairs"] = len(pairs)
    figures["of hard cases"] = hard
    figures["differently ordered"] = len(wrong)
    figures["equal, less, greater"] = "/".join(str(librpm.count(each)) for each in (0, -1, 1))
