# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between a plan and the one before. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import budgets

Document = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Change:
    """The same thing that has changed for some hosts, or a setting, which is of none."""

    what: str
    hosts: tuple[str, ...] = ()


def compare_plans(before: Document, after: Document) -> list[Change]:
    """Both are documents of plans; settings first, then who comes and goes, then who is planned in another way."""
    old, new = before["hosts"], after["hosts"]
    found: dict[str, list[str]] = {}
    for name in sorted({*old, *new}):
        if name not in old:
            found.setdefault("new in the plan", []).append(name)
        elif name not in new:
            found.setdefault(f"no longer in the plan{_why(after, name)}", []).append(name)
    places = _places(before), _places(after)
    for name in sorted({*old} & {*new}):
        for what in _otherwise(name, old[name], new[name], places):
            found.setdefault(what, []).append(name)
    return [*_settings(before, after), *(Change(what, tuple(names)) for what, names in found.items())]


def _settings(before: Document, after: Document) -> t.Iterator[Change]:
    old, new = before["settings"], after["settings"]
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield Change(f"setting {name}: {old.get(name)!r} -> {new.get(name)!r}")


def _why(after: Document, name: str) -> str:
    """The kind of reason, without what is the host's own."""
    reason = after["left_out"].get(name)
    return f" ({reason.partition(':')[0]})" if reason else ""


def _places(document: Document) -> dict[str, str]:
    return {
        name: budgets.format_wave_name(document, number)
        for number, wave in enumerate(document["waves"])
        for name in wave["hosts"]
    }


def _otherwise(
    name: str, old: Document, new: Document, places: tuple[t.Mapping[str, str], t.Mapping[str, str]]
) -> t.Iterator[str]:
    if old["build_id"] != new["build_id"]:
        yield "another kernel"
    if old["level"] != new["level"]:
        yield f"starts from another level: {_or_none(old['level'])} -> {_or_none(new['level'])}"
    if old["kmp"] != new["kmp"]:
        yield f"another KMP: {old['kmp']} -> {new['kmp']}"
    was, is_ = (of_one.get(name) for of_one in places)
    if was != is_:
        yield f"another wave: {was} -> {is_}"


def _or_none(level: int | None) -> str:
    return "none" if level is None else str(level)
