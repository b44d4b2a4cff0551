# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts take the place of canaries that could not be patched. PRIVATE to the collection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import causes
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import SUCCESSFUL, Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Outline


def select_reserves(plan: Outline, rows: t.Collection[Outcome]) -> list[str]:
    """The next ones that the plan names, one for each canary that was skipped, or failed for a reason of its own.

    :param rows: of the canaries, and of the reserves that have taken a place already.
    """
    blamed = {row.host for row in causes.find_blamed(rows, plan.cohorts, are_canaries=True)}
    by_name = {row.host: row for row in rows}
    selected: list[str] = []
    for cohort in plan.cohorts.values():
        members = [row for row in rows if row.cohort == cohort.id]
        if any(row.host in blamed for row in members):
            # No host gets it any more.
            continue
        missing = len(cohort.canaries) - sum(row.outcome in SUCCESSFUL for row in members)
        # One that a run has started, or was to start, that has died meanwhile, is taken up.
        left = [name for name in cohort.reserves if name not in by_name or by_name[name].outcome == "pending"]
        selected += left[: max(0, missing)] if members else []
    return selected
