# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which KMP belongs to a kernel, and which of those is wanted. PRIVATE: it may change at any time. Pure.

A candidate is refused for the first of these that holds: it is for another kernel; nothing ties it to the build that
runs; what it is made of speaks against it; the operator's policy does. The newest of the others is selected.
"""

import datetime
from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import policy as policies
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.kernel_provenance import Origin
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.package_contents import Inside
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.rpm import Dependency


# The running kernel. kmp_names: what a KMP for it can be called here.
class Kernel(NamedTuple):
    release: str
    flavor: Optional[str]
    arch: str
    build_id: str
    kmp_names: List[str]
    origin: Origin


# What is known of one candidate. tag: "this" or "other" build of the kernel, None where it does not say.
# inside: None as long as it is not on the host. cves: those that it was issued for; issued: an ISO date.
# retracted: the advisory that was.
class Known(NamedTuple):
    candidate: Candidate
    tag: Optional[str]
    inside: Optional[Inside] = None
    retracted: Optional[str] = None
    cves: Tuple[str, ...] = ()
    severity: Optional[str] = None
    issued: Optional[str] = None


# A word for programs and a reason for people
Refusal = Tuple[str, str]
# Words that mean another kernel: KMPs that nobody would expect to be selected.
ELSEWHERE = ("other_kernel", "other_flavor")
# Words that mean that something is wrong with a package.
ALARMS = ("bad_signature", "unknown_key", "unsigned", "wrong_kernel", "other_requires", "other_vendor", "unloadable")


# What ties a KMP to the kernel. basis: "build_id", "signed_image" or "name"; pending: what is not seen yet.
class Match(NamedTuple):
    basis: str
    witnesses: List[str]
    pending: List[str]


# newest: of those that fit, whatever the policy; pinned_by: why that is not the selected one.
class Selection(NamedTuple):
    selected: Optional[Known]
    newest: Optional[Known]
    rejected: List[Dict[str, str]]
    pinned_by: Optional[str]


def select(
    kernel: Kernel, offered: List[Known], policy: policies.Policy, today: datetime.date, installed: Optional[str]
) -> Selection:
    """Selects the newest KMP that belongs to the running kernel and that the policy admits.

    ``rejected`` has each of the others, newest first, those for other kernels last and once for each name.

    :param installed: the EVR of the newest KMP for this kernel that is installed.
    """
    fitting: List[Known] = []
    admitted: List[Known] = []
    rejected: List[Dict[str, str]] = []
    pinned_by: Optional[str] = None
    elsewhere: Dict[str, Dict[str, str]] = {}
    for known in sorted(offered, key=lambda one: _evr.key(one.candidate.evr), reverse=True):
        candidate = known.candidate
        refusal = _other_kernel(kernel, candidate.name)
        if refusal is not None:
            elsewhere.setdefault(candidate.name, _entry(candidate, refusal))
            continue
        refusal = _unfit(kernel, known, policy)
        if refusal is None:
            fitting.append(known)
            refusal = _unwanted(known, policy, today)
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
            refusal = ("downgrade", f"older than {installed}, which is installed (allow_downgrade goes back)")
        if refusal is None:
            admitted.append(known)
        else:
            rejected.append(_entry(candidate, refusal))
    rejected += [elsewhere[name] for name in sorted(elsewhere)]
    return Selection(admitted[0] if admitted else None, fitting[0] if fitting else None, rejected, pinned_by)


def _entry(candidate: Candidate, refusal: Refusal) -> Dict[str, str]:
    return {"name": candidate.name, "evr": candidate.evr, "code": refusal[0], "reason": refusal[1]}


def match(kernel: Kernel, known: Known) -> Match:
    """What ties a KMP that was not refused to the kernel."""
    pending = []
    if known.inside is None:
        pending.append("signature, vendor and module of the package are seen when it has been downloaded")
    witnesses = [f"name carries the running release {kernel.release}"]
    if known.inside is not None and known.inside.module is not None:
        witnesses.append(f"module was built for {known.inside.module.target_release}")
    if known.tag == "this":
        witnesses.append(f"package is tagged for the running build ID {kernel.build_id}")
        return Match("build_id", witnesses, pending)
    if _untied(kernel, known) is not None:
        return Match("name", witnesses, pending)
    if known.inside is not None:
        witnesses.append(f"package is signed by {known.inside.signer}")
    return Match("signed_image", witnesses + kernel.origin.witnesses, pending)


def _other_kernel(kernel: Kernel, name: str) -> Optional[Refusal]:
    if name in kernel.kmp_names:
        return None
    for own in kernel.kmp_names:
        if kernel.flavor and own.endswith("-" + kernel.flavor):
            base = own[: -len(kernel.flavor)]
            if name.startswith(base):
                return "other_flavor", f"for the flavor {name[len(base) :]}, the kernel's is {kernel.flavor}"
    return "other_kernel", f"for another kernel than {kernel.release}"


def _unfit(kernel: Kernel, known: Known, policy: policies.Policy) -> Optional[Refusal]:
    """Why it does not belong to the kernel, or must not be loaded into it."""
    candidate, inside = known.candidate, known.inside
    if candidate.arch not in (kernel.arch, "noarch"):
        return "other_arch", f"other architecture: {candidate.arch}, the kernel's is {kernel.arch}"
    if known.tag == "other":
        return "other_build", f"built for another build of this kernel: it is not tagged for build ID {kernel.build_id}"
    if known.retracted is not None:
        return "retracted", f"its advisory {known.retracted} was retracted"
    if _kmp_names.is_empty(candidate.name, candidate.evr):
        return "empty", "it holds no patch: Red Hat ships it so that later ones follow it"
    if inside is not None:
        refusal = _unsound(kernel, candidate, inside, policy)
        if refusal is not None:
            return refusal
    untied = None if known.tag == "this" else _untied(kernel, known)
    if untied is not None and not policy.allow_name_match:
        return (
            "name_only",
            (
                f"only its name fits: it does not say which build it was made for, and {untied} "
                "(allow_name_match takes it all the same)"
            ),
        )
    return None


def _unsound(kernel: Kernel, candidate: Candidate, inside: Inside, policy: policies.Policy) -> Optional[Refusal]:
    if inside.signature == "bad":
        return "bad_signature", "its signature or its content is damaged (rpm -Kv says where)"
    if inside.signature == "unknown_key":
        return "unknown_key", "signed with a key that this host does not trust (rpm --import, if you do)"
    if inside.signature == "unsigned" and not policies.matches(policy.allow_unsigned, candidate.name, candidate.evr):
        return "unsigned", "it is not signed (allow_unsigned takes it by name)"
    if inside.module is None:
        return "empty", "it holds no livepatch module"
    if inside.module.target_release != kernel.release:
        return (
            "wrong_kernel",
            f"its module was built for {inside.module.target_release}, the kernel that runs is {kernel.release}",
        )
    unmet = _unmet(inside.content.requires, kernel.origin.provides or [])
    if unmet is not None:
        return "other_requires", f"it requires {unmet}, and the running kernel's package does not provide that"
    vendor = inside.content.vendor
    if vendor != kernel.origin.vendor and vendor not in policy.vendors:
        return (
            "other_vendor",
            "its vendor is {}, the kernel's is {} (vendors takes it by name)".format(
                vendor or "not told", kernel.origin.vendor or "not told"
            ),
        )
    if inside.unloadable is not None:
        return "unloadable", inside.unloadable
    return None


def _untied(kernel: Kernel, known: Known) -> Optional[str]:
    """Why nothing ties a KMP without a tag to the build that runs."""
    if kernel.origin.problem is not None:
        return kernel.origin.problem
    if known.inside is not None and known.inside.signer != kernel.origin.signer:
        return "it is signed by {}, the kernel's package by {}".format(
            known.inside.signer or "nobody", kernel.origin.signer
        )
    return None


def _unmet(requires: List[Dependency], provides: List[Dependency]) -> Optional[str]:
    """A requirement of just one kernel that the running one does not meet, though its package has that name."""
    for need in requires:
        own = [one for one in provides if one.name == need.name and one.evr]
        if need.sign == "=" and own and all(_compared(one.evr, need.evr) for one in own):
            return f"{need.name} = {need.evr}"
    return None


def _unwanted(known: Known, policy: policies.Policy, today: datetime.date) -> Optional[Refusal]:
    """Why the operator does not want it."""
    name, own = known.candidate.name, known.candidate.evr
    if known.candidate.locked:
        return "locked", "a lock of the package manager holds it"
    for each in policy.quarantine:
        if policies.matches([each.kmp], name, own):
            return "quarantined", f"in quarantine: {each.reason}"
    if policies.matches(policy.exclude, name, own):
        return "excluded", "excluded by the operator"
    if policy.kmp_version is not None and _compared(own, policy.kmp_version) != 0:
        return "other_version", f"kmp_version asks for {policy.kmp_version}"
    if policy.level is not None and _kmp_names.level(name, own) != policy.level:
        return "other_version", f"level asks for {policy.level}"
    if policy.max_version is not None and _compared(own, policy.max_version) > 0:
        return "cut_off", f"newer than max_version, which is {policy.max_version}"
    if policy.issued_before is not None and (known.issued is None or known.issued > policy.issued_before):
        return "cut_off", f"{_issued(known)}, and issued_before is {policy.issued_before}"
    if policy.min_age and _age(known, today) < policy.min_age:
        return "too_young", f"{_issued(known)}, and min_age is {policy.min_age} days"
    if policy.cves and not set(policy.cves) & set(known.cves):
        return "not_admitted", "it was not issued for {}".format(", ".join(policy.cves))
    if policy.severity is not None and _rank(known.severity) < _rank(policy.severity):
        return "not_admitted", f"its severity is {known.severity or 'not told'}, and the least is {policy.severity}"
    return None


def _compared(own: str, asked: str) -> int:
    """As RPM compares a package with what a dependency asks for: a version without release means all its releases."""
    ours, theirs = _evr.parse(own), _evr.parse(asked)
    if theirs.release is None:
        return ours.epoch - theirs.epoch or _evr.compare_part(ours.version, theirs.version)
    return _evr.compare(own, asked)


def _issued(known: Known) -> str:
    return f"issued on {known.issued}" if known.issued else "no advisory says when it was issued"


def _age(known: Known, today: datetime.date) -> int:
    """In days; of one that nobody dates, less than any."""
    if known.issued is None:
        return -1
    return (today - datetime.datetime.strptime(known.issued, "%Y-%m-%d").date()).days


def _rank(severity: Optional[str]) -> int:
    return policies.SEVERITIES.index(severity) if severity in policies.SEVERITIES else -1
