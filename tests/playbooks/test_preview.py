# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What plan and a rollout in check mode show: the change itself, and what is left of an open rollout."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest

from tests.playbooks.test_rollout_goes_on import COMMON, ROLLOUT, extra, fleet, shown
from tests.support import cores
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost

PLAN = "fleet.livepatch.plan"


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


def test_marks_and_caps_are_kept_and_what_cannot_be_kept_is_refused(fake_fleet: FakeFleet) -> None:
    hosts = {
        name: FakeHost({"build": name[0]}, {"livepatch_canary": name in ("a1", "a2", "a3")})
        for name in ("a1", "a2", "a3", "a4", "b1", "b2", "c1", "c2")
    }
    wrong = {
        "livepatch_budget": "150%",
        "livepatch_canaries": 0,
        "livepatch_max_per_domain": "1",
        "livepatch_waves": ["0"],
    }
    refused = fake_fleet.run(hosts, [ROLLOUT, *extra(**wrong)], {}, common={})
    assert (refused.rc, fake_fleet.connections()) == (2, []), refused.output
    for text in (
        "livepatch_budget (-e): is 150%: a share cannot be more than 100%",
        "livepatch_canaries (-e): is 0, which admits no host: set it to 1 or more",
        "livepatch_max_per_domain (-e): it limits nothing, since no host has a failure domain",
        "livepatch_waves (-e): is 0, which admits no host: set it to 1 or more",
    ):
        assert text in refused.output, refused.output
    kept = {"livepatch_max_per_wave": 2, "livepatch_budget": "50%", "livepatch_waves": ["10%"]}
    told = fake_fleet.again([PLAN, *extra(**kept)])
    planned = find_plan(told)
    waves = [wave["hosts"] for wave in planned["waves"]]
    assert max(map(len, waves)) == 2
    canaries = {name for wave in planned["waves"] if wave["kind"] == "canaries" for name in wave["hosts"]}
    assert canaries > {"a1", "a2", "a3"} and len(canaries) == 5
    assert "  livepatch_waves: 10% of 8, 0.80 rounded up: 1" in told.output, told.output
    assert "  livepatch_budget: 50% of each wave, rounded down: 0 to 1" in told.output, told.output
    # A blank is the default, and lifts no limit.
    blanks = dict.fromkeys(("livepatch_canaries", "livepatch_budget", "livepatch_max_in_flight", "livepatch_waves"), "")
    hashes = {find_plan(fake_fleet.again([PLAN, *extra(**given)]))["hash"] for given in ({}, blanks)}
    assert len(hashes) == 1


def find_plan(run: Run) -> dict[str, t.Any]:
    (told,) = run.ended("rollout_begin").values()
    return dict(told.result["plan"])


def test_check_and_plan_show_what_an_open_rollout_still_does(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    controls = {"livepatch_approval": [1], "livepatch_report_dir": str(tmp_path)}
    fake_fleet.make(fleet(3), {}, common={**COMMON, **controls})
    planned = fake_fleet.again([PLAN])
    digest = find_plan(planned)["hash"]
    assert "Plan: 6 hosts to patch in 3 waves, 0 left out" in planned.output.splitlines()
    assert f"wave 1 of plan {digest[:12]} is waiting for approval" in planned.output
    assert fake_fleet.again([ROLLOUT]).rc == 0
    assert set(fake_fleet.touched()) == {"a1", "b1"}
    opened = shown(fake_fleet)["rollout"]
    check = fake_fleet.again([ROLLOUT, "--check"])
    plan = fake_fleet.again([PLAN])
    for run, verb in ((check, "Continues"), (plan, "Open:")):
        lines = run.output.splitlines()
        first = next(line for line in lines if line.startswith(f"{verb} rollout {opened['id']} of plan {digest[:12]}"))
        assert lines.index(first) < lines.index("6 hosts in 2 cohorts, 3 waves")
        assert "which is waiting: wave 1" in first
        assert f"The open plan {digest}" in lines
        assert "Plan: 4 hosts to patch in 2 waves, 2 done, 0 left out" in lines
        assert re.search(r"^0 canaries +0 +1 +\w+ +- -> 3 +1 done$", run.output, re.MULTILINE), run.output
        assert re.search(r"^1 +0 +1 +\w+ +- -> 3 +1 to patch +a2$", run.output, re.MULTILINE), run.output
        assert f"  wave 1 of plan {digest[:12]} is waiting for approval: run playbook approve" in run.output
    assert "Gate after wave 1: not asked in check mode (1 of 1 would be patched)" in check.output
    assert "6 hosts: 4 pending, 2 done" in check.output, check.output
    assert "- -> -" not in check.output
    assert re.search(r"^a2 +pending +unpatched .* - -> 3 +-$", check.output, re.MULTILINE), check.output
    assert find_plan(plan)["hash"] == digest
    # What has become of it is as it was.
    assert shown(fake_fleet)["rollout"] == opened

    assert fake_fleet.again(["fleet.livepatch.halt", *extra(livepatch_reason="the array misbehaves")]).rc == 0
    plan = fake_fleet.again([PLAN, *extra(livepatch_output="json")])
    document = json.loads(plan.output[plan.output.index("\n{") : plan.output.rindex("\n}") + 2])
    assert "the array misbehaves" in document["halt"] and document["open_rollout"].startswith("rollout ")
    assert document["preview"]["to_patch"] == 4
    assert [wave["approved"] for wave in document["preview"]["waves"]] == [True, False, True]
    status = fake_fleet.again(["fleet.livepatch.status"])
    lines = status.output.splitlines()
    halted = lines.index(next(line for line in lines if "rollouts are halted by" in line))
    assert lines[halted - 1].startswith(f"Scope default: open is rollout {opened['id']}")
    assert lines[halted + 2].startswith("STATE")
    fake_fleet.again(["fleet.livepatch.report"])
    for kind, is_open in (("plan", True), ("status", True), ("rollout", False)):
        written = json.loads(sorted(tmp_path.glob(f"livepatch-{kind}-default-*Z.json"))[-1].read_text())
        assert "the array misbehaves" in written["halt"], kind
        assert (written["open_rollout"] is not None) is is_open, kind


def test_a_plan_that_differs_says_so_and_a_store_that_cannot_be_made_is_refused(
    fake_fleet: FakeFleet, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    place = extra(livepatch_store_path=str(tmp_path / "file/rollouts.sqlite3"))
    refused = fake_fleet.run(fleet(), [ROLLOUT, "--check", *place], {}, common=COMMON)
    assert refused.rc == 2 and "cannot be used: Not a directory" in refused.output, refused.output
    first = fake_fleet.again([PLAN])
    again = fake_fleet.again([PLAN])
    assert f"No changes since plan {find_plan(first)['hash'][:12]}" in again.output, again.output
    fake_fleet.change("a2", gone=True)
    (fake_fleet.folder("a2") / "gone").touch()
    other = fake_fleet.again([PLAN])
    assert find_plan(other)["hash"] != find_plan(first)["hash"]
    assert "No changes" not in other.output and "no longer in the plan (unknown)" in other.output, other.output
    assert "Plan: 3 hosts to patch in 2 waves, 1 left out" in other.output, other.output
