# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ``kmp`` block of a result. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict, List, NamedTuple, Optional, Set

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import (
    evr,
    managers,
    module_file,
    names,
    rpm,
    selection,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate


# What the operator allows when repositories are asked. max_age: seconds.
class Policy(NamedTuple):
    refresh: str
    max_age: int
    lock_timeout: int
    allow_name_match: bool


# What the repositories offer for one kernel: asked once, used before and after a change. problem: why it is unknown.
class Offer(NamedTuple):
    candidates: List[Candidate]
    for_this_build: Set[str]
    for_any_build: Set[str]
    metadata_age: Optional[int]
    problem: Optional[str]


_NOT_INSTALLED = "told only of an installed KMP: the package manager does not show it for others"
_NO_ADVISORY = "this version reads no advisories"


def ask(host: Host, kernel: Dict[str, Any], policy: Policy) -> Offer:
    """Asks the package manager what there is for this kernel."""
    age: Optional[int] = None
    try:
        manager = managers.find(host, policy.lock_timeout)
        age = manager.metadata_age()
        if policy.refresh == "always" or (policy.refresh == "if_older_than" and (age is None or age > policy.max_age)):
            manager.refresh()
            age = manager.metadata_age()
        if age is None:
            raise Unmeasured(
                "metadata of these repositories are not on this host: {}".format(
                    ", ".join(manager.without_metadata()) or "none is enabled"
                ),
                "Set up a repository that holds KMPs, and refresh it (refresh: always)",
            )
        candidates = manager.named(names.kmp_name(kernel["release"]))
        for_this_build = manager.targeting(kernel["build_id"]) if candidates and kernel["build_id"] else set()
        # Whether a KMP is tagged for another build, or not at all, matters only where one does not fit.
        unfit = any(one.name + "-" + one.evr not in for_this_build for one in candidates)
        for_any_build = manager.targeting(None) if unfit else for_this_build
        return Offer(candidates, for_this_build, for_any_build, age, None)
    except Unmeasured as exc:
        return Offer([], set(), set(), age, str(exc))


def block(host: Host, kernel: Dict[str, Any], offer: Offer, policy: Policy) -> Dict[str, Any]:
    """What is installed, what there is, and which of it belongs to the running kernel.

    ``unmeasured`` says why a key is None. With ``candidates`` in it nothing is known of newer levels, with
    ``installed`` in it nothing of the host's own package.
    """
    kmp: Dict[str, Any] = {
        "name": names.kmp_name(kernel["release"]),
        "installed": None,
        "selected": None,
        "match": None,
        "candidates": [_offered(candidate) for candidate in offer.candidates],
        "rejected": [],
        "metadata_age": offer.metadata_age,
        "unmeasured": {},
    }
    unmeasured = kmp["unmeasured"]
    try:
        kmp["installed"] = next(iter(installed(host, kmp["name"])), None)
    except Unmeasured as exc:
        unmeasured["installed"] = str(exc)
    if offer.metadata_age is None:
        unmeasured["metadata_age"] = "the metadata of an enabled repository are not on this host, or none is enabled"
    if offer.problem is not None:
        unmeasured["candidates"] = offer.problem
    elif kernel["build_id"] is None:
        unmeasured["candidates"] = "the running kernel's build ID is unknown"
    elif offer.candidates and not any(candidate.repository for candidate in offer.candidates):
        unmeasured["candidates"] = (
            "no enabled repository offers {}, which is installed: whether there is a newer level is unknown. "
            "Look at the repositories (zypper repos), and at the registration".format(kmp["name"])
        )
    else:
        chosen = selection.select(
            kernel["release"],
            kernel["arch"],
            kernel["build_id"],
            offer.candidates,
            offer.for_this_build,
            offer.for_any_build,
            policy.allow_name_match,
        )
        kmp["rejected"] = chosen.rejected
        if chosen.selected is not None:
            kmp["match"] = {"basis": chosen.basis, "witnesses": chosen.witnesses}
            kmp["selected"] = _offered(chosen.selected)
            if kmp["installed"] is not None and kmp["installed"]["evr"] == chosen.selected.evr:
                kmp["selected"] = dict(kmp["installed"], repository=chosen.selected.repository)
    for key in ("module", "cves", "signed", "target_release"):
        unmeasured[key] = _NOT_INSTALLED
    for key in ("severity", "issued"):
        unmeasured[key] = _NO_ADVISORY
    return kmp


def installed(host: Host, name: str) -> List[Dict[str, Any]]:
    """The installed KMPs of this name, newest first, with what their modules' files say.

    There may be several: where KMPs provide ``multiversion(kernel)`` they are installed beside each other.

    :raises Unmeasured: the RPM database or a module's file cannot be read.
    """
    found = rpm.installed(host, name)
    return [_installed(host, one) for one in sorted(found, key=lambda one: evr.key(one.package.evr), reverse=True)]


def _installed(host: Host, found: rpm.Installed) -> Dict[str, Any]:
    package = found.package
    modules = [path for path in found.files if names.is_module(path)]
    if len(modules) != 1:
        raise Unmeasured(
            f"{package.name}-{package.evr} holds {len(modules)} livepatch modules, not one",
            "Report it to who built the KMP",
        )
    module = module_file.read(host, modules[0])
    return {
        "name": package.name,
        "evr": package.evr,
        "arch": package.arch,
        "level": names.level(package.evr),
        "module": names.module_name(modules[0]),
        "module_path": modules[0],
        "module_build_id": module.build_id,
        "cves": names.cves(found.changelog),
        "severity": None,
        "issued": None,
        "repository": None,
        "signed": found.signature,
        "target_release": module.target_release,
    }


def _offered(candidate: Candidate) -> Dict[str, Any]:
    return {
        "name": candidate.name,
        "evr": candidate.evr,
        "arch": candidate.arch,
        "level": names.level(candidate.evr),
        "module": None,
        "cves": None,
        "severity": None,
        "issued": None,
        "repository": candidate.repository,
        "signed": None,
        "target_release": None,
    }
