# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ``kmp`` block of a result. PRIVATE to the collection: it may change at any time."""

import contextlib
import datetime
from typing import Any, Dict, List, NamedTuple, Optional, Set

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import (
    advisories,
    kernel_provenance,
    lifecycle,
    managers,
    package_contents,
    rpm,
    selection,
    transaction_check,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate, Metadata, PackageManager


# What is known of the KMPs for one kernel: asked once, used before and after a change. problem: why it is unknown.
# keys: whom the host trusts with packages. files: what was seen in those that were downloaded, by name-evr.
# transaction: what installing the last of these would do, None where that was not asked.
class Offer(NamedTuple):
    kmp_names: List[str]
    problem: Optional[str] = None
    metadata_age: Optional[int] = None
    candidates: List[Candidate] = []
    for_this_build: Set[str] = set()
    for_any_build: Set[str] = set()
    advised: List[advisories.Advisory] = []
    keys: Dict[str, str] = {}
    traced: kernel_provenance.Origin = kernel_provenance.Origin("it was not traced", [])
    files: Dict[str, package_contents.Inside] = {}
    transaction: Optional[List[str]] = None


_NOT_SEEN = "told only of a KMP that is installed or downloaded: the package manager does not show it of others"
_NO_ADVISORY = "no repository has an advisory of it"
_NOTHING = "there is no KMP for this kernel"


def ask(host: Host, kernel: Dict[str, Any], policy: Policy) -> Offer:
    """Asks the package manager what there is for this kernel, and looks into what of it is on the host already."""
    offer = Offer([_kmp_names.suse(kernel["release"])])
    try:
        manager = managers.find(host, policy)
        offer = offer._replace(kmp_names=manager.kmp_names(kernel["release"]), metadata_age=manager.metadata_age())
        if policy.refresh == "always" or (policy.refresh == "if_older_than" and _is_old(offer.metadata_age, policy)):
            manager.refresh()
            offer = offer._replace(metadata_age=manager.metadata_age())
        if offer.metadata_age is None:
            raise Unmeasured(
                "metadata of these repositories are not on this host: {}".format(
                    ", ".join(manager.without_metadata()) or "none is enabled"
                ),
                "Set up a repository that holds KMPs, and refresh it (refresh: always). "
                "What is dated in the future counts as not there",
            )
        return _ask(host, kernel, manager, offer)
    except Unmeasured as exc:
        return offer._replace(problem=str(exc))


def _is_old(age: Optional[int], policy: Policy) -> bool:
    return age is None or age > policy.max_age


def _ask(host: Host, kernel: Dict[str, Any], manager: PackageManager, offer: Offer) -> Offer:
    offer = offer._replace(candidates=manager.offered(kernel["release"]))
    ours = [one for one in offer.candidates if one.name in offer.kmp_names]
    if not ours or kernel["build_id"] is None:
        return offer
    for_this_build = manager.targeting(kernel["build_id"])
    # Whether a KMP is tagged for another build, or not at all, matters only where one does not fit.
    unfit = any(_key(one) not in for_this_build for one in ours)
    wanted = {one.name for one in ours} | ({kernel["package"]["name"]} if kernel["package"] else set())
    advised = _advised(host, manager.metadata(), {one.repository for one in ours if one.repository}, wanted)
    keys = rpm.keys(host)
    offer = offer._replace(
        for_this_build=for_this_build,
        for_any_build=manager.targeting(None) if unfit else for_this_build,
        advised=advised,
        keys=keys,
        traced=kernel_provenance.trace(host, kernel, keys),
    )
    for one in ours:
        path = manager.cached(one.name, one.evr, one.arch)
        if path is not None:
            seen = _looked_into(host, kernel, offer, one, path)
            # A file that was cut off says nothing of what the repository offers, which is downloaded anew.
            offer = offer if seen.files[_key(one)].signature == "bad" else seen
    return offer


def _advised(
    host: Host, repositories: List[Metadata], offering: Set[str], wanted: Set[str]
) -> List[advisories.Advisory]:
    """The advisories: all of them of the repositories that offer a KMP, since one of these may retract it.

    Of the others as far as they can be read: what they say of the kernel bars nothing.

    :raises Unmeasured: those of a repository that offers a KMP cannot be read.
    """
    if not offering <= {each.repository for each in repositories}:
        offering = {each.repository for each in repositories}
    found = advisories.read(host, [each for each in repositories if each.repository in offering], wanted)
    for each in repositories:
        if each.repository not in offering:
            with contextlib.suppress(Unmeasured):
                found += advisories.read(host, [each], wanted)
    return found


def _looked_into(host: Host, kernel: Dict[str, Any], offer: Offer, candidate: Candidate, path: str) -> Offer:
    package = rpm.Package(candidate.name, candidate.evr, candidate.arch)
    seen = package_contents.of_file(host, path, package, kernel, offer.keys)
    return offer._replace(files=dict(offer.files, **{_key(candidate): seen}))


def examine(host: Host, kernel: Dict[str, Any], offer: Offer, policy: Policy) -> Offer:
    """Looks into the KMP that is to be installed before it is: its transaction, its signature, its module.

    What speaks against it is in the offer then, so that another one may be selected, which is looked into as well.

    :raises TransactionRefused: installing it would do more than that.
    :raises InstallFailed: the package manager does not want to install it.
    :raises Unmeasured: it cannot be downloaded, or not be read.
    """
    manager = managers.find(host, policy)
    examined: Set[str] = set()
    while True:
        kmp = block(host, kernel, offer, policy)
        selected = kmp["selected"]
        if selected is None or selected["evr"] in examined:
            return offer
        name, version = selected["name"], selected["evr"]
        if any(one["evr"] == version for one in installed(host, name)):
            return offer
        older = kmp["installed"] is not None and _evr.compare(version, kmp["installed"]["evr"]) < 0
        examined.add(version)
        steps = manager.preview(name, version, older)
        offer = offer._replace(transaction=transaction_check.describe(steps))
        transaction_check.check(steps, name, version, policy.allow_dependencies, older)
        candidate = next(one for one in offer.candidates if (one.name, one.evr) == (name, version))
        offer = _looked_into(host, kernel, offer, candidate, manager.download(name, version, candidate.arch))


def block(host: Host, kernel: Dict[str, Any], offer: Offer, policy: Policy) -> Dict[str, Any]:
    """What is installed, what there is, and which of it belongs to the running kernel.

    ``unmeasured`` says why a key is None. With ``candidates`` in it nothing is known of newer levels, with
    ``installed`` in it nothing of the host's own package.
    """
    unmeasured: Dict[str, str] = {}
    own: Dict[str, package_contents.Inside] = {}
    try:
        own = {
            _key_of(one.content.package): one for name in offer.kmp_names for one in _installed(host, name, offer.keys)
        }
    except Unmeasured as exc:
        unmeasured["installed"] = str(exc)
    newest = max(own.values(), key=lambda one: _evr.key(one.content.package.evr), default=None)
    known = _known(offer, own)
    kmp: Dict[str, Any] = {
        "name": _name(offer, newest),
        "installed": None if newest is None else _shown(offer, newest.content.package, None, newest),
        "selected": None,
        "newest": None,
        "match": None,
        "pinned_by": None,
        "kernel_fixed": None,
        "covered_until": None,
        "candidates": [_shown_known(offer, one) for one in known if one.candidate.name in offer.kmp_names],
        "rejected": [],
        "metadata_age": offer.metadata_age,
        "unmeasured": unmeasured,
    }
    if offer.metadata_age is None:
        unmeasured["metadata_age"] = (
            "the metadata of an enabled repository are not on this host, or dated in the future, or none is enabled"
        )
    problem = _problem(kernel, offer, kmp["name"])
    if problem is not None:
        unmeasured["candidates"] = problem
    else:
        running = selection.Kernel(
            kernel["release"], kernel["flavor"], kernel["arch"], kernel["build_id"], offer.kmp_names, offer.traced
        )
        today = datetime.datetime.fromtimestamp(host.wall_clock(), datetime.timezone.utc).date()
        _choose(kmp, offer, running, selection.select(running, known, policy, today, _evr_of(newest)))
    _tell_more(host, kernel, offer, kmp)
    return kmp


def installed(host: Host, name: str) -> List[Dict[str, Any]]:
    """The installed KMPs of this name, newest first, with what their modules' files say.

    There may be several: where KMPs provide ``multiversion(kernel)`` they are installed beside each other.

    :raises Unmeasured: the RPM database or a module's file cannot be read.
    """
    found = sorted(_installed(host, name, {}), key=lambda one: _evr.key(one.content.package.evr), reverse=True)
    return [_shown(Offer([name]), one.content.package, None, one) for one in found]


def _installed(host: Host, name: str, keys: Dict[str, str]) -> List[package_contents.Inside]:
    return [package_contents.of_installed(host, one, keys) for one in rpm.installed(host, name)]


def _known(offer: Offer, own: Dict[str, package_contents.Inside]) -> List[selection.Known]:
    """The candidates, with all that is known of each."""
    known = []
    for candidate in offer.candidates:
        key = _key(candidate)
        tag = "this" if key in offer.for_this_build else "other" if key in offer.for_any_build else None
        advisory = advisories.of(offer.advised, candidate.name, candidate.evr)
        seen = own.get(key) or offer.files.get(key)
        # What is installed is there, and no lock changes that.
        one = selection.Known(candidate._replace(locked=candidate.locked and key not in own), tag, seen)
        if advisory is not None:
            one = one._replace(
                retracted=advisory.id if advisory.retracted else None,
                cves=advisory.cves,
                severity=advisory.severity,
                issued=advisory.issued,
            )
        elif seen is not None:
            one = one._replace(cves=tuple(_kmp_names.cves(seen.content.changelog)))
        known.append(one)
    return known


def _problem(kernel: Dict[str, Any], offer: Offer, name: str) -> Optional[str]:
    """Why nothing can be said of what the repositories offer."""
    if offer.problem is not None:
        return offer.problem
    if kernel["build_id"] is None:
        return "the running kernel's build ID is unknown"
    ours = [one for one in offer.candidates if one.name in offer.kmp_names]
    if ours and not any(one.repository for one in ours):
        return (
            f"no enabled repository offers {name}, which is installed: whether there is a newer level is unknown. "
            "Look at the repositories, and at the registration"
        )
    return None


def _choose(kmp: Dict[str, Any], offer: Offer, kernel: selection.Kernel, chosen: selection.Selection) -> None:
    kmp["rejected"] = chosen.rejected
    kmp["pinned_by"] = chosen.pinned_by
    if chosen.newest is not None:
        newest = _shown_known(offer, chosen.newest)
        basis = selection.match(kernel, chosen.newest).basis
        kmp["newest"] = {"evr": newest["evr"], "level": newest["level"], "basis": basis, "cves": newest["cves"]}
    if chosen.selected is not None:
        kmp["selected"] = _shown_known(offer, chosen.selected)
        kmp["match"] = selection.match(kernel, chosen.selected)._asdict()


def _tell_more(host: Host, kernel: Dict[str, Any], offer: Offer, kmp: Dict[str, Any]) -> None:
    """What follows from advisories and lifecycle data, and why a key is None."""
    unmeasured, shown = kmp["unmeasured"], kmp["selected"] or kmp["installed"]
    package = kernel["package"]
    advised = {name for advisory in offer.advised for name, _evr in advisory.packages}
    if package is None:
        unmeasured["kernel_fixed"] = "the running kernel's package is unknown"
    elif package["name"] not in advised:
        unmeasured["kernel_fixed"] = "no repository has advisories of {}".format(package["name"])
    elif shown is None or shown["cves"] is None:
        unmeasured["kernel_fixed"] = _NOTHING if shown is None else "which CVEs the KMP fixes is unknown"
    else:
        newer = advisories.fixed_after(offer.advised, package["name"], package["evr"])
        kmp["kernel_fixed"] = [cve for cve in newer if cve not in shown["cves"]]
    if shown is None:
        unmeasured["covered_until"] = _NOTHING
        return
    try:
        kmp["covered_until"] = lifecycle.until(host, shown["name"], shown["evr"])
    except Unmeasured as exc:
        unmeasured["covered_until"] = str(exc)
    for key in ("module", "signed", "target_release", "vendor"):
        if shown[key] is None:
            unmeasured[key] = _NOT_SEEN
    for key in ("cves", "severity", "issued"):
        if shown[key] is None:
            unmeasured[key] = _NO_ADVISORY


def _shown_known(offer: Offer, known: selection.Known) -> Dict[str, Any]:
    package = rpm.Package(known.candidate.name, known.candidate.evr, known.candidate.arch)
    return _shown(offer, package, known.candidate.repository, known.inside)


def _shown(
    offer: Offer, package: rpm.Package, repository: Optional[str], seen: Optional[package_contents.Inside]
) -> Dict[str, Any]:
    """One KMP for a result."""
    advisory = advisories.of(offer.advised, package.name, package.evr)
    cves: Optional[List[str]] = None
    if advisory is not None:
        cves = advisories.fixed_up_to(offer.advised, package.name, package.evr)
    elif seen is not None and seen.signature != "bad":
        cves = _kmp_names.cves(seen.content.changelog)
    module = seen.module if seen is not None else None
    return {
        "name": package.name,
        "evr": package.evr,
        "arch": package.arch,
        "level": _kmp_names.level(package.name, package.evr),
        "module": _kmp_names.module_name(seen.path) if seen is not None and seen.path else None,
        "module_path": seen.path if seen is not None else None,
        "module_build_id": module.build_id if module else None,
        "module_signer": module.signer if module else None,
        "vermagic": module.vermagic if module else None,
        "cves": cves,
        "severity": advisory.severity if advisory else None,
        "issued": advisory.issued if advisory else None,
        "repository": repository,
        "signed": seen.content.signature if seen is not None else None,
        "vendor": seen.content.vendor if seen is not None else None,
        "target_release": module.target_release if module else None,
        "downloaded": seen is not None,
    }


def _name(offer: Offer, newest: Optional[package_contents.Inside]) -> str:
    """The name of the KMP here: of the installed one, else of one that is offered, else the usual one."""
    if newest is not None:
        return newest.content.package.name
    return next((one.name for one in offer.candidates if one.name in offer.kmp_names), offer.kmp_names[0])


def _evr_of(seen: Optional[package_contents.Inside]) -> Optional[str]:
    return seen.content.package.evr if seen is not None else None


def _key(candidate: Candidate) -> str:
    return candidate.name + "-" + candidate.evr


def _key_of(package: rpm.Package) -> str:
    return package.name + "-" + package.evr
