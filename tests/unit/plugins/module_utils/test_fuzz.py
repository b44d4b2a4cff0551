# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from tests.unit.plugins.module_utils import fuzzing


def test_damaged_files_are_read_right_or_not_at_all() -> None:
    """The same with more of them: tests/lab_scenarios/fuzz.py"""
    told = fuzzing.run(1500, seed=3)
    assert sum(sum(each.values()) for each in told.values()) == 1500
    # It is not all refused, nor all read: the damage is where it matters, and does not matter everywhere.
    assert all(each["right"] and each["unmeasured"] for each in told.values())


def test_damaged_words_are_read_or_refused() -> None:
    told = fuzzing.run_texts(1700, seed=3)
    assert sum(sum(each.values()) for each in told.values()) == 1700
    assert all(each["read"] + each["refused"] == 100 for each in told.values())
    assert sum(each["refused"] for each in told.values()) > 400
    assert sum(each["read"] for each in told.values()) > 400
