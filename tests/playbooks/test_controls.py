# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An open rollout goes by its record, whatever a later run is given: real playbooks over fake hosts."""

from __future__ import annotations

import json
import re
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from tests.support import cores, web
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost

ROLLOUT = "fleet.livepatch.rollout"
COMMON: dict[str, t.Any] = {"livepatch_waves": [1], "livepatch_unreachable_timeout": 1}


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


def extra(**variables: t.Any) -> tuple[str, str]:
    return "-e", json.dumps(variables)


def in_one_line(run: Run) -> str:
    return re.sub(r"\s+", " ", run.output)


def load_status(fake_fleet: FakeFleet) -> str:
    return str(Store(str(fake_fleet.store), time.time).show("default")["rollout"]["status"])


def test_a_later_run_goes_by_what_the_rollout_began_with(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    hosts = {
        **{
            name: FakeHost({"build": name[0]}, {"livepatch_canary": name[1] == "1"})
            for name in ("a1", "a2", "b1", "b2")
        },
        "new": FakeHost({"build": "c"}),
    }
    asked: list[str] = []

    def answer(request: web.Asked) -> tuple[int, str]:
        asked.append(request.path)
        return 200, json.dumps({"verdict": "pass"})

    with web.served(answer) as url:
        gate = {"name": "latency", "type": "http", "url": f"{url}/latency"}
        given = extra(livepatch_approval=[2], livepatch_gates=[gate], livepatch_budget="1")
        first = fake_fleet.run(hosts, [ROLLOUT, "--limit", "!new", *given], {}, common=COMMON)
        assert first.rc == 0, first.output
        assert "wave 2 of plan" in first.output and "is waiting for approval" in first.output
        touched = fake_fleet.touched()
        assert len(touched) == 3

        # Nothing is given, or a blank one, and a host was added.
        blank = ["-e", "livepatch_approval=", *extra(livepatch_budget=None, livepatch_gates="")]
        second = fake_fleet.again([ROLLOUT, *blank])
        assert second.rc == 0, second.output
        assert re.search(
            r"^Continues rollout [0-9a-f]+ of plan [0-9a-f]+, begun .* by .*waiting for approval", second.output, re.M
        )
        assert "new: skipped: not in the open plan" in second.output, second.output
        assert "Setting changed" not in second.output

        looser = extra(livepatch_approval=[], livepatch_budget=5, livepatch_filter="name == 'x'", livepatch_waves=[1])
        refused = fake_fleet.again([ROLLOUT, *looser])
        assert refused.rc == 2, refused.output
        for difference in (
            'livepatch_approval: ["2"] -> none (looser)',
            "livepatch_budget: 1 -> 5 (looser)",
            "livepatch_filter: none -> name == 'x' (different)",
        ):
            assert difference in in_one_line(refused), refused.output
        assert load_status(fake_fleet) == "waiting"
        fixed = fake_fleet.again([ROLLOUT, *extra(livepatch_waves=[3], livepatch_change_reason="why")])
        assert (fixed.rc, "A plan does not change" in in_one_line(fixed)) == (2, True), fixed.output

        tighter = fake_fleet.again([ROLLOUT, *extra(livepatch_max_in_flight=1)])
        assert tighter.rc == 0, tighter.output
        assert "Setting changed: livepatch_max_in_flight: 100 -> 1 (tighter)" in tighter.output
        assert fake_fleet.touched() == touched

        asked.clear()
        change = extra(
            livepatch_approval=[], livepatch_change_reason="the board agreed", livepatch_report_dir=str(tmp_path)
        )
        last = fake_fleet.again([ROLLOUT, "--limit", "!new", *change])
        assert last.rc == 0, last.output
        assert 'Setting changed: livepatch_approval: ["2"] -> none (the board agreed)' in last.output
        assert len(fake_fleet.touched()) == 4
        assert asked == ["/latency"], "the gate is asked though it was not given again"
    (path,) = tmp_path.glob("livepatch-rollout-default-*Z.json")
    changes = json.loads(path.read_text())["rollout"]["changes"]
    assert [(change["setting"], change["relation"], change["reason"]) for change in changes] == [
        ("livepatch_max_in_flight", "tighter", ""),
        ("livepatch_approval", "looser", "the board agreed"),
    ]
    report = fake_fleet.again(["fleet.livepatch.report"])
    assert re.search(r'livepatch_approval: \["2"\] -> none \(looser\), by \S+: the board agreed', report.output)


@pytest.mark.slow
def test_a_plan_that_is_followed_by_its_hash_brings_its_settings(fake_fleet: FakeFleet) -> None:
    hosts = {name: FakeHost() for name in ("a1", "a2")}
    planned = fake_fleet.run(hosts, ["fleet.livepatch.plan", *extra(livepatch_approval=["1"])], {}, common=COMMON)
    (digest,) = re.findall(r"^Plan ([0-9a-f]{64})$", planned.output, re.M)
    refused = fake_fleet.again([ROLLOUT, *extra(livepatch_plan_hash=digest, livepatch_budget_lost=2)])
    assert refused.rc == 2, refused.output
    said = f"The plan {digest[:12]} goes by other settings: livepatch_budget_lost: 0 -> 2 (looser)"
    assert said in in_one_line(refused)
    assert fake_fleet.touched() == {}
    first = fake_fleet.again([ROLLOUT, *extra(livepatch_plan_hash=digest)])
    assert (first.rc, "is waiting for approval" in first.output) == (0, True), first.output
    assert len(fake_fleet.touched()) == 1
