# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is patched when: cohorts, canaries, waves. PRIVATE to the collection. Pure: the same hosts, the same plan."""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import host_counts
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings

SCHEMA = 1
# The kinds of waves. A cohort of one host has nobody that could be its canary.
CANARIES, WAVE, SINGLES = "canaries", "wave", "singles"


@dataclasses.dataclass(frozen=True)
class Cohort:
    """Hosts that behave alike: what runs, where it starts from, what is applied, and what the operator adds.

    ``hosts`` are in the order in which they go; ``why`` says of each canary how it was chosen.
    """

    id: str
    first: Host
    hosts: tuple[Host, ...]
    why: t.Mapping[str, str]

    def as_document(self) -> dict[str, t.Any]:
        told = {name: getattr(self.first, name) for name in (*_KEY, "key")}
        return {
            "id": self.id,
            "target": _target(self.first),
            **told,
            "hosts": len(self.hosts),
            "canaries": sorted(self.why),
        }


@dataclasses.dataclass(frozen=True)
class Wave:
    kind: str
    hosts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """``left_out`` says why a host is in no wave."""

    settings: Settings
    cohorts: tuple[Cohort, ...]
    waves: tuple[Wave, ...]
    left_out: t.Mapping[str, str]

    @property
    def hosts(self) -> list[str]:
        return [host for wave in self.waves for host in wave.hosts]

    def as_document(self) -> dict[str, t.Any]:
        """The plan as it is kept, shown and followed, with the hash of all of it."""
        told = {
            "schema": SCHEMA,
            "settings": self.settings.as_document(),
            "cohorts": [cohort.as_document() for cohort in self.cohorts],
            "waves": [{"kind": wave.kind, "hosts": list(wave.hosts)} for wave in self.waves],
            "hosts": {host.name: _row(host, cohort) for cohort in self.cohorts for host in cohort.hosts},
            "left_out": dict(self.left_out),
        }
        return {**told, "hash": _hash(told)}


def validate_document(document: t.Mapping[str, t.Any]) -> None:
    """:raises PlanError: it is not a plan that this version can follow, or is not what its hash says."""
    if document.get("schema") != SCHEMA:
        raise PlanError(
            f"the plan has schema {document.get('schema')}, and this version of the collection knows {SCHEMA}: "
            "plan again"
        )
    if _hash({key: value for key, value in document.items() if key != "hash"}) != document.get("hash"):
        raise PlanError(f"the plan {document.get('hash')} is not what its hash says: it was changed. Plan again")


def build_plan(fleet: t.Iterable[Host], settings: Settings) -> Plan:
    """Plans a rollout over the hosts."""
    members: dict[str, list[Host]] = {}
    left_out: dict[str, str] = {}
    bars = _Bars(settings.quarantine)
    for host in sorted(fleet, key=lambda one: one.name):
        cohort = compute_cohort_id(host)
        reason = _left_out(host) or bars.reason(host)
        if reason is None:
            members.setdefault(cohort, []).append(host)
        else:
            left_out[host.name] = reason
    rank = _ranks((host for hosts in members.values() for host in hosts), settings.seed)
    cohorts = tuple(_cohort(id_, hosts, settings, rank) for id_, hosts in sorted(members.items()))
    planned = sum(len(cohort.hosts) for cohort in cohorts)
    several = [cohort for cohort in cohorts if len(cohort.hosts) > 1]
    singles = sorted(
        (cohort.hosts[0] for cohort in cohorts if len(cohort.hosts) == 1), key=lambda host: rank[host.name]
    )
    canaries = [host for cohort in several for host in cohort.hosts if host.name in cohort.why]
    others = [host for cohort in several for host in cohort.hosts if host.name not in cohort.why]
    others.sort(key=lambda host: rank[host.name])
    caps = _Caps(settings, [host for cohort in cohorts for host in cohort.hosts])
    sizes = [max(1, host_counts.resolve_count(size, planned) or 0) for size in settings.waves]
    waves = [
        *_cut(CANARIES, canaries, [], caps, whole=True),
        *_cut(WAVE, others, sizes, caps),
        *_cut(SINGLES, singles, [], caps),
    ]
    return Plan(settings, cohorts, tuple(waves), left_out)


_TARGET = ("release", "build_id", "arch", "flavor", "kmp")
_KEY = (*_TARGET, "level")


def compute_cohort_id(host: Host) -> str:
    """A cohort's ID. Made of what makes hosts alike, and of nothing else: it is the same in each plan."""
    return _digest(host, _KEY)


def _target(host: Host) -> str:
    """What a cohort comes to, wherever it starts from. The quarantine goes by it: a host that was brought back starts
    from another level the next time, and is to be left alone nevertheless.
    """
    return _digest(host, _TARGET)


def _digest(host: Host, names: t.Iterable[str]) -> str:
    return _short((*(getattr(host, name) for name in names), host.key))


# Few cohorts have many hosts.
@functools.lru_cache(maxsize=4096)
def _short(key: tuple[t.Any, ...]) -> str:
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]


def _row(host: Host, cohort: Cohort) -> dict[str, t.Any]:
    told = {name: getattr(host, name) for name in ("build_id", "boot_id", "kmp", "level")}
    return {"cohort": cohort.id, **told, "why": cohort.why.get(host.name)}


def _hash(document: t.Mapping[str, t.Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _left_out(host: Host) -> str | None:
    if not host.patchable:
        return f"{host.state}: {host.reason}"
    return None if host.left_out is None else f"left out: {host.left_out}"


# What lets a host go on that the quarantine bars
QUARANTINE_HINT = "playbook quarantine clears it"


class _Bars:
    """The quarantine, by what it bars."""

    def __init__(self, entries: t.Iterable[t.Mapping[str, t.Any]]) -> None:
        self._reasons = {(one.get("kmp"), one.get("cohort"), one.get("host")): str(one["reason"]) for one in entries}

    def reason(self, host: Host) -> str | None:
        if not self._reasons:
            return None
        for what in ((host.kmp, _target(host), None), (host.kmp, None, None), (None, None, host.name)):
            if what in self._reasons:
                return f"quarantine: {self._reasons[what]}; {QUARANTINE_HINT}"
        return None


def _ranks(hosts: t.Iterable[Host], seed: str) -> dict[str, tuple[bool, float, str]]:
    """Who goes first: whom the operator has marked, then the least critical, then by a hash."""
    return {
        host.name: (not host.canary, host.criticality, hashlib.sha256(f"{seed}\0{host.name}".encode()).hexdigest())
        for host in hosts
    }


def _cohort(id_: str, hosts: list[Host], settings: Settings, rank: t.Mapping[str, t.Any]) -> Cohort:
    ordered = sorted(hosts, key=lambda host: rank[host.name])
    if len(ordered) == 1:
        return Cohort(id_, ordered[0], tuple(ordered), {})
    # One is always left for a wave: else nothing would be learned from the canaries.
    count = min(len(ordered) - 1, max(1, host_counts.resolve_count(settings.canaries, len(ordered)) or 0))
    return Cohort(id_, ordered[0], tuple(ordered), {host.name: _why(host) for host in _spread(ordered, count)})


def _why(host: Host) -> str:
    if host.canary:
        return "marked by the operator"
    return "chosen by hash" if host.criticality == 0.5 else f"criticality {host.criticality:g}"


def _spread(ordered: list[Host], count: int) -> list[Host]:
    """The first ones, but as few as can be of the same failure domain."""
    chosen: list[Host] = []
    used: collections.Counter[str] = collections.Counter()
    left = list(ordered)
    while len(chosen) < count:
        best = min(
            range(len(left)), key=lambda at: (not left[at].canary, sum(used[one] for one in left[at].domains), at)
        )
        host = left.pop(best)
        used.update(host.domains)
        chosen.append(host)
    return chosen


class _Caps:
    """How many of a wave, a failure domain and a service may go in one wave."""

    def __init__(self, settings: Settings, hosts: list[Host]) -> None:
        self._wave = _cap(settings.max_per_wave, len(hosts))
        self._each: dict[tuple[str, str], int | None] = {}
        domains = collections.Counter(domain for host in hosts for domain in host.domains)
        groups = collections.Counter(group for host in hosts for group in host.groups)
        for kind, counted, value in (
            ("domain", domains, settings.max_per_domain),
            ("group", groups, settings.max_per_group),
        ):
            for name, count in counted.items():
                self._each[kind, name] = _cap(value, count)
        self.any = bool(settings.max_per_domain or settings.max_per_group)

    def size(self, wanted: int) -> int:
        return wanted if self._wave is None else min(wanted, self._wave)

    def admits(self, host: Host, taken: collections.Counter[tuple[str, str]]) -> bool:
        """Whether a wave that has taken so many has room for this host, which it then takes."""
        places = [*(("domain", one) for one in host.domains), *(("group", one) for one in host.groups)]
        for place in places:
            most = self._each[place]
            if most is not None and taken[place] >= most:
                return False
        taken.update(places)
        return True


def _cap(value: str | None, of: int) -> int | None:
    return None if value is None else max(1, host_counts.resolve_count(value, of) or 0)


def _cut(kind: str, hosts: list[Host], sizes: list[int], caps: _Caps, whole: bool = False) -> list[Wave]:
    """Waves of these sizes, and then as many more as it takes for the rest.

    :param whole: they are one wave whatever its size may be otherwise: no cohort may go on before its canaries.
    """
    waves = []
    wanted = iter(sizes)
    while hosts:
        size = len(hosts) if whole else caps.size(next(wanted, len(hosts)))
        if not caps.any:
            taken, hosts = hosts[:size], hosts[size:]
        else:
            taken, hosts = _fill(hosts, size, caps)
        waves.append(Wave(kind, tuple(host.name for host in taken)))
    return waves


def _fill(hosts: list[Host], size: int, caps: _Caps) -> tuple[list[Host], list[Host]]:
    """As many as there is room for, in their order, and those that are left for a later wave."""
    counted: collections.Counter[tuple[str, str]] = collections.Counter()
    taken: list[Host] = []
    left: list[Host] = []
    for host in hosts:
        (taken if len(taken) < size and caps.admits(host, counted) else left).append(host)
    return taken, left
