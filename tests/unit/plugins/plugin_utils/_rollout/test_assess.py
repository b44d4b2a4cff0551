# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the assessment of a wave hands over to the tasks after it, and which hosts are rolled back."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
from ansible import constants

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    assess,
    batch_end,
    changes,
    halt,
    host_settings,
    schema,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.batches import Batch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gate_input import GateInput
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import Location
from tests.support.plans import RUN, make_plan, make_step

# By host: what was planned for it
PLANNED = {"a1": "kernel-livepatch-6_4-3-1.2", "b1": "kernel-livepatch-6_4_1-default-2-1.1"}
ROW = {"wave": 0, "build_id": "aa", "boot_id": "1", "level": None, "why": None}
SETTINGS = {
    "a1": host_settings.HostSettings(policy={"kmp_version": "3", "min_age": 7}, lock_timeout=9),
    "b1": host_settings.HostSettings(),
}
OPTIONS = batch_end.WaveOptions(0, 0.0, (), {})


@pytest.fixture(autouse=True)
def own_folder(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))


class FakeStore:
    """A store that has these outcomes, and to which anything may be written."""

    scope = "default"
    location = Location("localhost", "/nonexistent", "default", None)
    halt: dict[str, str] | None = None

    def __init__(self, rows: t.Sequence[Outcome]) -> None:
        self._outcomes = {row.host: dataclasses.asdict(row) for row in rows}

    read_only = False
    fence = 7

    def build(self, command: str, **_arguments: t.Any) -> str:
        return command

    build_fenced = build

    def send_own(self, run: Run, *commands: str) -> list[t.Any]:
        assert (commands, run) == (("load_hosts",), RUN)
        planned = {name: {**ROW, "cohort": name[0], "kmp": kmp} for name, kmp in PLANNED.items()}
        return [{"planned": planned, "outcomes": self._outcomes, "settings": host_settings.pack(SETTINGS)}]

    def send_all(self, *commands: str) -> list[t.Any]:
        answer = {"halt": self.halt, "lost": False}
        return [answer if command == "check_start" else None for command in commands]


def assess_canaries(
    *batch: str, failed: t.Sequence[str] = (), scope: str = "cohort", passes: bool = False
) -> dict[str, t.Any]:
    """The assessment of the canaries in their last batch; where some have failed it does not pass, but for the other
    cohorts where it ``passes``.
    """
    rows = [
        Outcome(name, "failed" if name in failed else "done", "", "patched", kmp=kmp, applied=True, cohort=name[0])
        for name, kmp in PLANNED.items()
    ]
    assessment: dict[str, t.Any] = {"wave": 0, "passed": passes or not failed, "last": True, "verdict": "pass"}
    assessment.update(
        held=None,
        refused=None,
        halted=None,
        unrecorded=False,
        barred=[name[0] for name in failed],
        soak={"probes": [], "until": None},
    )
    plan = make_plan(tuple(PLANNED), kmps={name[0]: kmp for name, kmp in PLANNED.items()}, scope=scope)
    gate = GateInput(t.cast(t.Any, FakeStore(rows)), make_step(plan, Batch(0, batch, (), True)))
    return assess.assess_wave(gate, assessment, OPTIONS)


def test_the_next_boot_of_a_canary_gets_what_was_planned_for_it() -> None:
    """Also one of an earlier batch, and by its own settings, though its policy asks for any build of a version."""
    gate = assess_canaries("b1")
    assert gate["confirm"] == ["a1", "b1"]
    ((asker, members),) = gate["shares"].items()
    assert (asker, [member["host"] for member in members]) == ("b1", ["b1", "a1"])
    assert gate["follow"] == "confirm"
    own, other = (member["options"] for member in members)
    assert other["policy"]["kmp_version"] == "3-1.2"
    assert (other["policy"]["min_age"], other["lock_timeout"], other["fence"]) == (7, 9, RUN.fence)
    assert own["policy"]["kmp_version"] == "2-1.1"
    assert own["lock_timeout"] == schema.SETTINGS["livepatch_lock_timeout"].default


def test_of_cohorts_one_is_confirmed_and_the_other_rolled_back() -> None:
    gate = assess_canaries("a1", "b1", failed=["a1"], passes=True)
    assert (gate["go"], gate["confirm"], gate["rollback"]) == (True, ["b1"], ["a1"])
    assert gate["follow"] == "confirm_and_roll_back"


@pytest.mark.parametrize("follow", ["collect", "soak", "confirm", "roll_back", "confirm_and_roll_back"])
def test_what_follows_has_tasks(follow: str) -> None:
    assert (Path(__file__).parents[5] / f"roles/rollout/tasks/follow_{follow}.yml").is_file()


@pytest.mark.parametrize("stored", [None, {"reason": "stop"}])
def test_hosts_that_are_confirmed_need_not_ask_for_a_halt(
    monkeypatch: pytest.MonkeyPatch, stored: dict[str, str] | None
) -> None:
    monkeypatch.setattr(FakeStore, "halt", stored)
    assert assess_canaries("b1")["confirm"] == ["a1", "b1"]
    monkeypatch.setattr(halt.store_client, "locate", lambda _action, _variables: FakeStore.location)
    monkeypatch.setattr(halt, "_query", lambda *_arguments: pytest.fail("it asks the store"))
    assert halt.get_halt_reason(None, {}, FakeStore.fence) == (None if stored is None else halt.describe_halt(stored))


@pytest.mark.parametrize(("scope", "back"), [("rollout", ["a1", "b1"]), ("kmp", ["a1"]), ("cohort", ["a1"])])
def test_where_it_does_not_pass_those_canaries_are_rolled_back_that_the_failure_reaches(
    scope: str, back: list[str]
) -> None:
    gate = assess_canaries("a1", "b1", failed=["a1"], scope=scope)
    assert (gate["go"], gate["confirm"], gate["rollback"], gate["follow"]) == (False, [], back, "roll_back")
    told = {name: changes.find(name) for name in ("a1", "b1")}
    assert [name for name, change in told.items() if change is not None and change.goes_back] == back


@pytest.mark.parametrize("batch", [["h9"], ["h8", "h9"], [f"h{number}" for number in range(10)]])
def test_each_host_of_the_wave_is_asked_again_in_the_soak(batch: list[str]) -> None:
    """Those of earlier batches too, by the hosts of the last one, each its share."""
    names = [f"h{number}" for number in range(10)]
    gate = GateInput(t.cast(t.Any, None), make_step(make_plan(names), Batch(0, tuple(batch), (), True)))
    for members in (names, names[:3], []):
        shares = gate.share_out([{"host": name} for name in members])
        assert sorted(member["host"] for share in shares.values() for member in share) == sorted(members)
        assert set(shares) <= set(batch)
        assert all({"host": name} in shares[name] for name in members if name in batch)
    sizes = [len(share) for share in gate.share_out([{"host": name} for name in names]).values()]
    assert max(sizes) - min(sizes) <= 1
