# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which KMP belongs to a kernel. PRIVATE to the collection: it may change at any time. Pure."""

from typing import Dict, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import evr
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate


# basis: "build_id" when the KMP says which build it was made for, "name" when only its name fits.
class Selection(NamedTuple):
    selected: Optional[Candidate]
    basis: Optional[str]
    witnesses: List[str]
    rejected: List[Dict[str, str]]


def select(
    release: str,
    arch: str,
    build_id: str,
    candidates: List[Candidate],
    for_this_build: Set[str],
    for_any_build: Set[str],
    allow_name_match: bool,
) -> Selection:
    """Selects the newest KMP that was built for the running kernel, and says why the others were not.

    :param candidates: packages that carry the KMP name for ``release``.
    :param for_this_build: ``name-evr`` of those tagged with ``build_id``.
    :param for_any_build: ``name-evr`` of those tagged with any build ID.
    :param allow_name_match: take a KMP that carries no tag, on its name alone.
    """
    rejected: List[Dict[str, str]] = []
    fitting: List[Candidate] = []
    for candidate in sorted(candidates, key=lambda one: evr.key(one.evr), reverse=True):
        refusal = _refusal(candidate, arch, build_id, for_this_build, for_any_build, allow_name_match)
        if refusal is None and fitting:
            # The same package from another repository is the same choice.
            if candidate.evr == fitting[0].evr:
                continue
            refusal = ("older", f"older level than {fitting[0].evr}")
        if refusal is None:
            fitting.append(candidate)
        else:
            code, reason = refusal
            rejected.append({"name": candidate.name, "evr": candidate.evr, "code": code, "reason": reason})
    if not fitting:
        return Selection(None, None, [], rejected)
    selected = fitting[0]
    witnesses = [f"name carries the running release {release}"]
    basis = "name"
    if _key(selected) in for_this_build:
        basis = "build_id"
        witnesses.append(f"package is tagged for the running build ID {build_id}")
    return Selection(selected, basis, witnesses, rejected)


def _key(candidate: Candidate) -> str:
    return candidate.name + "-" + candidate.evr


def _refusal(
    candidate: Candidate,
    arch: str,
    build_id: str,
    for_this_build: Set[str],
    for_any_build: Set[str],
    allow_name_match: bool,
) -> Optional[Tuple[str, str]]:
    """A word for programs and a reason for people."""
    if candidate.arch not in (arch, "noarch"):
        return "other_arch", f"other architecture: {candidate.arch}, the kernel's is {arch}"
    if _key(candidate) in for_this_build:
        return None
    if _key(candidate) in for_any_build:
        return "other_build", f"built for another build of this kernel: it is not tagged for build ID {build_id}"
    if allow_name_match:
        return None
    return (
        "name_only",
        "only its name fits: it does not say which build it was made for (allow_name_match takes it all the same)",
    )
