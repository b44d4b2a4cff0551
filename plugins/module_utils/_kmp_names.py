# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of KMPs and of their modules. PRIVATE to the collection: it may change at any time. Pure."""

import re
from typing import List, Optional

# At most as many digits as the CVE program's own schema has
_CVE = re.compile(r"\bCVE-[0-9]{4}-[0-9]{4,19}\b")


def format_suse_name(release: str) -> str:
    """SUSE's name of the KMP for the kernel with this ``uname -r`` (kernel-binary.spec, patch_package)."""
    return "kernel-livepatch-" + release.replace(".", "_")


def format_kgraft_name(release: str) -> str:
    """SUSE's name up to SLE 12."""
    return "kgraft-patch-" + release.replace(".", "_")


def format_kpatch_name(release: str) -> str:
    """Red Hat's name: version and release of the kernel's package, without distribution and architecture."""
    return "kpatch-patch-" + _parse_package_version(release).replace(".", "_")


def format_amazon_name(release: str) -> str:
    """Amazon's name: as Red Hat's, and the dots are kept."""
    return "kernel-livepatch-" + _parse_package_version(release)


def _parse_package_version(release: str) -> str:
    """``4.18.0-348.12.2`` of ``4.18.0-348.12.2.el8_5.x86_64``."""
    match = re.match(r"\d[\d.]*-\d+(?:\.\d+)*(?![^.-])", release)
    return match.group() if match else release


def parse_level(name: str, evr: str) -> Optional[int]:
    """Parse the patch level: SUSE counts it in the version, Red Hat and Amazon in the release.

    None for a number that no vendor would count up to.
    """
    version, _dash, release = evr.rpartition(":")[2].rpartition("-")
    match = re.match(r"[0-9]{1,9}(?![0-9])", release if _is_level_in_release(name) else version)
    return int(match.group()) if match else None


def is_initial(name: str, patch_level: Optional[int]) -> bool:
    """Whether this is the initial KMP of a kernel, whose number is 1 at SUSE, and 0 at Red Hat and Amazon."""
    return patch_level == (0 if _is_level_in_release(name) else 1)


def is_empty(name: str, evr: str) -> bool:
    """Whether this is Red Hat's ``kpatch-patch-*-0-0``, which holds no module."""
    return name.startswith("kpatch-patch-") and evr.startswith("0-")


def is_kmp(name: str) -> bool:
    """Whether a package is a KMP, and not one of the tools, sources or symbols that are named alike."""
    return re.match(r"(kernel-livepatch|kgraft-patch|kpatch-patch)-\d", name) is not None and not re.search(
        r"-debug(info|source)$", name
    )


def _is_level_in_release(name: str) -> bool:
    return name.startswith("kpatch-patch-") or (name.startswith("kernel-livepatch-") and "." in name)


def parse_module_name(path: str) -> str:
    """The kernel's name for the module in this file."""
    name = path.rsplit("/", 1)[-1]
    return re.sub(r"\.ko(\.\w+)?$", "", name).replace("-", "_")


def derive_module_name(name: str, evr: str) -> Optional[str]:
    """Derive the name of the module in a KMP from SUSE's rule; None where there is no rule."""
    for package, prefix in (("kernel-livepatch-", "livepatch_"), ("kgraft-patch-", "kgraft_patch_")):
        if name.startswith(package) and not _is_level_in_release(name):
            return prefix + re.sub(r"[.-]", "_", evr.rpartition(":")[2])
    return None


def split_kmp(name_evr: str) -> List[str]:
    """Split a KMP's NAME-EVR into its name and EVR."""
    name, version, release = name_evr.rsplit("-", 2)
    return [name, f"{version}-{release}"]


def parse_module_level(name: str) -> Optional[int]:
    """Parse the patch level in the name of a loaded module, None where it is not named as a vendor's.

    SUSE's carry version and release of their KMP, Red Hat's the kernel's first.
    """
    match = re.match(r"(?:livepatch|kgraft_patch)_(\d{1,9})_", name) or re.match(
        r"kpatch(?:_\d+)+_\d+_(\d{1,9})$", name
    )
    return int(match.group(1)) if match else None


def is_module(path: str) -> bool:
    return re.search(r"/(livepatch|kgraft|kpatch/[^/]+)/[^/]+\.ko(\.\w+)?$", path) is not None


def find_cves(text: str) -> List[str]:
    """Find the CVEs that a text names, each once, in order."""
    return sorted(set(_CVE.findall(text)), key=lambda cve: [int(number) for number in cve.split("-")[1:]])
