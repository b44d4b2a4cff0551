# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the hosts of a batch may start, and which of them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import admission

OPTIONS = {
    "approval": [],
    "windows": [],
    "blackouts": [],
    "min_remaining": 0,
    "slices": 0,
    "approver_not_starter": False,
}
KMP = "kernel-livepatch-6_4-3-1.2"


class FakeStore:
    """A store with these rows, and what was written to it."""

    def __init__(self, quarantine: t.Sequence[dict[str, t.Any]] = (), tried: t.Sequence[str] = ("a1", "b1")) -> None:
        self._answers = {"list_quarantine": list(quarantine), "list_approvals": [], "list_attempted": list(tried)}
        self.written: dict[str, t.Any] = {}

    def send(self, command: str, **_arguments: t.Any) -> t.Any:
        return self._answers[command]

    def send_fenced(self, command: str, **arguments: t.Any) -> t.Any:
        self.written[command] = arguments
        return {"begin_hosts": {"go": True, "halt": None}, "list_attempted": self._answers["list_attempted"]}.get(
            command
        )


def admit(
    store: FakeStore, *starts: str, in_flight: bool = False, read_only: bool = False, **options: t.Any
) -> dict[str, t.Any]:
    document = {
        "settings": {"max_in_flight": 9},
        "cohorts": [{"id": cohort, "target": f"t-{cohort}"} for cohort in "ab"],
        "hosts": {name: {"cohort": name[0], "kmp": KMP, "build_id": "aa"} for name in ("a1", "b1", "a2", "b2")},
        "waves": [{"kind": "canaries", "hosts": ["a1", "b1"]}, {"kind": "wave", "hosts": ["a2", "b2"]}],
    }
    rollout = {"id": "r", "fence": 1, "hash": "h", "document": document, "changed": {}}
    batch = {"wave": 1, "starts": list(starts), "in_flight": in_flight, "untouched": False}
    return admission.admit_batch(t.cast(t.Any, store), rollout, batch, {**OPTIONS, **options}, read_only)


def test_each_host_gets_what_was_planned_for_it() -> None:
    admitted = admit(FakeStore(), "a2", "b2")
    assert (admitted["go"], admitted["start"]) == (True, ["a2", "b2"])
    assert admitted["expect"]["a2"] == {"build_id": "aa", "kmp": "3-1.2", "begun": False}


def test_where_no_canary_of_its_cohort_was_patched_a_host_waits_for_the_next_plan() -> None:
    store = FakeStore(tried=["b1"])
    assert admit(store, "a2", "b2")["start"] == ["b2"]
    (left,) = store.written["record_outcomes"]["outcomes"]
    assert (left["host"], left["outcome"]) == ("a2", "skipped")
    assert "no canary of its cohort was patched" in left["reason"]


@pytest.mark.parametrize("entry", [{"kmp": KMP, "cohort": "t-a"}, {"kmp": KMP}, {"host": "a2"}])
def test_a_host_in_flight_finishes_whatever_has_been_barred_since(entry: dict[str, t.Any]) -> None:
    barred = [{"reason": "it oopsed", **entry}]
    assert "a2" not in admit(FakeStore(barred), "a2", "b2")["start"]
    admitted = admit(FakeStore(barred, tried=[]), "a2", in_flight=True, approval=["all"])
    assert (admitted["go"], admitted["start"]) == (True, ["a2"])
    assert admitted["expect"]["a2"]["begun"] is True, "and nothing new is begun"
    admitted = admit(FakeStore(), "a2", in_flight=True, read_only=True)
    assert admitted["expect"]["a2"]["begun"] is False, "check mode tells what would be done"


@pytest.mark.parametrize("approval", [["all"], ["1"], ["0", " 1"]])
def test_without_an_approval_no_host_starts(approval: list[str]) -> None:
    store = FakeStore()
    admitted = admit(store, "a2", approval=approval)
    assert (admitted["go"], admitted["detail"]["for"]) == (False, "approval")
    assert "begin_hosts" not in store.written
