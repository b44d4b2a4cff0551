# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How KMPs are named. PRIVATE to the collection: it may change at any time. Pure."""

import re
from typing import List, Optional

_CVE = re.compile(r"\bCVE-\d{4}-\d{4,}\b")


def kmp_name(release: str) -> str:
    """The name of the KMP for the kernel with this ``uname -r``: SUSE's rule (kernel-binary.spec, patch_package)."""
    return "kernel-livepatch-" + release.replace(".", "_")


def level(evr: str) -> Optional[int]:
    """The patch level: the version's first number. 1 is the initial KMP, which fixes nothing."""
    found = re.match(r"(?:\d+:)?(\d+)", evr)
    return int(found.group(1)) if found else None


def module_name(path: str) -> str:
    """The name under which the kernel knows the module in this file."""
    name = path.rsplit("/", 1)[-1]
    return re.sub(r"\.ko(\.\w+)?$", "", name).replace("-", "_")


def module_level(name: str) -> Optional[int]:
    """The patch level in the name of a loaded module: SUSE's carry version and release of their KMP."""
    found = re.match(r"(?:livepatch|kgraft_patch)_(\d+)_", name)
    return int(found.group(1)) if found else None


def is_module(path: str) -> bool:
    return re.search(r"/(livepatch|kgraft)/[^/]+\.ko(\.\w+)?$", path) is not None


def cves(text: str) -> List[str]:
    """The CVEs that a text names, each once, in order."""
    return sorted(set(_CVE.findall(text)), key=lambda cve: [int(number) for number in cve.split("-")[1:]])
