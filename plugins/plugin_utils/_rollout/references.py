# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What operators name, as plans and reports show it: plans, rollouts, KMPs, cohorts, hosts. PRIVATE to the collection.
Pure.

A name that means nothing known would be recorded, and brake nothing: it is refused, with the nearest known one.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_time

# How many digits plans and rollouts are known by at least, and cohorts, which are fewer. Reports print 12 of a plan.
MIN_HASH = 8
_MIN_COHORT = 4
HASH_LENGTH = 64
# Candidates that a message names
_MAX_NAMED = 5
_ARCHITECTURE = re.compile(r"\.(x86_64|aarch64|ppc64le|s390x|noarch)\Z")


@dataclasses.dataclass(frozen=True)
class KnownCohort:
    """A cohort of a plan in the store."""

    id: str
    # What the quarantine goes by
    target: str
    kmp: str
    release: str | None

    @classmethod
    def from_row(cls, row: t.Mapping[str, t.Any]) -> KnownCohort:
        """:param row: of the store."""
        return cls(row["id"], row["target"], row["kmp"], row["release"])

    def describe(self) -> str:
        return f"{self.id} ({self.kmp} on {self.release or 'an unknown kernel'})"


def check_hash(setting: str, text: str) -> None:
    """:raises PlanError: it is neither the hash of a plan, or the ID of a rollout, nor its beginning."""
    if not re.fullmatch(rf"[0-9a-f]{{{MIN_HASH},{HASH_LENGTH}}}", text.strip()):
        raise PlanError(
            f"{setting} is {text!r}: set it to what plan or report shows, or to its first {MIN_HASH} or more digits"
        )


def resolve_plan(setting: str, text: str, find_plans: t.Callable[[str], t.Sequence[t.Mapping[str, t.Any]]]) -> str:
    """The hash of a plan in the store.

    :param find_plans: by the beginning of their hashes, with ``hash``, ``scope`` and ``saved``, the last one first.
    :raises PlanError: no plan, or more than one, is meant.
    """
    check_hash(setting, text)
    matching = find_plans(text.strip())
    if len(matching) == 1:
        return str(matching[0]["hash"])
    if matching:
        raise PlanError(f"{setting} is {text!r}, which begins several hashes: {_describe_plans(matching, HASH_LENGTH)}")
    last = find_plans("")
    known = f"the last ones are {_describe_plans(last, 12)}" if last else "it has none"
    raise PlanError(
        f"there is no plan {text.strip()} in this store, {known}. Run playbook plan for the hash of a new one"
    )


def resolve_kmp(setting: str, text: str, known: t.Iterable[str]) -> str:
    """A KMP as NAME-VERSION-RELEASE.

    :param text: this, with epoch and architecture too (NEVRA), or the version and release where only one KMP has them.
    :raises PlanError: none of the known ones, or more than one, is meant.
    """
    kmps = sorted(set(known))
    wanted = _strip_package(text)
    matching = [kmp for kmp in kmps if kmp == wanted] or [
        kmp for kmp in kmps if kmp.split("-")[-2:] == wanted.split("-")
    ]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise PlanError(f"{setting} is {text!r}, which several KMPs have: {_list(matching)}. Set one of them")
    raise PlanError(f"{setting} is {text!r}, and nothing here has that KMP. {_describe_nearest(wanted, kmps)}")


def resolve_cohort(setting: str, text: str, cohorts: t.Iterable[KnownCohort]) -> set[KnownCohort]:
    """The cohorts that one ID means, all with the same target: hosts that start from different levels come to it.

    :param text: an ID, as plan and report show it, or the quarantine; or its beginning.
    :raises PlanError: none of the known ones, or more than one, is meant.
    """
    known, wanted = set(cohorts), text.strip()
    matching = {cohort for cohort in known if wanted in (cohort.id, cohort.target)}
    if not matching and re.fullmatch(rf"[0-9a-f]{{{_MIN_COHORT},}}", wanted):
        matching = {cohort for cohort in known if cohort.id.startswith(wanted) or cohort.target.startswith(wanted)}
    described = sorted(cohort.describe() for cohort in matching or known)
    if not matching:
        candidates = f"Known are {_list(described)}" if described else "None is known: run playbook plan"
        raise PlanError(f"{setting} is {text!r}, which is no cohort. {candidates}")
    if len({cohort.target for cohort in matching}) > 1:
        raise PlanError(f"{setting} is {text!r}, which begins the IDs of several cohorts: {_list(described)}")
    return matching


def resolve_host(setting: str, text: str, known: t.Collection[str]) -> str:
    """:raises PlanError: it is none of the known hosts."""
    if text in known:
        return text
    raise PlanError(f"{setting} is {text!r}, and no host has that name. {_describe_nearest(text, known)}")


def _strip_package(text: str) -> str:
    """A KMP without architecture, the epoch 0 and the ending of a file, which NEVRAs and file names have."""
    name = _ARCHITECTURE.sub("", re.sub(r"\.rpm\Z", "", text.strip()))
    return re.sub(r"(\A|-)0:", r"\1", name)


def _describe_nearest(text: str, known: t.Collection[str]) -> str:
    nearest = difflib.get_close_matches(text, list(known), _MAX_NAMED)
    if nearest:
        return f"The nearest: {_list(nearest)}"
    return f"Known are {_list(sorted(known))}" if known else "None is known"


def _list(names: t.Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _describe_plans(plans: t.Sequence[t.Mapping[str, t.Any]], digits: int) -> str:
    return _list([f"{row['hash'][:digits]} (scope {row['scope']}, {format_time(row['saved'])})" for row in plans])
