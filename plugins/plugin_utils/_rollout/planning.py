# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cohorts, canaries and waves: which host is patched when. PRIVATE to the collection. Pure: the same hosts, the same
plan.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import host_counts
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import DEFAULT_CRITICALITY, Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import (
    CANARIES,
    SCHEMA,
    SINGLES,
    WAVE,
    Plan,
    compute_hash,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Quarantine, Settings

# What a quarantine names: it outlives the level that a host starts from
_TARGET_FIELDS = ("release", "build_id", "arch", "flavor", "kmp")
_COHORT_FIELDS = (*_TARGET_FIELDS, "level")


@dataclasses.dataclass(frozen=True)
class _Cohort:
    id: str
    # In the order in which they go
    hosts: tuple[Host, ...]
    # By canary, how it was chosen
    why: t.Mapping[str, str]
    reserves: tuple[str, ...] = ()

    def as_document(self) -> dict[str, t.Any]:
        first = self.hosts[0]
        return {
            "id": self.id,
            "target": _compute_target_id(first),
            **{name: getattr(first, name) for name in (*_COHORT_FIELDS, "key")},
            "hosts": len(self.hosts),
            "canaries": sorted(self.why),
            **({"reserves": list(self.reserves)} if self.reserves else {}),
        }


@dataclasses.dataclass(frozen=True)
class _Wave:
    kind: str
    hosts: tuple[str, ...]


def build_plan(fleet: t.Iterable[Host], settings: Settings) -> Plan:
    """Plan a rollout over the hosts."""
    members: dict[str, list[Host]] = {}
    left_out: dict[str, str] = {}
    quarantine = Quarantine(settings.quarantine)
    for host in sorted(fleet, key=lambda host: host.name):
        reason = _explain_left_out(host) or quarantine.explain(host.name, host.kmp, _compute_target_id(host))
        if reason is None:
            members.setdefault(compute_cohort_id(host), []).append(host)
        else:
            left_out[host.name] = reason
    ranks = _rank((host for hosts in members.values() for host in hosts), settings.seed)
    cohorts = tuple(_build_cohort(id_, hosts, settings, ranks) for id_, hosts in sorted(members.items()))
    planned = sum(len(cohort.hosts) for cohort in cohorts)
    canaries = [host for cohort in cohorts for host in cohort.hosts if host.name in cohort.why]
    others = [host for cohort in cohorts if cohort.why for host in cohort.hosts if host.name not in cohort.why]
    singles = [host for cohort in cohorts if not cohort.why for host in cohort.hosts]
    for hosts in (others, singles):
        hosts.sort(key=lambda host: ranks[host.name])
    caps = _Caps(settings, [host for cohort in cohorts for host in cohort.hosts])
    sizes = [host_counts.resolve_size(size, planned) for size in settings.waves]
    waves = [
        *_split_into_waves(CANARIES, canaries, [], caps),
        *_split_into_waves(WAVE, others, sizes, caps),
        *_split_into_waves(SINGLES, singles, [], caps),
    ]
    document: dict[str, t.Any] = {
        "schema": SCHEMA,
        "settings": settings.as_document(),
        "cohorts": [cohort.as_document() for cohort in cohorts],
        "waves": [{"kind": wave.kind, "hosts": list(wave.hosts)} for wave in waves],
        "hosts": {host.name: _build_row(host, cohort) for cohort in cohorts for host in cohort.hosts},
        "left_out": left_out,
    }
    return Plan.from_document({**document, "hash": compute_hash(document)})


def compute_cohort_id(host: Host) -> str:
    """A cohort's ID. Made only of what makes hosts alike: it is the same in each plan."""
    return _compute_id(host, _COHORT_FIELDS)


def _compute_target_id(host: Host) -> str:
    """The ID of what a cohort comes to, wherever it starts from. The quarantine goes by it: a host that was rolled back
    starts from another level the next time, and stays quarantined.
    """
    return _compute_id(host, _TARGET_FIELDS)


def _compute_id(host: Host, fields: t.Iterable[str]) -> str:
    return _digest((*(getattr(host, field) for field in fields), host.key))


# Few cohorts have many hosts.
@functools.lru_cache(maxsize=4096)
def _digest(values: tuple[t.Any, ...]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]


def _build_row(host: Host, cohort: _Cohort) -> dict[str, t.Any]:
    fields = {name: getattr(host, name) for name in ("build_id", "boot_id", "kmp", "level")}
    return {"cohort": cohort.id, **fields, "why": cohort.why.get(host.name)}


def _explain_left_out(host: Host) -> str | None:
    if not host.patchable:
        return f"{host.state}: {host.reason}"
    return None if host.left_out is None else f"left out: {host.left_out}"


def _rank(hosts: t.Iterable[Host], seed: str) -> dict[str, tuple[bool, float, str]]:
    """Which goes first: hosts that the operator has marked, then the least critical, then by a hash."""
    return {
        host.name: (not host.canary, host.criticality, hashlib.sha256(f"{seed}\0{host.name}".encode()).hexdigest())
        for host in hosts
    }


def _build_cohort(id_: str, hosts: list[Host], settings: Settings, ranks: t.Mapping[str, t.Any]) -> _Cohort:
    ordered = sorted(hosts, key=lambda host: ranks[host.name])
    # Of those that the operator has not marked one is always left for a wave: else the canaries would teach nothing.
    wanted = min(len(ordered) - 1, host_counts.resolve_size(settings.canaries, len(ordered)))
    canaries = _choose_canaries(ordered, max(wanted, sum(host.canary for host in ordered)))
    why = {host.name: _explain_canary(host) for host in canaries}
    others = [host.name for host in ordered if host.name not in why]
    reserves = others[: host_counts.resolve_count(settings.reserves, len(ordered))] if why else []
    return _Cohort(id_, tuple(ordered), why, tuple(reserves))


def _explain_canary(host: Host) -> str:
    if host.canary:
        return "marked by the operator"
    return "chosen by hash" if host.criticality == DEFAULT_CRITICALITY else f"criticality {host.criticality:g}"


def _choose_canaries(ordered: list[Host], count: int) -> list[Host]:
    """The first ones, but as few as can be of the same failure domain."""
    chosen: list[Host] = []
    used: collections.Counter[str] = collections.Counter()
    remaining = list(ordered)
    while len(chosen) < count:
        best = min(
            range(len(remaining)),
            key=lambda at: (not remaining[at].canary, sum(used[domain] for domain in remaining[at].domains), at),
        )
        host = remaining.pop(best)
        used.update(host.domains)
        chosen.append(host)
    return chosen


class _Caps:
    """How many hosts of a plan, a failure domain and a service may go in one wave."""

    def __init__(self, settings: Settings, hosts: list[Host]) -> None:
        self._wave = _resolve_cap(settings.max_per_wave, len(hosts))
        self._places: dict[tuple[str, str], int | None] = {}
        domains = collections.Counter(domain for host in hosts for domain in host.domains)
        groups = collections.Counter(group for host in hosts for group in host.groups)
        for kind, counted, value in (
            ("domain", domains, settings.max_per_domain),
            ("group", groups, settings.max_per_group),
        ):
            for name, count in counted.items():
                self._places[kind, name] = _resolve_cap(value, count)
        self.has_places = bool(settings.max_per_domain or settings.max_per_group)

    def limit_size(self, size: int) -> int:
        return size if self._wave is None else min(size, self._wave)

    def admit_host(self, host: Host, taken: collections.Counter[tuple[str, str]]) -> bool:
        """Whether a wave that has taken so many has room for this host, which it then takes."""
        places = [*(("domain", domain) for domain in host.domains), *(("group", group) for group in host.groups)]
        for place in places:
            cap = self._places[place]
            if cap is not None and taken[place] >= cap:
                return False
        taken.update(places)
        return True


def _resolve_cap(value: str | None, total: int) -> int | None:
    return None if value is None else host_counts.resolve_size(value, total)


def _split_into_waves(kind: str, hosts: list[Host], sizes: list[int], caps: _Caps) -> list[_Wave]:
    """Waves of these sizes, and then as many more as the rest takes."""
    waves = []
    next_sizes = iter(sizes)
    while hosts:
        size = caps.limit_size(next(next_sizes, len(hosts)))
        if not caps.has_places:
            taken, hosts = hosts[:size], hosts[size:]
        else:
            taken, hosts = _take_hosts(hosts, size, caps)
        waves.append(_Wave(kind, tuple(host.name for host in taken)))
    return waves


def _take_hosts(hosts: list[Host], size: int, caps: _Caps) -> tuple[list[Host], list[Host]]:
    """As many as there is room for, in their order, and those that are left for a later wave."""
    counted: collections.Counter[tuple[str, str]] = collections.Counter()
    taken: list[Host] = []
    left: list[Host] = []
    for host in hosts:
        (taken if len(taken) < size and caps.admit_host(host, counted) else left).append(host)
    return taken, left
