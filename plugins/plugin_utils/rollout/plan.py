# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is patched when: cohorts, canaries, waves. PRIVATE to the collection. Pure: the same hosts, the same plan."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.hosts import Host, PlanError

# Hosts that behave alike: what runs, where it starts from, what is applied.
CohortKey = tuple[str | None, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """``waves[0]`` holds the canaries, one of each cohort. ``left_out`` says why a host is in no wave.

    ``batches`` are the waves, cut where more hosts than may be in flight at once are in one.
    """

    waves: tuple[tuple[str, ...], ...]
    cohorts: tuple[tuple[str, ...], ...]
    left_out: dict[str, str]
    batches: tuple[tuple[str, ...], ...] = ()

    @property
    def hosts(self) -> list[str]:
        return [host for wave in self.waves for host in wave]

    def as_result(self) -> dict[str, t.Any]:
        told = {
            "hosts": self.hosts,
            "sizes": [len(batch) for batch in self.batches],
            "waves": [list(wave) for wave in self.waves],
            "cohorts": [list(cohort) for cohort in self.cohorts],
            "left_out": self.left_out,
        }
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        return {**told, "hash": digest}


def make(fleet: t.Iterable[Host], sizes: t.Sequence[str | int], seed: str, max_in_flight: int = 100) -> Plan:
    """Plans a rollout over the hosts.

    :param sizes: how large the waves after the canaries are: a number of hosts, or a share of all planned hosts
        (``25%``), each at least one; a last wave takes whoever is left.
    :param seed: chooses among the hosts of a cohort that the operator has not marked.
    :param max_in_flight: how many hosts migrate at once, at most.
    :raises PlanError: a size is neither a number nor a share.
    """
    if max_in_flight < 1:
        raise PlanError(f"livepatch_max_in_flight is {max_in_flight}: at least one host must be in flight")
    cohorts: dict[CohortKey, list[Host]] = {}
    left_out: dict[str, str] = {}
    for host in sorted(fleet, key=lambda one: one.name):
        if host.patchable:
            cohorts.setdefault(_key(host), []).append(host)
        else:
            left_out[host.name] = f"{host.state}: {host.reason}"

    ordered = [sorted(cohort, key=lambda one: _rank(one, seed)) for cohort in cohorts.values()]
    ordered.sort(key=lambda cohort: str(_key(cohort[0])))
    canaries = tuple(cohort[0].name for cohort in ordered)
    rest = [
        host.name for host in sorted((host for cohort in ordered for host in cohort[1:]), key=lambda h: _rank(h, seed))
    ]
    waves = ([canaries] if canaries else []) + _cut(rest, len(canaries) + len(rest), sizes)
    batches = [wave[start : start + max_in_flight] for wave in waves for start in range(0, len(wave), max_in_flight)]
    return Plan(
        tuple(waves), tuple(tuple(host.name for host in cohort) for cohort in ordered), left_out, tuple(batches)
    )


def _key(host: Host) -> CohortKey:
    return (host.release, host.build_id, host.arch, host.flavor, str(host.level), host.kmp)


def _rank(host: Host, seed: str) -> tuple[bool, str]:
    return (not host.canary, hashlib.sha256(f"{seed}\0{host.name}".encode()).hexdigest())


def _cut(hosts: list[str], planned: int, sizes: t.Sequence[str | int]) -> list[tuple[str, ...]]:
    waves = []
    # All sizes are looked at, those that no host is left for too: a mistake is told before it matters.
    for count in [*[_count(size, planned) for size in sizes], len(hosts)]:
        if not hosts:
            break
        waves.append(tuple(hosts[:count]))
        hosts = hosts[count:]
    return waves


def _count(size: str | int, planned: int) -> int:
    matched = re.fullmatch(r"(\d+)(%?)", str(size).strip())
    if matched is None:
        raise PlanError(f"livepatch_waves: {size!r} is neither a number of hosts nor a share such as 25%")
    number = int(matched.group(1))
    return max(1, math.floor(planned * number / 100) if matched.group(2) else number)
