# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the hosts of a batch may start, and which of them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import admission
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.batches import Batch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from tests.support.plans import KMP, RUN, make_plan, make_step

OPTIONS = {
    "approval": [],
    "windows": [],
    "blackouts": [],
    "min_remaining": 0,
    "slices": 0,
    "approver_not_starter": False,
}
ROW = {"wave": 1, "build_id": "aa", "boot_id": "1", "kmp": KMP, "level": None, "why": None}
PLAN = make_plan(("a1", "b1"), ("a2", "b2", "a3"), max_in_flight=9)


class FakeStore:
    """A store with these rows, and what was written to it."""

    def __init__(
        self, quarantine: t.Sequence[dict[str, t.Any]] = (), tried: t.Sequence[str] = "ab", read_only: bool = False
    ) -> None:
        self.stored = {"quarantine": list(quarantine), "attempted": list(tried), "approvals": [], "starters": []}
        self.read_only = read_only
        self.written: dict[str, t.Any] = {}

    def build(self, command: str, **arguments: t.Any) -> t.Any:
        return command, arguments

    def send_own(self, run: Run, *commands: t.Any) -> list[t.Any]:
        ((command, arguments),) = commands
        assert (command, run) == ("load_hosts", RUN)
        return [{"planned": {name: {**ROW, "cohort": name[0]} for name in arguments["hosts"]}, "outcomes": {}}]

    def send_fenced(self, command: str, **arguments: t.Any) -> t.Any:
        self.written[command] = arguments
        return {"go": True, "halt": None}


def admit(
    store: FakeStore,
    *starts: str,
    in_flight: bool = False,
    changed: dict[str, str] | None = None,
    **options: t.Any,
) -> dict[str, t.Any]:
    step = make_step(PLAN, Batch(1, starts, starts, True, in_flight=in_flight, changed=changed or {}))
    return admission.admit_batch(t.cast(t.Any, store), step, store.stored, {**OPTIONS, **options})


def test_each_host_gets_what_was_planned_for_it() -> None:
    admitted = admit(FakeStore(), "a2", "b2")
    assert (admitted["go"], admitted["start"]) == (True, ["a2", "b2"])
    assert admitted["expect"]["a2"] == {"build_id": "aa", "kmp": "3-1.2", "begun": False}


def test_where_no_canary_of_its_cohort_was_patched_a_host_waits_for_the_next_plan() -> None:
    store = FakeStore(tried=["b"])
    assert admit(store, "a2", "b2")["start"] == ["b2"]
    (left,) = store.written["begin_hosts"]["skipped"]
    assert (left["host"], left["outcome"]) == ("a2", "skipped")
    assert "no canary of its cohort was patched" in left["reason"]


def test_a_host_that_has_changed_is_recorded_when_its_wave_starts() -> None:
    store = FakeStore()
    assert admit(store, "a2", changed={"b2": "it runs another boot"})["start"] == ["a2"]
    (left,) = store.written["begin_hosts"]["skipped"]
    assert (left["host"], left["outcome"], left["cohort"]) == ("b2", "skipped", "b")
    waiting = FakeStore()
    assert not admit(waiting, "a2", changed={"b2": "it runs another boot"}, approval=["all"])["go"]
    assert set(waiting.written) == {"set_status"}, "until then it may be again what was planned"


@pytest.mark.parametrize("entry", [{"kmp": KMP, "cohort": "t-a"}, {"kmp": KMP}, {"host": "a2"}])
def test_a_host_in_flight_finishes_whatever_has_been_barred_since(entry: dict[str, t.Any]) -> None:
    barred = [{"reason": "it oopsed", **entry}]
    assert "a2" not in admit(FakeStore(barred), "a2", "b2")["start"]
    admitted = admit(FakeStore(barred, tried=[]), "a2", in_flight=True, approval=["all"])
    assert (admitted["go"], admitted["start"]) == (True, ["a2"])
    assert admitted["expect"]["a2"]["begun"] is True, "and nothing new is begun"
    admitted = admit(FakeStore(read_only=True), "a2", in_flight=True)
    assert admitted["expect"]["a2"]["begun"] is False, "check mode tells what would be done"


@pytest.mark.parametrize("approval", [["all"], ["1"], ["0", " 1"]])
def test_without_an_approval_no_host_starts(approval: list[str]) -> None:
    store = FakeStore()
    admitted = admit(store, "a2", approval=approval)
    assert (admitted["go"], admitted["detail"]["for"]) == (False, "approval")
    assert "begin_hosts" not in store.written
