# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan: cohorts, waves, and what is planned for each host. PRIVATE to the collection. Pure.

It is stored, shown and handed on as a document, JSON, and is typed everywhere else. What steps need of it whatever its
size is its outline.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError

SCHEMA = 1
# The kinds of waves. A cohort of one host has no other that could be its canary.
CANARIES, WAVE, SINGLES = "canaries", "wave", "singles"
# Those of which each host is the first of its cohort to get the patch: they have no budget.
_STRICT = (CANARIES, SINGLES)

Document = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class PlannedHost:
    """What is planned for a host, and what it was then."""

    name: str
    cohort: str
    wave: int
    build_id: str
    boot_id: str | None
    # As name-evr
    kmp: str
    # The active one
    level: int | None
    # How it was chosen as a canary, None for the others
    why: str | None

    @classmethod
    def from_row(cls, name: str, row: Document) -> PlannedHost:
        """:param row: the store's, of this host."""
        return cls(name, **{field.name: row[field.name] for field in dataclasses.fields(cls) if field.name != "name"})

    @functools.cached_property
    def evr(self) -> str:
        """The version and release of the KMP. An EVR has one dash."""
        return "-".join(self.kmp.split("-")[-2:])


@dataclasses.dataclass(frozen=True)
class PlannedCohort:
    """Hosts that behave alike: what runs, where it starts from, what is applied, and what the operator adds."""

    id: str
    # The ID of what it comes to: it outlives the level that hosts start from
    target: str
    release: str | None
    build_id: str
    arch: str | None
    flavor: str | None
    kmp: str
    level: int | None
    # What livepatch_cohort_key adds, as JSON
    key: str | None
    # How many
    hosts: int
    # Their names
    canaries: tuple[str, ...]
    # Who takes the place of canaries that cannot be patched, in that order; each is planned for a later wave
    reserves: tuple[str, ...] = ()

    @classmethod
    def from_document(cls, document: Document) -> PlannedCohort:
        names = {key: tuple(document.get(key, ())) for key in ("canaries", "reserves")}
        return cls(**{**document, **names})

    def as_document(self) -> dict[str, t.Any]:
        document = {**dataclasses.asdict(self), "canaries": list(self.canaries), "reserves": list(self.reserves)}
        return document if self.reserves else {key: value for key, value in document.items() if key != "reserves"}


@dataclasses.dataclass(frozen=True)
class PlannedWave:
    kind: str
    # How many
    hosts: int

    @property
    def is_strict(self) -> bool:
        """Whether it has no budget, since its hosts are the first of their cohorts."""
        return self.kind in _STRICT


@dataclasses.dataclass(frozen=True)
class PlanSettings:
    """The settings that a plan was made by, those that steps follow by name."""

    max_in_flight: int
    halt_scope: str
    # By kind, ``5`` or ``10%``; None means no limit
    budgets: t.Mapping[str, str | None]
    domain_keys: tuple[str, ...]
    # All of them, as they are shown
    document: Document

    @classmethod
    def from_document(cls, document: Document) -> PlanSettings:
        return cls(
            document["max_in_flight"],
            document["halt_scope"],
            document["budgets"],
            tuple(document.get("domain_keys") or ()),
            document,
        )


@dataclasses.dataclass(frozen=True)
class Outline:
    """A plan without its hosts."""

    hash: str
    settings: PlanSettings
    # By ID
    cohorts: t.Mapping[str, PlannedCohort]
    waves: tuple[PlannedWave, ...]

    @classmethod
    def from_document(cls, document: Document) -> Outline:
        """:param document: of each wave it has how many ``hosts`` there are."""
        cohorts = [PlannedCohort.from_document(cohort) for cohort in document["cohorts"]]
        return cls(
            document["hash"],
            PlanSettings.from_document(document["settings"]),
            {cohort.id: cohort for cohort in cohorts},
            tuple(PlannedWave(wave["kind"], wave["hosts"]) for wave in document["waves"]),
        )

    @functools.cached_property
    def hosts(self) -> int:
        """How many are planned."""
        return sum(wave.hosts for wave in self.waves)

    @property
    def reserves(self) -> tuple[str, ...]:
        """Who may take the place of canaries, of all cohorts."""
        return tuple(name for cohort in self.cohorts.values() for name in cohort.reserves)

    def name_wave(self, number: int) -> str:
        kind = self.waves[number].kind
        name = {CANARIES: "canaries", SINGLES: "single hosts"}.get(kind)
        if name is None:
            return f"wave {number}"
        # Caps may cut them.
        return name if sum(wave.kind == kind for wave in self.waves) == 1 else f"{name} of wave {number}"


@dataclasses.dataclass(frozen=True)
class Plan:
    outline: Outline
    hosts: t.Mapping[str, PlannedHost]
    # The names of each wave's hosts, in the order in which they go
    waves: tuple[tuple[str, ...], ...]
    # By host that is in no wave, why
    left_out: t.Mapping[str, str]

    @property
    def hash(self) -> str:
        return self.outline.hash

    @classmethod
    def from_document(cls, document: Document) -> Plan:
        """:param document: one that was validated, or was just made."""
        waves = tuple(tuple(wave["hosts"]) for wave in document["waves"])
        sizes = [{"kind": wave["kind"], "hosts": len(wave["hosts"])} for wave in document["waves"]]
        numbers = {name: number for number, names in enumerate(waves) for name in names}
        hosts = {
            name: PlannedHost.from_row(name, {**row, "wave": numbers[name]}) for name, row in document["hosts"].items()
        }
        return cls(Outline.from_document({**document, "waves": sizes}), hosts, waves, document["left_out"])

    def as_document(self) -> dict[str, t.Any]:
        """The plan as it is stored and shown."""
        return {
            "schema": SCHEMA,
            "settings": dict(self.outline.settings.document),
            "cohorts": [cohort.as_document() for cohort in self.outline.cohorts.values()],
            "waves": [
                {"kind": wave.kind, "hosts": list(names)}
                for wave, names in zip(self.outline.waves, self.waves, strict=True)
            ],
            "hosts": {host.name: _build_row(host) for host in self.hosts.values()},
            "left_out": dict(self.left_out),
            "hash": self.hash,
        }


def validate_document(document: Document) -> None:
    """:raises PlanError: it is not a plan that this version can follow, or does not match its hash."""
    if document.get("schema") != SCHEMA:
        raise PlanError(
            f"the plan has schema {document.get('schema')}, this version of the collection supports {SCHEMA}: "
            "run playbook plan again"
        )
    if compute_hash(document) != document.get("hash"):
        raise PlanError(
            f"plan {document.get('hash')} does not match its hash, so it was changed: run playbook plan again"
        )


def _build_row(host: PlannedHost) -> dict[str, t.Any]:
    return {
        "cohort": host.cohort,
        "build_id": host.build_id,
        "boot_id": host.boot_id,
        "kmp": host.kmp,
        "level": host.level,
        "why": host.why,
    }


def compute_hash(document: Document) -> str:
    """That of all of a plan but its hash."""
    hashed = {key: value for key, value in document.items() if key != "hash"}
    return hashlib.sha256(json.dumps(hashed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
