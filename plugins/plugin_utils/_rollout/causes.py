# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may happen to a host of a rollout, and what is to blame for it. PRIVATE to the collection. Pure.

The one table of that: docs/operator.md shows it row for row. A KMP is barred only for what happened once the kernel had
been given its module. Before that the host has failed, or its control node, and another canary may take its place.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome
    from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import PlannedCohort

NOTHING, HOST, KMP, KMP_AND_HOST = "nothing", "the host", "the KMP", "the KMP and the host"
# Threads of programs can be held by any local user; on two canaries it is the KMP that waits for the wrong thing.
KMP_IF_SECOND = "nothing; the KMP, if a second canary of it stalls too"
# Who goes back
NO_HOST = "no host"
ITSELF = "the host"
REVERSED = "no host: the migration was reversed, or it was left as asked for"
ALL_CANARIES = "of canaries all that `livepatch_halt_scope` reaches, of a later wave the host"
OTHER_CANARIES = "of canaries all others that `livepatch_halt_scope` reaches"


@dataclasses.dataclass(frozen=True)
class Cause:
    """One row of the table."""

    happened: str
    outcome: str
    bars: str
    goes_back: str


CAUSES: t.Mapping[str, Cause] = {
    "not_begun": Cause(
        "Nothing was begun: the host was not reached at its start and is back in the same boot, its process was killed "
        "before the change, it runs another kernel by now, or the planned KMP was withdrawn or replaced",
        "skipped",
        NOTHING,
        NO_HOST,
    ),
    "taken_over": Cause("A newer run, such as one of another scope, has the host", "skipped", NOTHING, NO_HOST),
    "not_started": Cause(
        "The change could not be started: an error of the control node or its settings, of the connection, sudo or "
        "Python",
        "failed",
        NOTHING,
        NO_HOST,
    ),
    "host_failed": Cause(
        "The kernel was not given the module: a full disk, a preflight check, `ftrace_enabled=0`, an error of zypper "
        "or dnf, a package manager that is locked",
        "failed",
        NOTHING,
        NO_HOST,
    ),
    "other_patch": Cause(
        "Another KMP or kernel than the planned one is there: an operator or another program has changed the host",
        "failed",
        NOTHING,
        ITSELF,
    ),
    "incomplete": Cause(
        "The patch is active and the host healthy, and the rest of the change failed, such as its record on a full "
        "disk",
        "failed",
        NOTHING,
        ITSELF,
    ),
    "unconfirmed": Cause("The next boot of a canary could not be prepared for the patch", "failed", NOTHING, NO_HOST),
    "unreachable": Cause(
        "The host could not be connected to when it was to start, nor since within `livepatch_unreachable_timeout`",
        "lost",
        HOST,
        NO_HOST,
    ),
    "stalled": Cause(
        "The migration stalled, and no blocker is known to be a thread of the kernel", "failed", KMP_IF_SECOND, REVERSED
    ),
    "stalled_by_kernel": Cause(
        "The migration stalled because of a thread of the kernel", "failed", KMP, OTHER_CANARIES
    ),
    "refused": Cause(
        "The kernel refused the module, or the change failed after the kernel had been given it",
        "failed",
        KMP,
        OTHER_CANARIES,
    ),
    "lost": Cause(
        "No contact since the connection broke at the start of the change, since it was started, or in the soak",
        "lost",
        KMP_AND_HOST,
        OTHER_CANARIES,
    ),
    "crashed": Cause(
        "The host went down while its KMP was installed or loaded, or before it was confirmed",
        "failed",
        KMP,
        OTHER_CANARIES,
    ),
    "unverified": Cause(
        "The change was started, and it cannot be verified that the patch is active", "failed", KMP, ALL_CANARIES
    ),
    "unhealthy": Cause(
        "An oops or a warning of the kernel, or a failed health check, since the change or in the soak",
        "failed",
        KMP,
        ALL_CANARIES,
    ),
}


_STALLS = ("stalled", "stalled_by_kernel")


def find_blamed(
    outcomes: t.Iterable[Outcome], cohorts: t.Mapping[str, PlannedCohort], are_canaries: bool
) -> list[Outcome]:
    """The outcomes for which the KMP is to blame.

    :param are_canaries: they are the first of their cohorts: of those one stall is the host's, two are the KMP's.
    """
    bad = [outcome for outcome in outcomes if outcome.bad]
    stalls = collections.Counter(_get_target(outcome, cohorts) for outcome in bad if outcome.cause in _STALLS)
    blamed = []
    for outcome in bad:
        # Of an earlier version of the collection it is not known: whatever failed was the KMP's then.
        bars = KMP if outcome.cause is None else CAUSES[outcome.cause].bars
        if bars == KMP_IF_SECOND and are_canaries and stalls[_get_target(outcome, cohorts)] > 1:
            bars = KMP
        if bars in (KMP, KMP_AND_HOST):
            blamed.append(outcome)
    return blamed


def _get_target(outcome: Outcome, cohorts: t.Mapping[str, PlannedCohort]) -> str | None:
    """What the host was to come to, by which the quarantine goes: hosts of several levels may be on their way there."""
    cohort = cohorts.get(outcome.cohort or "")
    return None if cohort is None else cohort.target


def bars_host(outcome: Outcome) -> bool:
    """Whether no rollout touches the host any more until an operator has cleared it."""
    if outcome.outcome != "lost":
        return False
    return outcome.cause is None or CAUSES[outcome.cause].bars in (HOST, KMP_AND_HOST)
