# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run takes from the one before that has died: the waves that are over, though nobody has said so."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import start

BUDGETS: dict[str, t.Any] = dict.fromkeys(("batch", "wave", "cohort", "rollout", "lost", "unreachable"))


def stopped(
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
    return start._stopped(document, {"status": status, "detail": detail, "outcomes": rows})


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
def test_a_wave_with_which_too_much_went_wrong(
    budgets: dict[str, str], outcomes: list[str], expected: set[int]
) -> None:
    assert stopped(budgets, *outcomes) == expected


def test_of_canaries_each_cohorts_are_judged_by_themselves() -> None:
    assert stopped({"wave": "0"}, "failed", "done", scope="cohort") == set()


@pytest.mark.parametrize("status", ["halted", "running"])
def test_a_wave_that_a_slice_has_stopped(status: str) -> None:
    told = {"for": "slices", "wave": 1, "at": 1.0}
    assert stopped({"wave": "9"}, "done", "done", status=status, **told) == {1}
    assert stopped({"wave": "9"}, "done", "done", status="waiting", **told) == set()


@pytest.mark.parametrize(
    ("row", "goes"),
    [
        ({"outcome": "done", "applied": True}, True),
        ({"outcome": "unchanged", "applied": False}, False),
        ({"outcome": "failed", "applied": True}, True),
        ({"outcome": "failed", "applied": False}, False),
        # What they have made of it since nobody knows
        ({"outcome": "lost", "applied": False}, True),
        ({"outcome": "begun"}, True),
        ({"outcome": "rollback_pending", "applied": True}, True),
        ({"outcome": "rolled_back", "applied": False}, False),
        ({"outcome": "skipped"}, False),
        ({}, False),
    ],
)
def test_who_may_be_brought_back(row: dict[str, t.Any], goes: bool) -> None:
    def chosen(wave: int | None = None, cohort: str | None = None) -> bool:
        return start._may_go_back(row, {"cohort": "a"}, 1, {"wave": wave, "cohort": cohort})

    assert [chosen(), chosen(wave=1), chosen(cohort="a")] == [goes] * 3
    assert [chosen(wave=0), chosen(cohort="b")] == [False] * 2
