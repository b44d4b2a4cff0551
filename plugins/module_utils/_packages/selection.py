# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Select the KMP that belongs to a kernel and that the operator wants. PRIVATE: it may change at any time. Pure.

A candidate is refused for the first of these that holds: it is for another kernel; nothing ties it to the build that
runs; what it is made of speaks against it; the operator's policy does. The newest of the others is selected.
"""

import datetime
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import policy as policies
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import vendor_keys
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.kernel_provenance import Origin
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.package_contents import PackageContents
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.rpm import Dependency, Signer


class Kernel(NamedTuple):
    """The running kernel."""

    release: str
    flavor: Optional[str]
    arch: str
    build_id: str
    # The names that a KMP for it can have on this host
    kmp_names: List[str]
    origin: Origin


class KnownCandidate(NamedTuple):
    """A candidate with all that is known about it."""

    candidate: Candidate
    # "this" or "other" build of the kernel, None where the package does not say
    tag: Optional[str]
    # None while it is not on the host
    contents: Optional[PackageContents] = None
    # The advisory, where that was retracted
    retracted: Optional[str] = None
    # Those that it was issued for
    cves: Tuple[str, ...] = ()
    severity: Optional[str] = None
    # An ISO date
    issued: Optional[str] = None
    # Why its repository, or what that has, cannot be used
    unusable: Optional["Refusal"] = None


# A code for programs and a reason for the operator
Refusal = Tuple[str, str]
# Codes of KMPs for other kernels, which are not expected to be selected
ELSEWHERE = ("other_kernel", "other_flavor")
# Codes of packages that something is wrong with
ALARMS = (
    "bad_version",
    "stale_repository",
    "unavailable",
    "bad_signature",
    "unknown_key",
    "unsigned",
    "other_signer",
    "wrong_kernel",
    "other_requires",
    "other_vendor",
    "unloadable",
)


# What rpm builds with (build/parsePreamble.c, ALLOWED_CHARS_VERREL); a file's name has at most 255 characters.
_VERSION = re.compile(r"(?:[0-9]+:)?[A-Za-z0-9._+%{}~^]+-[A-Za-z0-9._+%{}~^]+\Z")
_LONGEST_VERSION = 200
# What is shown of a repository that offers very much
_OTHERS_SHOWN = 200
_OWN_SHOWN = 500
_MALFORMED_SHOWN = 20
# How many levels of one repository are looked at: vendors offer some dozens
_LEVELS_MAX = 500


class Match(NamedTuple):
    """What ties a KMP to the kernel."""

    # "build_id", "signed_image" or "name"
    basis: str
    witnesses: List[str]
    # What is not verified yet
    pending: List[str]


class Selection(NamedTuple):
    selected: Optional[KnownCandidate]
    # The newest of those that fit, whatever the policy
    newest: Optional[KnownCandidate]
    rejected: List[Dict[str, str]]
    # Why the newest is not the selected one
    pinned_by: Optional[str]


def select_kmp(
    kernel: Kernel,
    offered: List[KnownCandidate],
    policy: policies.Policy,
    today: datetime.date,
    installed: Optional[str],
) -> Selection:
    """Select the newest KMP that belongs to the running kernel and that the policy admits.

    ``rejected`` lists the others, newest first, those for other kernels last and once for each name.

    :param installed: the EVR of the newest KMP for this kernel that is installed.
    """
    fitting: List[KnownCandidate] = []
    admitted: List[KnownCandidate] = []
    rejected: List[Dict[str, str]] = []
    pinned_by: Optional[str] = None
    elsewhere: Dict[str, Dict[str, str]] = {}
    for known in sorted(offered, key=lambda entry: _evr.sort_key(entry.candidate.evr), reverse=True):
        candidate = known.candidate
        refusal = _check_kernel(kernel, candidate.name)
        if refusal is not None:
            elsewhere.setdefault(candidate.name, _build_rejection(candidate, refusal))
            continue
        refusal = _check_fit(kernel, known, policy)
        if refusal is None:
            fitting.append(known)
            refusal = _check_policy(known, policy, today)
            if refusal is not None and not admitted:
                pinned_by = pinned_by or f"{candidate.name}-{candidate.evr}: {refusal[1]}"
        if refusal is None and admitted:
            # The same package from another repository is the same choice.
            if candidate.evr == admitted[0].candidate.evr:
                continue
            refusal = ("older", f"older level than {admitted[0].candidate.evr}")
        if (
            refusal is None
            and installed is not None
            and not policy.allow_downgrade
            and _evr.compare(candidate.evr, installed) < 0
        ):
            refusal = ("downgrade", f"older than {installed}, which is installed (allow_downgrade allows it)")
        if refusal is None:
            admitted.append(known)
        else:
            rejected.append(_build_rejection(candidate, refusal))
    rejected = _cut(rejected, _OWN_SHOWN) + _cut([elsewhere[name] for name in sorted(elsewhere)], _OTHERS_SHOWN)
    return Selection(admitted[0] if admitted else None, fitting[0] if fitting else None, rejected, pinned_by)


def _build_rejection(candidate: Candidate, refusal: Refusal) -> Dict[str, str]:
    return {"name": candidate.name, "evr": shorten_version(candidate.evr), "code": refusal[0], "reason": refusal[1]}


def _cut(rejected: List[Dict[str, str]], limit: int) -> List[Dict[str, str]]:
    """The first of them, and one that says how many more there are."""
    left_out = len(rejected) - limit
    if left_out <= 0:
        return rejected
    last = rejected[limit]
    return rejected[:limit] + [dict(last, reason="{}; and {} more".format(last["reason"], left_out - 1))]


class Intake(NamedTuple):
    """What is looked at of all that the repositories offer."""

    candidates: List[Candidate]
    # The others, if they are called as this kernel's KMPs are
    rejected: List[Dict[str, str]]


def take_in(offered: List[Candidate], kmp_names: Sequence[str]) -> Intake:
    """Leave out what no package can be, before versions are compared: that of megabytes takes very long.

    A repository that offers thousands of levels takes nothing from another one.
    """
    refusals = [(candidate, _check_version(candidate.evr)) for candidate in offered]
    rejected = [
        _build_rejection(candidate, refusal)
        for candidate, refusal in refusals
        if refusal is not None and candidate.name in kmp_names
    ]
    rejected = _cut(rejected, _MALFORMED_SHOWN)
    levels: Dict[Tuple[str, Optional[str]], List[Candidate]] = {}
    for candidate, refusal in refusals:
        if refusal is None and candidate.name in kmp_names:
            levels.setdefault((candidate.name, candidate.repository), []).append(candidate)
    left_out = set()
    for (_name, repository), group in levels.items():
        if len(group) > _LEVELS_MAX:
            group.sort(key=lambda candidate: _evr.sort_key(candidate.evr), reverse=True)
            left_out.update(group[_LEVELS_MAX:])
            reason = f"not looked at, like {len(group) - _LEVELS_MAX - 1} more of the many that {repository} offers"
            rejected.append(_build_rejection(group[_LEVELS_MAX], ("older", reason)))
    kept = [candidate for candidate, refusal in refusals if refusal is None and candidate not in left_out]
    return Intake(kept, rejected)


def _check_version(evr: str) -> Optional[Refusal]:
    if len(evr) > _LONGEST_VERSION or not _VERSION.match(evr):
        return "bad_version", f"no package has such a version, of {len(evr)} characters"
    return None


def shorten_version(evr: str) -> str:
    """An EVR as it is shown, whatever a repository says that it is."""
    return evr if len(evr) <= _LONGEST_VERSION else evr[:40] + "..."


def describe_match(kernel: Kernel, known: KnownCandidate) -> Match:
    """Describe what ties a KMP that was not refused to the kernel."""
    pending = []
    if known.contents is None:
        pending.append("signature, vendor and module of the package are checked when it has been downloaded")
    witnesses = [f"name carries the running release {kernel.release}"]
    if known.contents is not None and known.contents.module is not None:
        witnesses.append(f"module was built for {known.contents.module.target_release}")
    if known.tag == "this":
        witnesses.append(f"package is tagged for the running build ID {kernel.build_id}")
        return Match("build_id", witnesses, pending)
    if _explain_untied(kernel, known) is not None:
        return Match("name", witnesses, pending)
    if known.contents is not None:
        witnesses.append(f"package is signed by {known.contents.signer}")
    return Match("signed_image", witnesses + kernel.origin.witnesses, pending)


def _check_kernel(kernel: Kernel, name: str) -> Optional[Refusal]:
    if name in kernel.kmp_names:
        return None
    for own in kernel.kmp_names:
        if kernel.flavor and own.endswith("-" + kernel.flavor):
            base = own[: -len(kernel.flavor)]
            if name.startswith(base):
                return "other_flavor", f"for the flavor {name[len(base) :]}, the kernel's is {kernel.flavor}"
    return "other_kernel", f"for another kernel than {kernel.release}"


def _check_fit(kernel: Kernel, known: KnownCandidate, policy: policies.Policy) -> Optional[Refusal]:
    """Explain why it does not belong to the kernel, or must not be loaded into it."""
    candidate, contents = known.candidate, known.contents
    refusal = _check_version(candidate.evr) or known.unusable
    if refusal is not None:
        return refusal
    if candidate.arch not in (kernel.arch, "noarch"):
        return "other_arch", f"other architecture: {candidate.arch[:40]}, the kernel's is {kernel.arch}"
    if known.tag == "other":
        return "other_build", f"built for another build of this kernel: it is not tagged for build ID {kernel.build_id}"
    if known.retracted is not None:
        return "retracted", f"its advisory {known.retracted} was retracted"
    if _kmp_names.is_empty(candidate.name, candidate.evr):
        return "empty", "it holds no patch: Red Hat ships it as a base for later ones"
    if contents is not None:
        refusal = _check_contents(kernel, candidate, contents, policy)
        if refusal is not None:
            return refusal
    untied = None if known.tag == "this" else _explain_untied(kernel, known)
    if untied is not None and not policy.allow_name_match:
        return (
            "name_only",
            (
                f"only its name fits: it does not say which build it was made for, and {untied} "
                "(allow_name_match accepts it)"
            ),
        )
    return None


def _check_contents(
    kernel: Kernel, candidate: Candidate, contents: PackageContents, policy: policies.Policy
) -> Optional[Refusal]:
    if contents.signature == "bad":
        return (
            "bad_signature",
            "its file or a signature in it is damaged (see rpm -Kv), or it is another package than the repository says",
        )
    if contents.signature == "unknown_key":
        return "unknown_key", "signed with a key that this host does not trust (import a trusted key with rpm --import)"
    if contents.signature == "unsigned" and not policies.matches_any(
        policy.allow_unsigned, candidate.name, candidate.evr
    ):
        return "unsigned", "it is not signed (allow_unsigned accepts it by name)"
    if contents.signer is not None and not is_trusted_signer(contents.signer, kernel.origin.signer, policy):
        return (
            "other_signer",
            "it is signed by {}, the kernel's package by {} (builders accepts it by its fingerprint)".format(
                contents.signer, kernel.origin.signer or "an unknown signer"
            ),
        )
    if contents.module is None:
        return ("unloadable", contents.unloadable) if contents.unloadable else ("empty", "it holds no livepatch module")
    if contents.module.target_release != kernel.release:
        return (
            "wrong_kernel",
            f"its module was built for {contents.module.target_release}, the running kernel is {kernel.release}",
        )
    unmet = _find_unmet(contents.content.requires, kernel.origin.provides or [])
    if unmet is not None:
        return "other_requires", f"it requires {unmet}, and the running kernel's package does not provide that"
    vendor = contents.content.vendor
    is_named = contents.signer is not None and contents.signer.fingerprint in policy.builders
    if vendor != kernel.origin.vendor and vendor not in policy.vendors and not is_named:
        return (
            "other_vendor",
            "its vendor is {}, the kernel's is {} (vendors accepts it by name)".format(
                vendor or "not named", kernel.origin.vendor or "not named"
            ),
        )
    if contents.unloadable is not None:
        return "unloadable", contents.unloadable
    return None


def is_trusted_signer(signer: Signer, kernel_signer: Optional[Signer], policy: policies.Policy) -> bool:
    """Whether a package is signed by the kernel's signer, or by a builder that the operator has named.

    That a host trusts a key is not enough: it trusts those of all its repositories.
    """
    if signer.fingerprint in policy.builders:
        return True
    return kernel_signer is not None and vendor_keys.is_same_signer(signer.fingerprint, kernel_signer.fingerprint)


def _explain_untied(kernel: Kernel, known: KnownCandidate) -> Optional[str]:
    """Explain why nothing ties a KMP without a tag to the running build."""
    if kernel.origin.problem is not None:
        return kernel.origin.problem
    if known.contents is not None and known.contents.signer is None:
        return f"it is signed by an unknown signer, the kernel's package by {kernel.origin.signer}"
    return None


def _find_unmet(requires: List[Dependency], provides: List[Dependency]) -> Optional[str]:
    """Find a requirement of exactly one kernel that the running one does not meet, though its package has that name."""
    for need in requires:
        own = [provide for provide in provides if provide.name == need.name and provide.evr]
        if need.sign == "=" and own and all(_compare_evr(provide.evr, need.evr) for provide in own):
            return f"{need.name} = {need.evr}"
    return None


def _check_policy(known: KnownCandidate, policy: policies.Policy, today: datetime.date) -> Optional[Refusal]:
    """Explain why the policy does not admit it."""
    name, own = known.candidate.name, known.candidate.evr
    if known.candidate.locked:
        return "locked", "it is locked in the package manager"
    for each in policy.quarantine:
        if policies.matches_any([each.kmp], name, own):
            return "quarantined", f"in quarantine: {each.reason}"
    if policies.matches_any(policy.exclude, name, own):
        return "excluded", "excluded by the policy (exclude)"
    if policy.kmp_version is not None and _compare_evr(own, policy.kmp_version) != 0:
        return "other_version", f"kmp_version asks for {policy.kmp_version}"
    if policy.level is not None and _kmp_names.parse_level(name, own) != policy.level:
        return "other_version", f"level asks for {policy.level}"
    if policy.max_version is not None and _compare_evr(own, policy.max_version) > 0:
        return "cut_off", f"newer than max_version, which is {policy.max_version}"
    if policy.issued_before is not None and (known.issued is None or known.issued > policy.issued_before):
        return "cut_off", f"{_format_issued(known)}, and issued_before is {policy.issued_before}"
    if policy.min_age and _compute_age(known, today) < policy.min_age:
        return "too_young", f"{_format_issued(known)}, and min_age is {policy.min_age} days"
    if policy.cves and not set(policy.cves) & set(known.cves):
        return "not_admitted", "it was not issued for {}".format(", ".join(policy.cves))
    if policy.severity is not None and _rank_severity(known.severity) < _rank_severity(policy.severity):
        return (
            "not_admitted",
            f"its severity is {known.severity or 'unknown'}, and the policy admits {policy.severity} and above",
        )
    return None


def _compare_evr(own: str, asked: str) -> int:
    """Compare a package with a required version as RPM does: a version without release means all its releases."""
    own_evr, asked_evr = _evr.parse_evr(own), _evr.parse_evr(asked)
    if asked_evr.release is None:
        epochs = _evr.compare_part(own_evr.epoch, asked_evr.epoch)
        return epochs or _evr.compare_part(own_evr.version, asked_evr.version)
    return _evr.compare(own, asked)


def _format_issued(known: KnownCandidate) -> str:
    return f"issued on {known.issued}" if known.issued else "no advisory has its date"


def _compute_age(known: KnownCandidate, today: datetime.date) -> int:
    """Days since it was issued; less than any for a package without a date."""
    if known.issued is None:
        return -1
    return (today - datetime.datetime.strptime(known.issued, "%Y-%m-%d").date()).days


def _rank_severity(severity: Optional[str]) -> int:
    return policies.SEVERITIES.index(severity) if severity in policies.SEVERITIES else -1
