# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store: one lease, one open rollout, what is recorded and asked for. Python 3.6."""

import os
import random
import sqlite3
import stat
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import Leased, LeaseLost
from ansible_collections.fleet.livepatch.plugins.module_utils._store.plans import NoSuchPlan
from tests.support.store import empty_plan, list_approvals, run_command, start_rollout

ME, OTHER = {"user": "eve", "machine": "m", "pid": 1}, {"user": "bob", "machine": "n", "pid": 2}


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Any) -> str:
    return str(tmp_path / "deep" / "rollouts.sqlite3")


@pytest.fixture
def store(path: str, clock: Clock) -> Store:
    return Store(path, clock)


def _begun(store: Store, scope: str = "s") -> Any:
    """The lease's number and the ID of a new rollout."""
    fence = store.take_lease(scope, ME, 100)["fence"]
    return fence, start_rollout(store, scope, fence, "hash")


def test_what_a_rollout_goes_by_is_that_of_its_last_change(store: Store) -> None:
    store.save_plan("s", empty_plan("hash"), controls={"run": {"soak": 1}})
    store.save_plan("s", empty_plan("hash"))
    assert store.load_controls("s", "hash") == {"version": 1, "controls": {"run": {"soak": 1}}}
    fence, rollout = _begun(store)
    store.keep_controls("s", fence, rollout, 0, {"run": {"soak": 2}})
    # Another run has loaded them before this one changes them.
    store.keep_controls("s", fence, rollout, 1, {"run": {"soak": 3}}, [{"setting": "soak", "reason": "why"}])
    with pytest.raises(BadOption, match="another run has changed the settings of the rollout meanwhile"):
        store.keep_controls("s", fence, rollout, 1, {"run": {"soak": 4}}, [{"setting": "soak"}])
    store.keep_controls("s", fence, rollout, 2)
    assert store.load_controls("s", "hash") == {"version": 2, "controls": {"run": {"soak": 3}}}
    (change,) = store.show("s")["rollout"]["changes"]
    assert (change["setting"], change["reason"], change["at"]) == ("soak", "why", 1000.0)
    store.set_status("s", fence, rollout, "done", {})
    assert store.load_controls("s", "") is None
    assert store.load_controls("s", "none") is None
    with pytest.raises(LeaseLost):
        store.keep_controls("s", fence - 1, rollout, 2)


def test_what_is_not_there_reads_as_empty_and_is_not_made(store: Store, path: str) -> None:
    assert store.show("s") == {"rollout": None, "lease": None, "halt": None, "quarantine": []}
    assert store.get_halt("s") is None
    assert list_approvals(store, "x") == []
    with pytest.raises(NoSuchPlan):
        store.load_plan("x")
    assert not os.path.exists(path)


def test_the_last_plan_is_that_of_its_scope(store: Store, clock: Clock) -> None:
    assert store.load_last_plan("s") is None
    for number, scope in enumerate(("s", "s", "other")):
        clock.at = 1000.0 + number
        store.save_plan(scope, empty_plan(str(number)))
    assert store.load_last_plan("s") == {"saved": 1001.0, "document": empty_plan("1")}
    assert store.load_last_plan("nobody's") is None


def test_nobody_else_may_read_it(store: Store, path: str) -> None:
    store.halt("s", "", "eve")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def _left_to_slices(store: Store, **detail: Any) -> Any:
    """An open rollout whose run has ended for slices to go on."""
    fence, rollout = _begun(store)
    store.set_status("s", fence, rollout, "waiting", dict({"for": "slices", "wave": 1, "text": ""}, **detail))
    store.release_lease("s", fence)
    return fence, rollout


def test_slices_hold_one_lease_together(store: Store) -> None:
    before, rollout = _left_to_slices(store)
    first, second = store.join_wave("s", ME, 100), store.join_wave("s", OTHER, 100)
    assert first["fence"] == second["fence"] > before
    assert first["member"] != second["member"]
    assert first["rollout"]["id"] == second["rollout"]["id"] == rollout
    with pytest.raises(Leased, match="by eve on m"):
        store.take_lease("s", OTHER, 100)
    store.leave_wave("s", first["fence"], first["member"])
    with pytest.raises(Leased, match="by bob on n"):
        store.take_lease("s", ME, 100)
    assert store.begin_hosts("s", second["fence"], rollout, 1, ["web1"])["go"] is True
    store.leave_wave("s", second["fence"], second["member"])
    with pytest.raises(LeaseLost):
        store.renew_lease("s", second["fence"])
    assert store.take_lease("s", ME, 100)["fence"] > first["fence"]


def test_slices_that_gave_no_sign_of_life_are_not_joined(store: Store, clock: Clock) -> None:
    _left_to_slices(store)
    dead = store.join_wave("s", ME, 100)
    clock.at += 101
    alive = store.join_wave("s", OTHER, 100)
    assert alive["fence"] > dead["fence"]
    with pytest.raises(LeaseLost):
        store.leave_wave("s", dead["fence"], dead["member"])
    store.leave_wave("s", alive["fence"], alive["member"])
    assert store.show("s")["lease"] is None


def test_the_longest_step_of_all_slices_counts(store: Store, clock: Clock) -> None:
    _left_to_slices(store)
    store.join_wave("s", ME, 100)
    store.join_wave("s", OTHER, 50)
    clock.at += 60
    with pytest.raises(Leased):
        store.take_lease("s", OTHER, 100)


@pytest.mark.parametrize(
    ("detail", "status", "why"),
    [
        ({}, "running", "the open rollout is running"),
        ({"for": "approval"}, "waiting", "the open rollout is waiting"),
        ({"for": "slices", "text": "", "at": 1.0}, "halted", "the open rollout is halted"),
    ],
)
def test_what_is_not_left_to_slices_is_not_joined(store: Store, detail: Any, status: str, why: str) -> None:
    fence, rollout = _begun(store)
    store.set_status("s", fence, rollout, status, detail)
    store.release_lease("s", fence)
    assert store.join_wave("s", ME, 100) == {"fence": None, "member": None, "rollout": None, "why": why}
    assert store.join_wave("other", ME, 100)["why"] == "no rollout is open"
    assert store.show("s")["lease"] is None


def test_slices_do_not_join_a_run(store: Store) -> None:
    _left_to_slices(store)
    store.take_lease("s", ME, 100)
    with pytest.raises(Leased):
        store.join_wave("s", OTHER, 100)


def test_one_slice_stops_the_others_until_the_next_run(store: Store) -> None:
    _before, rollout = _left_to_slices(store)
    first, second = store.join_wave("s", ME, 100), store.join_wave("s", OTHER, 100)
    store.set_status(
        "s", first["fence"], rollout, "halted", {"for": "slices", "wave": 1, "text": "2 failed", "at": 5.0}
    )
    assert store.get_halt("s") == {"scope": "s", "reason": "2 failed", "by": "a slice", "since": 5.0}
    assert store.begin_hosts("s", second["fence"], rollout, 1, ["web1"])["go"] is False
    store.halt("s", "no", "eve")
    assert store.get_halt("s")["by"] == "eve"  # type: ignore[index]
    store.resume("s", "eve")
    for one in (first, second):
        store.leave_wave("s", one["fence"], one["member"])
    fence = store.take_lease("s", ME, 100)["fence"]
    store.set_status("s", fence, rollout, "running", {})
    assert store.get_halt("s") is None
    assert store.begin_hosts("s", fence, rollout, 1, ["web1"])["go"] is True


def test_the_lease(store: Store, clock: Clock) -> None:
    first = store.take_lease("s", ME, 100)["fence"]
    assert first == 1000, "by the clock"
    with pytest.raises(Leased) as caught:
        store.take_lease("s", OTHER, 100)
    assert caught.value.result["holder"]["owner"] == ME
    assert "eve on m" in str(caught.value)
    assert store.take_lease("t", OTHER, 100)["fence"] == 1001, "another scope is nobody's business"
    store.release_lease("s", first)
    second = store.take_lease("s", OTHER, 100)["fence"]
    assert second == 1002
    with pytest.raises(LeaseLost):
        store.release_lease("s", first)


def test_the_lease_runs_out_without_a_sign_of_life(store: Store, clock: Clock) -> None:
    fence, rollout = _begun(store)
    clock.at += 90
    store.renew_lease("s", fence, rollout)
    clock.at += 90
    with pytest.raises(Leased):
        store.take_lease("s", OTHER, 100)
    clock.at += 11
    assert store.take_lease("s", OTHER, 100)["fence"] > fence
    with pytest.raises(LeaseLost):
        store.renew_lease("s", fence, rollout)


def test_of_a_holder_that_is_dead_it_is_taken_over_at_once(store: Store) -> None:
    fence, rollout = _begun(store)
    with pytest.raises(Leased):
        store.take_lease("s", OTHER, 100, takeover=fence - 1)
    taken = store.take_lease("s", OTHER, 100, takeover=fence)
    assert taken["fence"] > fence
    assert taken["rollout"]["id"] == rollout
    assert [one["what"] for one in taken["rollout"]["events"]] == ["taken"]


def test_the_number_never_goes_back_though_the_file_does(store: Store, path: str, clock: Clock) -> None:
    before = store.take_lease("s", ME, 100)["fence"]
    os.unlink(path)
    clock.at += 1
    assert store.take_lease("s", ME, 100)["fence"] > before


@pytest.mark.parametrize(
    "command, arguments",
    [
        ("begin_hosts", {"wave": 0, "hosts": ["a"]}),
        ("record_outcomes", {"wave": 0, "outcomes": []}),
        ("record_gate", {"wave": 0, "record": {}}),
        ("set_status", {"status": "done", "detail": {}}),
        ("renew_lease", {}),
    ],
)
def test_whoever_lost_the_lease_writes_nothing(store: Store, command: str, arguments: Any) -> None:
    fence, rollout = _begun(store)
    store.take_lease("s", OTHER, 100, takeover=fence)
    with pytest.raises(LeaseLost):
        getattr(store, command)(scope="s", fence=fence, rollout=rollout, **arguments)
    assert store.show("s")["rollout"]["outcomes"] == {}


def test_one_open_rollout(store: Store) -> None:
    fence, rollout = _begun(store)
    with pytest.raises(BadOption):
        start_rollout(store, "s", fence, "hash")
    store.set_status("s", fence, rollout, "soaking", {"until": 5})
    assert store.show("s")["rollout"]["ended"] is None
    store.set_status("s", fence, rollout, "done", {})
    assert store.show("s")["rollout"]["status"] == "done", "the last one is shown where none is open"
    assert store.take_lease("s", ME, 100, takeover=fence)["rollout"] is None
    with pytest.raises(BadOption, match="no status"):
        store.set_status("s", fence + 1, rollout, "fine", {})


def test_a_new_status_returns_the_rollout_without_its_hosts(store: Store) -> None:
    fence, rollout = _begun(store)
    store.record_outcomes("s", fence, rollout, [{"host": "a", "outcome": "done"}], wave=0)
    store.record_gate("s", fence, rollout, 0, {"of": "wave", "verdict": "pass"})
    for status in ("soaking", "done"):
        told = store.set_status("s", fence, rollout, status, {"text": "so"})
        shown = store.show("s")["rollout"]
        assert shown.pop("outcomes").keys() == {"a"}
        assert (told["status"], told["ended"] is not None) == (status, status == "done")
        assert told == shown


def test_intent_results_and_totals(store: Store) -> None:
    fence, rollout = _begun(store)
    ours = {"scope": "s", "fence": fence, "rollout": rollout}
    assert store.begin_hosts(wave=1, hosts=["a", "b"], **ours) == {"go": True, "halt": None}
    assert {row["outcome"] for row in store.show("s")["rollout"]["outcomes"].values()} == {"begun"}
    told = store.record_outcomes(
        wave=1,
        outcomes=[
            {"host": "a", "outcome": "done", "cohort": "x", "level": 3},
            {"host": "b", "outcome": "failed", "cohort": "y", "reason": "so"},
        ],
        **ours,
    )
    assert told == [
        {"wave": 1, "cohort": "x", "outcome": "done", "hosts": 1},
        {"wave": 1, "cohort": "y", "outcome": "failed", "hosts": 1},
    ]
    told = store.record_outcomes(outcomes=[{"host": "b", "outcome": "rolled_back", "cohort": "y"}], **ours)
    assert {group["outcome"]: group["hosts"] for group in told} == {"done": 1, "rolled_back": 1}
    rows = store.show("s")["rollout"]["outcomes"]
    assert (rows["a"]["level"], rows["a"]["wave"]) == (3, 1)
    assert (rows["b"]["outcome"], rows["b"]["wave"]) == ("rolled_back", 1), "the wave stays"


def test_a_host_in_the_place_of_a_canary_stays_its_own_waves(store: Store) -> None:
    fence, rollout = _begun(store)
    ours = {"scope": "s", "fence": fence, "rollout": rollout}
    store.begin_hosts(wave=2, hosts=["r"], reserve=True, **ours)
    assert store.show("s")["rollout"]["outcomes"]["r"]["reserve"] is True
    told = store.record_outcomes(wave=0, outcomes=[{"host": "r", "outcome": "done", "cohort": "x"}], **ours)
    assert told == [{"wave": 2, "cohort": "x", "outcome": "done", "hosts": 1}]


@pytest.mark.parametrize("seed", range(20))
def test_outcomes_are_counted_as_they_are_written(store: Store, path: str, seed: int) -> None:
    """Hosts begin, end and change in any order, with and without a wave and a cohort."""
    chance = random.Random(seed)
    fence, rollout = _begun(store)
    ours = {"scope": "s", "fence": fence, "rollout": rollout}
    for _step in range(40):
        hosts = chance.sample("abcdefgh", chance.randint(1, 5))
        if chance.random() < 0.3:
            store.begin_hosts(wave=chance.randint(0, 2), hosts=hosts, **ours)
            counted = store.record_outcomes(outcomes=[], **ours)
        else:
            rows = [
                {"host": host, "outcome": chance.choice(["done", "failed"]), "cohort": chance.choice([None, "x", "y"])}
                for host in hosts
            ]
            counted = store.record_outcomes(outcomes=rows, wave=chance.choice([None, 0, 1]), **ours)
        told = {(row["wave"], row["cohort"], row["outcome"]): row["hosts"] for row in counted}
        connection = sqlite3.connect(path)
        there = connection.execute("SELECT wave, cohort, outcome, COUNT(*) FROM outcomes GROUP BY 1, 2, 3").fetchall()
        connection.close()
        assert told == {tuple(row[:3]): row[3] for row in there}
        assert len(told) == len(counted)


def test_who_is_left_out_is_recorded_with_those_that_start_and_also_where_a_halt_keeps_them(store: Store) -> None:
    fence, rollout = _begun(store)
    ours = {"scope": "s", "fence": fence, "rollout": rollout, "wave": 1}
    skipped = [{"host": "c", "outcome": "skipped", "cohort": "x"}]
    assert store.begin_hosts(hosts=["a"], skipped=skipped, **ours)["go"]
    store.halt("s", "r", "eve")
    assert not store.begin_hosts(hosts=["b"], skipped=[dict(skipped[0], host="d")], **ours)["go"]
    rows = store.show("s")["rollout"]["outcomes"]
    assert {host: row["outcome"] for host, row in rows.items()} == {"a": "begun", "c": "skipped", "d": "skipped"}


def test_gates_keep_their_wave(store: Store) -> None:
    fence, rollout = _begun(store)
    store.record_gate("s", fence, rollout, 2, {"of": "wave", "verdict": "pass", "wave": 7})
    (record,) = store.show("s")["rollout"]["gates"]
    assert (record["wave"], record["verdict"]) == (2, "pass")


@pytest.mark.parametrize("scope, go", [("s", False), (None, False), ("t", True)])
def test_once_a_halt_is_stored_nothing_begins(store: Store, scope: Any, go: bool) -> None:
    fence, rollout = _begun(store)
    store.halt(scope, "why", "eve")
    told = store.begin_hosts("s", fence, rollout, 0, ["a"])
    assert told["go"] is go
    assert ("a" in store.show("s")["rollout"]["outcomes"]) is go


def test_the_quarantine(store: Store) -> None:
    entry = {"kmp": "k", "cohort": "c", "host": None, "reason": "r", "by": "eve"}
    assert store.add_to_quarantine([entry, dict(entry, cohort=None), dict(entry, kmp=None, cohort=None, host="h")]) == 3
    assert store.add_to_quarantine([dict(entry, reason="another")]) == 0
    assert [one["reason"] for one in store.list_quarantine()] == ["r"] * 3
    with pytest.raises(BadOption):
        store.clear_quarantine({}, "eve", "r")
    assert store.clear_quarantine({"kmp": "x"}, "eve", "r") == []
    (cleared,) = store.clear_quarantine({"host": "h"}, "eve", "mended")
    assert (cleared["host"], cleared["cleared_by"], cleared["cleared_reason"]) == ("h", "eve", "mended")
    assert len(store.list_quarantine()) == 2
    assert store.add_to_quarantine([dict(entry, kmp=None, cohort=None, host="h")]) == 1, "barred again"


def test_an_open_rollout_is_given_up_only_if_nobody_runs_it(store: Store) -> None:
    assert store.abort("s", "r", "eve") is None
    fence, rollout = _begun(store)
    with pytest.raises(Leased):
        store.abort("s", "r", "eve")
    store.release_lease("s", fence)
    assert store.abort("s", "r", "eve") == rollout
    assert store.show("s")["rollout"]["status"] == "aborted"


def test_a_command_is_told_what_it_lacks(store: Store) -> None:
    with pytest.raises(BadOption, match="wrong arguments for the command get_halt"):
        run_command(store, "get_halt", {"scoop": "s"})
    assert all(callable(getattr(store, name)) for name in dispatch.COMMANDS)


@pytest.mark.parametrize(
    ("waited", "takeover", "taken"),
    [
        (0, None, False),
        (100, None, False),
        (100.1, None, True),
        (0, 1000, True),
        (0, 999, False),
        (0, 0, False),
    ],
)
def test_when_a_lease_is_taken_from_its_holder(
    store: Store, clock: Clock, waited: float, takeover: Any, taken: bool
) -> None:
    _begun(store)
    clock.at += waited
    left = pytest.approx(100 - waited)
    holder = {"fence": 1000, "owner": ME, "since": 1000.0, "renewed": 1000.0, "left": left}
    if not taken:
        with pytest.raises(Leased) as caught:
            store.take_lease("s", OTHER, 100, takeover=takeover)
        assert caught.value.result == {"holder": holder}
        return
    told = store.take_lease("s", OTHER, 100, takeover=takeover)
    (event,) = told["rollout"]["events"]
    assert (event["what"], event["fence"], event["owner"], event["from"]) == ("taken", told["fence"], OTHER, holder)


def test_a_run_whose_rollout_is_aborted_has_lost_the_lease(store: Store, clock: Clock) -> None:
    """It may have been cut off, and come back."""
    fence, rollout = _begun(store)
    assert store.check_start("s", fence) == {"halt": None, "lost": False}
    clock.at += 101
    assert store.abort("s", "it does not come back", "eve") == rollout
    assert store.check_start("s", fence)["lost"] is True
    with pytest.raises(LeaseLost):
        store.begin_hosts("s", fence, rollout, 0, ["a"])
    with pytest.raises(LeaseLost):
        store.set_status("s", fence, rollout, "running", {})


def test_a_free_lease_is_taken_from_nobody(store: Store) -> None:
    fence, _rollout = _begun(store)
    store.release_lease("s", fence)
    assert store.take_lease("s", OTHER, 100)["rollout"]["events"][-1]["from"] is None


def test_who_takes_the_lease_gets_the_open_rollout(store: Store) -> None:
    assert store.take_lease("s", ME, 100) == {"fence": 1000, "rollout": None}
    rollout = start_rollout(store, "s", 1000, "hash")
    taken = store.take_lease("s", ME, 100, takeover=1000)
    assert (taken["fence"], taken["rollout"]["id"]) == (1001, rollout)


@pytest.mark.parametrize("scope", ["s", None])
def test_the_first_halt_stays_until_it_is_taken_back(store: Store, scope: Any) -> None:
    _begun(store)
    assert store.halt(scope, "first", "eve") == {"changed": True, "halted": True}
    assert store.halt(scope, "second", "bob") == {"changed": False, "halted": True}
    assert store.get_halt("s")["reason"] == "first"
    assert store.resume("t", "bob") == {"changed": False}
    assert store.resume(scope, "bob") == {"changed": True}
    assert store.resume(scope, "bob") == {"changed": False}
    assert store.get_halt("s") is None
    events = store.show("s")["rollout"]["events"]
    assert [(one["what"], one["by"]) for one in events] == [("halt", "eve"), ("resume", "bob")]


def test_the_halt_of_all_scopes_outlives_that_of_one(store: Store) -> None:
    store.halt(None, "all", "eve")
    store.halt("s", "one", "eve")
    store.resume("s", "eve")
    assert store.get_halt("s")["reason"] == "all"


def test_who_halted_is_told_to_who_begins(store: Store) -> None:
    fence, rollout = _begun(store)
    store.halt("s", "fire", "eve")
    told = store.begin_hosts("s", fence, rollout, 0, ["a"])
    assert (told["go"], told["halt"]["scope"], told["halt"]["by"]) == (False, "s", "eve")
    assert store.renew_lease("s", fence)["halt"] == told["halt"]


def test_a_host_that_begins_again_keeps_its_cohort(store: Store) -> None:
    fence, rollout = _begun(store)
    store.record_outcomes("s", fence, rollout, [{"host": "a", "outcome": "lost", "cohort": "c"}], wave=0)
    store.begin_hosts("s", fence, rollout, 2, ["a"])
    row = store.show("s")["rollout"]["outcomes"]["a"]
    assert (row["outcome"], row["cohort"], row["wave"]) == ("begun", "c", 2)
    told = store.record_outcomes("s", fence, rollout, [{"host": "a", "outcome": "done"}])
    assert told == [{"wave": 2, "cohort": "c", "outcome": "done", "hosts": 1}]


def test_of_events_the_last_are_shown(store: Store) -> None:
    fence, rollout = _begun(store)
    for number in range(205):
        store.set_status("s", fence, rollout, "running", {"number": number})
    events = store.show("s")["rollout"]["events"]
    assert [event["number"] for event in events] == list(range(5, 205))
    assert events[0]["what"] == "running"


@pytest.mark.parametrize(
    "status, waves, halted",
    [
        ("running", [], True),
        ("soaking", [0], True),
        ("waiting", [0, None], True),
        ("waiting", [], False),
        ("halted", [None], False),
        ("failed", [0], False),
        (None, [], False),
    ],
)
def test_a_rollout_is_halted_only_where_it_runs_or_has_begun_on_hosts(
    store: Store, status: Any, waves: Any, halted: bool
) -> None:
    fence, rollout = _begun(store, "s" if status else "another")
    for number, wave in enumerate(waves):
        store.record_outcomes("s", fence, rollout, [{"host": f"h{number}", "outcome": "done"}], wave=wave)
    if status:
        store.set_status("s", fence, rollout, status, {})
    told = store.halt(None, "an alert", "eve", under_way="s")
    assert told == {"changed": halted, "halted": halted}
    assert (store.get_halt("s") is not None) is halted


def test_each_scope_has_its_own_rollout(store: Store) -> None:
    fence, rollout = _begun(store)
    _other, another = _begun(store, "t")
    assert store.show("s")["rollout"]["id"] == rollout
    assert store.show("t")["rollout"]["id"] == another
    store.set_status("s", fence, rollout, "failed", {"text": "so"})
    assert store.show("s")["rollout"]["detail"] == {"text": "so"}
    assert store.show("t")["rollout"]["status"] == "running"


def test_one_that_ended_does_not_open_beside_another(store: Store) -> None:
    fence, first = _begun(store)
    store.set_status("s", fence, first, "failed", {})
    start_rollout(store, "s", fence, "hash")
    with pytest.raises(BadOption, match="is open already"):
        store.set_status("s", fence, first, "running", {})


def test_of_two_that_ended_the_later_is_shown(store: Store) -> None:
    fence, first = _begun(store)
    store.set_status("s", fence, first, "done", {})
    second = start_rollout(store, "s", fence, "hash")
    store.set_status("s", fence, second, "done", {})
    assert store.show("s")["rollout"]["id"] == second, "though both began in the same instant"


def test_approvals_stay_in_their_order(store: Store) -> None:
    store.approve("h", 1, "eve", expires=2000.0)
    store.approve("h", None, "bob", granted=False, reason="not tonight")
    keys = ("wave", "approver", "created_at", "expires", "granted", "reason")
    assert [tuple(approval[key] for key in keys) for approval in list_approvals(store, "h")] == [
        (1, "eve", 1000.0, 2000.0, True, ""),
        (None, "bob", 1000.0, None, False, "not tonight"),
    ]


@pytest.mark.parametrize(
    ("between", "wave", "changed"),
    [
        ([], 1, False),
        ([{"wave": 2, "granted": False}], 1, False),
        ([{"wave": 1, "granted": False}], 1, True),
        ([{"wave": None, "granted": False}], 1, True),
        ([{"wave": 1, "expires": 2000.0}], 1, True),
        ([{"wave": 1, "approver": "bob"}], 1, True),
        ([{"wave": None}], None, False),
        ([{"wave": None}, {"wave": 2, "granted": False}], None, True),
        ([], None, True),
    ],
)
def test_the_same_approval_is_recorded_once(store: Store, between: Any, wave: Any, changed: bool) -> None:
    """Unless another one came between them: the last one stands."""
    store.approve("h", 1, "eve")
    store.approve("another", None, "eve", granted=False)
    for other in between:
        store.approve(**dict({"plan_hash": "h", "approver": "eve"}, **other))
    assert store.approve("h", wave, "eve") == {"changed": changed}
    assert len(list_approvals(store, "h")) == 1 + len(between) + changed


@pytest.mark.parametrize(
    ("command", "arguments", "first", "second"),
    [
        ("halt", {"scope": "s", "reason": "r", "by": "eve"}, True, False),
        ("resume", {"scope": "s", "by": "eve"}, False, False),
        ("save_plan", {"scope": "s", "document": empty_plan("h")}, True, False),
        ("add_to_quarantine", {"entries": [{"host": "h", "reason": "r"}]}, True, False),
        ("clear_quarantine", {"match": {"host": "h"}, "by": "eve", "reason": "r"}, False, False),
        ("abort", {"scope": "s", "reason": "r", "by": "eve"}, False, False),
        ("approve", {"plan_hash": "h", "wave": 1, "approver": "eve"}, True, False),
        ("show", {"scope": "s"}, False, False),
    ],
)
def test_what_changes_nothing_says_so(path: str, command: str, arguments: Any, first: bool, second: bool) -> None:
    for expected in (first, second):
        store = Store(path, lambda: 1000.0)
        run_command(store, command, arguments)
        assert store.changed is expected


@pytest.mark.parametrize(
    ("command", "arguments", "result"),
    [
        ("halt", {"scope": "t", "reason": "r", "by": "eve"}, {"changed": True, "halted": True}),
        ("halt", {"scope": "s", "reason": "r", "by": "eve"}, {"changed": False, "halted": True}),
        ("resume", {"scope": "s", "by": "eve"}, {"changed": True}),
        ("approve", {"plan_hash": "h", "wave": 1, "approver": "eve"}, {"changed": True}),
        ("add_to_quarantine", {"entries": [{"host": "h", "reason": "r"}]}, 1),
        ("clear_quarantine", {"match": {"host": "h"}, "by": "eve", "reason": "r"}, []),
        ("abort", {"scope": "s", "reason": "r", "by": "eve"}, None),
    ],
)
def test_a_dry_run_tells_what_would_change_and_changes_nothing(
    store: Store, path: str, command: str, arguments: Any, result: Any
) -> None:
    store.halt("s", "why", "eve")
    with open(path, "rb") as file:
        before = file.read()
    dry = Store(path, lambda: 1000.0, dry_run=True)
    assert run_command(dry, command, arguments) == result
    assert dry.changed is bool(result and (result == 1 or result["changed"]))
    assert run_command(dry, "save_plan", {"scope": "s", "document": empty_plan("h")}) is None
    with open(path, "rb") as file:
        assert file.read() == before


def test_a_dry_run_makes_no_file(path: str) -> None:
    dry = Store(path, lambda: 1000.0, dry_run=True)
    assert dry.halt("s", "r", "eve") == {"changed": True, "halted": True}
    assert dry.changed
    assert dry.get_halt("s") is None
    assert not os.path.exists(os.path.dirname(path))
