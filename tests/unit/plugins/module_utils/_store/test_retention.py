# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is removed after a time, and what never is. Python 3.6."""

import sqlite3
from typing import Any, Dict, List, Optional

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.support.store import list_approvals, make_version, same_settings, save_run

_EVE = {"user": "eve", "machine": "m"}
_DAY = 86400.0
# Later than all that is recorded by far
_LATER = 500 * _DAY
_NONE = {"rollouts": 0, "plans": 0, "rows": 0}


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _document(plan_hash: str, hosts: int = 2) -> Dict[str, Any]:
    names = [f"a{number}" for number in range(hosts)]
    return {
        "cohorts": [],
        "waves": [{"kind": "wave", "hosts": names}],
        "hosts": {name: {"cohort": "a"} for name in names},
        "left_out": {},
        "hash": plan_hash,
    }


class _Records:
    """A store in which rollouts come one after the other, each a day after the one before."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.clock = _Clock()
        self.store = Store(path, self.clock)

    def plan(self, plan_hash: str, scope: str = "s", hosts: int = 2) -> None:
        self.clock.now += _DAY
        self.store.save_plan(scope, _document(plan_hash, hosts), "eve")

    def roll_out(self, plan_hash: str, scope: str = "s", hosts: int = 2, status: Optional[str] = "done") -> str:
        """The ID of a rollout that ended, or with None of one that is open."""
        self.plan(plan_hash, scope, hosts)
        rollout = "r-" + plan_hash
        fence = self.store.take_lease(scope, _EVE, 100)["fence"]
        self.store.start_rollout(scope, fence, rollout, plan_hash, "eve")
        ours = {"scope": scope, "fence": fence, "rollout": rollout}
        batch = {"wave": 0, "hosts": [f"a{number}" for number in range(hosts)]}
        self.store.save_run(
            scope, fence, "run-" + plan_hash, rollout, plan_hash, {}, [batch], same_settings(*batch["hosts"])
        )
        rows = [{"host": name, "outcome": "done", "cohort": "a"} for name in batch["hosts"]]
        self.store.record_outcomes(wave=0, outcomes=rows, **ours)
        self.store.record_gate(wave=0, record={"of": "wave"}, **ours)
        if status is not None:
            self.store.set_status(status=status, detail={}, **ours)
        self.store.release_lease(scope, fence)
        return rollout

    def remove(self, scope: str = "s", age: float = 400 * _DAY, limit: int = 100000) -> Dict[str, int]:
        has_old = self.store.has_old(scope, age)
        removed = self.store.remove_old(scope, age, limit)
        assert has_old == bool(removed["rollouts"] + removed["plans"])
        return removed

    def select(self, statement: str) -> List[Any]:
        connection = sqlite3.connect(self.path)
        rows = [row[0] for row in connection.execute(statement)]
        connection.commit()
        connection.close()
        return rows

    def count(self) -> Dict[str, int]:
        tables = ("rollouts", "outcomes", "rollout_events", "plans", "planned_hosts", "approvals")
        return {table: self.select(f"SELECT COUNT(*) FROM {table}")[0] for table in tables}


@pytest.fixture
def records(tmp_path: Any) -> _Records:
    return _Records(str(tmp_path / "rollouts.sqlite3"))


def test_a_rollout_goes_with_all_that_belongs_to_it(records: _Records) -> None:
    records.roll_out("first")
    before = records.count()
    records.store.approve("second", 0, "bob")
    records.roll_out("second")
    records.store.halt("s", "stop", "eve")
    records.store.add_to_quarantine([{"kmp": "k", "reason": "oops"}])
    records.roll_out("third")
    records.clock.now += _LATER
    removed = records.remove()
    assert (removed["rollouts"], removed["plans"]) == (2, 2)
    assert records.count() == before
    assert records.store.load_last_plan("s")["document"]["hash"] == "third"  # type: ignore[index]
    shown = records.store.show("s")
    assert (shown["rollout"]["id"], sorted(shown["rollout"]["outcomes"])) == ("r-third", ["a0", "a1"])
    assert (shown["halt"]["reason"], shown["quarantine"][0]["kmp"]) == ("stop", "k")
    assert records.remove() == _NONE


def test_what_is_not_old_stays(records: _Records) -> None:
    for name in ("first", "second", "third"):
        records.roll_out(name)
    # The first one ended 400 days ago, the second one will have tomorrow.
    records.clock.now += 398.5 * _DAY
    assert records.remove()["rollouts"] == 1
    assert records.select("SELECT id FROM rollouts ORDER BY 1") == ["r-second", "r-third"]
    assert records.select("SELECT hash FROM plans ORDER BY 1") == ["second", "third"]


def test_what_a_rollback_goes_by_stays(records: _Records) -> None:
    """The last rollout of each scope, however old, with its plan, be it that other plans were made since."""
    records.roll_out("ours")
    records.roll_out("failed", status="failed")
    records.plan("later")
    records.roll_out("theirs", scope="t")
    # Not only because it is a run's
    records.select("DELETE FROM runs")
    records.clock.now += _LATER
    assert records.remove()["rollouts"] == 1
    assert records.remove("t") == _NONE
    assert records.select("SELECT id FROM rollouts ORDER BY 1") == ["r-failed", "r-theirs"]
    assert records.select("SELECT hash FROM plans ORDER BY 1") == ["failed", "later", "theirs"]
    assert records.store.load_plan("failed") == _document("failed")
    assert set(records.store.show("s")["rollout"]["outcomes"]) == {"a0", "a1"}


def test_an_open_rollout_stays_with_those_that_its_plan_has(records: _Records) -> None:
    records.store.approve("open", None, "bob")
    records.roll_out("open", status=None)
    records.clock.now += _LATER
    assert records.remove() == _NONE
    assert len(list_approvals(records.store, "open")) == 1
    # One that was begun again is the scope's open one, though others were started since.
    taken = records.store.take_lease("s", _EVE, 100)
    records.store.set_status("s", taken["fence"], "r-open", "failed", {})
    records.store.release_lease("s", taken["fence"])
    records.roll_out("next")
    fence = records.store.take_lease("s", _EVE, 100)["fence"]
    records.store.set_status("s", fence, "r-open", "running", {})
    save_run(records.store, "again", fence, "r-open", plan_hash="open")
    records.clock.now += _LATER
    assert records.remove()["rollouts"] == 1
    assert records.select("SELECT id FROM rollouts") == ["r-open"]


def test_another_scope_s_are_not_removed(records: _Records) -> None:
    for name in ("one", "two"):
        records.roll_out(name, scope="t")
    records.roll_out("ours")
    records.clock.now += _LATER
    assert records.remove() == _NONE


def test_a_plan_of_another_scope_s_rollout_stays(records: _Records) -> None:
    """Scopes with the same hosts and settings have the same plan."""
    records.roll_out("shared")
    records.roll_out("ours")
    fence = records.store.take_lease("t", _EVE, 100)["fence"]
    records.store.start_rollout("t", fence, "theirs", "shared")
    records.store.approve("shared", 0, "bob")
    records.clock.now += _LATER
    removed = records.remove()
    assert (removed["rollouts"], removed["plans"]) == (1, 0)
    assert records.store.load_plan("shared") == _document("shared")
    assert len(list_approvals(records.store, "shared")) == 1


@pytest.mark.parametrize(
    ("approvals", "stays"),
    [
        ([], False),
        ([(True, None)], True),
        ([(True, 10 * _LATER)], True),
        ([(True, 2000.0)], False),  # expired
        ([(False, None)], False),
        ([(True, 2000.0), (True, None)], True),
    ],
)
def test_a_plan_that_was_never_run_stays_while_it_is_approved(records: _Records, approvals: Any, stays: bool) -> None:
    records.plan("waiting")
    for granted, expires in approvals:
        records.store.approve("waiting", 0, "bob", expires, granted)
    records.plan("last")
    records.clock.now += _LATER
    assert records.remove()["plans"] == (0 if stays else 1)
    assert (records.store.find_plan("waiting") is not None) == stays
    assert len(list_approvals(records.store, "waiting")) == (len(approvals) if stays else 0)


def test_no_more_is_begun_after_the_limit(records: _Records) -> None:
    for name in ("first", "second", "third", "last"):
        records.roll_out(name, hosts=50)
    records.clock.now += _LATER
    removed = []
    while not removed or removed[-1]["rows"]:
        removed.append(records.remove(limit=60))
    # Whole ones, the last of them beyond the limit
    assert [(turn["rollouts"], turn["plans"]) for turn in removed] == [(2, 0), (1, 1), (0, 2), (0, 0)]
    assert all(turn["rows"] < 120 for turn in removed)
    assert records.select("SELECT id FROM rollouts") == ["r-last"]


def test_whole_plans_of_an_earlier_version_go_as_well(tmp_path: Any) -> None:
    path = str(tmp_path / "rollouts.sqlite3")
    make_version(path, 3)
    store = Store(path, lambda: _LATER)
    removed = store.remove_old("s", 400 * _DAY, 1000)
    # The rollout that ended, with its plan; neither the open one's nor the last one
    assert (removed["rollouts"], removed["plans"]) == (1, 1)
    assert store.find_plan("old") is None
    assert store.load_plan("h")["hash"] == "h"
    assert store.load_plan("i")["hash"] == "i"
