# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ``kmp`` block of a result. PRIVATE to the collection: it may change at any time."""

import contextlib
import datetime
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import PackageManagerLocked, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import (
    advisories,
    freshness,
    kernel_provenance,
    kmp_lock,
    lifecycle,
    managers,
    package_contents,
    rpm,
    selection,
    sources,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy, matches_any
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import (
    TARGET_TAG,
    Candidate,
    Key,
    PackageManager,
)


class ExaminedFile(NamedTuple):
    """A package's file that was examined, and what shows that it is the one that was installed."""

    path: str
    package: rpm.Package
    digests: Tuple[str, ...]
    unsigned: bool


class Offer(NamedTuple):
    """What is known of the KMPs for one kernel: queried once, used before and after a change."""

    kmp_names: List[str]
    # Why it is unknown
    problem: Optional[str] = None
    metadata_age: Optional[int] = None
    candidates: List[Candidate] = []
    for_this_build: Set[Key] = set()
    for_any_build: Set[Key] = set()
    # Those that no package can be, as they are reported
    malformed: List[Dict[str, str]] = []
    # Repositories whose signatures are not checked; those of them that do not count, and why
    unchecked: Set[str] = set()
    stale: Dict[str, str] = {}
    # Why the file of a KMP of one of them cannot be had
    unavailable: Dict[Key, str] = {}
    advised: sources.Advised = sources.Advised()
    # Those that the host trusts
    keys: rpm.Keys = {}
    traced: kernel_provenance.Origin = kernel_provenance.Origin("it was not traced", [])
    # The contents of the downloaded packages
    files: Dict[Key, package_contents.PackageContents] = {}
    # What installing the last of these would do, None where that was not asked
    transaction: Optional[List[str]] = None
    # The files of that transaction, the KMP's first; none where it is installed already
    examined: List[ExaminedFile] = []


# How many KMPs are listed, the newest
_LISTED_MAX = 500
_NOT_SEEN = "known only of a KMP that is installed or downloaded: the package manager does not show it of others"
_NO_ADVISORY = "no repository has an advisory for it"
_NOTHING = "there is no KMP for this kernel"


def query_offer(host: Host, kernel: Dict[str, Any], policy: Policy) -> Offer:
    """Query the package manager for the KMPs of this kernel, and examine those that are on the host already."""
    offer = Offer([_kmp_names.format_suse_name(kernel["release"])])
    try:
        manager = managers.find_manager(host, policy.lock_timeout)
        offer = offer._replace(
            kmp_names=manager.list_kmp_names(kernel["release"]), metadata_age=manager.compute_metadata_age()
        )
        if policy.refresh == "always" or (policy.refresh == "if_older_than" and _is_old(offer.metadata_age, policy)):
            manager.refresh()
            offer = offer._replace(metadata_age=manager.compute_metadata_age())
        if offer.metadata_age is None:
            raise Unmeasured(
                "this host has no metadata of these repositories: {}".format(
                    ", ".join(manager.list_without_metadata()) or "none is enabled"
                ),
                "Set up a repository that offers KMPs, and refresh it (refresh: always). "
                "Metadata dated in the future count as missing",
            )
        return _query_manager(host, kernel, manager, offer, policy)
    except Unmeasured as exc:
        return offer._replace(problem=str(exc))


def _is_old(age: Optional[int], policy: Policy) -> bool:
    return age is None or age > policy.max_age


def _query_manager(host: Host, kernel: Dict[str, Any], manager: PackageManager, offer: Offer, policy: Policy) -> Offer:
    taken = selection.take_in(manager.list_offered(kernel["release"]), offer.kmp_names)
    repositories = manager.list_metadata()
    offer = offer._replace(
        candidates=taken.candidates, malformed=taken.rejected, unchecked=sources.list_unchecked(repositories)
    )
    checked = freshness.check_repositories(
        host, repositories, offer.candidates, offer.kmp_names, policy.accept_revision
    )
    offer = offer._replace(
        problem=checked.problem, stale=checked.stale, metadata_age=max(offer.metadata_age or 0, checked.age or 0)
    )
    candidates = [candidate for candidate in offer.candidates if candidate.name in offer.kmp_names]
    if not candidates or kernel["build_id"] is None:
        return offer
    for_this_build = manager.list_targeting(kernel["build_id"])
    # Whether a KMP is tagged for another build, or not at all, matters only where one does not fit.
    unfit = any(candidate.key not in for_this_build for candidate in candidates)
    wanted = {candidate.name for candidate in candidates} | (
        {kernel["package"]["name"]} if kernel["package"] else set()
    )
    offering = {candidate.repository for candidate in candidates if candidate.repository}
    advised, unreadable = sources.read_all(host, repositories, offering, wanted)
    keys = rpm.list_keys(host)
    offer = offer._replace(
        for_this_build=for_this_build,
        for_any_build=manager.list_targeting(None) if unfit else for_this_build,
        advised=sources.Advised(advised, repositories, candidates),
        stale={**unreadable, **offer.stale},
        keys=keys,
        traced=kernel_provenance.trace_kernel(host, kernel, keys),
    )
    for candidate in candidates:
        path = manager.find_cached(candidate)
        if path is not None:
            try:
                seen = _examine_file(host, kernel, offer, candidate, path, policy)
            except Unmeasured:
                if candidate.repository not in offer.unchecked:
                    raise
                continue
            # A truncated file says nothing about what the repository offers, which is downloaded again.
            offer = offer if seen.files[candidate.key].signature == "bad" else seen
    return offer


def _examine_file(
    host: Host, kernel: Dict[str, Any], offer: Offer, candidate: Candidate, path: str, policy: Policy
) -> Offer:
    allow_unsigned = matches_any(policy.allow_unsigned, candidate.name, candidate.evr)

    def is_trusted(signer: rpm.Signer) -> bool:
        return selection.is_trusted_signer(signer, offer.traced.signer, policy)

    seen = package_contents.read_file(host, path, candidate.package, kernel, offer.keys, is_trusted, allow_unsigned)
    files = dict(offer.files)
    files[candidate.key] = seen
    return offer._replace(files=files)


def fetch(
    host: Host,
    kernel: Dict[str, Any],
    manager: PackageManager,
    offer: Offer,
    candidate: Candidate,
    older: bool,
    policy: Policy,
) -> Tuple[Offer, Optional[str]]:
    """Download a KMP and examine it; the path of its file, None where an unchecked repository does not have it.

    :raises InstallFailed: a checked one has it, and it cannot be installed.
    :raises Unmeasured: it cannot be downloaded or read.
    """
    try:
        path = manager.download(candidate, older)
        return _examine_file(host, kernel, offer, candidate, path, policy), path
    except PackageManagerLocked:
        raise
    except Unmeasured as exc:
        if candidate.repository in offer.unchecked:
            return offer._replace(unavailable={**offer.unavailable, candidate.key: str(exc)}), None
        # dnf downloads only what can be installed, and its words about that are better.
        manager.preview(candidate, older)
        raise


def find_difference(host: Host, file: ExaminedFile) -> Optional[str]:
    """Explain how what the RPM database has differs from the file that was examined, None where it does not.

    :raises Unmeasured: the database cannot be read.
    """
    name = "{}-{}.{}".format(*file.package)
    contents = [each for each in rpm.list_installed(host, file.package.name) if each.package == file.package]
    if not contents:
        return f"{name} is not installed, though the package manager reported success"
    if not any(file.digests) or any(content.digests != file.digests for content in contents):
        return f"the {name} that is installed is not the one that was examined: its digests or its signature differ"
    return None


def read_digests(host: Host, kmp: Dict[str, Any]) -> Tuple[str, ...]:
    """Read what distinguishes this installed KMP from others of its name and version; nothing where it is gone.

    :raises Unmeasured: the database cannot be read.
    """
    package = rpm.Package(kmp["name"], kmp["evr"], kmp["arch"])
    digests = [each.digests for each in rpm.list_installed(host, package.name) if each.package == package]
    return digests[0] if digests else ()


def find_file(host: Host, manager: PackageManager, release: str, wanted: ExaminedFile) -> ExaminedFile:
    """Find a package that was installed before, and that has not changed since.

    :raises Unmeasured: no repository offers it any more.
    """
    for candidate in manager.list_offered(release):
        if candidate.package == wanted.package and candidate.repository is not None:
            with contextlib.suppress(Unmeasured):
                path = manager.download(candidate, older=True)
                content = rpm.read_package_file(host, path)
                if content.digests == wanted.digests:
                    return wanted._replace(path=path, unsigned=content.signature is None)
    raise Unmeasured("no repository offers {}-{}.{} as it was installed before".format(*wanted.package))


def build_block(host: Host, kernel: Dict[str, Any], offer: Offer, policy: Policy) -> Dict[str, Any]:
    """Build the block ``kmp``: what is installed, what is offered, and which of it belongs to the running kernel.

    ``unmeasured`` says why a key is None. With ``candidates`` in it nothing is known about newer levels,
    with ``installed`` in it nothing about the host's own package.
    """
    unmeasured: Dict[str, str] = {}
    own: Dict[rpm.Package, package_contents.PackageContents] = {}
    try:
        own = {
            contents.content.package: contents
            for name in offer.kmp_names
            for contents in _list_contents(host, name, offer.keys)
            if contents.content.package.arch in (kernel["arch"], "noarch")
        }
    except Unmeasured as exc:
        unmeasured["installed"] = str(exc)
    newest = max(own.values(), key=lambda contents: _evr.sort_key(contents.content.package.evr), default=None)
    known = _describe_candidates(kernel, offer, own)
    kmp: Dict[str, Any] = {
        "name": _choose_name(offer, newest),
        "installed": None if newest is None else _format_kmp(offer, newest.content.package, None, newest),
        "selected": None,
        "newest": None,
        "match": None,
        "pinned_by": None,
        "kernel_fixed": None,
        "covered_until": None,
        "candidates": [_format_candidate(offer, contents) for contents in _list_newest(known, offer.kmp_names)],
        "rejected": [],
        "lock": _describe_lock(host, policy, unmeasured),
        "metadata_age": offer.metadata_age,
        "unmeasured": unmeasured,
    }
    if offer.metadata_age is None:
        unmeasured["metadata_age"] = (
            "the metadata of an enabled repository are missing on this host or dated in the future, or none is enabled"
        )
    problem = _explain_unknown(kernel, offer, kmp["name"])
    if problem is not None:
        unmeasured["candidates"] = problem
    else:
        running = selection.Kernel(
            kernel["release"], kernel["flavor"], kernel["arch"], kernel["build_id"], offer.kmp_names, offer.traced
        )
        today = datetime.datetime.fromtimestamp(host.wall_clock(), datetime.timezone.utc).date()
        _add_selection(kmp, offer, running, selection.select_kmp(running, known, policy, today, _get_evr(newest)))
    _add_details(host, kernel, offer, kmp)
    return kmp


def _describe_lock(host: Host, policy: Policy, unmeasured: Dict[str, str]) -> Optional[str]:
    try:
        return kmp_lock.describe_lock(host, managers.find_manager(host, policy.lock_timeout))
    except Unmeasured as exc:
        unmeasured["lock"] = str(exc)
        return None


def list_installed(host: Host, name: str) -> List[Dict[str, Any]]:
    """List the installed KMPs of this name, newest first, with what their modules' files say.

    There may be several: where KMPs provide ``multiversion(kernel)`` they are installed beside each other.

    :raises Unmeasured: the RPM database or a module's file cannot be read.
    """
    kmps = sorted(
        _list_contents(host, name, {}), key=lambda contents: _evr.sort_key(contents.content.package.evr), reverse=True
    )
    return [_format_kmp(Offer([name]), contents.content.package, None, contents) for contents in kmps]


def _list_contents(host: Host, name: str, keys: rpm.Keys) -> List[package_contents.PackageContents]:
    return [package_contents.read_installed(host, content, keys) for content in rpm.list_installed(host, name)]


def _describe_candidates(
    kernel: Dict[str, Any], offer: Offer, own: Dict[rpm.Package, package_contents.PackageContents]
) -> List[selection.KnownCandidate]:
    """The candidates, with all that is known about each."""
    known = []
    for candidate in offer.candidates:
        key = candidate.key
        tag = "this" if key in offer.for_this_build else "other" if key in offer.for_any_build else None
        advised = offer.advised.list_for(candidate.package, candidate.repository)
        advisory = advisories.find_advisory(advised, candidate.name, candidate.evr)
        seen = own.get(candidate.package) or offer.files.get(key)
        if seen is not None and seen.signature != "bad":
            # The signed header counts, not what the repository says of it.
            tag = _read_tag(seen.content, kernel["build_id"])
        unusable: Optional[selection.Refusal] = None
        if candidate.repository in offer.stale:
            unusable = ("stale_repository", offer.stale[candidate.repository])
        elif key in offer.unavailable:
            unusable = ("unavailable", offer.unavailable[key])
        # Neither a lock nor its repository changes anything about what is installed.
        is_own = candidate.package in own
        entry = selection.KnownCandidate(
            candidate._replace(locked=candidate.locked and not is_own), tag, seen, unusable=None if is_own else unusable
        )
        if advisory is not None:
            entry = entry._replace(
                retracted=advisory.id if advisory.retracted else None,
                cves=advisory.cves,
                severity=advisory.severity,
                issued=advisory.issued,
            )
        elif seen is not None:
            entry = entry._replace(cves=tuple(_kmp_names.find_cves(seen.content.changelog)))
        known.append(entry)
    return known


def _list_newest(known: List[selection.KnownCandidate], kmp_names: List[str]) -> List[selection.KnownCandidate]:
    own = [entry for entry in known if entry.candidate.name in kmp_names]
    if len(own) <= _LISTED_MAX:
        return own
    return sorted(own, key=lambda entry: _evr.sort_key(entry.candidate.evr), reverse=True)[:_LISTED_MAX]


def _read_tag(content: rpm.Content, build_id: str) -> Optional[str]:
    """Which build of the kernel a package says that it is for: "this", "other", or None."""
    targets = [provide.evr for provide in content.provides if provide.name == TARGET_TAG]
    return "this" if build_id in targets else "other" if targets else None


def _explain_unknown(kernel: Dict[str, Any], offer: Offer, name: str) -> Optional[str]:
    """Explain why it is unknown what the repositories offer."""
    if offer.problem is not None:
        return offer.problem
    if kernel["build_id"] is None:
        return "the running kernel's build ID is unknown"
    candidates = [candidate for candidate in offer.candidates if candidate.name in offer.kmp_names]
    left = {candidate.repository for candidate in candidates} - {None, *offer.stale}
    if offer.stale and not left:
        return "; ".join(offer.stale.values())
    if candidates and not left:
        return (
            f"no enabled repository offers {name}, which is installed: whether there is a newer level is unknown. "
            "Check the repositories and the registration"
        )
    return None


def _add_selection(kmp: Dict[str, Any], offer: Offer, kernel: selection.Kernel, chosen: selection.Selection) -> None:
    others = [each for each in chosen.rejected if each["code"] in selection.ELSEWHERE]
    kmp["rejected"] = [each for each in chosen.rejected if each not in others] + offer.malformed + others
    kmp["pinned_by"] = chosen.pinned_by
    if chosen.newest is not None:
        newest = _format_candidate(offer, chosen.newest)
        basis = selection.describe_match(kernel, chosen.newest).basis
        kmp["newest"] = {"evr": newest["evr"], "level": newest["level"], "basis": basis, "cves": newest["cves"]}
    if chosen.selected is not None:
        kmp["selected"] = _format_candidate(offer, chosen.selected)
        kmp["match"] = selection.describe_match(kernel, chosen.selected)._asdict()


def _add_details(host: Host, kernel: Dict[str, Any], offer: Offer, kmp: Dict[str, Any]) -> None:
    """Add what follows from advisories and lifecycle data, and why a key is None."""
    unmeasured, described = kmp["unmeasured"], kmp["selected"] or kmp["installed"]
    package = kernel["package"]
    advised = {name for advisory in offer.advised.everything for name, _evr in advisory.packages}
    if package is None:
        unmeasured["kernel_fixed"] = "the running kernel's package is unknown"
    elif package["name"] not in advised:
        unmeasured["kernel_fixed"] = "no repository has advisories for {}".format(package["name"])
    elif described is None or described["cves"] is None:
        unmeasured["kernel_fixed"] = _NOTHING if described is None else "which CVEs the KMP fixes is unknown"
    else:
        newer = advisories.list_fixed_after(offer.advised.everything, package["name"], package["evr"])
        kmp["kernel_fixed"] = [cve for cve in newer if cve not in described["cves"]]
    if described is None:
        unmeasured["covered_until"] = _NOTHING
        return
    try:
        kmp["covered_until"] = lifecycle.find_last_day(host, described["name"], described["evr"])
    except Unmeasured as exc:
        unmeasured["covered_until"] = str(exc)
    for key in ("module", "signed", "target_release", "vendor"):
        if described[key] is None:
            unmeasured[key] = _NOT_SEEN
    for key in ("cves", "severity", "issued"):
        if described[key] is None:
            unmeasured[key] = _NO_ADVISORY


def _format_candidate(offer: Offer, known: selection.KnownCandidate) -> Dict[str, Any]:
    package = known.candidate.package
    block = _format_kmp(offer, package, known.candidate.repository, known.contents)
    return dict(block, evr=selection.shorten_version(package.evr))


def _format_kmp(
    offer: Offer, package: rpm.Package, repository: Optional[str], seen: Optional[package_contents.PackageContents]
) -> Dict[str, Any]:
    """Format one KMP for a result."""
    advised = offer.advised.list_for(package, repository)
    advisory = advisories.find_advisory(advised, package.name, package.evr)
    cves: Optional[List[str]] = None
    if advisory is not None:
        cves = advisories.list_fixed_up_to(advised, package.name, package.evr)
    elif seen is not None and seen.signature != "bad":
        cves = _kmp_names.find_cves(seen.content.changelog)
    module = seen.module if seen is not None else None
    return {
        "name": package.name,
        "evr": package.evr,
        "arch": package.arch,
        "level": _kmp_names.parse_level(package.name, package.evr),
        "module": _kmp_names.parse_module_name(seen.path) if seen is not None and seen.path else None,
        "module_path": seen.path if seen is not None else None,
        "module_build_id": module.build_id if module else None,
        "module_signer": module.signer if module else None,
        "vermagic": module.vermagic if module else None,
        "cves": cves,
        "severity": advisory.severity if advisory else None,
        "issued": advisory.issued if advisory else None,
        "repository": repository,
        "signed": rpm.describe_signature(seen.content.signature) if seen is not None else None,
        "vendor": seen.content.vendor if seen is not None else None,
        "target_release": module.target_release if module else None,
        "downloaded": seen is not None,
        "installed_at": seen.content.installed_at if seen is not None else None,
    }


def _choose_name(offer: Offer, newest: Optional[package_contents.PackageContents]) -> str:
    """The KMP's name on this host: of the installed one, else of one that is offered, else the usual one."""
    if newest is not None:
        return newest.content.package.name
    return next(
        (candidate.name for candidate in offer.candidates if candidate.name in offer.kmp_names), offer.kmp_names[0]
    )


def _get_evr(seen: Optional[package_contents.PackageContents]) -> Optional[str]:
    return seen.content.package.evr if seen is not None else None


def key_selected(selected: Optional[Dict[str, Any]]) -> Optional[Key]:
    if selected is None:
        return None
    return (selected["name"], selected["evr"], selected["arch"], selected["repository"])
