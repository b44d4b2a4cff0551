# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables for a terminal and for job output. PRIVATE to the collection. Pure."""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import SLICES
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    NOTHING,
    abbreviate,
    format_count,
    format_table,
    format_time,
    shorten_build_id,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import BAD, Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.prestage import Download

# Worst first, for what a person reads at night.
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
_PLANNED = ("window", "approval", SLICES)
_FETCHED = ("failed", "skipped", "downloaded", "present", "unchanged")


def format_plan(
    document: t.Mapping[str, t.Any], resumed: bool = False, before: t.Mapping[str, t.Any] | None = None
) -> list[str]:
    """The waves, who is in none of them, and what has changed since the plan ``before``, if there was one."""
    counts = (
        format_count(document["hosts"], "host"),
        format_count(document["cohorts"], "cohort"),
        format_count(document["waves"], "wave"),
    )
    lines = ["{} in {}, {}".format(*counts)]
    for number, wave in enumerate(document["waves"]):
        kinds = {"canaries": f"wave {number} (canaries)", "singles": f"wave {number} (only ones)"}
        label = kinds.get(wave["kind"], f"wave {number}")
        lines.append(f"  {label:<18} {len(wave['hosts']):>5}  {abbreviate(wave['hosts'])}")
    reasons = collections.defaultdict(list)
    for name, reason in sorted(document["left_out"].items()):
        reasons[reason.partition(":")[0]].append(name)
    for state, names in sorted(reasons.items()):
        lines.append(f"  {'in no wave':<18} {len(names):>5}  {state}: {abbreviate(names)}")
    lines += [] if before is None else _since(before)
    return [*lines, f"{'The open plan' if resumed else 'Plan'} {document['hash']}"]


def _since(before: t.Mapping[str, t.Any]) -> list[str]:
    since = f"since the plan {before['hash'][:12]} of {format_time(before['saved'])}"
    if not before["changes"]:
        return [f"Nothing has changed {since}"]
    told = []
    for one in before["changes"]:
        count = f"{len(one['hosts']):>5}  {abbreviate(one['hosts'])}" if one["hosts"] else ""
        told.append(f"  {one['text']:<18} {count}".rstrip())
    return [f"Changed {since}:", *told]


def format_outcomes(
    fleet: t.Sequence[Host], outcomes: t.Sequence[Outcome], status: str, detail: t.Mapping[str, t.Any]
) -> list[str]:
    """One row per host, the reasons of those that did not end well, and a line that sums up."""
    before = {host.name: host for host in fleet}
    ordered = sorted(outcomes, key=lambda one: (OUTCOMES.index(one.outcome), one.host))
    lines = format_table(
        ("HOST", "OUTCOME", "STATE", "BUILD ID", "KMP", "LEVEL", "SECONDS"),
        [
            (
                one.host,
                one.outcome,
                one.state,
                shorten_build_id(_known(before, one.host).build_id),
                one.kmp,
                f"{_level(_known(before, one.host).level)} -> {_level(one.level)}",
                one.seconds,
            )
            for one in ordered
        ],
    )
    lines += _problems(
        (one.host, f"{one.outcome}: {one.reason}") for one in ordered if one.outcome not in ("done", "unchanged")
    )
    if detail.get("text"):
        lines += ["", f"The rollout is {status}: {detail['text']}"]
    return [*lines, "", format_summary(outcomes)]


def format_prestage(found: t.Sequence[Download]) -> list[str]:
    """One row per host, the reasons of those that have nothing, and a line that sums up."""
    ordered = sorted(found, key=lambda one: (_FETCHED.index(one.outcome), one.host))
    lines = format_table(("HOST", "OUTCOME", "KMP"), [(one.host, one.outcome, one.kmp) for one in ordered])
    lines += _problems(
        (one.host, f"{one.outcome}: {one.reason}") for one in ordered if one.outcome in ("failed", "skipped")
    )
    counts = collections.Counter(one.outcome for one in ordered)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in _FETCHED if counts[kind])
    return [*lines, "", f"{format_count(ordered, 'host')}: {told or 'none'}"]


def format_pending_rollback(names: t.Sequence[str]) -> list[str]:
    """Of a run that does nothing else than to bring hosts back that the rollout before has left patched."""
    what = f"Of the last rollout {format_count(names, 'host')} still to be brought back ({abbreviate(names)})"
    return [
        f"{what}: nothing else is done. Run the rollout again after that",
        "To leave one as it is, put it in quarantine (playbook quarantine, livepatch_quarantine_host)",
    ]


def describe_prestage_problem(found: t.Sequence[Download]) -> str | None:
    """Why a prestage did not end well, in one line; None where it did."""
    bad = [one.host for one in found if one.outcome == "failed"]
    return f"{format_count(bad, 'host')} did not get the KMP's file ({abbreviate(bad)})" if bad else None


def _known(before: t.Mapping[str, Host], name: str) -> Host:
    """A host of a plan of which this run was not told anything."""
    return before.get(name) or Host(name, "unknown", "it was not asked")


def format_summary(outcomes: t.Sequence[Outcome]) -> str:
    counts = collections.Counter(one.outcome for one in outcomes)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in OUTCOMES if counts[kind])
    return f"{format_count(outcomes, 'host')}: {told or 'none'}"


def describe_problem(
    fleet: t.Sequence[Host], outcomes: t.Sequence[Outcome], status: str, detail: t.Mapping[str, t.Any]
) -> str | None:
    """Why a rollout did not end well, in one line; None where it did, or waits as it was planned to.

    In check mode nobody is started, which is no reason; hosts that could not be planned are one there too.
    """
    before = {host.name: host for host in fleet}
    bad = [one.host for one in outcomes if one.outcome in BAD]
    open_ = [one.host for one in outcomes if one.outcome == "pending"]
    odd = [one.host for one in outcomes if one.outcome == "skipped" and not _known(before, one.host).settled]
    waits = status in ("soaking", "planned") or (status == "waiting" and detail.get("for") in _PLANNED)
    parts = []
    if status == "failed" and detail.get("text"):
        parts.append(f"the rollout has failed ({detail['text']})")
    if status in ("halted", "waiting") and not (waits and not detail.get("refused")):
        parts.append(f"the rollout is {status} ({detail.get('text')})")
    if bad:
        parts.append(f"{format_count(bad, 'host')} did not end well ({abbreviate(bad)})")
    if open_ and not waits:
        parts.append(f"{format_count(open_, 'host')} not started ({abbreviate(open_)})")
    if odd:
        parts.append(f"{format_count(odd, 'host')} not planned ({abbreviate(odd)})")
    return "; ".join(parts) or None


def _level(level: int | None) -> str:
    return NOTHING if level is None else str(level)


def _problems(found: t.Iterable[tuple[str, str]]) -> list[str]:
    """A line for each host; those to which nothing was done for the same reason, a whole cohort perhaps, have one."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name, reason in found:
        whose = "" if reason.startswith(("skipped: ", "pending: ")) else name
        alike.setdefault((whose, _task_errors.to_one_line(reason)), []).append(name)
    lines = [f"  {abbreviate(names)}: {reason}" for (_whose, reason), names in alike.items()]
    return ["", "Problems:", *lines] if lines else []
