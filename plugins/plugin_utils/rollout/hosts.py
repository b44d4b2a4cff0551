# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout knows of each host, taken from the results that Ansible holds. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._verdict import PATCHABLE, UP_TO_DATE


@dataclasses.dataclass(frozen=True)
class Host:
    """One host before the rollout. ``kmp`` is the one that would be applied, as name-evr; ``level`` the active one."""

    name: str
    state: str
    reason: str
    release: str | None = None
    build_id: str | None = None
    arch: str | None = None
    flavor: str | None = None
    level: int | None = None
    kmp: str | None = None
    boot_id: str | None = None
    canary: bool = False

    @property
    def up_to_date(self) -> bool:
        return self.state in UP_TO_DATE

    @property
    def patchable(self) -> bool:
        return self.state in PATCHABLE and self.kmp is not None


def from_result(name: str, variables: t.Mapping[str, t.Any], result: t.Mapping[str, t.Any] | None) -> Host:
    """Reads a result of ``livepatch_survey``; a host that gave no answer is ``unknown``, with the reason.

    :param variables: the host's variables: ``livepatch_canary`` is the operator's mark.
    """
    canary = bool(variables.get("livepatch_canary", False))
    if result is None or "livepatch" not in result:
        return Host(name, "unknown", (result or {}).get("problem", "it was not asked"), canary=canary)
    kernel, kmp, livepatch = result["kernel"], result["kmp"], result["livepatch"]
    selected = kmp["selected"]
    return Host(
        name,
        livepatch["state"],
        livepatch["reason"],
        release=kernel["release"],
        build_id=kernel["build_id"],
        arch=kernel["arch"],
        flavor=kernel["flavor"],
        level=livepatch["level"],
        kmp=f"{selected['name']}-{selected['evr']}" if selected else None,
        boot_id=kernel["boot_id"],
        canary=canary,
    )
