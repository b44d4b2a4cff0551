# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cohorts, canaries, waves."""

from __future__ import annotations

import dataclasses
import random

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import plan
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.hosts import Host, PlanError, from_result

SIZES = ["1%", "5%", "25%"]


def host(name: str, **changes) -> Host:
    base = Host(name, "unpatched", "", "6.1.0-56-default", "aa", "x86_64", "default", None, "klp-3", "boot")
    return dataclasses.replace(base, **changes)


def test_each_cohort_has_one_canary_and_all_are_the_first_wave():
    fleet = [
        host("a1"),
        host("a2"),
        host("rebuilt", build_id="bb"),  # the same release, and another build
        host("older", level=2, state="outdated"),
        host("other-kmp", kmp="klp-2"),
        host("arm", arch="aarch64"),
    ]
    planned = plan.make(fleet, SIZES, "")
    assert len(planned.cohorts) == 5
    assert len(planned.waves[0]) == 5
    assert {len(set(cohort) & set(planned.waves[0])) for cohort in planned.cohorts} == {1}
    assert sorted(planned.hosts) == sorted(one.name for one in fleet)


def test_the_operators_mark_chooses_the_canary():
    fleet = [host(f"web{number}", canary=number == 7) for number in range(20)]
    for seed in ("", "x", "y"):
        assert plan.make(fleet, SIZES, seed).waves[0] == ("web7",)


def test_the_seed_chooses_among_the_others_and_the_same_one_the_same():
    fleet = [host(f"web{number}") for number in range(20)]
    assert plan.make(fleet, SIZES, "s") == plan.make(list(reversed(fleet)), SIZES, "s")
    assert len({plan.make(fleet, SIZES, str(seed)).waves[0] for seed in range(20)}) > 5


@pytest.mark.parametrize(
    ("count", "sizes", "expected"),
    [
        (1, SIZES, [1]),
        (2, SIZES, [1, 1]),
        (4, SIZES, [1, 1, 1, 1]),
        (100, SIZES, [1, 1, 5, 25, 68]),
        (1000, SIZES, [1, 10, 50, 250, 689]),
        (10, [], [1, 9]),
        (10, [3, "50%"], [1, 3, 5, 1]),
        (10, ["100%"], [1, 9]),
        (0, SIZES, []),
    ],
)
def test_sizes(count, sizes, expected):
    planned = plan.make([host(f"h{number:04}") for number in range(count)], sizes, "")
    assert [len(wave) for wave in planned.waves] == expected


@pytest.mark.parametrize("size", ["a few", "-1", "12.5%", ""])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(PlanError, match="neither a number"):
        plan.make([host("a")], [size], "")


@pytest.mark.parametrize(
    "state", ["unknown", "conflict", "mismatch", "not_covered", "stalled", "transitioning", "patched", "baseline"]
)
def test_only_what_can_be_patched_is_planned(state):
    planned = plan.make([host("a"), host("b", state=state, reason="so it is")], SIZES, "")
    assert planned.hosts == ["a"]
    assert planned.left_out == {"b": f"{state}: so it is"}


def test_every_host_is_in_exactly_one_wave_or_left_out():
    choose = random.Random(4711)
    for _fleet in range(200):
        fleet = [
            host(
                f"h{number}",
                state=choose.choice(["unpatched", "outdated", "installed", "patched", "unknown"]),
                build_id=choose.choice("abc"),
                level=choose.choice([None, 1, 2]),
                canary=choose.random() < 0.1,
            )
            for number in range(choose.randrange(60))
        ]
        sizes = choose.choice([SIZES, [1, 2], ["50%"], []])
        planned = plan.make(fleet, sizes, str(_fleet))
        assert sorted(planned.hosts + list(planned.left_out)) == sorted(one.name for one in fleet)
        assert all(planned.waves)
        assert all(cohort[0] in planned.waves[0] for cohort in planned.cohorts)


@pytest.mark.parametrize(
    ("mark", "canary"), [("false", False), ("no", False), (False, False), ("yes", True), (1, True)]
)
def test_the_mark_is_a_word_in_an_ini_inventory(mark, canary):
    assert from_result("a", {"livepatch_canary": mark}, None).canary is canary


def test_a_mark_that_is_none_is_refused():
    with pytest.raises(PlanError, match="livepatch_canary of a"):
        from_result("a", {"livepatch_canary": "perhaps"}, None)


def test_a_survey_that_failed_on_the_control_node_says_why():
    told = from_result("a", {}, {"failed": True, "msg": "'livepatch_x' is undefined"})
    assert (told.state, told.reason) == ("unknown", "'livepatch_x' is undefined")


def test_what_a_rollout_has_left_unconfirmed_comes_to_its_gate():
    well = {"state": "patched", "up_to_date": True, "level": 3}
    planned = plan.make([host("done", **well), host("left", **well, unconfirmed=True), host("new")], SIZES, "")
    assert set(planned.waves[0]) == {"left", "new"}, "a cohort of its own: it is where it was to be"
    assert set(planned.left_out) == {"done"}
