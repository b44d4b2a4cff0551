# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the kernel is this system's own at all. PRIVATE to the collection: it may change at any time.

In a container it is the host's, in WSL it is Windows': what is installed here says nothing of it. The evidence is what
systemd-detect-virt(1) looks at (https://systemd.io/CONTAINER_INTERFACE).
"""

import re
from typing import Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

_MARKS = (("/.dockerenv", "docker"), ("/run/.containerenv", "podman"))


def find(host: Host, release: str) -> Optional[str]:
    """``wsl``, ``container:<kind>``, or None where the kernel is the system's own.

    :param release: the running kernel's release.
    """
    if re.search("microsoft|WSL", release, re.IGNORECASE):
        return "wsl"
    told = host.text("/run/systemd/container") or _variable(host)
    if not told:
        told = next((kind for path, kind in _MARKS if host.modified(path) is not None), None)
    return f"container:{told}" if told else None


def _variable(host: Host) -> Optional[str]:
    """What a container's manager tells the first process."""
    try:
        data = host.read("/proc/1/environ") or b""
    except Unmeasured:
        return None
    found = re.search(rb"(?:^|\0)container=([^\0]+)", data)
    return found.group(1).decode("utf-8", "replace") if found else None
