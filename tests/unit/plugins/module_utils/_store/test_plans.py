# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans and runs: what a step reads of them. Python 3.6."""

from typing import Any, Dict, List

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch, runs
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import LeaseLost
from tests.support.store import same_settings, save_run, start_rollout

EVE = {"user": "eve", "machine": "m", "pid": 1}


def document(plan_hash: str = "h") -> Dict[str, Any]:
    waves = [["a1", "b1"], ["b2", "a2", "a3"]]
    return {
        "schema": 1,
        "settings": {"max_in_flight": 2},
        "cohorts": [{"id": "a", "hosts": 3}, {"id": "b", "hosts": 2}],
        "waves": [{"kind": kind, "hosts": hosts} for kind, hosts in zip(("canaries", "wave"), waves)],
        "hosts": {name: {"cohort": name[0], "kmp": "k"} for wave in waves for name in wave},
        "left_out": {"c1": "patched"},
        "hash": plan_hash,
    }


BATCHES = [{"wave": 0, "hosts": ["a1", "b1"]}, {"wave": 1, "hosts": ["b2", "a2"]}, {"wave": 1, "hosts": ["a3"]}]
# One host has its own, and one is in no batch.
SETTINGS = {
    "values": [{"timeout": 60}, {"timeout": 600}],
    "hosts": {"a1": 0, "b1": 0, "b2": 1, "a2": 0, "a3": 0, "c1": 1},
}


def find_settings(loaded: Dict[str, Any]) -> Dict[str, Any]:
    """Those that were read, by host."""
    packed = loaded["settings"]
    return {host: packed["values"][number] for host, number in packed["hosts"].items()}


@pytest.fixture
def path(tmp_path: Any) -> str:
    return str(tmp_path / "rollouts.sqlite3")


@pytest.fixture
def store(path: str) -> Store:
    return Store(path, lambda: 1000.0)


def begin(store: Store, run: str = "run") -> Any:
    """The lease's number and the ID of a new rollout of the plan, with a run of it."""
    store.save_plan("s", document())
    fence = store.take_lease("s", EVE, 100)["fence"]
    rollout = start_rollout(store, "s", fence, "h")
    save_run(store, run, fence, rollout, BATCHES, SETTINGS, payload={"began": 1.0})
    return fence, rollout


#
# Plans
#


def test_a_plan_reads_as_it_was_saved_first(store: Store) -> None:
    store.save_plan("s", document())
    store.save_plan("s", dict(document(), left_out={}))
    assert store.load_plan("h") == store.find_plan("h") == document()
    assert [wave["hosts"] for wave in store.load_plan("h")["waves"]] == [["a1", "b1"], ["b2", "a2", "a3"]]
    assert store.find_plan("another") is None


def test_an_outline_has_no_hosts(store: Store) -> None:
    store.save_plan("s", document())
    outline = store.load_outline("h")
    assert outline["waves"] == [{"kind": "canaries", "hosts": 2}, {"kind": "wave", "hosts": 3}]
    assert set(document()) - set(outline) == {"hosts", "left_out"}


#
# Runs
#


def test_a_step_reads_its_batch_by_any_of_its_hosts(store: Store) -> None:
    begin(store)
    for hosts in (["b2", "a2"], ["a2"], ["unknown", "b2"]):
        step = store.load_step("run", hosts)
        assert (step["run"], step["batch"]) == (
            {"began": 1.0},
            {"wave": 1, "hosts": ["b2", "a2"], "number": 1},
        )
        assert step["planned"] == {name: {"cohort": name[0], "kmp": "k", "wave": 1} for name in ("b2", "a2")}
        assert step["plan"]["hash"] == "h"
    assert store.load_step("run", ["a3"])["batch"] == {"wave": 1, "hosts": ["a3"], "number": 2}
    assert store.load_step("run", ["unknown"])["batch"] is None
    assert store.load_step("run", ["c1"])["batch"] is None, "it has settings, and nothing is done to it"
    assert store.load_step("run", ["c1", "a3"])["batch"]["number"] == 2
    assert store.load_step("run", [])["planned"] == {}


def test_hosts_are_read_by_wave_by_name_and_by_cohort(store: Store) -> None:
    fence, rollout = begin(store)
    store.record_outcomes("s", fence, rollout, [{"host": "a2", "outcome": "done", "cohort": "a"}], wave=1)
    for which, expected in (
        ({"wave": 1}, ["b2", "a2", "a3"]),
        ({"hosts": ["a3", "a1", "unknown"]}, ["a1", "a3"]),
        ({"cohorts": ["b"]}, ["b1", "b2"]),
        ({"hosts": []}, []),
    ):
        found = store.load_hosts("run", **which)
        assert list(found["planned"]) == expected
        assert set(found["outcomes"]) == {"a2"} & set(expected)
    assert store.load_hosts("run", wave=1)["outcomes"]["a2"]["outcome"] == "done"


def test_settings_are_read_by_host(store: Store) -> None:
    begin(store)
    usual, slow = {"timeout": 60}, {"timeout": 600}
    for which, expected in (
        ({"wave": 1}, {"b2": slow, "a2": usual, "a3": usual}),
        ({"hosts": ["b2", "unknown"]}, {"b2": slow}),
        ({"cohorts": ["b"]}, {"b1": usual, "b2": slow}),
        # Of a host that is not planned nothing is asked.
        ({"hosts": ["c1"]}, {}),
        ({"hosts": []}, {}),
    ):
        loaded = store.load_hosts("run", **which)
        assert find_settings(loaded) == expected
        assert len(loaded["settings"]["values"]) == len({host["timeout"] for host in expected.values()}), "each once"
    assert find_settings(store.load_admission("run", ["a2"])) == {"b2": slow, "a2": usual}


def test_settings_are_those_of_the_run(store: Store) -> None:
    fence, rollout = begin(store)
    save_run(store, "slice", fence, rollout, [BATCHES[2]], same_settings("a3", timeout=5))
    assert find_settings(store.load_hosts("slice", wave=1)) == {"a3": {"timeout": 5}}, "it has but this one of the wave"
    assert find_settings(store.load_hosts("run", hosts=["a3"])) == {"a3": {"timeout": 60}}


def test_settings_of_all_hosts_may_differ(store: Store) -> None:
    names = [f"h{number:04}" for number in range(1900)]
    plan = dict(document("large"), waves=[{"kind": "wave", "hosts": names}])
    plan["hosts"] = {name: {"cohort": "h"} for name in names}
    store.save_plan("s", plan)
    settings = {"values": [{"own": name} for name in names], "hosts": {name: at for at, name in enumerate(names)}}
    save_run(store, "run", batches=[{"wave": 0, "hosts": names}], settings=settings, plan_hash="large")
    assert find_settings(store.load_hosts("run", wave=0)) == {name: {"own": name} for name in names}
    assert find_settings(store.load_hosts("run", hosts=names[::-1])) == {name: {"own": name} for name in names}


def test_settings_are_kept_once(store: Store) -> None:
    fence, rollout = begin(store)
    with store._database.reading() as transaction:
        count = "SELECT COUNT(*) AS kept FROM run_settings WHERE run = 'run'"
        assert transaction.connection.execute(count).fetchone()["kept"] == 2
    save_run(store, "next", store.take_lease("s", EVE, 100, takeover=fence)["fence"], rollout)
    with store._database.reading() as transaction:
        for table in ("run_settings", "run_hosts", "run_batches"):
            rows = transaction.connection.execute(f"SELECT * FROM {table}").fetchall()
            assert rows == [], "what an earlier run had is of no use any more"


def test_more_hosts_than_a_statement_takes(store: Store) -> None:
    names = [f"h{number:05}" for number in range(2500)]
    plan = dict(document("large"), waves=[{"kind": "wave", "hosts": names}])
    plan["hosts"] = {name: {"cohort": "h"} for name in names}
    store.save_plan("s", plan)
    save_run(store, "run", batches=[{"hosts": names}], plan_hash="large")
    assert list(store.load_hosts("run", hosts=names[::-1])["planned"]) == names
    assert store.load_step("run", ["x"] * 1000 + ["h00007"])["batch"]["hosts"] == names


def test_what_holds_hosts_back_is_read_with_the_batch(store: Store) -> None:
    fence, rollout = begin(store)
    ours = {"scope": "s", "fence": fence, "rollout": rollout, "wave": 0}
    kinds = ("done", "unchanged", "failed", "rolled_back", "skipped", "pending")
    tried = [{"host": kind, "outcome": kind, "cohort": kind, "applied": True} for kind in kinds]
    store.record_outcomes(outcomes=tried, **ours)
    later = [{"host": "later", "outcome": "done", "cohort": "no canary's"}]
    store.record_outcomes(outcomes=later, **dict(ours, wave=1))
    full = [{"host": "full", "outcome": "failed", "cohort": "full disk", "applied": False}]
    store.record_outcomes(outcomes=full, **ours)
    store.begin_hosts(hosts=["a1"], **ours)
    store.add_to_quarantine([{"host": "a2", "reason": "r"}])
    store.approve("h", 1, "eve")
    admission = store.load_admission("run", ["a1"])
    assert sorted(admission["attempted"]) == ["done", "failed", "rolled_back", "unchanged"]
    assert [entry["host"] for entry in admission["quarantine"]] == ["a2"]
    assert [(row["wave"], row["granted"]) for row in admission["approvals"]] == [(1, True)]
    assert admission["starters"] == [""]
    assert {key: admission[key] for key in ("run", "plan", "batch", "planned")} == store.load_step("run", ["a1"])
    assert (find_settings(admission), admission["in_flight"]) == ({"a1": {"timeout": 60}, "b1": {"timeout": 60}}, [])


def test_hosts_in_flight_are_those_of_the_batch_and_of_the_earlier_ones_of_its_wave(store: Store) -> None:
    fence, rollout = begin(store)
    save_run(store, "slice", fence, rollout, [{"wave": 1, "hosts": ["other"]}])
    ours = {"scope": "s", "fence": fence, "rollout": rollout}
    # Of another wave, and of another slice
    store.begin_hosts(wave=0, hosts=["a1"], **ours)
    store.begin_hosts(wave=1, hosts=["other"], **ours)
    assert store.load_in_flight("run", ["a2"]) == []
    store.begin_hosts(wave=1, hosts=["b2", "a2"], **ours)
    store.begin_hosts(wave=1, hosts=["a3"], **ours)
    for batch, hosts, before in (
        ("a1", ["a1"], []),
        ("b2", ["a2", "b2"], []),
        ("a3", ["a2", "a3", "b2"], ["a2", "b2"]),
    ):
        assert store.load_in_flight("run", [batch]) == store.load_in_flight("run", ["unknown", batch]) == hosts
        assert store.load_admission("run", [batch])["in_flight"] == before
    store.record_outcomes(outcomes=[{"host": "b2", "outcome": "done", "cohort": "b"}], **ours)
    store.record_outcomes(outcomes=[{"host": "a3", "outcome": "lost", "cohort": "a"}], **ours)
    assert store.load_in_flight("run", ["a3"]) == store.load_in_flight("run", ["a2"]) == ["a2"]
    assert store.load_admission("run", ["a3"])["in_flight"] == ["a2"]
    assert store.load_in_flight("slice", ["other"]) == ["other"], "each slice waits for its own"
    for nothing in (["unknown"], ["c1"], []):
        assert store.load_in_flight("run", nothing) == []


def test_a_run_that_records_nothing_has_none_in_flight(store: Store) -> None:
    fence, rollout = begin(store)
    store.begin_hosts("s", fence, rollout, 1, ["b2"])
    save_run(store, "check", batches=BATCHES)
    assert store.load_in_flight("check", ["b2"]) == []
    assert store.load_admission("check", ["a3"])["in_flight"] == []
    store.take_lease("s", EVE, 100, takeover=fence)
    with pytest.raises(LeaseLost, match="another run has the rollout now"):
        store.load_in_flight("gone", ["b2"])


def test_the_whole_of_a_run_is_its_plan_and_its_rollout(store: Store) -> None:
    _fence, rollout = begin(store)
    whole = store.load_whole("run")
    assert (whole["run"], whole["plan"], whole["rollout"]["id"]) == ({"began": 1.0}, document(), rollout)
    save_run(store, "other")
    assert store.load_whole("other")["rollout"] is None


def test_a_host_without_settings_is_in_no_batch(store: Store) -> None:
    """Its steps would not find the batch that it is in."""
    store.save_plan("s", document())
    with pytest.raises(BadOption, match="no settings"):
        save_run(store, "run", batches=[{"wave": 0, "hosts": ["a1", "b1"]}], settings=same_settings("a1"))


def test_a_slice_ends_with_its_own_hosts_and_the_status_of_the_rollout(store: Store) -> None:
    fence, rollout = begin(store)
    store.record_outcomes("s", fence, rollout, [{"host": "a2", "outcome": "done", "cohort": "a"}], wave=1)
    store.set_status("s", fence, rollout, "halted", {"text": "a budget"})
    loaded = store.load_slice("run", ["a2", "a3"])
    assert (list(loaded["planned"]), list(loaded["outcomes"])) == (["a2", "a3"], ["a2"])
    ended = loaded["rollout"]
    assert (ended["id"], ended["status"], ended["detail"]) == (rollout, "halted", {"text": "a budget"})
    assert not {"outcomes", "events", "gates"} & set(ended)
    save_run(store, "check")
    assert store.load_slice("check", ["a1"])["rollout"] is None


def test_a_run_whose_lease_was_taken_over_is_known_no_more(store: Store) -> None:
    fence, rollout = begin(store)
    save_run(store, "slice", fence, rollout)
    assert store.load_run("slice")["run"] == {}, "slices have one lease together"
    taken = store.take_lease("s", EVE, 100, takeover=fence)["fence"]
    with pytest.raises(LeaseLost):
        save_run(store, "late", fence, rollout)
    save_run(store, "new", taken, rollout)
    for run in ("run", "slice"):
        with pytest.raises(LeaseLost, match="another run has the rollout now"):
            store.load_step(run, ["a1"])
        with pytest.raises(LeaseLost, match="another run has the rollout now"):
            store.load_in_flight(run, ["a1"])
    assert store.load_step("new", ["a1"])["batch"] is None


def test_a_run_that_begins_nothing_takes_nothing_away(store: Store) -> None:
    begin(store)
    save_run(store, "check")
    assert store.load_run("run")["run"] == {"began": 1.0}
    assert find_settings(store.load_hosts("run", hosts=["b2"])) == {"b2": {"timeout": 600}}
    with pytest.raises(BadOption):
        save_run(store, "r", 1000, "nobody's")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT payload FROM planned_hosts WHERE plan_hash = ? AND wave = 1", "hosts_of_wave"),
        ("SELECT payload FROM planned_hosts WHERE plan_hash = ? AND cohort IN ('a')", "hosts_of_cohort"),
        ("SELECT payload FROM planned_hosts WHERE plan_hash = ? AND host IN ('a1')", "autoindex_planned_hosts_1"),
        ("SELECT batch FROM run_hosts WHERE run = ? AND host IN ('a1')", "autoindex_run_hosts_1"),
        ("SELECT payload FROM run_batches WHERE run = ? AND number = 1", "autoindex_run_batches_1"),
        ("SELECT settings FROM run_hosts WHERE run = ? AND host IN ('a1')", "autoindex_run_hosts_1"),
        ("SELECT payload FROM run_settings WHERE run = ? AND number IN (0)", "autoindex_run_settings_1"),
        ("SELECT cohort FROM outcomes WHERE rollout = ? AND wave IN (0)", "outcomes_counted"),
    ],
)
def test_what_a_step_reads_is_found_by_an_index(store: Store, statement: str, expected: str) -> None:
    """By more than the plan, the run or the rollout: else it would cost by the fleet."""
    begin(store)
    with store._database.reading() as transaction:
        (row,) = transaction.connection.execute("EXPLAIN QUERY PLAN " + statement, ("h",)).fetchall()
    detail = row["detail"]
    assert expected in detail and detail.count("=?") == 2, detail


def test_who_is_in_flight_is_found_by_indexes(store: Store) -> None:
    """By the wave, and by each host of it: a wide fleet costs each of its batches no more."""
    fence, rollout = begin(store)
    statements: List[str] = []

    # Python 3.6 takes no method of a list.
    def keep(statement: str) -> None:
        statements.append(statement)

    store.begin_hosts("s", fence, rollout, 1, [f"x{number}" for number in range(50)])
    with store._database.reading() as transaction:
        row = runs._find_run(transaction, "run")
        transaction.connection.set_trace_callback(keep)
        runs._find_in_flight(transaction, row, dict(BATCHES[2], number=2))
        transaction.connection.set_trace_callback(None)
        (statement,) = statements
        plan = [row["detail"] for row in transaction.connection.execute("EXPLAIN QUERY PLAN " + statement).fetchall()]
    (outcomes,) = [detail for detail in plan if detail.startswith("SEARCH") and "outcomes" in detail]
    (hosts,) = [detail for detail in plan if detail.startswith("SEARCH") and "run_hosts" in detail]
    assert "outcomes_counted (rollout=? AND wave=?" in outcomes, plan
    assert "autoindex_run_hosts_1 (run=? AND host=?)" in hosts, plan


#
# Several commands at once
#


def test_all_of_several_commands_are_done_or_none(store: Store) -> None:
    fence, rollout = begin(store)
    ours = {"scope": "s", "fence": fence, "rollout": rollout}
    outcomes = [{"host": "a1", "outcome": "done", "cohort": "a"}]
    recorded = {"command": "record_outcomes", "arguments": dict(ours, outcomes=outcomes, wave=0)}
    ended = {"command": "set_status", "arguments": dict(ours, status="done", detail={})}
    released = {"command": "release_lease", "arguments": {"scope": "s", "fence": fence + 1}}
    with pytest.raises(LeaseLost):
        dispatch.run_commands(store, [recorded, ended, released])
    shown = store.show("s")
    assert (shown["rollout"]["status"], shown["rollout"]["outcomes"], shown["lease"]["fence"]) == ("running", {}, fence)
    released["arguments"]["fence"] = fence
    counted, history, nothing = dispatch.run_commands(store, [recorded, ended, released])
    assert ([group["hosts"] for group in counted], history["status"], nothing) == ([1], "done", None)
    assert store.show("s")["lease"] is None


def test_an_unknown_command_is_refused_before_anything_is_done(store: Store) -> None:
    halt = {"command": "halt", "arguments": {"scope": "s", "reason": "r", "by": "eve"}}
    with pytest.raises(BadOption, match="no command together"):
        dispatch.run_commands(store, [halt, {"command": "together", "arguments": {"writes": True}}])
    assert store.get_halt("s") is None
