# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's policy for KMPs: what is trusted, and what is wanted. PRIVATE to the collection. Pure."""

import datetime
import fnmatch
import re
from typing import Any, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import openpgp

# From the least to the most severe
SEVERITIES = ("low", "moderate", "important", "critical")

_VERSION = re.compile(r"(\d+:)?[A-Za-z0-9._+~^]+(-[A-Za-z0-9._+~^]+)?\Z")
_CVE = re.compile(r"CVE-\d{4}-\d{4,}\Z")


class QuarantineEntry(NamedTuple):
    """A KMP, or several by wildcards, that must not be used, and why."""

    kmp: str
    reason: str


class AcceptedRevision(NamedTuple):
    """Metadata that are older than what a repository has shown before, or expired, and are right all the same."""

    repository: str
    revision: str
    reason: str


class Policy(NamedTuple):
    # How repositories are queried; both numbers are seconds
    refresh: str
    max_age: int
    lock_timeout: int
    # Which risks are taken; names may hold wildcards
    allow_name_match: bool = False
    allow_unsigned: Tuple[str, ...] = ()
    allow_dependencies: Tuple[str, ...] = ()
    vendors: Tuple[str, ...] = ()
    # Fingerprints of keys whose KMPs are taken as the kernel's vendor's are
    builders: Tuple[str, ...] = ()
    # Which of the KMPs that fit is wanted
    kmp_version: Optional[str] = None
    level: Optional[int] = None
    allow_downgrade: bool = False
    max_version: Optional[str] = None
    # An ISO date
    issued_before: Optional[str] = None
    cves: Tuple[str, ...] = ()
    severity: Optional[str] = None
    # Days
    min_age: int = 0
    exclude: Tuple[str, ...] = ()
    quarantine: Tuple[QuarantineEntry, ...] = ()
    accept_revision: Tuple[AcceptedRevision, ...] = ()


def validate_policy(policy: Policy, now: float) -> Policy:
    """Return the policy, if it is valid.

    :param now: seconds since the epoch.
    :raises BadOption: it is not.
    """
    for option in ("kmp_version", "max_version"):
        version = getattr(policy, option)
        if version is not None and not _VERSION.match(version):
            raise BadOption(
                f"{option} is {version!r}, which is not a package version",
                "Give a version such as 3 or 3-150400.2.1, or leave the option out for the newest",
            )
    if policy.issued_before is not None:
        date = _parse_date(policy.issued_before)
        today = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).date()
        if date > today:
            raise BadOption(
                f"issued_before is {date}, which is in the future: this host's clock says {today}",
                "Correct the date, or the clock",
            )
    for cve in policy.cves:
        if not _CVE.match(cve):
            raise BadOption(f"cves names {cve!r}, which is not a CVE", "Give names such as CVE-2024-1086")
    builders = tuple(re.sub(r"[\s:]|^0[xX]", "", builder).upper() for builder in policy.builders)
    for builder in builders:
        if not openpgp.FINGERPRINT.match(builder):
            raise BadOption(
                f"builders names {builder!r}, which is not the fingerprint of a key",
                "Give all of it, 40 or 64 hexadecimal digits, as gpg --show-keys prints it",
            )
    for option in ("min_age", "max_age", "lock_timeout"):
        if getattr(policy, option) < 0:
            name = "refresh_max_age" if option == "max_age" else option
            raise BadOption(f"{name} is {getattr(policy, option)}", "It must be 0 or more")
    return policy._replace(builders=builders)


def build_rollback_policy(policy: Policy, **which: Any) -> Policy:
    """Build the policy that goes back to exactly this KMP (``kmp_version`` or ``level``).

    It ran before: what the operator wants of KMPs is about those to go forward to. What is trusted, and what is barred
    for a reason, stays.
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


def _parse_date(text: str) -> datetime.date:
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise BadOption(
            f"issued_before is {text!r}, which is not a date", "Give it as YYYY-MM-DD, for example 2026-05-31"
        ) from None


def matches_any(patterns: Sequence[str], name: str, evr: str) -> bool:
    """Whether a pattern matches this package: its name, its version, or both (NAME-VERSION-RELEASE)."""
    forms = (name, evr, name + "-" + evr)
    return any(fnmatch.fnmatchcase(each, pattern) for pattern in patterns for each in forms)
