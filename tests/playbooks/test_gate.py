# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The halt: who is touched, by what happens to whom, on each ansible-core.

The hosts are fake (tests/support/fake_fleet.py); all else is real.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import cores
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost

CANARIES = {"a1", "b1"}
OTHERS = {"a2", "b2"}
ALL = CANARIES | OTHERS
NONE: set[str] = set()

PASSED = "Gate after canaries: pass (2 of 2 healthy, budget 0)"
SINGLES = "Gate after single hosts: pass (2 of 2 healthy, budget 0)"
FAILED = "Gate after canaries: fail (1 of 2 healthy, budget 0): no further host is patched"

# What an ansible.cfg may hold
HOSTILE = {"ANSIBLE_STRATEGY": "free", "ANSIBLE_ANY_ERRORS_FATAL": "true"}

# What happens to a host
REFUSES = {"from": {"apply": {"refusal": "the kernel refused it"}}}
DIES = {"from": {"apply": {"gone": True}}}
DIES_LATER = {"from": {"verify": {"gone": True}}}
UNVERIFIED = {"from": {"verify": {"active": None}}}
REBOOTS = {"from": {"verify": {"boot_id": "second"}}}
NEWER_KMP = {"from": {"apply": {"offers": ["1-1", "2-1", "4-1"]}}}
OTHER_BUILD = {"from": {"apply": {"build": "c"}}}
DEAD = {"gone": True}
NOT_TAGGED = {"untagged": True}


@dataclasses.dataclass(frozen=True)
class Case:
    """``touched`` are hosts, or how many; ``told`` is what the output must hold, the summary and the gate among it."""

    touched: set[str] | int
    rc: int
    told: tuple[str, ...]
    facts: Mapping[str, Mapping[str, t.Any]] = dataclasses.field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    hosts: set[str] = dataclasses.field(default_factory=lambda: ALL)
    # of the inventory: everybody's, and those of one host
    variables: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    of_one: Mapping[str, Mapping[str, t.Any]] = dataclasses.field(default_factory=dict)


def _halted(bad: str, facts: Mapping[str, t.Any], *arguments: str, **settings: str) -> Case:
    """One of two canaries goes wrong: the other one goes back too."""
    words = ["1 rolled_back", "2 pending"]
    words.insert(1 if bad == "rolled_back" else 0, f"1 {bad}")
    return Case(CANARIES, 2, (FAILED, f"4 hosts: {', '.join(words)}"), {"a1": facts}, arguments, settings)


def _later(facts: Mapping[str, t.Any], budget: int, touched: int, *told: str, lost: int = 0) -> Case:
    """All hosts but the canaries go wrong."""
    arguments = ("-e", f"livepatch_budget={budget}", "-e", f"livepatch_budget_lost={lost}")
    return Case(touched, 2, (PASSED, *told), dict.fromkeys(OTHERS, facts), arguments)


CASES = {
    "all is well": Case(ALL, 0, (PASSED, "4 hosts: 4 done")),
    "a canary fails": _halted("failed", REFUSES),
    "a canary fails to verify": _halted("failed", UNVERIFIED),
    "a canary is lost": _halted("lost", DIES),
    "a canary is lost when verified": _halted("lost", DIES_LATER),
    "a canary reboots": _halted("failed", REBOOTS),
    "the only canary is lost": Case(
        {"a1"},
        2,
        ("Gate after canaries: fail (0 of 1 healthy", "2 hosts: 1 lost, 1 pending"),
        {"a1": DIES},
        hosts={"a1", "a2"},
    ),
    "all canaries are lost": Case(
        CANARIES,
        2,
        ("Gate after canaries: fail (0 of 2 healthy", "4 hosts: 2 lost, 2 pending"),
        dict.fromkeys(CANARIES, DIES),
    ),
    "a host fails, budget 0": _later(
        REFUSES, 0, 3, "Gate after wave 1: fail (0 of 1 healthy, budget 0)", "4 hosts: 1 failed, 1 pending, 2 done"
    ),
    "a host fails, budget 1": _later(
        REFUSES, 1, 4, "Gate after wave 1: pass (0 of 1 healthy, budget 1)", "4 hosts: 2 failed, 2 done"
    ),
    "a host fails, the other one of its wave keeps its patch": Case(
        {"a1", "a2", "a3"},
        2,
        ("Gate after wave 1: fail (1 of 2 healthy, budget 0)", "3 hosts: 1 failed, 2 done"),
        {"a2": REFUSES},
        hosts={"a1", "a2", "a3"},
        variables={"livepatch_waves": [2]},
    ),
    "a host is lost, budget 0": _later(
        DIES, 0, 3, "Gate after wave 1: fail (0 of 1 healthy, budget 0)", "4 hosts: 1 lost, 1 pending, 2 done"
    ),
    "a host is lost, budget 1 but for lost ones": _later(
        DIES,
        1,
        3,
        "Gate after wave 1: fail (0 of 1 healthy, budget 1) (lost hosts: 1 bad, budget 0)",
        "1 lost, 1 pending",
    ),
    "a host is lost, budget 1": _later(
        DIES, 1, 4, "Gate after wave 1: pass (0 of 1 healthy, budget 1)", "4 hosts: 2 lost, 2 done", lost=2
    ),
    "1 fork": _halted("lost", DIES, "--forks", "1"),
    "5 forks": _halted("lost", DIES, "--forks", "5"),
    "50 forks": _halted("lost", DIES, "--forks", "50"),
    "some of the hosts": Case(OTHERS, 0, (SINGLES, "2 hosts: 2 done"), arguments=("--limit", "a2,b2")),
    "some that are no target": Case(NONE, 2, (), arguments=("--limit", "b1", "-e", "livepatch_targets=a")),
    "a host does not answer": Case(
        {"a1", "b1", "b2"}, 2, ("4 hosts: 1 skipped, 3 done", "  a2: skipped: unreachable: "), {"a2": DEAD}
    ),
    "targets in the inventory": Case(NONE, 2, ("livepatch_targets",), variables={"livepatch_targets": "a"}),
    "a budget on one host": Case(NONE, 2, ("livepatch_budget",), of_one={"a2": {"livepatch_budget": 5}}),
    "a budget on a canary": Case(NONE, 2, ("livepatch_budget",), of_one={"a1": {"livepatch_budget": 5}}),
    "a word as budget": Case(NONE, 2, ("livepatch_budget (-e): is 'some'",), arguments=("-e", "livepatch_budget=some")),
    "another strategy, a canary is lost": _halted("lost", DIES, **HOSTILE),
    "another strategy, a canary fails": _halted("failed", REFUSES, **HOSTILE),
    "another strategy, all is well": Case(ALL, 0, (PASSED, "4 hosts: 4 done"), settings=HOSTILE),
    "a KMP fits by name only": Case(
        {"a1", "b1", "b2"}, 2, ("4 hosts: 1 skipped, 3 done", "  a2: skipped: "), {"a2": NOT_TAGGED}
    ),
    "another KMP than planned": _later(
        NEWER_KMP, 0, 2, "Gate after wave 1: pass (0 of 1 healthy", "4 hosts: 2 skipped, 2 done"
    ),
    "another build than planned": _later(
        OTHER_BUILD, 0, 2, "Gate after wave 1: pass (0 of 1 healthy", "4 hosts: 2 skipped, 2 done"
    ),
    "check mode": Case(
        NONE,
        0,
        (
            "Gate after canaries: not asked in check mode (2 of 2 would be patched)",
            "Gate after wave 1: not asked in check mode (1 of 1 would be patched)",
            "Gate after wave 2: not asked in check mode (1 of 1 would be patched)",
            "4 hosts: 4 pending",
        ),
        arguments=("--check",),
    ),
}


# What `make test` tries. With the oldest ansible-core, what depends on how it treats hosts that fail or are lost; with
# the newest one all that is not much like another one.
_OLDEST = (
    "all is well",
    "a canary fails",
    "a canary is lost",
    "a canary is lost when verified",
    "all canaries are lost",
    "a host is lost, budget 1",
    "another strategy, a canary is lost",
)
_ALIKE = (
    "a canary fails to verify",
    "the only canary is lost",
    "a host fails, budget 1",
    "a host is lost, budget 0",
    "a host is lost, budget 1 but for lost ones",
    "5 forks",
    "50 forks",
    "some of the hosts",
    "a budget on a canary",
    "another strategy, a canary fails",
    "another strategy, all is well",
    "another build than planned",
)
_QUICK = {cores.OLDEST: set(_OLDEST), cores.NEWEST: set(CASES) - set(_ALIKE)}


@pytest.fixture(scope="module", params=cores.EACH)
def fake_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    bin_ = cores.environment(request.param)
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), bin_)


def _fleet(names: set[str], facts: Mapping[str, Mapping[str, t.Any]]) -> dict[str, FakeHost]:
    """Hosts with two kernels, one canary marked for each."""
    return {
        name: FakeHost({"build": name[0], **facts.get(name, {})}, {"livepatch_canary": name in CANARIES})
        for name in sorted(names)
    }


def _rollout(fake_fleet: FakeFleet, case: Case) -> Run:
    hosts = _fleet(case.hosts, case.facts)
    for name, variables in case.of_one.items():
        hosts[name] = dataclasses.replace(hosts[name], variables={**hosts[name].variables, **variables})
    # One host after the canaries, then the rest
    common = {"livepatch_waves": [1], "livepatch_unreachable_timeout": 1, **case.variables}
    return fake_fleet.run(hosts, ["fleet.livepatch.rollout", *case.arguments], case.settings, common=common)


def _rows() -> list[t.Any]:
    return [
        (core, name) if name in _QUICK.get(core, ()) else cores.slow(core, name)
        for core in (*cores.VERSIONS, cores.NEWEST)
        for name in CASES
    ]


@pytest.mark.parametrize(("fake_fleet", "name"), _rows(), indirect=["fake_fleet"])
def test_halt(fake_fleet: FakeFleet, name: str) -> None:
    case = CASES[name]
    run = _rollout(fake_fleet, case)
    touched = set(fake_fleet.touched())
    assert touched == case.touched if isinstance(case.touched, set) else len(touched) == case.touched, run.output
    for told in case.told:
        assert told in run.output, run.output
    assert run.rc == case.rc, run.output


def test_the_canaries_are_verified_before_any_other_host_is_started(fake_fleet: FakeFleet) -> None:
    run = _rollout(fake_fleet, CASES["all is well"])
    started = run.started("livepatch")
    verified = run.ended("livepatch_info")
    assert max(verified[name].time for name in CANARIES) < min(started[name] for name in OTHERS)


def test_the_second_of_two_rollouts_has_results_of_its_own(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    """A level 4 appears after the first rollout, and a canary does not survive it."""
    path = tmp_path / "twice.yml"
    path.write_text(json.dumps([{"import_playbook": "fleet.livepatch.rollout"}] * 2))
    level_4 = {"newest": "4-1"}
    appears = {"from": {"verify": {"from": {"ask": level_4}}}}
    dies = {"from": {"verify": {"from": {"ask": level_4, "apply": {"gone": True}}}}}
    fleet = _fleet(ALL, {**dict.fromkeys(ALL, appears), "a1": dies})
    run = fake_fleet.run(fleet, [str(path)], {}, common={"livepatch_unreachable_timeout": 1})
    assert "4 hosts: 4 done" in run.output
    assert "4 hosts: 1 lost, 1 rolled_back, 2 pending" in run.output, run.output
    assert fake_fleet.touched() == {name: ["3-1", "4-1"] if name in CANARIES else ["3-1"] for name in ALL}
    assert run.rc == 2, run.output


def test_what_an_ini_inventory_calls_false_is_no_canary(fake_fleet: FakeFleet) -> None:
    """There it is text, and not empty. Without the marks it would be a2 and b1, by the hashes of their names."""
    marked = {"a1", "b2"}
    hosts = {
        name: dataclasses.replace(host, variables={"livepatch_canary": str(name in marked).lower()})
        for name, host in _fleet(ALL, {}).items()
    }
    run = fake_fleet.run(hosts, ["fleet.livepatch.rollout"], {}, common={}, ini=True)
    assert set(run.batches[0]) == marked, run.output
    assert run.rc == 0, run.output
