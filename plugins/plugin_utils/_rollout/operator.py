# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people say of rollouts: approvals, the quarantine, that one is given up. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_time
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import lease
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_ENTRY = {"id": {"type": "int"}, "kmp": {"type": "str"}, "cohort": {"type": "str"}, "host": {"type": "str"}}
OPTIONS: dict[str, t.Any] = {
    "command": {
        "type": "str",
        "required": True,
        "choices": ["abandon", "approve", "quarantine_list", "quarantine_add", "quarantine_clear"],
    },
    "plan_hash": {"type": "str", "default": ""},
    "wave": {"type": "str", "default": "all"},
    "expires": {"type": "str", "default": ""},
    "granted": {"type": "bool", "default": True},
    "entry": {"type": "dict", "default": {}, "options": _ENTRY},
    "by": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
}


@dataclasses.dataclass(frozen=True)
class Said:
    """What was done, in words, and the entries of the quarantine that it was done to."""

    lines: list[str]
    changed: bool
    entries: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)


def do(store: StoreClient, options: t.Mapping[str, t.Any]) -> Said:
    """:raises PlanError: something that is needed was not given, or cannot be understood."""
    by = options["by"] or str(lease.current()["user"])
    command = options["command"]
    if command == "quarantine_list":
        entries = store.send("list_quarantine")
        return Said([describe_entry(entry) for entry in entries] or ["Nothing is in quarantine"], False, entries)
    if command == "approve":
        return _approve(store, options, by)
    if not options["reason"].strip():
        raise PlanError("the reason is missing (livepatch_reason): the report keeps it")
    if command == "abandon":
        identity = lease.unless_gone(
            lambda **more: store.send("abort", scope=store.scope, reason=options["reason"], by=by, **more)
        )
        return Said([f"The rollout {identity} is given up" if identity else "No rollout is open"], bool(identity))
    entry = {key: value for key, value in options["entry"].items() if value is not None}
    if command == "quarantine_clear":
        cleared = store.send("clear_quarantine", match=entry, by=by, reason=options["reason"]) or []
        return Said(
            [f"Cleared {describe_entry(one)}" for one in cleared] or ["Nothing matches"], bool(cleared), cleared
        )
    entry.pop("id", None)
    if bool(entry.get("kmp")) == bool(entry.get("host")):
        raise PlanError(
            "give either a KMP (livepatch_quarantine_kmp, as NAME-VERSION-RELEASE) or a host "
            "(livepatch_quarantine_host)"
        )
    added = store.send("add_to_quarantine", entries=[{**entry, "reason": options["reason"], "by": by}])
    return Said([f"In quarantine: {_what(entry)}" + ("" if added else ", as it was before")], bool(added), [entry])


def _approve(store: StoreClient, options: t.Mapping[str, t.Any], by: str) -> Said:
    wave, hash_ = options["wave"], options["plan_hash"]
    if not hash_:
        raise PlanError("the plan's hash is missing (livepatch_plan_hash): give the last line of playbook plan")
    if wave != "all" and not wave.isdigit():
        raise PlanError(f"livepatch_wave is {wave!r}: give the number of a wave, or all")
    # An approval of a plan that nobody has seen would be one of whatever comes.
    document = store.send("load_plan", plan_hash=hash_)
    if wave != "all" and int(wave) >= len(document["waves"]):
        raise PlanError(f"the plan {hash_[:12]} has no wave {wave}: it has {len(document['waves'])}, from 0")
    expires = _time(options["expires"]) if options["expires"] else None
    store.send(
        "approve",
        plan_hash=hash_,
        wave=None if wave == "all" else int(wave),
        approver=by,
        expires=expires,
        granted=options["granted"],
    )
    what = "all waves" if wave == "all" else f"wave {wave}"
    until = f" until {options['expires']}" if options["expires"] else ""
    return Said([f"{what} of plan {hash_[:12]} {'approved' if options['granted'] else 'refused'} by {by}{until}"], True)


def _time(text: str) -> float:
    try:
        at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as exc:
        raise PlanError(f"livepatch_expires is {text!r}: give a time such as 2026-11-30T06:00+00:00") from exc
    return (at if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)).timestamp()


def _what(entry: t.Mapping[str, t.Any]) -> str:
    if entry.get("host"):
        return str(entry["host"])
    return f"{entry['kmp']}" + (f" in cohort {entry['cohort']}" if entry.get("cohort") else "")


def describe_entry(entry: t.Mapping[str, t.Any]) -> str:
    return (
        f"{entry['id']}: {_what(entry)}, since {format_time(entry['since'])} by {entry['by'] or '?'}: {entry['reason']}"
    )
