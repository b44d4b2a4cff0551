# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run reads of the store when it ends."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import finish
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from tests.support.plans import make_plan

_SLICE = Run("slice", "h", run="run", id="r", fence=7, member="m")


class _Store:
    """Answers load_slice, and keeps what is sent."""

    scope = "s"
    read_only = False

    def __init__(self, status: str) -> None:
        plan = make_plan(["a1"], ["a2", "a3"])
        self.sent: list[tuple[str, dict[str, t.Any]]] = []
        self._answer = {
            "planned": {name: {**vars(plan.hosts[name])} for name in ("a2", "a3")},
            "outcomes": {"a2": {"host": "a2", "outcome": "done", "reason": "patched", "wave": 1, "cohort": "a"}},
            "rollout": {"id": "r", "status": status, "detail": {"text": "why"}},
        }

    def build(self, command: str, **arguments: t.Any) -> tuple[str, dict[str, t.Any]]:
        return command, arguments

    def send(self, command: str, **arguments: t.Any) -> None:
        self.sent.append((command, arguments))

    def send_own(self, _run: Run, *commands: tuple[str, dict[str, t.Any]]) -> list[t.Any]:
        self.sent += commands
        return [self._answer]


class _EndingStore:
    """Has something that is old, or not."""

    scope = "s"

    def __init__(self, has_old: bool) -> None:
        self._answers = {
            "record_outcomes": [],
            "set_status": {"id": "r"},
            "release_lease": None,
            "get_halt": {"reason": "x"},
            "has_old": has_old,
        }

    def build(self, command: str, **_arguments: t.Any) -> str:
        return command

    build_fenced = build

    def send_all(self, *commands: str) -> list[t.Any]:
        return [self._answers[command] for command in commands]


@pytest.mark.parametrize("outcomes", [[], [{"host": "a1"}]])
@pytest.mark.parametrize(("days", "in_store", "has_old"), [(400, True, True), (400, False, False), (0, True, False)])
def test_a_run_that_ends_asks_for_what_is_old(
    outcomes: list[dict[str, t.Any]], days: int, in_store: bool, has_old: bool
) -> None:
    store = t.cast(t.Any, _EndingStore(in_store))
    run = Run("rollout", "hash", id="r", fence=7)
    assert finish._end(store, run, "done", {}, days, outcomes) == ({"id": "r"}, {"reason": "x"}, has_old)


@pytest.mark.parametrize(
    ("stored", "status", "detail"),
    [("waiting", "done", {}), ("halted", "halted", {"text": "why"})],
)
def test_a_slice_reads_its_own_hosts_only(
    monkeypatch: pytest.MonkeyPatch, stored: str, status: str, detail: dict[str, t.Any]
) -> None:
    fleet = [Host("a2", "patched", ""), Host("a3", "unpatched", "")]
    monkeypatch.setattr(finish.hostvars, "parse_fleet", lambda _variables: fleet)
    monkeypatch.setattr(finish.hostvars, "find_refused_admission", lambda _variables: None)
    store = _Store(stored)
    ended = finish.finish_run(t.cast(t.Any, store), _SLICE, {}, days=400)
    assert store.sent == [
        ("load_slice", {"run": "run", "hosts": ["a2", "a3"]}),
        ("leave_wave", {"scope": "s", "fence": 7, "member": "m"}),
    ]
    assert (ended.status, ended.detail, ended.plan) == (status, detail, None)
    assert [(row.host, row.outcome) for row in ended.outcomes] == [("a2", "done"), ("a3", "pending")]
