# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches that start while slow hosts of those before them are in flight still: a run over a real store, in which each
host ends when it wants to.
"""

from __future__ import annotations

import dataclasses
import random
import typing as t
from pathlib import Path

import pytest
from ansible import constants

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    admission,
    assess,
    batch_end,
    changes,
    hostvars,
    lease,
    session,
    start,
    store_client,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gate_input import GateInput
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings
from tests.support import answers
from tests.support.plans import KMP, NO_BUDGETS, make_controls

BOOT = "5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c10"
OPTIONS = {
    "approval": [],
    "windows": [],
    "blackouts": [],
    "window_min_remaining": 0,
    "soak": 0,
    "slices": 0,
    "approver_not_starter": False,
}


class LocalStore(store_client.StoreClient):
    """The store of a control node, without an action that uses it."""

    read_only = False
    person = t.cast(t.Any, dataclasses.make_dataclass("Person", ["name"])("ops"))

    def __init__(self, path: Path, run: Run | None = None) -> None:
        self.location = store_client.Location("localhost", str(path), "default", None)
        self.scope = "default"
        self._run = run


class Fleet:
    """Hosts that were started, by the turn in which each ends; a turn is a batch."""

    def __init__(self, tmp_path: Path, hosts: int, max_in_flight: int, budget: str = "0") -> None:
        names = [f"a{number:02}" for number in range(hosts + 1)]
        fleet = [Host(name, "unpatched", "", "6.4.0", "aa", "x86_64", "default", None, KMP, BOOT) for name in names]
        budgets = {**NO_BUDGETS, "wave": budget, "lost": "0"}
        settings = Settings(waves=(), max_in_flight=max_in_flight, budgets=budgets)
        self._path = tmp_path / "store"
        goes_by = make_controls(names, max_in_flight=max_in_flight, budget=budget)
        terms = lease.LeaseTerms(100)
        self.begun = start.begin_rollout(LocalStore(self._path), fleet, settings, goes_by, "", None, terms)
        self.store = LocalStore(self._path, self.begun.run)
        self.variables: dict[str, dict[str, t.Any]] = {
            host.name: {
                hostvars.GATHERED: answers.gathered(
                    kernel={"boot_id": BOOT, "build_id": "aa"}, livepatch={"state": "unpatched"}
                )
            }
            for host in fleet
        }
        self.turn = 0
        self.asking: tuple[str, ...] = ()
        self.ends: dict[str, int] = {}
        self.failing: set[str] = set()
        # Those that cannot be reached while they are slow
        self.lost: set[str] = set()
        # How many were in flight at once, and the most of them
        self.most = 0

    def end(self, name: str) -> dict[str, t.Any]:
        """What the host answers when it has ended."""
        failed = name in self.failing
        return answers.gathered(
            kernel={"boot_id": BOOT, "build_id": "aa"},
            kmp={"installed": {"name": "kernel-livepatch-6_4", "evr": "3-1.2"}},
            livepatch={
                "state": "unpatched" if failed else "patched",
                "compliance": {"up_to_date": not failed},
                "job": answers.job(failed=failed, msg="the kernel refused it" if failed else None),
            },
        )

    def leave(self, name: str) -> dict[str, t.Any]:
        """What is known of a host that has not ended."""
        lost = {"lost": True} if name in self.lost else {}
        return {"changed": False, "in_flight": True, **lost}

    def has_ended(self, name: str) -> bool:
        return self.ends.get(name, 0) <= self.turn

    def run(self) -> tuple[list[str], dict[str, t.Any]]:
        """Does all batches, as the tasks of the role do: what was waited for, and the last word on the last one."""
        followed: list[str] = []
        assessment: dict[str, t.Any] = {}
        for batch in self.begun.batches:
            self.turn += 1
            self.asking = batch.hosts
            step, stored = session.load_admission(self.store, self.begun.run, list(batch.hosts))
            admitted = admission.admit_batch(self.store, step, stored, OPTIONS)
            if not admitted["go"] and not admitted["in_flight"]:
                return followed, {**assessment, "go": False}
            self._start(admitted["start"])
            gate = GateInput(self.store, session.load_step(self.store, self.begun.run, list(batch.hosts)))
            options = batch_end.WaveOptions(0, 0.0, (), {})
            assessment = assess.assess_batch(gate, admitted, self.read, options)
            for _round in range(2):
                if assessment["follow"] == "collect":
                    how = "waits for" if assessment["waits"] else "asks"
                    followed.append(f"{step.batch.number} {how} {sum(map(len, assessment['shares'].values()))}")
                    self._collect(assessment["shares"])
                    assessment = assess.assess_slow(gate, assessment, self.read, options)
            if not assessment["go"]:
                break
        return followed, assessment

    def read(self, names: t.Iterable[str]) -> hostvars.Variables:
        return {name: self.variables[name] for name in names}

    def _start(self, names: t.Sequence[str]) -> None:
        # Those that have ended without a word of it, too: nobody knows.
        self.most = max(self.most, sum(kind == "begun" for kind in self.outcomes().values()))
        for name in names:
            change = changes.find(name)
            assert change is not None
            self.ends.setdefault(name, self.turn)
            self.variables[name][hostvars.INSTALL] = {"changed": False, "run": f"run-{name}", "max_seconds": 60}
            ended = self.has_ended(name) or change.patience is None
            self.variables[name][hostvars.VERIFY] = self.end(name) if ended else self.leave(name)

    def _collect(self, shares: t.Mapping[str, t.Any]) -> None:
        for name in self.asking:
            self.variables[name][hostvars.SLOW] = {"results": []}
        for asker, members in shares.items():
            assert len(members) <= 2, "they are waited for one after the other"
            results = []
            for member in members:
                name = member["host"]
                assert member["run"] == f"run-{name}"
                if member["patience"] is None:
                    self.ends[name] = self.turn
                answer = self.end(name) if self.has_ended(name) else self.leave(name)
                results.append({**answer, hostvars.MEMBER: member})
            self.variables[asker][hostvars.SLOW] = {"results": results}

    def outcomes(self) -> dict[str, str]:
        rollout = self.store.send("show", scope="default")["rollout"]
        return {name: row["outcome"] for name, row in rollout["outcomes"].items()}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))


def make_slow(fleet: Fleet, batch: int, hosts: int = 1, turn: int = 99) -> list[str]:
    """Hosts of a batch that end in this turn, or when they are waited for."""
    names = list(fleet.begun.batches[batch].hosts[:hosts])
    fleet.ends.update(dict.fromkeys(names, turn))
    return names


def test_a_slow_host_holds_up_no_other_batch(tmp_path: Path) -> None:
    """It is asked after each of them, and waited for when all others have ended."""
    fleet = Fleet(tmp_path, hosts=12, max_in_flight=8)
    assert [len(batch.hosts) for batch in fleet.begun.batches] == [1, 4, 4, 4]
    make_slow(fleet, 1)
    followed, last = fleet.run()
    assert followed == ["2 asks 1", "3 waits for 1"]
    assert (last["go"], last["passed"], last["status"]) == (True, True, "running")
    assert set(fleet.outcomes().values()) == {"done"}


def test_a_slow_host_that_has_ended_meanwhile_is_not_waited_for(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, hosts=16, max_in_flight=8)
    make_slow(fleet, 1, turn=3)
    followed, last = fleet.run()
    assert (followed, last["go"]) == (["2 asks 1"], True)


def test_where_more_than_a_few_are_slow_they_are_waited_for_before_the_next_batch(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, hosts=12, max_in_flight=8)
    make_slow(fleet, 1, hosts=2)
    followed, _last = fleet.run()
    assert followed == ["1 waits for 2"]


def test_a_host_that_cannot_be_reached_is_waited_for_before_the_next_batch(tmp_path: Path) -> None:
    """It may have gone down."""
    fleet = Fleet(tmp_path, hosts=12, max_in_flight=8)
    fleet.lost = set(make_slow(fleet, 1))
    followed, _last = fleet.run()
    assert followed == ["1 waits for 1"]


def test_where_a_batch_fails_its_slow_hosts_are_waited_for_too(tmp_path: Path) -> None:
    """Else nothing would be known of them, and none could be rolled back."""
    fleet = Fleet(tmp_path, hosts=12, max_in_flight=8)
    make_slow(fleet, 1)
    fleet.failing = {fleet.begun.batches[2].hosts[1]}
    followed, last = fleet.run()
    assert followed == ["2 waits for 1"]
    assert (last["go"], last["status"], last["passed"]) == (False, "failed", False)
    assert sorted(fleet.outcomes().values()) == ["done"] * 8 + ["failed"], "no other batch was started"


@pytest.mark.parametrize(("turn", "started"), [(3, 9), (4, 13), (99, 33)])
def test_a_slow_host_that_fails_stops_the_rollout_soon_after(tmp_path: Path, turn: int, started: int) -> None:
    fleet = Fleet(tmp_path, hosts=32, max_in_flight=8)
    (slow,) = make_slow(fleet, 1, turn=turn)
    fleet.failing = {slow}
    _followed, last = fleet.run()
    assert (last["go"], last["status"]) == (False, "failed")
    assert fleet.outcomes()[slow] == "failed"
    assert len(fleet.outcomes()) == started


def test_what_fails_when_it_is_asked_has_the_others_waited_for(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, hosts=240, max_in_flight=80)
    first, other = make_slow(fleet, 1, hosts=2)
    fleet.ends[first], fleet.failing = 3, {first}
    followed, last = fleet.run()
    assert followed == ["2 asks 2", "2 waits for 1"]
    assert (last["status"], fleet.outcomes()[other]) == ("failed", "done")


@pytest.mark.parametrize("batch", [2, 3])
def test_a_halt_waits_for_who_is_in_flight(tmp_path: Path, batch: int) -> None:
    """Before the wave's last batch, too, of which no host has started."""
    fleet = Fleet(tmp_path, hosts=12, max_in_flight=8)
    (slow,) = make_slow(fleet, 1)
    admit = admission.admit_batch

    def admit_batch(store: t.Any, step: session.Step, *rest: t.Any) -> dict[str, t.Any]:
        if step.batch.number == batch:
            store.send("halt", scope="default", reason="too hot", by="ops")
        return admit(store, step, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission, "admit_batch", admit_batch)
        followed, last = fleet.run()
    assert followed[-1] == f"{batch} waits for 1"
    assert (last["go"], last["status"], last["passed"]) == (False, "halted", True)
    assert "too hot" in last["verdict"]
    assert fleet.outcomes()[slow] == "done", "and nothing of it is left to the next run"
    assert len(fleet.outcomes()) == 1 + 4 * (batch - 1)
    assert fleet.store.send("show", scope="default")["rollout"]["status"] == "halted"


@pytest.mark.parametrize("seed", range(16))
def test_whatever_is_slow_and_whatever_fails_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    """No more are in flight than may be, each host that was started has an outcome in the end, and the budget holds."""
    chance = random.Random(seed)
    limit, hosts = chance.randint(1, 9), chance.randint(1, 30)
    fleet = Fleet(tmp_path, hosts, limit, budget=str(chance.randint(0, 3)))
    names = [name for batch in fleet.begun.batches if batch.wave for name in batch.hosts]
    fleet.ends = {name: chance.randint(0, 12) for name in names if chance.random() < 0.4}
    fleet.failing = {name for name in names if chance.random() < 0.1}
    _followed, last = fleet.run()
    outcomes = fleet.outcomes()
    assert fleet.most <= limit
    assert set(outcomes.values()) <= {"done", "failed"}
    assert {name for name, kind in outcomes.items() if kind == "failed"} == fleet.failing & set(outcomes)
    budget = int(fleet.begun.plan.outline.settings.budgets["wave"] or 0)
    assert last["go"] is (len(fleet.failing) <= budget)
    if last["go"]:
        assert len(outcomes) == hosts + 1
    else:
        # What was started after the one that was too many was known is what might be in flight then.
        assert len(fleet.failing & set(outcomes)) <= budget + limit
