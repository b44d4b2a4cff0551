# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much of what is old a run removes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import retention
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient


class _Store:
    """Has so many rollouts of so many rows, and removes one at a time."""

    scope = "s"

    def __init__(self, rollouts: int, rows: int) -> None:
        self.left, self._rows = rollouts, rows
        self.sent: list[dict[str, t.Any]] = []

    build = staticmethod(StoreClient.build)

    def send(self, command: str, **arguments: t.Any) -> dict[str, int]:
        assert command == "remove_old"
        self.sent.append(arguments)
        removed = min(1, self.left)
        self.left -= removed
        return {"rollouts": removed, "plans": 0, "rows": removed * self._rows}


@pytest.mark.parametrize(
    ("rollouts", "rows", "turns", "line"),
    [
        (0, 0, 1, None),
        (1, 50, 1, "Removed from the store, older than 400 days: rollouts 1, plans 0"),
        (3, 20_000, 4, "Removed from the store, older than 400 days: rollouts 3, plans 0"),
        (
            50,
            20_000,
            20,
            "Removed from the store, older than 400 days: rollouts 20, plans 0, and more is left for the next run",
        ),
    ],
)
def test_it_goes_on_while_there_is_much_and_not_for_ever(
    rollouts: int, rows: int, turns: int, line: str | None
) -> None:
    store = _Store(rollouts, rows)
    assert retention.remove_old(t.cast(t.Any, store), 400) == line
    assert store.sent == [{"scope": "s", "age": 400 * 86400.0, "limit": 10_000}] * turns


@pytest.mark.parametrize(("days", "asked"), [(400, [{"scope": "s", "age": 400 * 86400.0}]), (0, [])])
def test_with_0_all_is_kept(days: int, asked: list[dict[str, t.Any]]) -> None:
    questions = retention.build_question(t.cast(t.Any, _Store(5, 10)), days)
    assert [(each["command"], each["arguments"]) for each in questions] == [("has_old", each) for each in asked]
