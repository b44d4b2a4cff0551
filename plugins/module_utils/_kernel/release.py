# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse the kernel's release string. PRIVATE to the collection: it may change at any time. Pure."""

import re
from typing import NamedTuple, Optional


class Release(NamedTuple):
    release: str
    version: str
    flavor: Optional[str]


def parse_release(release: str, arch: str) -> Release:
    """Split ``uname -r`` into its parts.

    SUSE and Debian put the flavor at the end, after the parts that begin with a digit
    (``5.14.21-150400.24.103-default``, ``6.1.0-56-cloud-amd64``); Red Hat ends with the architecture and
    names no flavor (``5.14.0-70.13.1.el9_0.x86_64``).
    """
    parts = release.split("-")
    flavor = [part for part in parts[1:] if not re.match(r"\d|rc\d", part)]
    version = parts[0]
    if version.endswith("." + arch):
        version = version[: -len(arch) - 1]
    return Release(release, version, "-".join(flavor) or None)
