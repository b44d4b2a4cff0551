# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a wave is approved. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_time
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import common_options


@dataclasses.dataclass(frozen=True)
class Approval:
    """An approval, or a rejection, as the store has it."""

    plan_hash: str
    # None for all waves
    wave: int | None
    approver: str
    # None for one that never expires
    expires: float | None
    granted: bool
    reason: str

    @classmethod
    def from_row(cls, row: t.Mapping[str, t.Any]) -> Approval:
        return cls(**{field.name: row[field.name] for field in dataclasses.fields(cls)})

    def is_expired(self, now: float) -> bool:
        return self.expires is not None and now >= self.expires


@dataclasses.dataclass(frozen=True)
class ApprovalStatus:
    # pass, inconclusive (no approval holds), fail (rejected)
    verdict: str
    text: str


def is_needed(waves: t.Iterable[str], wave: int) -> bool:
    """Whether a wave needs an approval.

    :param waves: ``livepatch_approval``.
    """
    return bool({None, wave} & {common_options.parse_wave("livepatch_approval", text) for text in waves})


def check_approval(
    rows: t.Iterable[t.Mapping[str, t.Any]],
    plan_hash: str,
    wave: int,
    now: float,
    barred: t.Collection[str] = (),
) -> ApprovalStatus:
    """What the last approval or rejection of this wave of this plan says that has not expired.

    :param rows: the store's approvals, the oldest one first.
    :param barred: persons whose approval does not count; their rejection does.
    """
    subject = f"wave {wave} of plan {plan_hash[:12]}"
    matching = [a for a in map(Approval.from_row, rows) if a.plan_hash == plan_hash and a.wave in (None, wave)]
    own = [approval for approval in matching if approval.granted and approval.approver in barred]
    matching = [approval for approval in matching if approval not in own]
    current = [approval for approval in matching if not approval.is_expired(now)]
    if not current:
        note = ""
        if own:
            note = f" (the approval by {own[-1].approver}, who made or started the plan, does not count)"
        elif matching:
            # One without an expiry is current, so the last one has one.
            note = f" (the approval by {matching[-1].approver} expired at {format_time(matching[-1].expires or 0)})"
        how = f"run playbook approve with -e livepatch_plan_hash={plan_hash} -e livepatch_wave={wave}"
        return ApprovalStatus("inconclusive", f"{subject} is waiting for approval{note}: {how}")
    last = current[-1]
    reason = f" ({last.reason})" if last.reason else ""
    if not last.granted:
        way_out = "approve it (playbook approve), or abort the rollout (playbook abort)"
        return ApprovalStatus("fail", f"{subject} was rejected by {last.approver}{reason}: {way_out}")
    return ApprovalStatus("pass", f"{subject} was approved by {last.approver}{reason}")
