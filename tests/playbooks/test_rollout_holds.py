# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout holds to though something came between: its plan, its gates, its way back."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.playbooks.test_rollout_goes_on import COMMON, KERNEL_OOPS, ROLLOUT, extra, fleet, run, shown
from tests.support import cores, web
from tests.support.fake_fleet import FakeFleet


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


def test_what_was_planned_and_tried_is_what_hosts_get(fake_fleet: FakeFleet) -> None:
    """A newer KMP comes out between the plan and the run: a reserve takes the place of a canary that would."""
    planned = fake_fleet.run(fleet(), ["fleet.livepatch.plan"], {}, common=COMMON)
    (told,) = planned.ended("rollout_begin").values()
    fake_fleet.change("a1", newest="4-1")
    fake_fleet.change("b2", newest="4-1")
    ended = fake_fleet.again([ROLLOUT, *extra(livepatch_plan_hash=told.result["plan"]["hash"])])
    assert ended.rc == 2, ended.output
    assert fake_fleet.touched() == {"a2": ["3-1"], "b1": ["3-1"]}, ended.output
    assert "a1, b2: skipped: " in ended.output and "3-1 was planned, and it would get " in ended.output, ended.output
    assert "4 hosts: 2 skipped, 2 done" in ended.output


def test_who_has_its_gate_before_it_cannot_be_left_out(fake_fleet: FakeFleet) -> None:
    run(fake_fleet, fleet(), livepatch_soak=300, livepatch_max_runtime=0)
    assert set(fake_fleet.touched()) == {"a1", "b1"}
    for limit in ("a2,b2", "!a1"):
        refused = fake_fleet.again([ROLLOUT, "--limit", limit])
        assert (refused.rc, "has hosts that this run leaves out" in refused.output) == (2, True), refused.output
    assert set(fake_fleet.touched()) == {"a1", "b1"}


def test_who_was_not_brought_back_is_in_the_next_run_and_nothing_else_is_done(fake_fleet: FakeFleet) -> None:
    wrong = {"a1": {"busy": True, "from": {"verify": KERNEL_OOPS}}}
    first = run(fake_fleet, fleet(**wrong), livepatch_lock_timeout=1)
    assert "a1: rollback_pending: " in first.output, first.output
    assert shown(fake_fleet)["rollout"]["status"] == "failed"
    again = fake_fleet.again([ROLLOUT])
    assert "1 host of the last rollout still to be rolled back (a1)" in again.output, again.output
    assert "a1: rollback_pending: " in again.output
    told = fake_fleet.again([ROLLOUT, "--check"])
    assert "1 host of the last rollout still to be rolled back (a1)" in told.output, told.output
    assert "would be patched" not in told.output, told.output
    fake_fleet.change("a1", busy=False)
    back = fake_fleet.again([ROLLOUT])
    assert (back.rc, "a1: rolled_back: " in back.output) == (2, True), back.output
    assert shown(fake_fleet)["rollout"]["status"] == "failed"
    assert set(fake_fleet.touched()) == {"a1", "b1"}, back.output
    last = fake_fleet.again([ROLLOUT])
    assert set(fake_fleet.touched()) == {"a1", "b1", "b2"}, last.output


@pytest.mark.slow
def test_a_soak_is_counted_from_its_beginning_by_each_run(fake_fleet: FakeFleet) -> None:
    soaks = {"livepatch_soak": 3600, "livepatch_max_runtime": 0}
    ends = [
        re.findall(r"soaks until (\S+ \S+)", ended.output)
        for ended in (run(fake_fleet, fleet(), **soaks), fake_fleet.again([ROLLOUT]), fake_fleet.again([ROLLOUT]))
    ]
    assert len(ends[0]) > 0
    assert ends[0] == ends[1] == ends[2]


def test_the_last_gate_that_fails_is_told(fake_fleet: FakeFleet) -> None:
    answers = iter([200, 200, 404])
    with web.served(lambda _asked: (next(answers), "")) as url:
        ended = run(fake_fleet, fleet(3), livepatch_gates=[{"name": "desk", "type": "http", "url": url}])
    assert "6 hosts: 6 done" in ended.output, ended.output
    assert ended.rc == 2, ended.output
    verdict = "Gate after wave 2: fail: desk"
    assert ended.output.count(verdict) == 2, f"from the gate, and below the table: {ended.output}"
    assert f"The rollout has failed: {verdict}" in ended.output, ended.output


def test_patched_hosts_are_compared_with_those_that_are_not(fake_fleet: FakeFleet) -> None:
    asked = []

    def prometheus(request: web.Asked) -> tuple[int, str]:
        (query,) = urllib.parse.parse_qs(request.body.decode())["query"]
        asked.append(sorted(re.findall(r"a\d", query)))
        return 200, json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [0, "1"]}})

    with web.served(prometheus) as url:
        gate = {"name": "errors", "type": "prometheus", "url": url, "query": 'errors{host=~"$hosts"}', "max_ratio": 2}
        ended = run(fake_fleet, fleet(3, "a"), livepatch_gates=[gate])
    assert ended.rc == 0, ended.output
    (first, second) = asked[2], asked[4]
    assert asked == [["a1"], ["a2", "a3"], first, second, second, sorted(["a1", *first])]


def test_a_halt_before_hosts_of_a_batch_start_fails_nobody(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    def halt(asked: web.Asked) -> tuple[int, str]:
        if b'"wave_start"' in asked.body:
            Store(str(fake_fleet.store), time.time).halt("default", "the array misbehaves", "eve")
        return 200, ""

    with web.served(halt) as url:
        first = run(fake_fleet, fleet(), livepatch_webhooks=[{"url": url}])
    assert first.rc == 2
    assert "Gate after canaries: halted: 2 of its hosts not started: rollouts are halted by eve" in first.output
    assert "4 hosts: 4 pending" in first.output, first.output
    (before, quarantine) = (shown(fake_fleet)["rollout"], shown(fake_fleet)["quarantine"])
    assert (before["status"], quarantine, fake_fleet.touched()) == ("halted", [], {})
    fake_fleet.again(["fleet.livepatch.resume"])
    last = fake_fleet.again([ROLLOUT, *extra(livepatch_webhooks=[], livepatch_change_reason="it has gone")])
    assert "4 hosts: 4 done" in last.output, last.output
    assert shown(fake_fleet)["rollout"]["id"] == before["id"]


def test_a_halt_before_hosts_in_flight_are_asked_forgets_none_of_them(fake_fleet: FakeFleet) -> None:
    store = Store(str(fake_fleet.store), time.time)

    def halt(asked: web.Asked) -> tuple[int, str]:
        if b'"wave_start"' in asked.body:
            store.halt("default", "the array misbehaves", "eve")
        return 200, ""

    with web.served(halt) as url:
        run(fake_fleet, fleet(), livepatch_webhooks=[{"url": url}])
        fake_fleet.again(["fleet.livepatch.resume"])
        # A run begins with a1, and dies
        rollout = shown(fake_fleet)["rollout"]["id"]
        fence = store.take_lease("default", {}, 60)["fence"]
        store.begin_hosts("default", fence, rollout, 0, ["a1"])
        store.release_lease("default", fence)
        fake_fleet.change("a1", rollout=rollout)
        halted = fake_fleet.again([ROLLOUT])
    assert "not started: rollouts are halted by eve" in halted.output, halted.output
    assert shown(fake_fleet)["rollout"]["outcomes"]["a1"]["outcome"] == "begun", halted.output
    fake_fleet.again(["fleet.livepatch.resume"])
    last = fake_fleet.again([ROLLOUT, *extra(livepatch_webhooks=[], livepatch_change_reason="it has gone")])
    assert "4 hosts: 4 done" in last.output, last.output
