# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The block ``livepatch`` of an answer. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import change, fields, journal
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.change import Job
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.journal import Journal

_BOOLEAN = fields.optional(fields.boolean)
_LEVEL = fields.optional(fields.level)
_LABEL = fields.optional(fields.text(200))
_EVIDENCE = fields.mapping(
    {
        "build_id": fields.optional(fields.build_id),
        "match": fields.optional(fields.choice("build_id", "signed_image", "name")),
        "image_matches_running": _BOOLEAN,
        "package": _LABEL,
        "signature": _LABEL,
        "target_release": _LABEL,
        "module_file_build_id": fields.optional(fields.build_id),
        "module_build_id": fields.optional(fields.build_id),
        "patch": _LABEL,
        "enabled": _BOOLEAN,
        "transition": _BOOLEAN,
        "replace": _BOOLEAN,
        "stack_order": fields.optional(fields.integer(-(2**31), 2**31)),
        "module_signer": _LABEL,
        "vermagic": _LABEL,
        "functions": fields.optional(fields.integer()),
        "threads_left": fields.integer(),
    }
)
_COMPLIANCE = fields.mapping(
    {
        "cves_fixed": fields.optional(fields.cves),
        "cves_open": fields.optional(fields.cves),
        "kernel_fixed": fields.optional(fields.integer()),
        "wanted": _LEVEL,
        "up_to_date": _BOOLEAN,
        "pinned_by": fields.optional(fields.text()),
        "covered_until": fields.optional(fields.date),
    }
)
_OBJECT = fields.text(200)
_PATCH = fields.mapping(
    {
        "name": fields.text(200),
        "enabled": fields.boolean,
        "transition": fields.boolean,
        "replace": _BOOLEAN,
        "stack_order": fields.optional(fields.integer(-(2**31), 2**31)),
        "build_id": fields.optional(fields.build_id),
        "objects": fields.table(_OBJECT, fields.integer(), 10000),
    },
    # Only where they are asked for
    {"functions": fields.table(_OBJECT, fields.list_of(fields.text(200), 10000), 10000)},
)
_TRANSITION = fields.mapping({"running": fields.boolean, "patch": _LABEL, "to": _BOOLEAN})
_NEXT_BOOT = fields.mapping(
    {
        "release": fields.text(200),
        "kmp": _LABEL,
        "level": _LEVEL,
        "loaded_by": fields.optional(fields.choice("initrd", "service")),
        "held": fields.boolean,
        "missing": fields.list_of(fields.text(), 100),
    }
)
_PROBLEM = fields.mapping({"what": fields.word(r"[a-z_]+", 40, "a kind of problem"), "text": fields.text()})
_HEALTH = fields.mapping(
    {
        "verdict": fields.choice("pass", "fail", "inconclusive"),
        "problems": fields.list_of(_PROBLEM, 100),
        "since": fields.optional(journal.baseline),
        "complete": fields.boolean,
        "reason": fields.optional(fields.text()),
    }
)
_HEALTH_CHECK = fields.mapping(
    {
        "kind": fields.choice("command", "url", "service"),
        "name": fields.text(4096),
        "passed": _BOOLEAN,
        "text": fields.text(),
    }
)
block = fields.mapping(
    {
        "state": change.state,
        "reason": fields.message(),
        "evidence": _EVIDENCE,
        "compliance": _COMPLIANCE,
        "level": _LEVEL,
        "persistent": _BOOLEAN,
        "patches": fields.list_of(_PATCH, 1000),
        "transition": _TRANSITION,
        "blockers": change.blockers,
        "next_boot": fields.optional(_NEXT_BOOT),
        "health": _HEALTH,
        "journal": fields.optional(journal.block),
        "unmeasured": fields.reasons,
    },
    # livepatch_info only
    {
        "job": fields.optional(change.job),
        "health_checks": fields.list_of(_HEALTH_CHECK, 1000),
    },
)


@dataclasses.dataclass(frozen=True)
class Compliance:
    # Against the level that is wanted, None where that is unknown
    up_to_date: bool | None = None
    # The level that the policy selects
    wanted: int | None = None
    # None where they are unknown
    cves_open: tuple[str, ...] | None = None
    cves_fixed: tuple[str, ...] | None = None
    # An ISO date
    covered_until: str | None = None

    @classmethod
    def from_block(cls, parsed: t.Mapping[str, t.Any]) -> Compliance:
        cves = {key: None if parsed[key] is None else tuple(parsed[key]) for key in ("cves_open", "cves_fixed")}
        return cls(parsed["up_to_date"], parsed["wanted"], **cves, covered_until=parsed["covered_until"])


@dataclasses.dataclass(frozen=True)
class Health:
    """Since the last change began."""

    # pass, fail or inconclusive
    verdict: str
    # Each as "kind: text"
    problems: tuple[str, ...] = ()
    # Why not all could be examined
    reason: str | None = None

    @classmethod
    def from_block(cls, parsed: t.Mapping[str, t.Any]) -> Health:
        problems = ("{what}: {text}".format(**problem) for problem in parsed["problems"])
        return cls(parsed["verdict"], tuple(problems), parsed["reason"])


@dataclasses.dataclass(frozen=True)
class Livepatch:
    """The state of a host's live patch, as far as the control node decides by it."""

    state: str
    reason: str
    # The active one
    level: int | None = None
    compliance: Compliance = Compliance()
    health: Health = Health("pass")
    job: Job | None = None
    journal: Journal | None = None
    # Whether the next boot keeps the patch, and what is missing for that
    persistent: bool | None = None
    missing: tuple[str, ...] = ()
    # Threads that keep a transition from completing, each with what to do
    blockers: tuple[str, ...] = ()
    # What the state rests on
    evidence: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @property
    def threads_left(self) -> int | None:
        return self.evidence.get("threads_left")

    @classmethod
    def from_block(cls, parsed: t.Mapping[str, t.Any]) -> Livepatch:
        blocked = "{command} (thread {tid}, {class}): {advice}"
        return cls(
            parsed["state"],
            parsed["reason"],
            parsed["level"],
            Compliance.from_block(parsed["compliance"]),
            Health.from_block(parsed["health"]),
            Job.from_block(parsed.get("job")),
            Journal.from_block(parsed["journal"]),
            parsed["persistent"],
            tuple(parsed["next_boot"]["missing"]) if parsed["next_boot"] else (),
            tuple(blocked.format(**blocker) for blocker in parsed["blockers"]),
            parsed["evidence"],
        )
