# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is downloaded before the change window, and who is left out of it; the hosts are fake."""

from __future__ import annotations

import json
import re

import pytest

from tests.support import cores
from tests.support.fake_fleet import FakeFleet, FakeHost

PRESTAGE = ["fleet.livepatch.prestage"]
ROLLOUT = ["fleet.livepatch.rollout", "-e", "livepatch_prestaged=true"]


@pytest.fixture(scope="module", params=cores.EACH)
def fake_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(request.param))


def test_who_cannot_download_is_left_out_before_its_wave(fake_fleet: FakeFleet) -> None:
    hosts = {name: FakeHost() for name in ("a1", "a2", "a3")}
    hosts["a2"] = FakeHost({"download_fails": True})
    hosts["a4"] = FakeHost({"gone": True})
    # -e livepatch_prestaged is of the night's rollout, and may well be set for both
    before = fake_fleet.run(hosts, [*PRESTAGE, "-e", "livepatch_prestaged=true"], {}, common={})
    assert "4 hosts: 2 failed, 2 downloaded" in before.output, before.output
    assert re.search(r"^  a2: failed: .*No space left on device", before.output, re.MULTILINE), before.output
    assert "  a4: failed: unreachable: " in before.output
    assert before.rc == 2
    assert fake_fleet.touched() == {}

    run = fake_fleet.again(ROLLOUT)
    assert set(fake_fleet.touched()) == {"a1", "a3"}, run.output
    assert "  a2: skipped: left out: livepatch_prestaged is set, and its KMP is not downloaded" in run.output
    assert "4 hosts: 2 skipped, 2 done" in run.output
    assert run.rc == 2


def test_another_kmp_than_planned_is_not_downloaded(fake_fleet: FakeFleet) -> None:
    hosts = {"a1": FakeHost(), "a2": FakeHost({"from": {"download": {"newest": "4-1"}}})}
    run = fake_fleet.run(hosts, PRESTAGE, {}, common={})
    assert re.search(r"^  a2: failed: .*4-1.*3-1", run.output, re.MULTILINE), run.output
    assert ("2 hosts: 1 failed, 1 downloaded" in run.output, run.rc) == (True, 2), run.output


def test_the_second_time_nothing_is_downloaded(fake_fleet: FakeFleet) -> None:
    hosts = {name: FakeHost() for name in ("a1", "a2")}
    checked = fake_fleet.run(hosts, [*PRESTAGE, "--check"], {}, common={})
    assert ("2 hosts: 2 downloaded" in checked.output, checked.rc) == (True, 0), checked.output
    first = fake_fleet.again(PRESTAGE)
    assert ("2 hosts: 2 downloaded" in first.output, first.rc, first.changed) == (True, 0, 2), first.output
    second = fake_fleet.again(PRESTAGE)
    assert ("2 hosts: 2 present" in second.output, second.rc, second.changed) == (True, 0, 0), second.output


@pytest.mark.parametrize("playbook", ["plan", "status", "rollout", "prestage"])
def test_what_is_printed_for_programs_is_json(fake_fleet: FakeFleet, playbook: str) -> None:
    json_ = ["-e", "livepatch_output=json"]
    run = fake_fleet.run({"a1": FakeHost()}, [f"fleet.livepatch.{playbook}", *json_], {}, common={})
    assert run.rc == 0, run.output
    printed = []
    decoder = json.JSONDecoder()
    for at, line in enumerate(lines := run.output.splitlines(keepends=True)):
        if line == "{\n":
            printed.append(decoder.raw_decode("".join(lines[at:]))[0])
    # a plan, and what became of the hosts
    assert ["waves" in one for one in printed] == {
        "plan": [True],
        "status": [False],
        "rollout": [True, False],
        "prestage": [True, False],
    }[playbook]
    hosts = printed[-1]["hosts"]
    assert "a1" in hosts or [row.get("host", row.get("name")) for row in hosts] == ["a1"]
