# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables for a terminal and for job output. PRIVATE to the collection. Pure."""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import SLICES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    abbreviate,
    format_count,
    format_status,
    format_table,
    format_time,
    shorten_build_id,
    to_one_line,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import preview
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import (
    BAD,
    IN_FLIGHT,
    NOT_IN_PLAN,
    Outcome,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Plan, PlannedHost
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.prestage import Download
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.preview import compute_level

# Worst first, for an operator at night
OUTCOMES = (
    "lost",
    "rollback_pending",
    "rollback_refused",
    "failed",
    "rolled_back",
    "pending",
    "skipped",
    "done",
    "unchanged",
)
# What a rollout may wait for without anything being wrong
_PLANNED_WAITS = ("window", "approval", SLICES)
_DOWNLOAD_OUTCOMES = ("failed", "skipped", "downloaded", "present", "unchanged")


def describe_open_rollout(rollout: t.Mapping[str, t.Any]) -> str:
    """Which rollout is open, since when, who began it, and what it waits for.

    :param rollout: as the store has it.
    """
    begun = f"begun {format_time(rollout['started'])} by {rollout['started_by'] or '?'}"
    waits = (rollout["detail"] or {}).get("text")
    status = format_status(rollout["status"]) + (f": {waits}" if waits else "")
    return f"rollout {rollout['id']} of plan {rollout['plan_hash'][:12]}, {begun}, which {status}"


def format_outcomes(
    fleet: t.Sequence[Host],
    plan: Plan | None,
    outcomes: t.Sequence[Outcome],
    status: str,
    detail: t.Mapping[str, t.Any],
) -> list[str]:
    """One row per host, the reasons of those that did not succeed, and a summary.

    :param fleet: the hosts as they were when this run has asked them.
    :param plan: the rollout's, which has them as they were before that; None of a slice.
    """
    before: dict[str, Host | PlannedHost] = {host.name: host for host in fleet}
    before.update({} if plan is None else plan.hosts)
    ordered = sorted(outcomes, key=lambda outcome: (OUTCOMES.index(outcome.outcome), outcome.host))
    lines = format_table(
        ("HOST", "OUTCOME", "STATE", "BUILD ID", "KMP", "LEVEL", "SECONDS"),
        [
            (
                outcome.host,
                outcome.outcome,
                outcome.state,
                shorten_build_id(known.build_id if known else None),
                outcome.kmp,
                preview.format_levels(known.level if known else None, _find_level(outcome)),
                outcome.seconds,
            )
            for outcome, known in ((outcome, before.get(outcome.host)) for outcome in ordered)
        ],
    )
    lines += _format_problems(
        (outcome.host, f"{outcome.outcome}: {outcome.reason}")
        for outcome in ordered
        if outcome.outcome not in ("done", "unchanged")
    )
    if detail.get("text"):
        lines += ["", f"The rollout {format_status(status)}: {detail['text']}"]
    return [*lines, "", format_summary(outcomes)]


def format_prestage(downloads: t.Sequence[Download]) -> list[str]:
    """One row per host, the reasons of those without the KMP's file, and a summary."""
    ordered = sorted(downloads, key=lambda download: (_DOWNLOAD_OUTCOMES.index(download.outcome), download.host))
    lines = format_table(("HOST", "OUTCOME", "KMP"), [(row.host, row.outcome, row.kmp) for row in ordered])
    lines += _format_problems(
        (row.host, f"{row.outcome}: {row.reason}") for row in ordered if row.outcome in ("failed", "skipped")
    )
    return [*lines, "", _format_counts(ordered, _DOWNLOAD_OUTCOMES)]


def format_pending_rollback(names: t.Sequence[str]) -> list[str]:
    """For a run that only rolls back hosts that the rollout before has left patched."""
    hosts = f"{format_count(names, 'host')} of the last rollout still to be rolled back ({abbreviate(names)})"
    return [
        f"{hosts}: the next run of playbook rollout does that and nothing else. Run it again afterwards",
        "To leave a host as it is, quarantine it (playbook quarantine, livepatch_quarantine_host)",
    ]


def describe_prestage_problem(downloads: t.Sequence[Download]) -> str | None:
    """Why a prestage failed, in one line; None where it did not."""
    failed = [download.host for download in downloads if download.outcome == "failed"]
    return f"{format_count(failed, 'host')} failed to download the KMP ({abbreviate(failed)})" if failed else None


def _find_host(before: t.Mapping[str, Host], name: str) -> Host:
    """A planned host, also where this run has no answer of it."""
    return before.get(name) or Host(name, "unknown", "it was not asked")


def format_summary(outcomes: t.Sequence[Outcome]) -> str:
    return _format_counts(outcomes, OUTCOMES)


def _format_counts(rows: t.Sequence[Outcome | Download], order: t.Sequence[str]) -> str:
    counts = collections.Counter(row.outcome for row in rows)
    text = ", ".join(f"{counts[outcome]} {outcome}" for outcome in order if counts[outcome])
    return f"{format_count(rows, 'host')}: {text or 'none'}"


def describe_problem(
    fleet: t.Sequence[Host], outcomes: t.Sequence[Outcome], status: str, detail: t.Mapping[str, t.Any]
) -> str | None:
    """Why the run of a rollout exits with an error, in one line; None where it succeeded, or waits as planned.

    In check mode no host is started, which is no reason; hosts that could not be planned are one there too.
    """
    before = {host.name: host for host in fleet}
    failed = [row.host for row in outcomes if row.outcome in BAD]
    in_flight = [row.host for row in outcomes if row.outcome == "pending" and row.reason == IN_FLIGHT]
    pending = [row.host for row in outcomes if row.outcome == "pending" and row.reason != IN_FLIGHT]
    waits = status in ("soaking", "planned") or (status == "waiting" and detail.get("for") in _PLANNED_WAITS)
    unplanned = [
        row.host
        for row in outcomes
        if row.outcome == "skipped"
        # The run that has barred a KMP or a host has failed; those after it find that nothing is to be done there.
        and not row.barred
        and not _find_host(before, row.host).settled
        # It was added while the rollout waits, which is no reason not to wait.
        and not (waits and row.reason == NOT_IN_PLAN)
    ]
    parts = []
    if status == "failed" and detail.get("text"):
        # Its verdict was shown by the gate, and is below the table of hosts.
        parts.append(f"the rollout {format_status(status)}")
    if status in ("halted", "waiting") and not (waits and not detail.get("refused")):
        parts.append(f"the rollout {format_status(status)} ({detail.get('text')})")
    if failed:
        parts.append(f"{format_count(failed, 'host')} failed ({abbreviate(failed)})")
    if in_flight:
        count = format_count(in_flight, "host")
        parts.append(f"{count} in flight still ({abbreviate(in_flight)}): run the rollout again, and they are asked")
    if pending and not waits:
        parts.append(f"{format_count(pending, 'host')} not started ({abbreviate(pending)})")
    if unplanned:
        parts.append(f"{format_count(unplanned, 'host')} not planned ({abbreviate(unplanned)})")
    return "; ".join(parts) or None


def _find_level(outcome: Outcome) -> int | None:
    """The level of a host, or, as its KMP, the one that it is to get."""
    return compute_level(outcome.kmp) if outcome.outcome == "pending" else outcome.level


def _format_problems(problems: t.Iterable[tuple[str, str]]) -> list[str]:
    """A line for each host; hosts to which nothing was done for the same reason, such as a cohort, share one."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name, reason in problems:
        owner = "" if reason.startswith(("skipped: ", "pending: ")) else name
        alike.setdefault((owner, to_one_line(reason)), []).append(name)
    lines = [f"  {abbreviate(names)}: {reason}" for (_owner, reason), names in alike.items()]
    return ["", "Problems:", *lines] if lines else []
