# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wave that several of AWX' jobs do, each with a part of the inventory; the hosts are fake."""

from __future__ import annotations

import re
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.support import cores
from tests.support.fake_fleet import FakeFleet, FakeHost
from tests.support.jobs import Job, Jobs

# Half a minute each; what a slice may do is tested as pure functions, too.
pytestmark = pytest.mark.slow

_HOSTS = [f"a{number}" for number in range(1, 8)]
_SETTINGS: dict[str, t.Any] = {"livepatch_waves": [], "livepatch_max_in_flight": 4, "livepatch_slices": 2}


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


class Fleet:
    """Seven hosts of one kind, the first of them its canary, and a coordinator that one of two slices has."""

    def __init__(self, fake_fleet: FakeFleet, folder: Path) -> None:
        self._fake_fleet, self._folder = fake_fleet, folder
        self.store = folder / "rollouts.sqlite3"

    def jobs(self, facts: t.Mapping[str, t.Any] | None = None, **settings: t.Any) -> Jobs:
        hosts = {name: FakeHost((facts or {}).get(name, {}), {"livepatch_canary": name == "a1"}) for name in _HOSTS}
        hosts["c1"] = FakeHost({"active": "3-1"})
        there = {"livepatch_coordinator": "c1", "livepatch_store_path": str(self.store)}
        self._fake_fleet.make(hosts, {}, common={**_SETTINGS, **there, **settings})
        return Jobs(self._folder / "jobs", self._fake_fleet.inventory, self._fake_fleet.environment())

    def change(self, name: str, **facts: t.Any) -> None:
        self._fake_fleet.change(name, **facts)

    def touched(self) -> set[str]:
        return set(self._fake_fleet.touched())

    def again(self, *arguments: str) -> t.Any:
        return self._fake_fleet.again(list(arguments))

    def shown(self) -> dict[str, t.Any]:
        return Store(str(self.store), time.time).show("default")

    def planned(self) -> list[str]:
        """The hosts of the wave after the canaries, as they come."""
        plan = Store(str(self.store), time.time).load_plan(self.shown()["rollout"]["plan_hash"])
        return list(plan["waves"][1]["hosts"])

    def outcomes(self) -> dict[str, str]:
        return {name: row["outcome"] for name, row in self.shown()["rollout"]["outcomes"].items()}


@pytest.fixture
def fleet(fake_fleet: FakeFleet, tmp_path: Path) -> Fleet:
    return Fleet(fake_fleet, tmp_path)


def _left_to_slices(jobs: Jobs) -> None:
    first = jobs.run("rollout")
    assert (first.status, first.artifacts["livepatch_status"]) == ("successful", "waiting"), first.output
    assert "wave 1 is left to 2 slices (playbook wave): run the rollout again after them" in first.output


def test_slices_do_the_wave_and_the_rollout_its_gate(fleet: Fleet) -> None:
    jobs = fleet.jobs()
    _left_to_slices(jobs)
    assert fleet.touched() == {"a1"}, "the canary"
    # The coordinator is the second's: a1, a3, a5, a7 against a2, a4, a6, c1
    for number in (1, 2):
        job = jobs.run("wave", (number, 2))
        assert job.status == "successful", job.output
        assert ", wave 1: 3 of 6 hosts here" in job.output
        assert "3 hosts: 3 done" in job.output
        assert " Wave 1: starting 2 hosts: " in job.output, "what may be in flight is shared: 4 by 2"
    assert fleet.touched() == set(_HOSTS)
    assert fleet.shown()["lease"] is None
    last = jobs.run("rollout")
    assert (last.status, last.artifacts["livepatch_status"]) == ("successful", "done"), last.output
    assert "Gate after wave 1: pass (6 of 6 healthy, budget 0)" in last.output


def test_what_goes_wrong_in_one_slice_stops_the_others(fleet: Fleet) -> None:
    jobs = fleet.jobs()
    _left_to_slices(jobs)
    bad, well, last_one = (name for name in fleet.planned() if name in ("a3", "a5", "a7"))
    fleet.change(bad, refusal="Invalid parameters")
    first = jobs.run("wave", (1, 2))
    assert first.status == "failed", first.output
    assert "Gate after wave 1: fail (1 of 2 healthy, budget 0): no further host is patched" in first.output
    assert f"1 host failed ({bad}); 1 host not started ({last_one})" in first.output
    second = jobs.run("wave", (2, 2))
    assert second.status == "successful", second.output
    assert "Nothing to do: no wave is left to slices (the open rollout is halted)" in second.output
    assert fleet.touched() == {"a1", bad, well}
    last = jobs.run("rollout")
    assert last.status == "failed", last.output
    assert last.artifacts["livepatch_status"] == "failed"
    assert "Gate after wave 1: fail (" in last.output
    assert fleet.outcomes() == {"a1": "done", bad: "failed", well: "done"}
    (entry,) = fleet.shown()["quarantine"]
    assert re.match(rf"{bad}: the kernel refused \S+: Invalid parameters", entry["reason"])
    night = jobs.run("rollout")
    assert night.artifacts["livepatch_status"] == "barred", night.output
    assert fleet.touched() == {"a1", bad, well}


def test_what_slices_have_left_of_the_wave_the_rollout_does(fleet: Fleet) -> None:
    """One of them was cancelled before it began, or AWX had nowhere to run it."""
    jobs = fleet.jobs()
    _left_to_slices(jobs)
    assert jobs.run("wave", (2, 2)).status == "successful"
    last = jobs.run("rollout")
    assert (last.status, last.artifacts["livepatch_status"]) == ("successful", "done"), last.output
    assert fleet.touched() == set(_HOSTS)


def test_a_host_that_was_rebooted_since_is_left_for_the_next_plan(fleet: Fleet) -> None:
    jobs = fleet.jobs()
    _left_to_slices(jobs)
    fleet.change("a5", boot_id="second")
    job = jobs.run("wave", (1, 2))
    assert job.status == "successful", job.output
    assert jobs.run("wave", (2, 2)).status == "successful"
    assert fleet.touched() == set(_HOSTS) - {"a5"}
    last = jobs.run("rollout")
    assert "a5: skipped: it runs another boot than when it was planned" in last.output


def test_a_wave_that_fits_at_once_is_not_cut(fleet: Fleet) -> None:
    job = fleet.jobs(livepatch_max_in_flight=6).run("rollout")
    assert (job.status, job.artifacts["livepatch_status"]) == ("successful", "done"), job.output


def test_without_a_rollout_there_is_nothing_to_do(fleet: Fleet) -> None:
    job = fleet.jobs().run("wave", (1, 2))
    assert job.status == "successful", job.output
    assert "Nothing to do: no wave is left to slices (no rollout is open)" in job.output
    assert not fleet.touched()


@pytest.mark.parametrize("playbook", ["plan", "rollout"])
def test_who_plans_is_not_sliced(fleet: Fleet, playbook: str) -> None:
    job: Job = fleet.jobs().run(playbook, (1, 2), awx_workflow_job_name="one", awx_job_template_name="one")
    assert job.status == "failed", job.output
    assert "the job template one is sliced" in job.output
    assert not fleet.touched()


def test_check_mode_tells_what_a_slice_would_do(fleet: Fleet) -> None:
    _left_to_slices(fleet.jobs())
    before = fleet.shown()
    told = fleet.again("fleet.livepatch.wave", "--check")
    assert told.rc == 0, told.output
    assert "6 hosts: 6 pending" in told.output
    assert fleet.shown() == before
    assert fleet.touched() == {"a1"}
