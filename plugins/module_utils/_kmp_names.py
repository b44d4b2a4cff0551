# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How KMPs are named. PRIVATE to the collection: it may change at any time. Pure."""

import re
from typing import List, Optional

_CVE = re.compile(r"\bCVE-\d{4}-\d{4,}\b")


def suse(release: str) -> str:
    """SUSE's name of the KMP for the kernel with this ``uname -r`` (kernel-binary.spec, patch_package)."""
    return "kernel-livepatch-" + release.replace(".", "_")


def kgraft(release: str) -> str:
    """SUSE's name up to SLE 12."""
    return "kgraft-patch-" + release.replace(".", "_")


def kpatch(release: str) -> str:
    """Red Hat's name: version and release of the kernel's package, without distribution and architecture."""
    return "kpatch-patch-" + _package_version(release).replace(".", "_")


def amazon(release: str) -> str:
    """Amazon's name: as Red Hat's, and the dots are kept."""
    return "kernel-livepatch-" + _package_version(release)


def _package_version(release: str) -> str:
    """``4.18.0-348.12.2`` of ``4.18.0-348.12.2.el8_5.x86_64``."""
    found = re.match(r"\d[\d.]*-\d+(?:\.\d+)*(?![^.-])", release)
    return found.group() if found else release


def level(name: str, evr: str) -> Optional[int]:
    """The patch level: SUSE counts it in the version, Red Hat and Amazon in the release."""
    version, _dash, release = evr.rpartition(":")[2].rpartition("-")
    found = re.match(r"\d+", release if _counts_in_release(name) else version)
    return int(found.group()) if found else None


def fixes_nothing(name: str, patch_level: Optional[int]) -> bool:
    """Whether this is the initial KMP of a kernel, whose number is 1 at SUSE, and 0 at Red Hat and Amazon."""
    return patch_level == (0 if _counts_in_release(name) else 1)


def is_empty(name: str, evr: str) -> bool:
    """Whether this is Red Hat's ``kpatch-patch-*-0-0``, which holds no module."""
    return name.startswith("kpatch-patch-") and evr.startswith("0-")


def is_kmp(name: str) -> bool:
    """Whether a package is a KMP, and not one of the tools, sources or symbols that are named alike."""
    return re.match(r"(kernel-livepatch|kgraft-patch|kpatch-patch)-\d", name) is not None and not re.search(
        r"-debug(info|source)$", name
    )


def _counts_in_release(name: str) -> bool:
    return name.startswith("kpatch-patch-") or (name.startswith("kernel-livepatch-") and "." in name)


def module_name(path: str) -> str:
    """The name under which the kernel knows the module in this file."""
    name = path.rsplit("/", 1)[-1]
    return re.sub(r"\.ko(\.\w+)?$", "", name).replace("-", "_")


def module_of(name: str, evr: str) -> Optional[str]:
    """The name of the module in a KMP that nobody has looked into, by SUSE's rule; None where there is no rule."""
    for package, prefix in (("kernel-livepatch-", "livepatch_"), ("kgraft-patch-", "kgraft_patch_")):
        if name.startswith(package) and not _counts_in_release(name):
            return prefix + re.sub(r"[.-]", "_", evr.rpartition(":")[2])
    return None


def module_level(name: str) -> Optional[int]:
    """The patch level in the name of a loaded module, None where it is not named as a vendor's.

    SUSE's carry version and release of their KMP, Red Hat's the kernel's first.
    """
    found = re.match(r"(?:livepatch|kgraft_patch)_(\d+)_", name) or re.match(r"kpatch(?:_\d+)+_\d+_(\d+)$", name)
    return int(found.group(1)) if found else None


def is_module(path: str) -> bool:
    return re.search(r"/(livepatch|kgraft|kpatch/[^/]+)/[^/]+\.ko(\.\w+)?$", path) is not None


def cves(text: str) -> List[str]:
    """The CVEs that a text names, each once, in order."""
    return sorted(set(_CVE.findall(text)), key=lambda cve: [int(number) for number in cve.split("-")[1:]])
