# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any, List

import pytest

from tests.support import fuzzing, generators


def _many(count: int, *seeds: int) -> List[Any]:
    return [pytest.param(count, seed, marks=pytest.mark.slow) for seed in seeds]


@pytest.mark.parametrize(("count", "seed"), [(1500, 3), *_many(25000, 1, 2, 3, 4)])
def test_damaged_files_are_read_right_or_not_at_all(count: int, seed: int) -> None:
    told = fuzzing.run(count, seed)
    assert sum(sum(each.values()) for each in told.values()) == count
    # It is not all refused, nor all read: the damage is where it matters, and does not matter everywhere.
    assert all(each["right"] and each["unmeasured"] for each in told.values())


@pytest.mark.parametrize(("count", "seed"), [(17000, 3), *_many(60000, 1)])
def test_what_was_put_in_is_read_and_nothing_else(count: int, seed: int) -> None:
    outcomes = generators.run(count, seed)
    assert sum(sum(counts.values()) for counts in outcomes.values()) == count
    # Valid ones of each kind, and of nearly each some that are not
    assert all(counts["value"] * 5 >= sum(counts.values()) for counts in outcomes.values()), outcomes
    assert sum(counts["refused"] + counts["unknown"] > 0 for counts in outcomes.values()) >= len(outcomes) - 3


@pytest.mark.parametrize(("count", "seed"), [(1700, 3), *_many(25500, 1, 2)])
def test_damaged_words_are_read_or_refused(count: int, seed: int) -> None:
    told = fuzzing.run_texts(count, seed)
    assert sum(sum(each.values()) for each in told.values()) == count
    assert all(each["read"] + each["refused"] == count // 17 for each in told.values())
    assert sum(each["refused"] for each in told.values()) > count // 17 * 4
    assert sum(each["read"] for each in told.values()) > count // 17 * 4
