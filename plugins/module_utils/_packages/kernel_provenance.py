# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trace where the running kernel comes from. PRIVATE to the collection: it may change at any time.

Vendors' KMPs do not say which build they are for; it must follow from what they do say: they require a kernel package.
The running build is the one in that package when it is the one in the installed image, the image is as the RPM database
has it, and the package is signed with a key that the host trusts.
"""

from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm


class Origin(NamedTuple):
    # Why the running kernel cannot be traced to a signed package, None where it can
    problem: Optional[str]
    # What shows that it can
    witnesses: List[str]
    # Those of the kernel's package, if there is one
    vendor: Optional[str] = None
    signer: Optional[rpm.Signer] = None
    provides: Optional[List[rpm.Dependency]] = None


def trace_kernel(host: Host, kernel: Dict[str, Any], keys: rpm.Keys) -> Origin:
    """Trace the running kernel to the package that holds it.

    :param kernel: the block ``kernel`` of a result.
    :param keys: those that the host trusts.
    """
    image = kernel["image"]
    if image["path"] is None:
        return Origin("the image of the running kernel is not installed", [])
    try:
        package = rpm.find_kernel_package(host, image["path"])
        if package is None:
            return Origin("no RPM package owns {}".format(image["path"]), [])
        return _assess_package(kernel, package, rpm.is_unchanged(host, image["path"], package), keys)
    except Unmeasured as exc:
        return Origin(str(exc), [])


def _assess_package(
    kernel: Dict[str, Any], package: rpm.KernelPackage, unchanged: Optional[bool], keys: rpm.Keys
) -> Origin:
    image = kernel["image"]
    name = "{}-{}.{}".format(*package.package)
    signer = rpm.find_signer(package.signature, keys)
    problem = None
    if image["matches_running"] is None:
        problem = "whether {} is the running kernel is unknown: {}".format(
            image["path"], kernel["unmeasured"].get("image.matches_running")
        )
    elif not image["matches_running"]:
        problem = "{} is not the running kernel".format(image["path"])
    elif unchanged is None:
        problem = "the RPM database has no digest of {}".format(image["path"])
    elif not unchanged:
        problem = "{} is not as {} holds it".format(image["path"], name)
    elif package.signature is None:
        problem = f"{name} is not signed"
    elif signer is None:
        problem = (
            f"{name} is signed with a key that this host does not trust ({rpm.describe_signature(package.signature)})"
        )
    witnesses = [
        "{} is the running kernel, by its {}".format(image["path"], str(image["basis"]).replace("_", " ")),
        "{} is as {} holds it, by its {}".format(image["path"], name, package.algorithm),
        f"{name} is signed by {signer}",
    ]
    return Origin(problem, [] if problem else witnesses, package.vendor, signer, package.provides)
