# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift: KMPs that no rollout of the scope has put on their hosts. PRIVATE to the collection.

Package tools install KMPs by themselves, and load them, since a KMP's own scripts do so: ``zypper patch`` and ``dnf
upgrade``, dnf-automatic (``apply_updates``), the plugin kpatch of dnf, which adds the KMP of each kernel that is
installed (``autoupdate``, set by ``dnf kpatch auto``), and actions of Uyuni and SUSE Manager, which run the host's own
tool through Salt.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer, Facts
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    abbreviate,
    format_count,
    format_time,
    shorten_build_id,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import CANARIES, SINGLES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient, StoreError

_SHOWN_NAMES = 3


@dataclasses.dataclass(frozen=True)
class Drift:
    """A KMP on a host that no rollout of the scope has put there."""

    # As name-evr
    kmp: str
    build_id: str
    # When it was installed, in seconds since the epoch; None where that is unknown
    since: float | None
    # What is known of how it came, None for nothing
    by: str | None
    # Whether canaries of the scope have had it on this kernel, and their gate has passed
    proven: bool
    # Why it is in quarantine, None where it is not
    barred: str | None


@dataclasses.dataclass(frozen=True)
class FleetDrift:
    """By host; ``problem`` is why it is not known."""

    hosts: t.Mapping[str, Drift] = dataclasses.field(default_factory=dict)
    problem: str | None = None


@dataclasses.dataclass(frozen=True)
class _Suspect:
    """A KMP on a host, and what the host's journal says of it."""

    kmp: str
    build_id: str
    since: float | None
    # The collection has made it active, as a part of this rollout or plan
    is_own: bool
    rollout: str | None
    plan: str | None


def find_drift(store: StoreClient, answers: t.Mapping[str, Answer | None]) -> FleetDrift:
    """:param answers: of the hosts, to livepatch_info or a later task; by host."""
    suspects = {
        name: suspect
        for name, answer in answers.items()
        if answer is not None and answer.facts is not None and (suspect := _build_suspect(answer.facts))
    }
    if not suspects:
        return FleetDrift()
    try:
        recorded = store.send(
            "load_provenance",
            scope=store.scope,
            kmps=sorted({suspect.kmp for suspect in suspects.values()}),
            # Whose journal names a rollout or a plan needs no more than that
            hosts=[name for name, suspect in suspects.items() if not (suspect.rollout or suspect.plan)],
        )
    except StoreError as exc:
        return FleetDrift(problem=str(exc))
    return FleetDrift(_judge(suspects, recorded))


def _build_suspect(facts: Facts) -> _Suspect | None:
    """None where there is nothing that a rollout would have had to put there: initial KMPs come with their kernel."""
    installed, journal = facts.kmp.installed, facts.livepatch.journal
    if installed is None or facts.kernel.build_id is None or _kmp_names.is_initial(installed.name, installed.level):
        return None
    kmp = str(installed)
    own = journal if journal is not None and journal.kmp == kmp else None
    since = installed.installed_at
    if since is None and own is not None:
        since = own.at
    return _Suspect(
        kmp,
        facts.kernel.build_id,
        since,
        own is not None,
        own.rollout if own else None,
        own.plan if own else None,
    )


def _judge(suspects: t.Mapping[str, _Suspect], recorded: t.Mapping[str, t.Any]) -> dict[str, Drift]:
    """:param recorded: the store's answer to load_provenance."""
    rollouts, plans = ({each[key] for each in recorded["rollouts"]} for key in ("id", "plan_hash"))
    proven = _list_proven(recorded["rollouts"])
    barred = {entry["kmp"]: entry["reason"] for entry in recorded["quarantine"] if entry["kmp"]}
    drifts = {}
    for name, suspect in suspects.items():
        if suspect.rollout in rollouts or suspect.plan in plans or suspect.kmp in recorded["applied"].get(name, ()):
            continue
        by = None
        if suspect.rollout or suspect.plan:
            by = "by a rollout that this scope has no record of"
        elif suspect.is_own:
            by = "by the module livepatch outside of rollouts"
        drifts[name] = Drift(
            suspect.kmp,
            suspect.build_id,
            suspect.since,
            by,
            (suspect.kmp, suspect.build_id) in proven,
            barred.get(suspect.kmp),
        )
    return drifts


def _list_proven(rollouts: t.Iterable[t.Mapping[str, t.Any]]) -> set[tuple[str, str]]:
    """The KMPs, each on a kernel, of which the first hosts of a cohort were healthy until their gate has passed."""
    proven = set()
    for rollout in rollouts:
        passed = batches.list_passed_waves(rollout.get("gates", ()))
        kinds = {kind for number, kind in enumerate(rollout.get("waves", ())) if number in passed}
        for cohort in rollout.get("cohorts", ()):
            if (CANARIES if cohort["canaries"] else SINGLES) in kinds:
                proven.add((cohort["kmp"], cohort["build_id"]))
    return proven


def format_drift(fleet: FleetDrift, scope: str) -> list[str]:
    """A line for each KMP and kernel; none where there is no drift."""
    if fleet.problem is not None:
        return [f"Drift: unknown, since the record of scope {scope} cannot be read: {fleet.problem}"]
    alike: dict[tuple[t.Any, ...], list[tuple[str, Drift]]] = {}
    for name, drift in sorted(fleet.hosts.items()):
        alike.setdefault((drift.kmp, drift.build_id, drift.by or "", drift.proven), []).append((name, drift))
    if not alike:
        return []
    lines = [_format_line([*members], scope) for _key, members in sorted(alike.items())]
    return [f"Drift, KMPs that no rollout of scope {scope} has put there:", *lines]


def _format_line(members: t.Sequence[tuple[str, Drift]], scope: str) -> str:
    drift = members[0][1]
    names = [name for name, _drift in members]
    where = f"{format_count(names, 'host')} ({abbreviate(names, _SHOWN_NAMES)})"
    how = f", {drift.by}" if drift.by else ""
    return (
        f"  {drift.kmp} on build ID {shorten_build_id(drift.build_id)}: {where}, "
        f"{_format_since([drift.since for _name, drift in members])}{how}; {describe_proof(drift, scope)}"
    )


def describe_proof(drift: Drift, scope: str) -> str:
    """Whether anything speaks for the KMP, or against it."""
    if drift.barred is not None:
        return f"it is in quarantine: {drift.barred}"
    return f"canaries of scope {scope} have proved it" if drift.proven else f"no canary of scope {scope} has proved it"


def _format_since(moments: t.Sequence[float | None]) -> str:
    known = sorted(moment for moment in moments if moment is not None)
    if not known:
        return "since when is unknown"
    first, last = format_time(known[0]), format_time(known[-1])
    unknown = len(moments) - len(known)
    more = f" (of {unknown} unknown)" if unknown else ""
    return f"since {first}{more}" if first == last else f"since {first} to {last}{more}"
