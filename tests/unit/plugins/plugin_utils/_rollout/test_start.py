# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run takes from the one before that has died: the waves that have stopped, though that is not recorded."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import start

BUDGETS: dict[str, t.Any] = dict.fromkeys(("batch", "wave", "cohort", "rollout", "lost", "unreachable"))


def find_stopped_waves(
    budgets: dict[str, str], *outcomes: str, status: str = "running", scope: str = "rollout", **detail: t.Any
) -> set[int]:
    """Of canaries a1 and b1, and a wave of a2 to a4."""
    names = ("a1", "b1", "a2", "a3", "a4")
    document = {
        "settings": {"halt_scope": scope, "budgets": {**BUDGETS, **budgets}},
        "cohorts": [{"id": cohort, "kmp": "k", "hosts": 3} for cohort in "ab"],
        "hosts": {name: {"cohort": name[0]} for name in names},
        "waves": [{"kind": "canaries", "hosts": names[:2]}, {"kind": "wave", "hosts": names[2:]}],
    }
    rows = {name: {"outcome": kind, "reason": ""} for name, kind in zip(names, outcomes, strict=False)}
    return start._find_stopped_waves(document, {"status": status, "detail": detail, "outcomes": rows})


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
