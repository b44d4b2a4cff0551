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
    """Changed settings, then hosts that were added and removed, then hosts that are planned differently."""
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
    return [*_compare_settings(before, after), *(Change(text, tuple(names)) for text, names in changed.items())]


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
    if old.level != new.level:
        yield f"starts from another level: {_format_level(old.level)} -> {_format_level(new.level)}"
    if old.kmp != new.kmp:
        yield f"another KMP: {old.kmp} -> {new.kmp}"
    waves = before.outline.name_wave(old.wave), after.outline.name_wave(new.wave)
    if waves[0] != waves[1]:
        yield f"another wave: {waves[0]} -> {waves[1]}"


def _format_level(level: int | None) -> str:
    return "none" if level is None else str(level)
