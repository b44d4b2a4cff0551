# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the hosts of a batch may start, and which of them."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible import constants

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import admission, changes, host_settings, scratch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.batches import Batch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from tests.support.plans import KMP, RUN, make_plan, make_step

OPTIONS = {
    "approval": [],
    "windows": [],
    "blackouts": [],
    "window_min_remaining": 0,
    "slices": 0,
    "soak": 0,
    "approver_not_starter": False,
}
ROW = {"wave": 1, "build_id": "aa", "boot_id": "1", "kmp": KMP, "level": None, "why": None}
PLAN = make_plan(("a1", "b1"), ("a2", "b2", "a3"), max_in_flight=9)
_OWN = {"b2": host_settings.HostSettings(timeout=600, policy={"kmp_version": "3", "min_age": 7})}
SETTINGS = host_settings.pack({name: _OWN.get(name, host_settings.HostSettings()) for name in PLAN.hosts})


@pytest.fixture(autouse=True)
def own_folder(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))


def get_options(host: str) -> t.Mapping[str, t.Any]:
    """What the host is told."""
    change = changes.find(host)
    assert change is not None
    return change.options


def list_told() -> list[str]:
    """The hosts that are told to do something."""
    return [name for name in PLAN.hosts if changes.find(name) is not None]


class FakeStore:
    """A store with these rows, and what was written to it."""

    def __init__(
        self, quarantine: t.Sequence[dict[str, t.Any]] = (), tried: t.Sequence[str] = "ab", read_only: bool = False
    ) -> None:
        self.stored = {
            "quarantine": list(quarantine),
            "attempted": list(tried),
            "reserves": [],
            "approvals": [],
            "starters": [],
            "in_flight": [],
            "settings": SETTINGS,
        }
        self.read_only = read_only
        # Hosts that the run does not have
        self.absent: tuple[str, ...] = ()
        self.halt: dict[str, t.Any] | None = None
        self.written: dict[str, t.Any] = {}

    def build(self, command: str, **arguments: t.Any) -> t.Any:
        return command, arguments

    def send_own(self, run: Run, *commands: t.Any) -> list[t.Any]:
        ((command, arguments),) = commands
        assert (command, run) == ("load_hosts", RUN)
        planned = {name: {**ROW, "cohort": name[0]} for name in arguments["hosts"]}
        each = {name: settings for name, settings in host_settings.unpack(SETTINGS).items() if name in planned}
        each = {name: settings for name, settings in each.items() if name not in self.absent}
        return [{"planned": planned, "outcomes": {}, "settings": host_settings.pack(each)}]

    def send_fenced(self, command: str, **arguments: t.Any) -> t.Any:
        self.written[command] = arguments
        return {"go": self.halt is None, "halt": self.halt}


def admit(
    store: FakeStore,
    *starts: str,
    in_flight: bool = False,
    changed: dict[str, str] | None = None,
    room: int = 0,
    **options: t.Any,
) -> dict[str, t.Any]:
    step = make_step(PLAN, Batch(1, starts, starts, True, room, in_flight=in_flight, changed=changed or {}))
    return admission.admit_batch(t.cast(t.Any, store), step, store.stored, {**OPTIONS, **options})


def test_each_host_gets_what_was_planned_for_it() -> None:
    admitted = admit(FakeStore(), "a2", "b2")
    assert (admitted["go"], admitted["start"]) == (True, ["a2", "b2"])
    options = get_options("a2")
    assert options["expect"] == {"build_id": "aa", "kmp": "3-1.2", "begun": False}
    assert {key: options[key] for key in ("rollout", "plan", "fence", "confirm", "timeout", "state")} == {
        "rollout": "r",
        "plan": "h",
        "fence": 1,
        "confirm": True,
        "timeout": 60,
        "state": "latest",
    }
    assert changes.find("a3") is None, "nor any other"


def test_each_host_is_told_by_its_own_settings() -> None:
    admit(FakeStore(), "a2", "b2")
    assert (get_options("b2")["timeout"], get_options("b2")["policy"]) == (600, {"kmp_version": "3-1.2", "min_age": 7})
    assert get_options("a2")["policy"] == {"kmp_version": "3-1.2"}
    assert not get_options("a2").keys() & {"health_checks", "unreachable_timeout"}


@pytest.mark.parametrize("room", [0, 1])
def test_slow_hosts_are_left_where_the_next_batch_has_room_for_them(room: int) -> None:
    admit(FakeStore(), "a2", room=room)
    change = changes.find("a2")
    assert change is not None
    assert change.patience == (10 if room else None)


def test_where_hosts_cannot_be_told_none_is_recorded_as_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeStore()
    monkeypatch.setattr(scratch, "remember", lambda *_arguments: None)
    with pytest.raises(PlanError, match="cannot be written below"):
        admit(store, "a2")
    assert store.written == {}


def test_who_is_rolled_back_is_told_to_go_back() -> None:
    store = FakeStore()
    admitted = admission.admit_rollback(t.cast(t.Any, store), RUN, ["a1", "b2"])
    assert admitted == {"go": True, "start": ["a1", "b2"]}
    options = get_options("b2")
    assert (options["state"], options["plan"], options["fence"], options["timeout"]) == ("previous", "h", 1, 600)
    assert options["policy"] == {"min_age": 7}, "the version asked for is not the one before"
    assert store.written == {}


def test_a_host_that_the_run_does_not_have_keeps_no_other_from_being_rolled_back() -> None:
    store = FakeStore()
    store.absent = ("a1",)
    assert admission.admit_rollback(t.cast(t.Any, store), RUN, ["a1", "b2"])["start"] == ["b2"]


def test_where_it_cannot_be_decided_no_host_starts() -> None:
    """And what is in flight is looked at."""
    admit(FakeStore(), "a2")
    refused = admission.refuse("the disk is full")
    assert (refused["go"], refused["start"], refused["in_flight"]) == (False, [], True)
    assert list_told() == []


def test_a_window_must_have_room_for_the_slowest_of_those_that_start() -> None:
    asked = []

    def check(_windows: t.Any, _blackouts: t.Any, _now: float, needed: int) -> t.Any:
        asked.append(needed)
        return types.SimpleNamespace(open=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admission.change_windows, "check_windows", check)
        admit(FakeStore(), "a2", window_min_remaining=None)
        admit(FakeStore(), "a2", "b2", window_min_remaining=None, soak=10)
        admit(FakeStore(), "a2", "b2", window_min_remaining=5)
    assert asked == [660, 660 + 4 * 540 + 10, 5]


def test_where_no_canary_of_its_cohort_was_patched_a_host_waits_for_the_next_plan() -> None:
    store = FakeStore(tried=["b"])
    assert admit(store, "a2", "b2")["start"] == ["b2"]
    assert list_told() == ["b2"]
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
    admitted = admit(FakeStore(barred), "a2", "b2")
    assert "a2" not in admitted["start"]
    assert list_told() == admitted["start"]
    admitted = admit(FakeStore(barred, tried=[]), "a2", in_flight=True, approval=["all"])
    assert (admitted["go"], admitted["start"]) == (True, ["a2"])
    assert get_options("a2")["expect"]["begun"] is True, "and nothing new is begun"
    admitted = admit(FakeStore(read_only=True), "a2", in_flight=True)
    assert get_options("a2")["expect"]["begun"] is False, "check mode tells what would be done"


@pytest.mark.parametrize("approval", [["all"], ["1"], ["0", " 1"]])
def test_without_an_approval_no_host_starts(approval: list[str]) -> None:
    admit(FakeStore(), "a2", "a3")
    store = FakeStore()
    admitted = admit(store, "a2", approval=approval)
    assert (admitted["go"], admitted["detail"]["for"]) == (False, "approval")
    assert list_told() == [], "nor do those that the batch before was told of"
    assert "begin_hosts" not in store.written


def test_a_halt_that_comes_in_between_tells_no_host_anything() -> None:
    store = FakeStore()
    store.halt = {"reason": "too hot", "by": "ops", "scope": "default"}
    admitted = admit(store, "a2", "b2")
    assert (admitted["go"], admitted["status"], admitted["start"]) == (False, "halted", [])
    assert list_told() == []
