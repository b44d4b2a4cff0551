# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run is known by. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run is known by."""

    # plan, prestage, rollout, slice or rollback
    mode: str
    # Of the plan
    hash: str
    # As the store has it, None of one that only plans
    run: str | None = None
    # The rollout, and the number of the lease under which it is worked on; None where nothing was begun
    id: str | None = None
    fence: int | None = None
    # As which one of several slices it has joined
    member: str | None = None

    @classmethod
    def from_option(cls, option: t.Mapping[str, t.Any]) -> Run:
        """:raises PlanError: it is not what rollout_begin has returned."""
        try:
            return cls(**option)
        except TypeError:
            raise PlanError("the option rollout is not what rollout_begin has returned in this run") from None

    def get_marks(self) -> dict[str, t.Any]:
        """What a change of a host has of the run: the host's journal keeps it, and refuses a run before it."""
        marks = {"rollout": self.id, "plan": self.hash, "fence": self.fence}
        return {name: value for name, value in marks.items() if value is not None}
