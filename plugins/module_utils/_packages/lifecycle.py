# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read until when the vendor patches a kernel. PRIVATE to the collection: it may change at any time.

SUSE publishes it in the packages ``lifecycle-data-*``, which ``zypper lifecycle`` reads: lines of ``name, version,
date`` and sometimes a successor, beside which the date may be left out. Stars are wildcards, a name between slashes is
a regular expression, ``#`` starts a comment, and of several lines that fit the last one counts. The order of the
folders is that of zypper-lifecycle.
"""

import datetime
import re
from typing import Iterator, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

_FOLDERS = ("/var/lib/lifecycle/data", "/usr/lib/lifecycle/data", "/usr/share/lifecycle/data")
# What of Ruby's Time.parse is plausible. Two digits for a day, or a truncated date would be another date.
_TIME = r"(?:[T ]\d\d:\d\d(?::\d\d)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?\Z"
_DATES = (
    r"(?P<year>\d{4})([-/]?)(?P<month>\d\d)\2(?P<day>\d\d)",
    r"(?P<day>\d\d?) (?P<month>[A-Z][a-z]{2,8}) (?P<year>\d{4})",
    r"(?P<month>[A-Z][a-z]{2,8}) (?P<day>\d\d?),? (?P<year>\d{4})",
)
# Not strptime's %b: that depends on the locale.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class _Row(NamedTuple):
    name: str
    version: str
    date: str


def find_last_day(host: Host, name: str, evr: str) -> str:
    """Find the last day on which this package is supported, as an ISO date.

    :raises Unmeasured: there are no such data on the host, they are damaged, or they do not name it.
    """
    rows = list(_iterate_rows(host))
    if not rows:
        raise Unmeasured("no lifecycle-data package is installed")
    dates = [row.date for row in rows if _matches_name(row.name, name) and _matches_pattern(row.version, evr)]
    if not dates or not dates[-1]:
        raise Unmeasured(f"the installed lifecycle data do not name {name}")
    day = _parse_date(dates[-1])
    if day is None:
        raise Unmeasured(f"the lifecycle data have {dates[-1][:40]!r} for {name}, which is not a date")
    return day


def _iterate_rows(host: Host) -> Iterator[_Row]:
    for folder in _FOLDERS:
        for file in host.list_names(folder):
            if file.endswith(".lifecycle"):
                path = f"{folder}/{file}"
                for number, line in enumerate((host.read_text(path) or "").split("\n"), 1):
                    row = _parse_row(line)
                    if row is not None and len(row) < 3:
                        raise Unmeasured(f"{path} is damaged or truncated in line {number}", "Reinstall its package")
                    if row is not None:
                        yield _Row(*row[:3])


def _parse_row(line: str) -> Optional[List[str]]:
    """The fields of a line, none where it cannot be read; None for one without any."""
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    # Here: only hosts of SUSE have such data.
    import csv

    try:
        return [word.strip() for row in csv.reader([line], skipinitialspace=True, strict=True) for word in row]
    except csv.Error:
        return []


def _matches_name(pattern: str, name: str) -> bool:
    if len(pattern) > 2 and pattern[0] == pattern[-1] == "/":
        try:
            return re.search(pattern[1:-1], name) is not None
        except (re.error, OverflowError, RecursionError):
            return False
    return _matches_pattern(pattern, name)


def _matches_pattern(pattern: str, text: str) -> bool:
    return re.match(".*".join(re.escape(part) for part in pattern.split("*")) + r"\Z", text) is not None


def _parse_date(text: str) -> Optional[str]:
    matches = (re.match(form + _TIME, text, re.ASCII) for form in _DATES)
    date = next((match for match in matches if match), None)
    if date is None:
        return None
    month = date.group("month")
    number = next((at for at, name in enumerate(_MONTHS, 1) if month in (name, name[:3], f"{at:02}")), 0)
    try:
        return datetime.date(int(date.group("year")), number, int(date.group("day"))).isoformat()
    except ValueError:
        return None
