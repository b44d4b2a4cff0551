# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three jobs at once do one wave, as AWX slices it; something goes wrong in one of them."""

from __future__ import annotations

import collections
import concurrent.futures
import datetime
import time
import typing as t
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.simulated.fleet import Fleet
from tests.support.controller import Controller
from tests.support.jobs import Job, Jobs

_HOSTS, _SLICES = 300, 3
_ENDS = ("runner_on_ok", "runner_on_failed", "runner_on_unreachable")


def _starts(job: Job) -> t.Iterator[tuple[str, float, bool]]:
    """The hosts that a job came to: when it did, and whether it started them."""
    for event in job.events:
        data = event["event_data"]
        if data.get("task_action") == "fleet.livepatch.livepatch" and event["event"] in _ENDS:
            at = datetime.datetime.fromisoformat(data["start"]).replace(tzinfo=datetime.timezone.utc)
            yield data["host"], at.timestamp(), not data["res"].get("halted", False)


def test_a_halt_stops_all_slices(controller: Controller, tmp_path: Path, figures: dict[str, object]) -> None:
    (folder := tmp_path / "fleet").mkdir()
    path = tmp_path / "rollouts.sqlite3"
    settings: dict[str, t.Any] = {
        "livepatch_store_path": str(path),
        "livepatch_waves": [],
        "livepatch_max_in_flight": 30,
        "livepatch_slices": _SLICES,
    }
    with Fleet(folder, _HOSTS) as fleet:
        controller.settings = {**fleet.environment, "ANSIBLE_FORKS": "5"}
        jobs = Jobs(tmp_path / "jobs", fleet.inventory(**settings), controller.environment())
        store = Store(str(path), time.time)
        first = jobs.run("rollout")
        assert (first.status, first.artifacts["livepatch_status"]) == ("successful", "waiting"), first.output[-3000:]
        plan = store.load_plan(first.artifacts["livepatch_plan_hash"])
        canaries, wave = plan["waves"][0]["hosts"], plan["waves"][1]["hosts"]
        # One of the middle slice, in the second of its batches
        middle = [name for name in wave if name in sorted(fleet.hosts)[1::_SLICES]]
        bad = fleet.hosts[middle[15]]
        bad.install_fails = "No space left on device"

        def slice_(number: int) -> Job:
            return jobs.run("wave", (number, _SLICES))

        with concurrent.futures.ThreadPoolExecutor(_SLICES) as pool:
            ended = list(pool.map(slice_, range(1, _SLICES + 1)))
        shown = store.show("default")["rollout"]
        assert (shown["status"], shown["detail"]["for"]) == ("halted", "slices"), ended[1].output[-3000:]
        halted = shown["detail"]["at"]
        starts = [one for job in ended for one in _starts(job)]
        late = [(name, started) for name, at, started in starts if at > halted]
        assert not any(started for _name, started in late), late
        begun = {name for name, host in fleet.hosts.items() if host.touched}
        assert begun == {*canaries, *(name for name, _at, started in starts if started)}
        assert [job.status for job in ended] == ["failed"] * _SLICES
        last = jobs.run("rollout")
        assert last.status == "failed", last.output[-3000:]
        assert {name for name, host in fleet.hosts.items() if host.touched} == begun, "nobody was started since"
        assert fleet.failures == []

    # The union of what became of the hosts is the plan: each was patched, went wrong, or was never begun.
    outcomes = {name: row["outcome"] for name, row in store.show("default")["rollout"]["outcomes"].items()}
    assert set(outcomes) <= {*canaries, *wave}
    counts = collections.Counter(outcomes.get(name, "pending") for name in (*canaries, *wave))
    done = {name for name, outcome in outcomes.items() if outcome == "done"}
    assert done | {bad.name} == begun
    assert outcomes[bad.name] == "failed"
    assert set(counts) == {"done", "failed", "pending"}
    assert sum(counts.values()) == _HOSTS
    assert counts["pending"] > _HOSTS // 2, "the halt came early"
    assert f"{_HOSTS} hosts: 1 failed, {counts['pending']} pending, {counts['done']} done" in last.output
    figures.update({"slices": _SLICES, **counts, "came to after the halt": len(late), "started of those": 0})
