# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout knows of each host, taken from the results that Ansible holds. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._verdict import PATCHABLE
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import problems


class PlanError(ValueError):
    """What the operator asked for cannot be planned."""


@dataclasses.dataclass(frozen=True)
class Host:
    """One host before the rollout. ``kmp`` is the one that is wanted, as name-evr; ``level`` the active one.

    ``unconfirmed``: what is active is kept out of the next boot; whoever applied it has gone away before its gate.
    ``refused``: there are KMPs of the right name, and none of them was taken.
    """

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
    refused: bool = False
    up_to_date: bool = False
    unconfirmed: bool = False

    @property
    def settled(self) -> bool:
        """Nothing is left to do here, or nothing can be done, and nobody has to look at it."""
        return self.up_to_date or (self.state == "not_covered" and not self.refused)

    @property
    def patchable(self) -> bool:
        """Something is to be done here, be it only that what a rollout has left behind comes to its gate."""
        if self.up_to_date:
            return self.unconfirmed
        return self.state in PATCHABLE and self.kmp is not None


def from_result(name: str, variables: t.Mapping[str, t.Any], result: t.Mapping[str, t.Any] | None) -> Host:
    """Reads a result of ``livepatch_survey``; a host that gave no answer is ``unknown``, with the reason.

    :param variables: the host's variables: ``livepatch_canary`` is the operator's mark.
    :raises PlanError: that mark is neither true nor false.
    """
    try:
        canary = boolean(variables.get("livepatch_canary", False))
    except TypeError as exc:
        raise PlanError(f"livepatch_canary of {name}: {exc}") from exc
    if result is None or "livepatch" not in result:
        problem = (result or {}).get("problem") or problems.of(result, variables) or "it was not asked"
        return Host(name, "unknown", problem, canary=canary)
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
        refused=selected is None and bool(kmp["rejected"]),
        up_to_date=livepatch["compliance"]["up_to_date"] is True,
        unconfirmed=(livepatch["journal"] or {}).get("phase") == _journal.SOAKING,
    )
