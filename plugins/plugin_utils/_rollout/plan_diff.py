# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes between a plan and the one before. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Plan, PlannedHost


@dataclasses.dataclass(frozen=True)
class Change:
    """A change that some hosts share, or one of a setting, which concerns no host."""

    text: str
    hosts: tuple[str, ...] = ()


def compare_plans(before: Plan, after: Plan) -> list[Change]:
    """Changed settings, then hosts that were added and removed, then hosts that are planned differently. None where the
    plans are the same only.
    """
    old, new = before.hosts, after.hosts
    changed: dict[str, list[str]] = {}
    for name in sorted({*old, *new}):
        if name not in old:
            changed.setdefault("new in the plan", []).append(name)
        elif name not in new:
            changed.setdefault(f"no longer in the plan{_format_reason(after, name)}", []).append(name)
    for name in sorted({*old} & {*new}):
        for text in _compare_hosts(before, old[name], after, new[name]):
            changed.setdefault(text, []).append(name)
    for name in sorted({*before.left_out, *after.left_out} - {*old, *new}):
        difference = _compare_reasons(before.left_out.get(name), after.left_out.get(name))
        if difference is not None:
            changed.setdefault(difference, []).append(name)
    changes = [*_compare_settings(before, after), *(Change(text, tuple(names)) for text, names in changed.items())]
    if not changes and before.hash != after.hash:
        return [Change("the order of hosts in a wave")]
    return changes


def _compare_reasons(old: str | None, new: str | None) -> str | None:
    """What is different of a host that neither plan has in a wave."""
    if old is None or new is None:
        return f"left out as well ({str(new).partition(':')[0]})" if old is None else "no longer among the hosts"
    return None if old == new else f"left out for another reason ({new.partition(':')[0]})"


def _compare_settings(before: Plan, after: Plan) -> t.Iterator[Change]:
    old, new = before.outline.settings.document, after.outline.settings.document
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield Change(f"setting {name}: {old.get(name)!r} -> {new.get(name)!r}")


def _format_reason(after: Plan, name: str) -> str:
    """The kind of reason, without its details, which differ from host to host."""
    reason = after.left_out.get(name)
    return f" ({reason.partition(':')[0]})" if reason else ""


def _compare_hosts(before: Plan, old: PlannedHost, after: Plan, new: PlannedHost) -> t.Iterator[str]:
    if old.build_id != new.build_id:
        yield "another kernel"
    elif old.boot_id != new.boot_id:
        yield "rebooted"
    if old.level != new.level:
        yield f"starts from another level: {_format_level(old.level)} -> {_format_level(new.level)}"
    if old.kmp != new.kmp:
        yield f"another KMP: {old.kmp} -> {new.kmp}"
    waves = before.outline.name_wave(old.wave), after.outline.name_wave(new.wave)
    if waves[0] != waves[1]:
        yield f"another wave: {waves[0]} -> {waves[1]}"
    elif old.why != new.why:
        yield f"a canary for another reason: {old.why} -> {new.why}"
    if old.cohort != new.cohort and (old.build_id, old.level, old.kmp) == (new.build_id, new.level, new.kmp):
        yield "another cohort"


def _format_level(level: int | None) -> str:
    return "none" if level is None else str(level)
