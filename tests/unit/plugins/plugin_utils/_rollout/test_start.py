# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run takes from the one before that has died: the waves that have stopped, though that is not recorded."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import planning, start
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreError
from tests.support.plans import NO_BUDGETS, make_plan


def find_stopped_waves(
    budgets: dict[str, str], *outcomes: str, status: str = "running", scope: str = "rollout", **detail: t.Any
) -> set[int]:
    """Of canaries a1 and b1, and a wave of a2 to a4."""
    names = ("a1", "b1", "a2", "a3", "a4")
    plan = make_plan(names[:2], names[2:], scope=scope, **{**NO_BUDGETS, **budgets})
    rows = {
        name: {"outcome": kind, "reason": "", "wave": plan.hosts[name].wave, "cohort": name[0]}
        for name, kind in zip(names, outcomes, strict=False)
    }
    return start._find_stopped_waves(plan.outline, {"status": status, "detail": detail, "outcomes": rows})


@pytest.mark.parametrize(
    ("budgets", "outcomes", "expected"),
    [
        ({"wave": "0"}, ["done", "done", "done"], set()),
        ({"wave": "0"}, ["done", "done", "failed"], {1}),
        ({"wave": "1"}, ["done", "done", "failed"], set()),
        ({"wave": "2", "lost": "0"}, ["done", "done", "done", "lost"], {0, 1}),
        ({"wave": "2", "cohort": "0"}, ["done", "done", "done", "failed"], {0, 1}),
        ({"wave": "9"}, ["failed", "begun"], {0}),
        ({"wave": "0"}, [], set()),
    ],
)
def test_a_wave_that_exceeds_a_budget_has_stopped(
    budgets: dict[str, str], outcomes: list[str], expected: set[int]
) -> None:
    assert find_stopped_waves(budgets, *outcomes) == expected


def test_canaries_of_each_cohort_are_assessed_by_themselves() -> None:
    assert find_stopped_waves({"wave": "0"}, "failed", "done", scope="cohort") == set()


@pytest.mark.parametrize("status", ["halted", "running"])
def test_a_wave_that_a_slice_has_stopped_stays_stopped(status: str) -> None:
    detail = {"for": "slices", "wave": 1, "at": 1.0}
    assert find_stopped_waves({"wave": "9"}, "done", "done", status=status, **detail) == {1}
    assert find_stopped_waves({"wave": "9"}, "done", "done", status="waiting", **detail) == set()


UNKNOWN = "abc0" * 16


class FakeStore:
    """A store that answers each command with this plan, or fails."""

    def __init__(self, answer: dict[str, t.Any] | Exception | None) -> None:
        self._answer = answer

    def send(self, _command: str, **_arguments: t.Any) -> t.Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def load_plan(answer: dict[str, t.Any] | Exception | None, wanted: str) -> dict[str, t.Any]:
    store = t.cast(t.Any, FakeStore(answer))
    return start._load_or_build_plan(store, [], Settings(waves=()), None, wanted).as_document()


def test_a_plan_that_is_not_in_the_store_is_refused_with_the_way_to_one() -> None:
    now = planning.build_plan([], Settings(waves=())).as_document()
    message = (
        f"plan {UNKNOWN} is not in the store; the fleet as it is now gives plan {now['hash']}. Run playbook plan, and "
        "use the hash that it prints"
    )
    with pytest.raises(PlanError) as caught:
        load_plan(None, UNKNOWN)
    assert str(caught.value) == message
    with pytest.raises(PlanError, match="does not match its hash"):
        load_plan({**now, "hash": UNKNOWN}, UNKNOWN)
    assert load_plan(None, now["hash"]) == now, "the fleet gives it anyway"
    earlier = planning.build_plan([], Settings(waves=("5",))).as_document()
    assert load_plan(earlier, earlier["hash"]) == earlier


def test_an_open_rollout_is_resumed_with_its_own_plan_only() -> None:
    own = planning.build_plan([], Settings(waves=("5",))).as_document()
    store, current = t.cast(t.Any, FakeStore(own)), {"plan_hash": own["hash"]}
    for wanted in ("", own["hash"]):
        assert start._load_or_build_plan(store, [], Settings(waves=()), current, wanted).as_document() == own
    with pytest.raises(
        PlanError, match=f"the plan {UNKNOWN} is asked for, and a rollout of the plan {own['hash']} is open"
    ):
        start._load_or_build_plan(store, [], Settings(waves=()), current, UNKNOWN)


def test_a_store_that_fails_is_no_missing_plan() -> None:
    with pytest.raises(StoreError, match="database is locked"):
        load_plan(StoreError("the store of the rollouts: database is locked"), UNKNOWN)
