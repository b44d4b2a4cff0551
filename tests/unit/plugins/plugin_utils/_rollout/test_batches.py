# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left of a plan."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from tests.support.plans import make_plan

WAVES = (("a1", "b1"), ("a2", "b2", "a3"), ("b3",))
PLAN = make_plan(*WAVES, kmps={"a": "k-3-1", "b": "k-3-1"}, max_in_flight=2)
FLEET = {name: Host(name, "unpatched", "", build_id="aa", boot_id="1", kmp="k-3-1") for wave in WAVES for name in wave}
# As it tells after something was begun on it
BEGUN = {name: dataclasses.replace(host, rollout="r") for name, host in FLEET.items()}


def left(
    recorded: dict[str, str] | None = None, passed: t.Collection[int] = (), **fleet: Host
) -> tuple[list[tuple[int, tuple[str, ...], tuple[str, ...], bool]], dict[str, str]]:
    rows = {name: {"outcome": kind} for name, kind in (recorded or {}).items()}
    made = batches.build_agenda(PLAN, {**FLEET, **fleet}, rows, passed, rollout="r")
    changed = {name: why for one in made for name, why in one.changed.items()}
    return [(one.wave, one.hosts, one.starts, one.last) for one in made], changed


def test_a_new_plan_is_done_in_batches() -> None:
    made, changed = left()
    assert changed == {}
    assert made == [
        (0, ("a1", "b1"), ("a1", "b1"), True),
        # Half of what may be in flight: the slow ones of a batch are left while the next one starts.
        (1, ("a2",), ("a2",), False),
        (1, ("b2",), ("b2",), False),
        (1, ("a3",), ("a3",), True),
        (2, ("b3",), ("b3",), True),
    ]


@pytest.mark.parametrize("limit", range(1, 9))
@pytest.mark.parametrize("hosts", [1, 2, 3, 7, 8, 9])
def test_no_more_are_in_flight_than_may_be(limit: int, hosts: int) -> None:
    """Whatever is slow: a batch starts with as many of those before it as it has left room for."""
    wave = tuple(f"a{number}" for number in range(2, 2 + hosts))
    plan = make_plan(("a1",), wave, kmps={"a": "k-3-1"}, max_in_flight=limit)
    fleet = {name: Host(name, "unpatched", "", build_id="aa", boot_id="1", kmp="k-3-1") for name in ("a1", *wave)}
    made = [batch for batch in batches.build_agenda(plan, fleet, {}, ()) if batch.wave]
    assert [name for batch in made for name in batch.starts] == list(wave)
    for batch, after in itertools.pairwise(made):
        assert batch.room == min(1, limit - len(after.starts), len(after.starts))
    assert made[-1].room == 0, "all of the wave have ended before its gate"
    assert len(made) == 1 or hosts > limit, "what may start at once does"
    shared, _changed = batches.build_slice_agenda(plan, 1, fleet, {}, 1, None)
    assert [(batch.starts, batch.room) for batch in shared] == [(batch.starts, batch.room) for batch in made]


def test_a_few_slow_hosts_hold_up_no_other() -> None:
    """More than that may be due to the KMP."""
    wave = tuple(f"a{number}" for number in range(1, 301))
    plan = make_plan(("a0",), wave, kmps={"a": "k-3-1"}, max_in_flight=100)
    fleet = {name: Host(name, "unpatched", "", build_id="aa", boot_id="1", kmp="k-3-1") for name in ("a0", *wave)}
    made = [batch for batch in batches.build_agenda(plan, fleet, {}, ()) if batch.wave]
    assert [(len(batch.starts), batch.room) for batch in made] == [(50, 5)] * 5 + [(50, 0)]


def test_of_canaries_none_is_left_behind() -> None:
    """Others start when all of those before them are known to be well."""
    canaries = tuple(f"a{number}" for number in range(5))
    plan = make_plan(canaries, kmps={"a": "k-3-1"}, max_in_flight=2)
    fleet = {name: Host(name, "unpatched", "", build_id="aa", boot_id="1", kmp="k-3-1") for name in canaries}
    made = batches.build_agenda(plan, fleet, {}, ())
    assert [(len(batch.starts), batch.room) for batch in made] == [(2, 0), (2, 0), (1, 0)]


def test_what_is_done_is_left_out_and_who_was_in_flight_comes_first() -> None:
    made, _changed = left(
        {"a1": "done", "b1": "done", "a2": "done", "b2": "failed", "a3": "begun"}, {0}, a3=BEGUN["a3"]
    )
    assert made == [(1, ("a3",), ("a3",), True), (2, ("b3",), ("b3",), True)]
    made, _changed = left({"a3": "begun"}, {0}, a3=BEGUN["a3"])
    assert made[:2] == [(1, ("a3",), ("a3",), False), (1, ("a2", "b2"), ("a2", "b2"), True)]


def test_who_was_recorded_and_never_started_is_not_in_flight() -> None:
    """The run died after it had recorded its batch: the host tells of nothing that was done by this rollout."""
    begun = {"a2": {"outcome": "begun"}, "b2": {"outcome": "begun"}}
    fleet = {**FLEET, "b2": BEGUN["b2"]}
    made = batches.build_agenda(PLAN, fleet, begun, {0}, rollout="r")
    assert [(one.hosts, one.in_flight) for one in made if one.wave == 1] == [(("b2",), True), (("a2", "a3"), False)]
    stopped = batches.build_agenda(PLAN, fleet, begun, {0}, {1}, "r")
    assert [one.starts for one in stopped if one.wave == 1] == [("b2",)]
    share, _changed = batches.build_slice_agenda(PLAN, 1, fleet, begun, 1, "r")
    assert [(one.hosts, one.in_flight) for one in share] == [(("b2",), True), (("a2", "a3"), False)]
    away = Host("a2", "unknown", "unreachable: it does not answer")
    made = batches.build_agenda(PLAN, {**FLEET, "a2": away}, begun, {0}, rollout="r")
    assert (made[0].hosts, made[0].in_flight) == (("a2",), True), "nobody knows"


def test_what_another_rollout_of_the_same_plan_has_begun_is_not_in_flight() -> None:
    begun = {"a2": {"outcome": "begun"}}
    made = batches.build_agenda(PLAN, {**FLEET, "a2": BEGUN["a2"]}, begun, {0}, rollout="s")
    assert not any(one.in_flight for one in made)


def test_a_wave_whose_gate_has_not_passed_comes_to_it_though_nobody_is_left_to_start() -> None:
    made, _changed = left({"a1": "done", "b1": "done"})
    assert made[0] == (0, ("a1", "b1"), (), True)


def test_a_wave_that_has_passed_and_was_not_confirmed_comes_to_its_gate_again() -> None:
    unconfirmed = Host("a1", "patched", "", build_id="aa", boot_id="1", kmp="k-3-1", up_to_date=True, unconfirmed=True)
    done = {"a1": "done", "b1": "done"}
    assert left(done, {0}, a1=unconfirmed)[0][0] == (0, ("a1", "b1"), (), True)
    assert left(done, {0})[0][0] == (1, ("a2",), ("a2",), False)
    assert left({**done, "a1": "rolled_back"}, {0}, a1=unconfirmed)[0][0][0] == 1


def test_a_host_that_is_another_one_by_now_is_left_for_the_next_plan() -> None:
    made, changed = left(
        b1=Host("b1", "unpatched", "", build_id="aa", boot_id="2"),
        a2=Host("a2", "unpatched", "", build_id="bb", boot_id="1"),
        b2=Host("b2", "unknown", "unreachable: it does not answer"),
        b3=dataclasses.replace(FLEET["b3"], kmp="k-4-1"),
    )
    assert "k-3-1 was planned, and it would get k-4-1" in changed["b3"]
    assert "another boot" in changed["b1"]
    assert "another build" in changed["a2"]
    assert changed["b2"] == "unknown: unreachable: it does not answer"
    assert [starts for _wave, _hosts, starts, _last in made] == [("a1",), ("a3",), ()]


def test_a_host_that_has_changed_is_recorded_with_its_own_wave() -> None:
    """The batch of an earlier wave may start long before: until its own wave it may be again what was planned."""
    away = {name: Host(name, "unknown", "unreachable: it does not answer") for name in ("a2", "b3")}
    made = batches.build_agenda(PLAN, {**FLEET, **away}, {}, (), rollout="r")
    assert [(one.wave, list(one.changed)) for one in made] == [(0, []), (1, ["a2"]), (2, ["b3"])]
    fleet = {**FLEET, "a2": away["a2"], "b2": BEGUN["b2"]}
    made = batches.build_agenda(PLAN, fleet, {"b2": {"outcome": "begun"}}, {0}, rollout="r")
    assert [(one.starts, list(one.changed)) for one in made[:2]] == [(("b2",), ["a2"]), (("a3",), [])], "once"


def test_who_was_in_flight_is_asked_whatever_it_is_now() -> None:
    made, changed = left({"b1": "begun"}, b1=Host("b1", "crashed", "", build_id="aa", boot_id="2", rollout="r"))
    assert changed == {}
    assert made[:2] == [(0, ("b1",), ("b1",), False), (0, ("a1",), ("a1",), True)]


def test_only_the_rollouts_own_records_pass_a_wave() -> None:
    """A gate of the operator's may have any name."""
    records = [
        {"of": "wave", "wave": 0, "verdict": "pass", "at": 7.0},
        {"of": "wave", "wave": 1, "verdict": "inconclusive", "at": 8.0},
        {"of": "hosts", "wave": 1, "verdict": "pass", "at": 6.0},
        {"name": "wave", "wave": 2, "verdict": "pass", "at": 9.0},
    ]
    assert batches.list_passed_waves(records) == {0}
    assert batches.get_soak_starts(records) == {"1": 6.0}


def test_a_wave_is_untouched_until_something_of_any_of_its_hosts_is_recorded() -> None:
    rows = {"a1": {"outcome": "done"}, "a3": {"outcome": "begun"}}
    made = batches.build_agenda(PLAN, {**FLEET, "a3": BEGUN["a3"]}, rows, (), rollout="r")
    assert [(one.wave, one.untouched) for one in made] == [(0, False), (1, False), (1, False), (2, True)]


def test_in_a_wave_that_was_stopped_who_was_in_flight_is_verified_and_nobody_started() -> None:
    rows = {"a2": {"outcome": "failed"}, "b2": {"outcome": "begun"}}
    made = batches.build_agenda(PLAN, {**FLEET, "b2": BEGUN["b2"]}, rows, {0}, {1}, "r")
    assert [(one.wave, one.starts, one.last) for one in made] == [(1, ("b2",), True), (2, ("b3",), True)]
    # It was to go, and the halt came before
    rows = {"a2": {"outcome": "failed"}, "b2": {"outcome": "pending"}}
    made = batches.build_agenda(PLAN, FLEET, rows, {0}, {1}, "r")
    assert (made[0].starts, made[0].last) == ((), True)


def test_a_slice_has_its_hosts_of_the_wave_and_never_the_gate() -> None:
    ours = {name: FLEET[name] for name in ("a1", "a2", "a3", "b3")}
    begun = {"a3": {"outcome": "begun"}}
    made, _changed = batches.build_slice_agenda(PLAN, 1, {**ours, "a3": BEGUN["a3"]}, begun, 2, "r")
    assert [(one.hosts, one.starts, one.last) for one in made] == [
        (("a3",), ("a3",), False),
        (("a2",), ("a2",), False),
    ]
    assert batches.build_slice_agenda(PLAN, 1, {"b3": FLEET["b3"]}, {}, 2, None) == ([], {})


def test_slices_share_what_may_be_in_flight() -> None:
    larger = make_plan(*WAVES, kmps={"a": "k-3-1", "b": "k-3-1"}, max_in_flight=5)
    made = {slices: batches.build_slice_agenda(larger, 1, FLEET, {}, slices, None)[0] for slices in (1, 2, 9)}
    sizes = {slices: [len(one.hosts) for one in some] for slices, some in made.items()}
    assert sizes == {1: [3], 2: [1, 1, 1], 9: [1, 1, 1]}


def test_a_slice_leaves_a_host_that_is_another_one_by_now() -> None:
    rebooted = Host("a2", "unpatched", "", build_id="aa", boot_id="2")
    made, changed = batches.build_slice_agenda(PLAN, 1, {**FLEET, "a2": rebooted}, {}, 1, None)
    assert list(changed) == ["a2"]
    assert [one.hosts for one in made] == [("b2", "a3")]
    (skipped,) = batches.build_skipped_rows(changed, {"a2": "c"})
    assert (skipped["host"], skipped["outcome"], skipped["cohort"]) == ("a2", "skipped", "c")
    assert "another boot" in skipped["reason"]
