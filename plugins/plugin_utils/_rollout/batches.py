# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of a rollout does: the plan, less what is done, as batches. PRIVATE to the collection. Pure.

The plan never changes. What is left of it is worked out at the start of each run, from what the store has recorded and
what the hosts say of themselves.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import CANARIES, Plan, PlannedHost

# What records of gates are of: all hosts of a wave have ended, and the wave as a whole. Those of the gates that look
# elsewhere have names, which people choose.
HOSTS, WAVE = "hosts", "wave"
# Of so many hosts that may be in flight one may be slow
_FEW = 20
# What nothing more is done about in the same rollout
_FINAL = ("done", "unchanged", "failed", "lost", "skipped", "rolled_back", "rollback_refused", "rollback_pending")


@dataclasses.dataclass(frozen=True)
class Batch:
    """Hosts that start one after the other, without a look at what becomes of them in between."""

    wave: int
    hosts: tuple[str, ...]
    # Those that are to be patched
    starts: tuple[str, ...]
    # The wave's gate comes after them
    last: bool
    # How many hosts of it and of the batches before it may be in flight still when the next batch starts
    room: int = 0
    # Nothing was done yet to any host of the wave
    untouched: bool = False
    # A run that has died has begun them. They finish whatever has been barred since; no others are in the batch.
    in_flight: bool = False
    # Hosts of the wave that are not what was planned any more, and why they are left for the next plan. Its first batch
    # has them, and none starts them.
    changed: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    # Which of the run's it is, as the store counts them
    number: int = 0

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> Batch:
        return cls(**{**document, "hosts": tuple(document["hosts"]), "starts": tuple(document["starts"])})


def build_agenda(
    plan: Plan,
    fleet: t.Mapping[str, Host],
    recorded: t.Mapping[str, t.Mapping[str, t.Any]],
    passed: t.Collection[int],
    stopped: t.Collection[int] = (),
    rollout: str | None = None,
) -> list[Batch]:
    """What is left to do of a plan.

    :param fleet: the hosts as they are now, those of the plan and others.
    :param recorded: what the store has of hosts, with the key ``outcome``.
    :param passed: waves whose gate has passed.
    :param stopped: waves in which too many hosts failed already: those in flight are verified, and no other is started.
    :param rollout: the open one, None where it is only beginning.
    """
    agenda: list[Batch] = []
    limit = plan.outline.settings.max_in_flight
    for number, names in enumerate(plan.waves):
        wave = plan.outline.waves[number]
        # Those in the place of canaries are confirmed with them.
        members = (*names, *plan.outline.reserves) if wave.kind == CANARIES else names
        if number in passed and not _has_unconfirmed(members, fleet, recorded):
            continue
        in_flight, starts, changed = _select_hosts(plan, names, fleet, recorded, rollout)
        # The first of their cohorts are looked at before others follow.
        overlap = not wave.is_strict
        cut = _cut(number, in_flight, () if number in stopped else starts, limit, overlap)
        # Nothing is left to start, and the gate has not passed: a batch has to come to it.
        cut = cut or [Batch(number, tuple(name for name in names if name in fleet), (), False)]
        cut[0] = dataclasses.replace(cut[0], changed=changed)
        cut[-1] = dataclasses.replace(cut[-1], last=True)
        untouched = not any(name in recorded for name in names)
        agenda += [dataclasses.replace(batch, untouched=untouched) for batch in cut]
    return agenda


def build_slice_agenda(
    plan: Plan,
    number: int,
    fleet: t.Mapping[str, Host],
    recorded: t.Mapping[str, t.Mapping[str, t.Any]],
    slices: int,
    rollout: str | None,
) -> tuple[list[Batch], dict[str, str]]:
    """What is left of a wave for a slice that has these hosts. The gate is never its own, nor is what may be in flight.

    :param slices: how many of them share that.
    :param rollout: the open one, None where nothing was begun.
    :returns: its batches; hosts that are not what was planned any more, and why they are left for the next plan.
    """
    names = [name for name in plan.waves[number] if name in fleet]
    in_flight, starts, changed = _select_hosts(plan, names, fleet, recorded, rollout)
    limit = max(1, plan.outline.settings.max_in_flight // slices)
    return _cut(number, in_flight, starts, limit, overlap=True), changed


def build_skipped_rows(left_out: t.Mapping[str, str], cohorts: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    """The records of planned hosts to which nothing is done, for these reasons.

    :param cohorts: the ID of each host's cohort.
    """
    return [
        {"host": name, "outcome": "skipped", "reason": why, "state": "unknown", "cohort": cohorts[name]}
        for name, why in left_out.items()
    ]


def _select_hosts(
    plan: Plan,
    names: t.Iterable[str],
    fleet: t.Mapping[str, Host],
    recorded: t.Mapping[str, t.Mapping[str, t.Any]],
    rollout: str | None,
) -> tuple[list[str], list[str], dict[str, str]]:
    """Those that were in flight, which are verified before any other is started, those that are to be started, and
    those that are not what was planned any more, with why.
    """
    in_flight, starts = [], []
    changed: dict[str, str] = {}
    for name in names:
        outcome, host = recorded.get(name, {}).get("outcome"), fleet.get(name)
        if outcome in _FINAL or host is None:
            continue
        # A whole batch is recorded before the first of it is started. A host that answers, and
        # whose journal has nothing of this rollout, was never started.
        if outcome == BEGUN and (host.build_id is None or host.rollout == rollout):
            in_flight.append(name)
            continue
        problem = _explain_change(plan.hosts[name], host)
        if problem is None:
            starts.append(name)
        else:
            changed[name] = problem
    return in_flight, starts, changed


def _cut(wave: int, in_flight: t.Sequence[str], starts: t.Sequence[str], limit: int, overlap: bool) -> list[Batch]:
    """
    :param limit: how many hosts may be in flight at once.
    :param overlap: whether a batch starts while the slowest hosts of those before it are in flight still. None of a
        wave that starts at once does.
    """
    overlap = overlap and len(starts) > limit
    groups = _split(starts, -(-limit // 2) if overlap else limit)
    # What makes more hosts slow than a few may be the KMP. Each of the next batch waits for one of them at most.
    few = max(1, limit // _FEW)
    rooms = [min(few, limit - len(after), len(after)) if overlap else 0 for after in groups[1:]]
    return [
        *(Batch(wave, group, group, False, in_flight=True) for group in _split(in_flight, limit)),
        *(Batch(wave, group, group, False, room) for group, room in zip(groups, [*rooms, 0], strict=False)),
    ]


def _split(starts: t.Sequence[str], limit: int) -> list[tuple[str, ...]]:
    return [tuple(starts[at : at + limit]) for at in range(0, len(starts), limit)]


def _has_unconfirmed(
    names: t.Iterable[str], fleet: t.Mapping[str, Host], recorded: t.Mapping[str, t.Mapping[str, t.Any]]
) -> bool:
    """Whether the run that passed the wave died before it had let the next boot of all its hosts have the patch."""
    return any(
        name in fleet and fleet[name].unconfirmed and recorded.get(name, {}).get("outcome") in ("done", "unchanged")
        for name in names
    )


def _explain_change(planned: PlannedHost, host: Host) -> str | None:
    """Why nothing is begun on a host: it is not what the plan was made for any more, or gives no answer."""
    if host.build_id is None:
        return f"{host.state}: {host.reason}"
    for now, then, label in (
        (host.build_id, planned.build_id, "build"),
        (host.boot_id, planned.boot_id, "boot"),
    ):
        if now != then:
            return f"it runs another {label} than when it was planned: it is left for the next plan"
    if host.kmp != planned.kmp:
        kmp = host.kmp or f"none ({host.state}: {host.reason})"
        return f"{planned.kmp} was planned, and it would get {kmp} by now: it is left for the next plan"
    return None if host.left_out is None else f"{host.left_out}: it is left for the next plan"


def list_passed_waves(records: t.Iterable[t.Mapping[str, t.Any]]) -> set[int]:
    """The waves whose gate has passed, by the store's records of gates."""
    return {record["wave"] for record in records if record.get("of") == WAVE and record["verdict"] == "pass"}


def get_soak_starts(records: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, float]:
    """When the last host of a wave was done, by the wave's number as text (JSON has no other keys)."""
    return {str(record["wave"]): record["at"] for record in records if record.get("of") == HOSTS}
