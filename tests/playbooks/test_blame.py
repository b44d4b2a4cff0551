# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is blamed where a canary fails, the KMP or the host, and which hosts take its place."""

from __future__ import annotations

import typing as t

import pytest

from tests.playbooks.test_rollout_goes_on import ROLLOUT, fleet, run, shown
from tests.support import cores
from tests.support.fake_fleet import FakeFleet

REBOOTS = {"from": {"verify": {"boot_id": "second"}}}


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


def find_barred(fake_fleet: FakeFleet) -> list[str]:
    """The first host that each entry of the quarantine names as its reason."""
    return sorted(entry["reason"].partition(":")[0] for entry in shown(fake_fleet)["quarantine"])


def get_outcomes(fake_fleet: FakeFleet) -> dict[str, t.Any]:
    outcomes: dict[str, t.Any] = shown(fake_fleet)["rollout"]["outcomes"]
    return outcomes


def test_where_hosts_cannot_take_the_kmp_reserves_do(fake_fleet: FakeFleet) -> None:
    """A full disk in one cohort, ftrace switched off on two hosts of the other: their hosts failed, and no KMP."""
    off = {"ftrace": "0"}
    hosts = fleet(4, a1={"download_fails": True}, b1=off, b2=off, b3={}, b4={})
    ended = run(fake_fleet, hosts, livepatch_reserves=3, livepatch_budget="50%")
    assert ended.rc == 2, ended.output
    assert "Gate after canaries: pass (2 of " in ended.output, ended.output
    assert find_barred(fake_fleet) == []
    outcomes = get_outcomes(fake_fleet)
    failed = {name for name, row in outcomes.items() if row["outcome"] == "failed"}
    assert failed >= {"a1", "b1"} and failed <= {"a1", "b1", "b2"}, outcomes
    assert {outcomes[name]["cause"] for name in failed} == {"host_failed"}
    assert "kernel.ftrace_enabled=1" in outcomes["b1"]["reason"]
    assert {"a2", "a3", "a4"} <= set(fake_fleet.touched()), ended.output
    reserves = [name for name, row in outcomes.items() if row.get("reserve")]
    assert len([name for name in reserves if name[0] == "a"]) == 1, "one for one canary"
    # What was in the hosts' way is mended: nothing has to be cleared.
    fake_fleet.change("a1", download_fails=False)
    fake_fleet.change("b1", ftrace="1")
    fake_fleet.change("b2", ftrace="1")
    again = fake_fleet.again([ROLLOUT])
    assert again.rc == 0, again.output
    assert set(fake_fleet.touched()) == set(hosts), again.output


def test_what_the_kmp_does_in_the_kernel_bars_it(fake_fleet: FakeFleet) -> None:
    """A program holds one canary of a, and two of d; a thread of the kernel holds that of b, and that of c crashes."""
    program, kernel = {"stalls": "sshd"}, {"stalls": "oom_reaper"}
    hosts = fleet(3, "ad", a1=program, d1=program, d2=program, d3=program)
    hosts.update(fleet(2, "bc", b1=kernel, c1=REBOOTS))
    ended = run(fake_fleet, hosts, livepatch_timeout=3, livepatch_halt_scope="cohort", livepatch_budget="50%")
    outcomes = get_outcomes(fake_fleet)
    causes = {name: outcomes[name].get("cause") for name in ("a1", "b1", "c1", "d1")}
    assert causes == {"a1": "stalled", "b1": "stalled_by_kernel", "c1": "crashed", "d1": "stalled"}, ended.output
    assert {"a2", "a3"} <= set(fake_fleet.touched()), ended.output
    assert not {"b2", "c2"} & set(fake_fleet.touched()), ended.output
    assert len([name for name in fake_fleet.touched() if name[0] == "d"]) == 2, "its canary, and one in its place"
    assert [name[0] for name in find_barred(fake_fleet)] == ["b", "c", "d"], shown(fake_fleet)["quarantine"]
    assert ended.rc == 2, ended.output


def test_the_run_that_bars_a_kmp_fails_and_no_later_one(fake_fleet: FakeFleet) -> None:
    first = run(fake_fleet, fleet(2, "b", b1={"stalls": "oom_reaper"}), livepatch_timeout=3)
    assert first.rc == 2, first.output
    again = fake_fleet.again([ROLLOUT])
    assert "is barred: nothing is to be done, and 2 hosts are barred by the quarantine" in again.output, again.output
    assert again.rc == 0, again.output
