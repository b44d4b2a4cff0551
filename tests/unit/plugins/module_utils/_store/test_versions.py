# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A store of an earlier version, or of a later one. Python 3.6."""

import json
import os
import sqlite3
from typing import Any, Dict

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store import schema
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import LeaseLost
from ansible_collections.fleet.livepatch.plugins.module_utils._store.plans import NoSuchPlan
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import StoreBroken
from tests.support.store import make_version, same_settings, save_run

EVE = {"user": "eve", "machine": "m", "pid": 1}
# Of the recorded stores: the rollout that is open, and in the middle of its first wave, and the one before, which ended
OPEN, ENDED = f"{2:032x}", f"{1:032x}"
MIGRATED = [3, 4, 5, 6]


def document(plan_hash: str = "h") -> Dict[str, Any]:
    """The plans of the recorded stores: of the rollout that ended (old), of the open one (h), and of none (i)."""
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


@pytest.fixture
def path(tmp_path: Any) -> str:
    return str(tmp_path / "rollouts.sqlite3")


@pytest.fixture
def store(path: str) -> Store:
    return Store(path, lambda: 2000.0)


def _read_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _execute(path: str, statement: str, *arguments: Any) -> Any:
    connection = sqlite3.connect(path)
    rows = connection.execute(statement, arguments).fetchall()
    connection.commit()
    connection.close()
    return rows


@pytest.mark.parametrize("version", MIGRATED)
def test_a_store_of_an_earlier_version_is_taken_up_with_its_open_rollout(store: Store, path: str, version: int) -> None:
    make_version(path, version)
    shown = store.show("s")
    assert (shown["rollout"]["id"], shown["rollout"]["status"], shown["halt"]["reason"]) == (OPEN, "running", "stop")
    assert {host: row["outcome"] for host, row in shown["rollout"]["outcomes"].items()} == {"a1": "done", "b1": "begun"}
    assert [gate["text"] for gate in shown["rollout"]["gates"]] == ["fine"]
    assert [entry["kmp"] for entry in shown["quarantine"]] == ["k"]
    assert store.load_plan("h") == document()
    assert store.load_last_plan("s")["document"] == document("i")  # type: ignore[index]
    assert store.list_starters("h") == ["eve"]
    store.resume("s", "eve")
    fence = store.take_lease("s", EVE, 100)["fence"]
    assert fence > shown["lease"]["fence"]
    save_run(store, "run", fence, OPEN, [{"wave": 0, "hosts": ["b1"]}], same_settings("b1", timeout=5))
    assert store.load_in_flight("run", ["b1"]) == ["b1"]
    assert store.load_step("run", ["b1"])["planned"]["b1"]["wave"] == 0
    assert store.load_admission("run", ["b1"])["approvals"][0]["approver"] == "bob"
    counted = store.record_outcomes("s", fence, OPEN, [{"host": "b1", "outcome": "done", "cohort": "b"}])
    assert sum(group["hosts"] for group in counted) == 2


def test_an_early_store_of_version_5_is_taken_up(store: Store, path: str) -> None:
    make_version(path, 5)
    _execute(path, "DROP TABLE run_settings")
    fence = store.take_lease("s", EVE, 100, takeover=store.show("s")["lease"]["fence"])["fence"]
    save_run(store, "next", fence, OPEN, [{"wave": 0, "hosts": ["b1"]}])
    assert list(store.load_step("next", ["b1"])["planned"]) == ["b1"]


@pytest.mark.parametrize("version", [4, 5, 6])
def test_a_run_ends_with_the_version_that_has_begun_it(store: Store, path: str, version: int) -> None:
    make_version(path, version)
    ((run,),) = _execute(path, "SELECT id FROM runs")
    for load in (store.load_run, store.load_whole, lambda run: store.load_step(run, ["b1"])):
        with pytest.raises(LeaseLost, match="another run has the rollout now"):
            load(run)
    # Its lease and its rollout are those of whoever comes next.
    assert store.take_lease("s", EVE, 100, takeover=store.show("s")["lease"]["fence"])["rollout"]["id"] == OPEN


@pytest.mark.parametrize("version", MIGRATED)
def test_of_an_earlier_rollout_the_settings_of_its_plan_are_known(store: Store, path: str, version: int) -> None:
    make_version(path, version)
    known = {"version": 0, "controls": {"plan": {"max_in_flight": 2}}}
    assert store.load_controls("s", "") == known
    assert store.load_controls("t", "old") == known
    fence = store.take_lease("s", EVE, 100, takeover=store.show("s")["lease"]["fence"])["fence"]
    store.keep_controls("s", fence, OPEN, 0, {"run": {"a": 1}})
    assert store.load_controls("s", "") == {"version": 1, "controls": {"run": {"a": 1}}}


@pytest.mark.parametrize("version", MIGRATED)
def test_nothing_of_an_earlier_version_is_lost(store: Store, path: str, version: int) -> None:
    make_version(path, version)
    kept = ("leases", "rollouts", "outcomes", "rollout_events", "quarantine", "approvals", "halts")
    before = {table: _execute(path, f"SELECT * FROM {table}") for table in kept}
    store.show("s")
    assert {table: _execute(path, f"SELECT * FROM {table}") for table in kept} == before
    for plan_hash in ("old", "h", "i"):
        assert store.load_plan(plan_hash) == document(plan_hash)
        assert store.load_outline(plan_hash)["waves"] == [
            {"kind": "canaries", "hosts": 2},
            {"kind": "wave", "hosts": 3},
        ]
        assert store.list_starters(plan_hash) == ["eve"]


@pytest.mark.parametrize("version", MIGRATED)
def test_a_migrated_store_has_the_tables_of_a_new_one(store: Store, tmp_path: Any, path: str, version: int) -> None:
    make_version(path, version)
    store.show("s")
    Store(str(tmp_path / "new"), lambda: 1000.0).halt("s", "r", "eve")
    names = "SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
    assert _execute(path, names) == _execute(str(tmp_path / "new"), names)
    assert _execute(path, "PRAGMA user_version") == [(schema.SCHEMA,)]


def test_a_plan_that_no_run_needs_is_split_when_one_does(store: Store, path: str) -> None:
    make_version(path, 3)
    store.show("s")
    split = "SELECT DISTINCT plan_hash FROM planned_hosts ORDER BY 1"
    assert _execute(path, split) == [("h",), ("i",)]
    store.save_plan("s", document("old"), "another")
    assert _execute(path, split) == [("h",), ("i",), ("old",)]
    assert _execute(path, "SELECT saved, saved_by FROM plans WHERE hash = 'old'") == [(1001.0, "eve")]
    assert _execute(path, "SELECT * FROM whole_plans") == []
    assert store.load_plan("old") == document("old")
    assert store.load_last_plan("s")["document"] == document("i")  # type: ignore[index]


def test_the_last_rollout_of_each_scope_can_be_rolled_back(store: Store, path: str) -> None:
    """Its plan is followed then, though no rollout is open."""
    make_version(path, 3)
    _execute(path, "UPDATE rollouts SET ended = 1, status = 'failed' WHERE id = ?", OPEN)
    _execute(path, "UPDATE rollouts SET scope = 't' WHERE id = ?", ENDED)
    for scope, rollout, plan_hash in (("s", OPEN, "h"), ("t", ENDED, "old")):
        fence = store.take_lease(scope, EVE, 100, takeover=1010)["fence"]
        store.save_run(scope, fence, plan_hash, rollout, plan_hash, {}, [{"hosts": ["a1"]}], same_settings("a1"))
        assert list(store.load_step(plan_hash, ["a1"])["planned"]) == ["a1"]


@pytest.mark.parametrize(
    "spoiled",
    [
        '{"hash": "h", "waves"',
        "null",
        "[1, 2]",
        json.dumps({"hash": "z", "waves": [], "hosts": {}}),
        json.dumps(dict(document(), waves=[1])),
        json.dumps(dict(document(), hosts={"orphan": {"cohort": "a"}})),
        json.dumps(dict(document(), hosts={"a1": {}})),
        json.dumps(dict(document(), waves=[{"kind": "wave", "hosts": ["\ud800"]}], hosts={"\ud800": {"cohort": "a"}})),
    ],
)
def test_a_plan_that_cannot_be_read_keeps_nothing_else_from_being_used(store: Store, path: str, spoiled: str) -> None:
    make_version(path, 3)
    # It would be the last one.
    _execute(path, "INSERT INTO plans VALUES ('z', 's', 3000, ?, 'eve')", spoiled)
    assert store.get_halt("s")["reason"] == "stop"  # type: ignore[index]
    assert store.show("s")["rollout"]["id"] == OPEN
    assert store.load_plan("h") == document()
    with pytest.raises(NoSuchPlan, match="there is no plan z"):
        store.load_plan("z")
    with pytest.raises(BadOption):
        store.save_plan("s", dict(document("y"), hosts={"orphan": {"cohort": "a"}}))


def test_who_may_only_read_reads_a_store_of_an_earlier_version(store: Store, path: str, monkeypatch: Any) -> None:
    make_version(path, 3)
    before = _read_file(path)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert store.show("s")["rollout"]["id"] == OPEN
    assert _read_file(path) == before


def test_a_dry_run_leaves_a_store_of_an_earlier_version_as_it_is(path: str) -> None:
    make_version(path, 3)
    before = _read_file(path)
    dry = Store(path, lambda: 1000.0, dry_run=True)
    assert dry.load_plan("h") == document()
    assert dry.halt("s", "r", "eve") == {"changed": False, "halted": True}
    assert _read_file(path) == before


def test_a_migration_that_fails_leaves_the_store_as_it_is(store: Store, path: str, monkeypatch: Any) -> None:
    make_version(path, 3)

    def fail(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(schema.plan_rows, "insert_plan", fail)
    with pytest.raises(StoreBroken, match="No space left"):
        store.show("s")
    monkeypatch.undo()
    assert store.load_plan("h") == document()


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (1, r"an earlier version of the collection \(schema 1\), and this one migrates from 3 on"),
        (2, r"an earlier version of the collection \(schema 2\), and this one migrates from 3 on"),
        (schema.SCHEMA + 1, "a later version"),
        (-1, "an earlier version"),
    ],
)
def test_another_version_is_refused_and_left_as_it_is(store: Store, path: str, version: int, words: str) -> None:
    make_version(path, version if version in (1, 2) else 4)
    _execute(path, f"PRAGMA user_version = {version}")
    before = _read_file(path)
    for use in (lambda: store.show("s"), lambda: store.halt("s", "r", "eve")):
        with pytest.raises(StoreBroken, match=words) as error:
            use()
        assert "Use that version" in str(error.value)
        assert "name another file (livepatch_store_path)" in str(error.value)
    assert _read_file(path) == before
