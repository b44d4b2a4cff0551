# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Until when the vendor patches a kernel. PRIVATE to the collection: it may change at any time.

SUSE tells it in the packages ``lifecycle-data-*``, which ``zypper lifecycle`` reads: lines of ``name, version, date``
and sometimes a successor. Stars are wildcards, a name between slashes is a regular expression, ``#`` starts a comment,
and of several lines that fit the last one counts.
"""

import datetime
import re
from typing import Iterator, List, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

_FOLDERS = ("/usr/share/lifecycle/data", "/usr/lib/lifecycle/data", "/var/lib/lifecycle/data")
# ISO 8601, and what SUSE's files have had besides
_DATES = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%d %b %Y", "%b %d %Y", "%b %d, %Y")


def until(host: Host, name: str, evr: str) -> str:
    """The last day on which this package is supported, as an ISO date.

    :raises Unmeasured: there are no such data on the host, or they say nothing of it.
    """
    rows = list(_rows(host))
    if not rows:
        raise Unmeasured("no lifecycle-data package is installed")
    days = [row[2] for row in rows if _fits(row[0], name) and _fits(row[1] or "*", evr)]
    if not days:
        raise Unmeasured(f"the installed lifecycle data say nothing of {name}")
    day = _date(days[-1])
    if day is None:
        raise Unmeasured(f"the lifecycle data say {days[-1]!r} of {name}, which is no date")
    return day


def _rows(host: Host) -> Iterator[List[str]]:
    for folder in _FOLDERS:
        for file in host.names(folder):
            for line in (host.text(f"{folder}/{file}") or "").splitlines() if file.endswith(".lifecycle") else ():
                row = [word.strip().strip('"') for word in line.split(",")]
                if len(row) >= 3 and not row[0].startswith("#"):
                    yield row


def _fits(pattern: str, text: str) -> bool:
    if len(pattern) > 2 and pattern[0] == pattern[-1] == "/":
        try:
            return re.search(pattern[1:-1], text) is not None
        except re.error:
            return False
    return re.match(".*".join(re.escape(part) for part in pattern.split("*")) + r"\Z", text) is not None


def _date(text: str) -> Optional[str]:
    return next((day for day in (_read(text, form) for form in _DATES) if day is not None), None)


def _read(text: str, form: str) -> Optional[str]:
    try:
        return datetime.datetime.strptime(text, form).date().isoformat()
    except ValueError:
        return None
