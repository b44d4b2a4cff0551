# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a wave was approved. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t


@dataclasses.dataclass(frozen=True)
class Found:
    """``verdict`` is pass, inconclusive (nobody has said anything that counts) or fail (it was refused)."""

    verdict: str
    text: str


def find(approvals: t.Iterable[t.Mapping[str, t.Any]], plan: str, wave: int, now: float) -> Found:
    """What the last one who has said something about this wave of this plan has said.

    :param approvals: oldest first, each with ``hash``, ``wave`` (None for all waves), ``who``, ``expires``,
        ``granted``.
    """
    what = f"wave {wave} of plan {plan[:12]}"
    said = [one for one in approvals if one["hash"] == plan and one["wave"] in (None, wave)]
    valid = [one for one in said if one["expires"] is None or now < one["expires"]]
    if not valid:
        expired = f"; the approval by {said[-1]['who']} expired at {_told(said[-1]['expires'])}" if said else ""
        how = f"playbook approve, -e livepatch_plan_hash={plan} -e livepatch_wave={wave}"
        return Found("inconclusive", f"{what} awaits an approval{expired}: {how}")
    last = valid[-1]
    if not last["granted"]:
        way_out = "approve it after all, or give the rollout up (playbook halt, -e livepatch_abandon=true)"
        return Found("fail", f"{what} was refused by {last['who']}: {way_out}")
    return Found("pass", f"{what} was approved by {last['who']}")


def _told(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
