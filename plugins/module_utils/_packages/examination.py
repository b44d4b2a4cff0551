# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Examine a KMP before it is installed. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import TransactionRefused, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import (
    kmp,
    managers,
    package_contents,
    rpm,
    selection,
    transaction_check,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy, matches_any
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate, PackageManager

# How many KMPs of one repository are refused before the others of it are not looked at
_REFUSED_MAX = 20


def examine_selected(host: Host, kernel: Dict[str, Any], offer: kmp.Offer, policy: Policy) -> kmp.Offer:
    """Examine the KMP that is to be installed before it is: its signature, its module, its transaction.

    What speaks against it is in the offer then, so that another one may be selected, which is examined as well. A
    transaction is computed only for one that nothing speaks against: what a stranger's package needs or replaces is no
    reason to install nothing.

    :raises TransactionRefused: installing it would do more than that.
    :raises InstallFailed: the package manager refuses to install it.
    :raises Unmeasured: it cannot be downloaded or read, or too many were refused.
    """
    manager = managers.find_manager(host, policy.lock_timeout)
    refused: Dict[Optional[str], int] = {}
    while True:
        block = kmp.build_block(host, kernel, offer, policy)
        selected, installed = block["selected"], block["installed"]
        if selected is None:
            return offer
        package = rpm.Package(selected["name"], selected["evr"], selected["arch"])
        if any(content.package == package for content in rpm.list_installed(host, package.name)):
            return offer._replace(examined=[])
        older = installed is not None and _evr.compare(package.evr, installed["evr"]) < 0
        candidate = next(each for each in offer.candidates if each.key == kmp.key_selected(selected))
        # Nothing will be done for it, unless it passes.
        offer = offer._replace(transaction=[], examined=[])
        offer, path = kmp.fetch(host, kernel, manager, offer, candidate, older, policy)
        kept = kmp.key_selected(kmp.build_block(host, kernel, offer, policy)["selected"]) == candidate.key
        if path is None or not kept:
            count = refused[candidate.repository] = refused.get(candidate.repository, 0) + 1
            if count >= _REFUSED_MAX:
                offer = _give_up(offer, candidate)
            continue
        steps = manager.preview(candidate, older)
        offer = offer._replace(transaction=transaction_check.describe_steps(steps))
        needed = transaction_check.check_installation(steps, package, policy.allow_dependencies, older)
        files = [_describe_file(path, offer.files[candidate.key])]
        files += [_examine_dependency(host, manager, offer, each, policy) for each in needed]
        steps = manager.preview_files([file.path for file in files], older)
        transaction_check.check_files(steps, [file.package for file in files], older)
        return offer._replace(examined=files)


def _give_up(offer: kmp.Offer, candidate: Candidate) -> kmp.Offer:
    """Pass over a repository of which one KMP after the other was refused: it may have any number of them.

    :raises Unmeasured: it is checked, so that something is wrong with it.
    """
    reason = f"{_REFUSED_MAX} KMPs of repository {candidate.repository} were examined, and all of them were refused"
    if candidate.repository is None or candidate.repository not in offer.unchecked:
        raise Unmeasured(reason, "Find out who fills it (kmp_info lists the reasons), or disable it")
    return offer._replace(stale=dict(offer.stale, **{candidate.repository: reason}))


def _describe_file(path: str, contents: package_contents.PackageContents) -> kmp.ExaminedFile:
    content = contents.content
    return kmp.ExaminedFile(path, content.package, content.digests, contents.signature == "unsigned")


def _examine_dependency(
    host: Host, manager: PackageManager, offer: kmp.Offer, package: rpm.Package, policy: Policy
) -> kmp.ExaminedFile:
    """Find the file of what is installed with a KMP: its scripts run as root as the KMP's do.

    :raises TransactionRefused: no repository has it from a builder that is trusted.
    """
    named = matches_any(policy.allow_dependencies, package.name, package.evr)
    allow_unsigned = matches_any(policy.allow_unsigned, package.name, package.evr)
    for path in manager.download_dependency(package):
        signature, content, signer = rpm.verify_file(host, path, offer.keys, allow_unsigned)
        if content is None:
            continue
        trusted = signature == "good" and (
            named or (signer is not None and selection.is_trusted_signer(signer, offer.traced.signer, policy))
        )
        if content.package == package and (trusted or signature == "unsigned"):
            return kmp.ExaminedFile(path, package, content.digests, signature == "unsigned")
    raise TransactionRefused(
        "the KMP needs {}-{}.{}, and no repository has it from the kernel's signer".format(*package),
        "Nothing was installed. allow_dependencies accepts it by name, builders its key by the fingerprint",
        {"transaction": offer.transaction},
    )
