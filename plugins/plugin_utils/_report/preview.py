# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run would do, as text: `plan`, and the beginning of `rollout`. PRIVATE to the collection. Pure.

Its length depends on cohorts and waves, not on hosts. The JSON has all of it.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    NOTHING,
    abbreviate,
    format_count,
    format_table,
    format_time,
    shorten_build_id,
    to_one_line,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import CANARIES, SINGLES, Plan
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.preview import TO_PATCH, Preview, Wave

# Rows of the table of cohorts, rows of each wave, and different reasons of each kind
_MAX_COHORTS = 20
_MAX_SHARES = 8
_MAX_REASONS = 3
_MAX_NAMES = 6
_KINDS = {CANARIES: "canaries", SINGLES: "single hosts"}


def format_preview(
    plan: Plan, preview: Preview, resumed: bool = False, before: t.Mapping[str, t.Any] | None = None
) -> list[str]:
    """Cohorts, waves, what is closed, what is left out, what a run waits for, and a summary in the last line.

    :param resumed: the plan is that of the open rollout.
    :param before: the plan before this one, and what has changed since.
    """
    counts = (
        format_count(plan.hosts, "host"),
        format_count(plan.outline.cohorts, "cohort"),
        format_count(plan.waves, "wave"),
    )
    return [
        "{} in {}, {}".format(*counts),
        *_format_cohorts(preview),
        *_format_waves(preview, resumed),
        *_format_reserves(plan),
        *_format_cves(preview),
        *_format_left_out(preview),
        *_format_waits(preview),
        *_format_rounded(preview),
        *([] if before is None else ["", *_format_changes(before)]),
        "",
        f"{'The open plan' if resumed else 'Plan'} {plan.hash}",
        summarize(preview),
    ]


def summarize(preview: Preview) -> str:
    """What a run would do, in one line."""
    waves = [wave for wave in preview.waves if wave.to_patch]
    patched = "nothing to patch"
    if preview.to_patch:
        patched = f"{_count(preview.to_patch, 'host')} to patch in {format_count(waves, 'wave')}"
    counts = collections.Counter[str]()
    for wave in preview.waves:
        for share in wave.shares:
            counts.update(share.counts)
    states = [f"{count} {state}" for state, count in sorted(counts.items()) if state != TO_PATCH]
    up_to_date = [f"{len(preview.up_to_date)} up to date"] if preview.up_to_date else []
    return f"Plan: {', '.join([patched, *states, f'{len(preview.left_out)} left out', *up_to_date])}"


def _count(number: int, singular: str) -> str:
    return f"{number} {singular}{'' if number == 1 else 's'}"


def _format_cohorts(preview: Preview) -> list[str]:
    cohorts = sorted(preview.cohorts, key=lambda cohort: (-cohort.to_patch, -cohort.hosts, cohort.id))
    if not cohorts:
        return []
    rows = [
        (
            cohort.id,
            cohort.hosts,
            cohort.release,
            shorten_build_id(cohort.build_id),
            format_levels(cohort.from_level, cohort.to_level),
            None if cohort.cves is None else len(cohort.cves),
            cohort.kmp,
        )
        for cohort in cohorts[:_MAX_COHORTS]
    ]
    lines = format_table(("COHORT", "HOSTS", "KERNEL", "BUILD ID", "LEVEL", "CVES", "KMP"), rows)
    more = cohorts[_MAX_COHORTS:]
    lines += [f"and {format_count(more, 'more cohort')}, {sum(each.hosts for each in more)} hosts"] if more else []
    return ["", *lines]


def format_levels(old: int | None, new: int | None) -> str | None:
    """From which level to which."""
    if old is None and new is None:
        return None
    return f"{NOTHING if old is None else old} -> {NOTHING if new is None else new}"


def _format_waves(preview: Preview, resumed: bool) -> list[str]:
    if not preview.waves:
        return []
    levels = {cohort.id: format_levels(cohort.from_level, cohort.to_level) for cohort in preview.cohorts}
    rows: list[tuple[t.Any, ...]] = []
    for wave in preview.waves:
        budget = "any" if wave.budget is None else wave.budget
        label = (f"{wave.number} {_KINDS.get(wave.kind, '')}".rstrip(), budget)
        for hosts, cohort, level, counts, names in _list_shares(wave, levels):
            state = _format_counts(counts) if resumed else ""
            rows.append((*label, hosts, cohort, level, state, names))
            label = ("", "")
    head = ["WAVE", "BUDGET", "HOSTS", "COHORT", "LEVEL", "STATE", ""]
    if not resumed:
        # All hosts are to be patched.
        head.remove("STATE")
        rows = [(*row[:5], row[6]) for row in rows]
    return ["", *format_table(head, rows)]


def _format_reserves(plan: Plan) -> list[str]:
    reserves = plan.outline.reserves
    if not reserves:
        return []
    return ["", f"Reserves for canaries that cannot be patched, in this order: {abbreviate(reserves, _MAX_NAMES)}"]


def _list_shares(
    wave: Wave, levels: t.Mapping[str, str | None]
) -> t.Iterator[tuple[int, str, str | None, t.Mapping[str, int], str]]:
    shares = sorted(wave.shares, key=lambda share: (-len(share.to_patch), -len(share.hosts), share.cohort))
    selected = shares if len(shares) <= _MAX_SHARES else shares[: _MAX_SHARES - 1]
    for share in selected:
        names = abbreviate(share.to_patch, _MAX_NAMES)
        yield len(share.hosts), share.cohort, levels[share.cohort], share.counts, names
    more = shares[len(selected) :]
    if more:
        counts = collections.Counter[str]()
        for share in more:
            counts.update(share.counts)
        names = abbreviate([name for share in more for name in share.to_patch], _MAX_NAMES)
        yield sum(len(share.hosts) for share in more), format_count(more, "other"), None, counts, names


def _format_counts(counts: t.Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _format_cves(preview: Preview) -> list[str]:
    alike: dict[tuple[str, ...], int] = {}
    for cohort in preview.cohorts:
        if cohort.cves:
            alike[cohort.cves] = alike.get(cohort.cves, 0) + cohort.to_patch
    unknown = sum(cohort.to_patch for cohort in preview.cohorts if cohort.cves is None)
    lines = [
        f"  {_count(hosts, 'host')}: {format_count(cves, 'CVE')}: {abbreviate(cves, _MAX_NAMES)}"
        for cves, hosts in sorted(alike.items(), key=lambda item: -item[1])[:_MAX_COHORTS]
    ]
    lines += [f"  {_count(unknown, 'host')}: which CVEs is not known"] if unknown else []
    return ["", "Closes:", *lines] if lines else []


def _format_left_out(preview: Preview) -> list[str]:
    """Reasons that are alike share a line; those of one kind that differ much, as addresses do, only some of them."""
    lines = []
    for title, reasons in (("Left out:", preview.left_out), ("Changed since the plan:", preview.changed)):
        kinds: dict[str, dict[str, list[str]]] = {}
        for name, reason in sorted(reasons.items()):
            kinds.setdefault(reason.partition(":")[0], {}).setdefault(to_one_line(reason), []).append(name)
        lines += ["", title] if kinds else []
        for kind, alike in sorted(kinds.items()):
            ordered = sorted(alike.items(), key=lambda item: -len(item[1]))
            selected = ordered if len(ordered) <= _MAX_REASONS else ordered[: _MAX_REASONS - 1]
            lines += [f"  {len(names):>5}  {abbreviate(names, _MAX_NAMES)}: {reason}" for reason, names in selected]
            others = [name for _reason, names in ordered[len(selected) :] for name in names]
            if others:
                lines.append(f"  {len(others):>5}  {abbreviate(others, _MAX_NAMES)}: {kind}, for other reasons")
    return lines


def _format_waits(preview: Preview) -> list[str]:
    """What comes before a wave, and after it."""
    before = [f"  change window: {window}" for window in preview.windows]
    before += [f"  blackout: {blackout}" for blackout in preview.blackouts]
    texts: dict[str, list[str]] = {}
    for wave in preview.waves:
        if wave.window is not None:
            texts.setdefault(wave.window, []).append(str(wave.number))
    before += [f"  wave {abbreviate(numbers)}: {text}" for text, numbers in texts.items()]
    before += [f"  {wave.approval}" for wave in preview.waves if wave.approval is not None]
    after = [f"soak of {preview.soak} s"] if preview.soak else []
    after += [f"gate {gate}" for gate in preview.gates]
    if not preview.to_patch:
        return []
    lines = ["", "Before a wave starts:", *before] if before else []
    return [*lines, *(["", f"After each wave: {', '.join(['health of its hosts, within the budget', *after])}"])]


def _format_rounded(preview: Preview) -> list[str]:
    return ["", "Shares:", *(f"  {text}" for text in preview.rounded)] if preview.rounded else []


def _format_changes(before: t.Mapping[str, t.Any]) -> list[str]:
    since = f"since plan {before['hash'][:12]} of {format_time(before['saved'])}"
    if not before["changes"]:
        return [f"No changes {since}"]
    lines = []
    for change in before["changes"]:
        count = f"{len(change['hosts']):>5}  {abbreviate(change['hosts'])}" if change["hosts"] else ""
        lines.append(f"  {change['text']:<21} {count}".rstrip())
    return [f"Changes {since}:", *lines]
