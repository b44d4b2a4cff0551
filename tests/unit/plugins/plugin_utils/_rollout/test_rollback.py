# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts of a rollout an operator has rolled back."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import rollback
from tests.support.plans import make_plan


@pytest.mark.parametrize(
    ("row", "selected"),
    [
        ({"outcome": "done", "applied": True}, True),
        ({"outcome": "unchanged", "applied": False}, False),
        ({"outcome": "failed", "applied": True}, True),
        ({"outcome": "failed", "applied": False}, False),
        # What they have made of it since is not known
        ({"outcome": "lost", "applied": False}, True),
        ({"outcome": "begun"}, True),
        ({"outcome": "rollback_pending", "applied": True}, True),
        ({"outcome": "rolled_back", "applied": False}, False),
        ({"outcome": "skipped"}, False),
        ({}, False),
    ],
)
def test_hosts_on_which_the_kmp_may_be_active_are_selected(row: dict[str, t.Any], selected: bool) -> None:
    plan = make_plan((), ("a1",))

    def is_selected(wave: int | None = None, cohort: str | None = None) -> bool:
        return rollback._select_hosts(plan, {"a1": row}, ["a1"], wave, cohort) == [(1, ("a1",))]

    assert [is_selected(), is_selected(wave=1), is_selected(cohort="a")] == [selected] * 3
    assert [is_selected(wave=0), is_selected(cohort="b")] == [False] * 2
    assert rollback._select_hosts(plan, {"a1": row}, ["b1"], None, None) == [], "it is not in the play"
