# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Detect containers, in which the kernel is not this system's own. PRIVATE to the collection.

In a container it is the host's, in WSL it is Windows': what is installed here says nothing about it. The evidence is
what systemd-detect-virt(1) looks at (https://systemd.io/CONTAINER_INTERFACE).
"""

import re
from typing import Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

_MARKS = (("/.dockerenv", "docker"), ("/run/.containerenv", "podman"))


def detect_container(host: Host, release: str) -> Optional[str]:
    """``wsl``, ``container:<kind>``, or None where the kernel is the system's own.

    :param release: the running kernel's release.
    """
    if re.search("microsoft|WSL", release, re.IGNORECASE):
        return "wsl"
    kind = host.read_text("/run/systemd/container") or _read_variable(host)
    if not kind:
        kind = next((kind for path, kind in _MARKS if host.get_mtime(path) is not None), None)
    return f"container:{kind}" if kind else None


def _read_variable(host: Host) -> Optional[str]:
    """The variable that a container's manager sets for the first process."""
    try:
        data = host.read_bytes("/proc/1/environ") or b""
    except Unmeasured:
        return None
    match = re.search(rb"(?:^|\0)container=([^\0]+)", data)
    return match.group(1).decode("utf-8", "replace") if match else None
