# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator allows and wants of KMPs. PRIVATE to the collection: it may change at any time. Pure."""

import datetime
import fnmatch
import re
from typing import Any, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption

# From the least to the most severe
SEVERITIES = ("low", "moderate", "important", "critical")

_VERSION = re.compile(r"(\d+:)?[A-Za-z0-9._+~^]+(-[A-Za-z0-9._+~^]+)?\Z")
_CVE = re.compile(r"CVE-\d{4}-\d{4,}\Z")


# A KMP, or several by wildcards, that must not be used, and why.
class Quarantined(NamedTuple):
    kmp: str
    reason: str


# How repositories are asked (max_age, lock_timeout: seconds), which risks are taken (allow_*: NAMES may hold
# wildcards), and which of the KMPs that fit is wanted (issued_before: an ISO date, min_age: days).
class Policy(NamedTuple):
    refresh: str
    max_age: int
    lock_timeout: int
    allow_name_match: bool = False
    allow_unsigned: Tuple[str, ...] = ()
    allow_dependencies: Tuple[str, ...] = ()
    vendors: Tuple[str, ...] = ()
    kmp_version: Optional[str] = None
    level: Optional[int] = None
    allow_downgrade: bool = False
    max_version: Optional[str] = None
    issued_before: Optional[str] = None
    cves: Tuple[str, ...] = ()
    severity: Optional[str] = None
    min_age: int = 0
    exclude: Tuple[str, ...] = ()
    quarantine: Tuple[Quarantined, ...] = ()


def check(policy: Policy, now: float) -> Policy:
    """The policy, if it makes sense.

    :param now: seconds since the epoch.
    :raises BadOption: it says something that cannot be meant.
    """
    for option in ("kmp_version", "max_version"):
        told = getattr(policy, option)
        if told is not None and not _VERSION.match(told):
            raise BadOption(
                f"{option} is {told!r}, which is no version of a package",
                "Give a version such as 3 or 3-150400.2.1, or leave the option out for the newest",
            )
    if policy.issued_before is not None:
        date = _date(policy.issued_before)
        today = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).date()
        if date > today:
            raise BadOption(
                f"issued_before is {date}, which is in the future: this host's clock says {today}",
                "A cut-off cannot be later than today. Set it right, or the clock",
            )
    for cve in policy.cves:
        if not _CVE.match(cve):
            raise BadOption(f"cves names {cve!r}, which is no CVE", "Give names such as CVE-2024-1086")
    for option in ("min_age", "max_age", "lock_timeout"):
        if getattr(policy, option) < 0:
            name = "refresh_max_age" if option == "max_age" else option
            raise BadOption(f"{name} is {getattr(policy, option)}", "It cannot be less than 0")
    return policy


def back_to(policy: Policy, **which: Any) -> Policy:
    """The policy for the way back to just this one (``kmp_version`` or ``level``).

    It is what ran before: what the operator wants of KMPs was about those to go forward to. What he trusts, and what is
    barred for a reason, stays.
    """
    return policy._replace(
        allow_downgrade=True,
        max_version=None,
        issued_before=None,
        cves=(),
        severity=None,
        min_age=0,
        exclude=(),
        **which,
    )


def _date(text: str) -> datetime.date:
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise BadOption(
            f"issued_before is {text!r}, which is no date", "Give it as YYYY-MM-DD, for example 2026-05-31"
        ) from None


def matches(patterns: Sequence[str], name: str, evr: str) -> bool:
    """Whether one of the patterns means this package: by its name, its version, or both (NAME-VERSION-RELEASE)."""
    told = (name, evr, name + "-" + evr)
    return any(fnmatch.fnmatchcase(each, pattern) for pattern in patterns for each in told)
