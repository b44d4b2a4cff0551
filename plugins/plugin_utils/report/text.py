# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables for a terminal and for job output. PRIVATE to the collection. Pure."""

from __future__ import annotations

import collections
import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._verdict import ACTIVE, PATCHABLE
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import problems
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.outcome import BAD, Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.prestage import Fetched

# As many characters of a build ID as a person compares.
_SHORT = 12
# Names on one line of a plan; a large wave is told by its size.
_NAMES = 12

# Worst first, for what a person reads at night.
_OUTCOMES = (
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
_FETCHED = ("failed", "skipped", "downloaded", "there", "unchanged")
_STATES = (
    "crashed",
    "unknown",
    "conflict",
    "mismatch",
    "stalled",
    "transitioning",
    "not_covered",
    "installed",
    "unpatched",
    "outdated",
    "baseline",
    "patched",
)
# States that a rollout mends, if a KMP is there.
_USUAL = (*ACTIVE, *PATCHABLE)
_NOTHING = "-"
FORMATS = ("text", "json")


def shown(lines: t.Sequence[str], told: t.Mapping[str, t.Any], format_: str) -> str:
    """What is printed: the lines, or, for programs, what they tell of."""
    return json.dumps(told, indent=2, sort_keys=True) if format_ == "json" else "\n".join(lines)


def table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[t.Any]]) -> list[str]:
    """Columns as wide as they need to be; None is shown as a dash."""
    cells = [list(head)] + [[_NOTHING if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def status(fleet: t.Sequence[Host]) -> list[str]:
    """One row per host, the reasons of those with a problem, and a line that sums up."""
    ordered = sorted(fleet, key=lambda host: (_STATES.index(host.state), host.name))
    lines = table(
        ("HOST", "STATE", "KERNEL", "BUILD ID", "LEVEL", "NEWEST KMP"),
        [(h.name, h.state, h.release, (h.build_id or "")[:_SHORT] or None, h.level, h.kmp) for h in ordered],
    )
    lines += _problems((h.name, f"{h.state}: {h.reason}") for h in ordered if h.state not in _USUAL or h.refused)
    counts = collections.Counter(host.state for host in ordered)
    summed = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return [*lines, "", f"{_count(ordered, 'host')}: {summed}"]


def plan(document: t.Mapping[str, t.Any], resumed: bool = False) -> list[str]:
    """The waves, and who is in none of them."""
    counts = (
        _count(document["hosts"], "host"),
        _count(document["cohorts"], "cohort"),
        _count(document["waves"], "wave"),
    )
    lines = ["{} in {}, {}".format(*counts)]
    for number, wave in enumerate(document["waves"]):
        kinds = {"canaries": f"wave {number} (canaries)", "singles": f"wave {number} (only ones)"}
        label = kinds.get(wave["kind"], f"wave {number}")
        lines.append(f"  {label:<18} {len(wave['hosts']):>5}  {_some(wave['hosts'])}")
    reasons = collections.defaultdict(list)
    for name, reason in sorted(document["left_out"].items()):
        reasons[reason.partition(":")[0]].append(name)
    for state, names in sorted(reasons.items()):
        lines.append(f"  {'in no wave':<18} {len(names):>5}  {state}: {_some(names)}")
    return [*lines, f"{'The open plan' if resumed else 'Plan'} {document['hash']}"]


def rollout(
    fleet: t.Sequence[Host], outcomes: t.Sequence[Outcome], status: str, detail: t.Mapping[str, t.Any]
) -> list[str]:
    """One row per host, the reasons of those that did not end well, and a line that sums up."""
    before = {host.name: host for host in fleet}
    ordered = sorted(outcomes, key=lambda one: (_OUTCOMES.index(one.outcome), one.host))
    lines = table(
        ("HOST", "OUTCOME", "STATE", "BUILD ID", "KMP", "LEVEL", "SECONDS"),
        [
            (
                one.host,
                one.outcome,
                one.state,
                (_known(before, one.host).build_id or "")[:_SHORT] or None,
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
    return [*lines, "", summary(outcomes)]


def prestage(found: t.Sequence[Fetched]) -> list[str]:
    """One row per host, the reasons of those that have nothing, and a line that sums up."""
    ordered = sorted(found, key=lambda one: (_FETCHED.index(one.outcome), one.host))
    lines = table(("HOST", "OUTCOME", "KMP"), [(one.host, one.outcome, one.kmp) for one in ordered])
    lines += _problems(
        (one.host, f"{one.outcome}: {one.reason}") for one in ordered if one.outcome in ("failed", "skipped")
    )
    counts = collections.Counter(one.outcome for one in ordered)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in _FETCHED if counts[kind])
    return [*lines, "", f"{_count(ordered, 'host')}: {told or 'none'}"]


def not_fetched(found: t.Sequence[Fetched]) -> str | None:
    """Why a prestage did not end well, in one line; None where it did."""
    bad = [one.host for one in found if one.outcome == "failed"]
    return f"{_count(bad, 'host')} did not get the KMP's file ({_some(bad)})" if bad else None


def _known(before: t.Mapping[str, Host], name: str) -> Host:
    """A host of a plan of which this run was not told anything."""
    return before.get(name) or Host(name, "unknown", "it was not asked")


def summary(outcomes: t.Sequence[Outcome]) -> str:
    counts = collections.Counter(one.outcome for one in outcomes)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in _OUTCOMES if counts[kind])
    return f"{_count(outcomes, 'host')}: {told or 'none'}"


def attention(
    fleet: t.Sequence[Host], outcomes: t.Sequence[Outcome], status: str, detail: t.Mapping[str, t.Any]
) -> str | None:
    """Why a rollout did not end well, in one line; None where it did, or waits as it was planned to."""
    before = {host.name: host for host in fleet}
    bad = [one.host for one in outcomes if one.outcome in BAD]
    open_ = [one.host for one in outcomes if one.outcome == "pending"]
    odd = [one.host for one in outcomes if one.outcome == "skipped" and not _known(before, one.host).settled]
    waits = status == "soaking" or (status == "waiting" and detail.get("for") in ("window", "approval"))
    parts = []
    if status in ("halted", "waiting") and not (waits and not detail.get("refused")):
        parts.append(f"the rollout is {status} ({detail.get('text')})")
    if bad:
        parts.append(f"{_count(bad, 'host')} did not get their patch ({_some(bad)})")
    if open_ and not waits:
        parts.append(f"{_count(open_, 'host')} not started ({_some(open_)})")
    if odd:
        parts.append(f"{_count(odd, 'host')} not planned ({_some(odd)})")
    return "; ".join(parts) or None


def _count(things: t.Sized, word: str) -> str:
    return f"{len(things)} {word}" + ("" if len(things) == 1 else "s")


def _some(names: t.Sequence[str]) -> str:
    return ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")


def _level(level: int | None) -> str:
    return _NOTHING if level is None else str(level)


def _problems(found: t.Iterable[tuple[str, str]]) -> list[str]:
    lines = [f"  {name}: {problems.one_line(reason)}" for name, reason in found]
    return ["", "Problems:", *lines] if lines else []
