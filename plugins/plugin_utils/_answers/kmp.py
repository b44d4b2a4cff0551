# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The block ``kmp`` of an answer. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp_lock
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import SEVERITIES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import fields

_BASIS = fields.choice("build_id", "signed_image", "name")
_CVES = fields.optional(fields.cves)
_DETAILS: fields.Fields = {
    "arch": fields.text(40),
    "level": fields.optional(fields.level),
    "module": fields.optional(fields.text(200)),
    "module_path": fields.optional(fields.text()),
    "module_build_id": fields.optional(fields.build_id),
    "cves": _CVES,
    "severity": fields.optional(fields.choice(*SEVERITIES)),
    "issued": fields.optional(fields.date),
    "repository": fields.optional(fields.text(200)),
    "signed": fields.optional(fields.text(200)),
    "vendor": fields.optional(fields.text(200)),
    "target_release": fields.optional(fields.text(200)),
    "downloaded": fields.boolean,
    "installed_at": fields.optional(fields.moment),
}
# kmp_info only
_MORE: fields.Fields = {
    "module_signer": fields.optional(fields.text(200)),
    "vermagic": fields.optional(fields.text(200)),
}
_PACKAGE = fields.mapping({"name": fields.package_name, "evr": fields.evr, **_DETAILS}, _MORE)
# What a repository offers besides is only shown, and may be named in any way.
_CANDIDATE = fields.mapping({"name": fields.text(200), "evr": fields.text(200), **_DETAILS}, _MORE)
_REJECTION = fields.mapping(
    {
        "name": fields.text(200),
        "evr": fields.text(200),
        "code": fields.word(r"[a-z_]+", 40, "a code"),
        "reason": fields.text(),
    }
)
_NEWEST = fields.mapping(
    {"evr": fields.evr, "level": fields.optional(fields.level), "basis": _BASIS, "cves": _CVES},
)
_MATCH = fields.mapping(
    {
        "basis": _BASIS,
        "witnesses": fields.list_of(fields.text(), 100),
        "pending": fields.list_of(fields.text(), 100),
    }
)
block = fields.mapping(
    {
        "name": fields.package_name,
        "installed": fields.optional(_PACKAGE),
        "selected": fields.optional(_PACKAGE),
        "newest": fields.optional(_NEWEST),
        "match": fields.optional(_MATCH),
        "pinned_by": fields.optional(fields.text()),
        "covered_until": fields.optional(fields.date),
        "rejected": fields.list_of(_REJECTION, 10000),
        "lock": fields.optional(fields.choice(kmp_lock.OWN, kmp_lock.FOREIGN, kmp_lock.NONE)),
        "metadata_age": fields.optional(fields.integer()),
        "unmeasured": fields.reasons,
    },
    # kmp_info only
    {"kernel_fixed": _CVES, "candidates": fields.list_of(_CANDIDATE, 10000)},
)


@dataclasses.dataclass(frozen=True)
class Package:
    """One KMP."""

    name: str
    evr: str
    level: int | None = None
    # An ISO date
    issued: str | None = None
    downloaded: bool = False
    # When it was installed, in seconds since the epoch; None where that is unknown
    installed_at: float | None = None

    def __str__(self) -> str:
        return f"{self.name}-{self.evr}"

    @classmethod
    def from_block(cls, parsed: t.Mapping[str, t.Any] | None) -> Package | None:
        if parsed is None:
            return None
        return cls(**{field.name: parsed[field.name] for field in dataclasses.fields(cls)})


@dataclasses.dataclass(frozen=True)
class Kmp:
    """The KMPs for the running kernel, as far as the control node decides by them."""

    installed: Package | None = None
    selected: Package | None = None
    # Whether there are KMPs that were rejected
    has_rejected: bool = False
    # Whose lock holds KMPs: own, foreign or none; None where that is unknown
    lock: str | None = None
    # The newer KMPs that an administrator's lock keeps back, each with the reason
    kept_back: tuple[str, ...] = ()

    @classmethod
    def from_block(cls, parsed: t.Mapping[str, t.Any]) -> Kmp:
        return cls(
            Package.from_block(parsed["installed"]),
            Package.from_block(parsed["selected"]),
            bool(parsed["rejected"]),
            parsed["lock"],
            tuple("{name}-{evr}: {reason}".format(**each) for each in parsed["rejected"] if each["code"] == "locked"),
        )
