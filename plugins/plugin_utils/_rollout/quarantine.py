# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The quarantine: KMPs and hosts that rollouts must not touch. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_time
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

OPTIONS: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "id": {"type": "int"},
    "kmp": {"type": "str"},
    "cohort": {"type": "str"},
    "host": {"type": "str"},
    "reason": {"type": "str", "default": ""},
}


@dataclasses.dataclass(frozen=True)
class Result:
    lines: list[str]
    changed: bool
    # The entries that were added or cleared
    entries: list[dict[str, t.Any]]


def change_quarantine(store: StoreClient, options: t.Mapping[str, t.Any]) -> Result:
    """:raises PlanError: an option is missing or wrong."""
    if not options["reason"]:
        raise PlanError("the reason is missing: set livepatch_reason, which the records and reports keep")
    match = {key: options[key] for key in ("id", "kmp", "cohort", "host") if options[key] is not None}
    by = store.person.name
    if options["state"] == "absent":
        if not store.person.is_known:
            raise PlanError(
                f"{by} was launched by no user, and an entry is cleared by a person: launch the job yourself"
            )
        cleared = store.send("clear_quarantine", match=match, by=by, reason=options["reason"])
        if not cleared:
            raise PlanError(
                f"no entry of the quarantine matches ({store.location.describe()}): playbook quarantine lists them"
            )
        return Result([f"Cleared {describe_entry(entry)}" for entry in cleared], True, cleared)
    match.pop("id", None)
    if bool(match.get("kmp")) == bool(match.get("host")):
        raise PlanError(
            "set either livepatch_quarantine_kmp (NAME-VERSION-RELEASE) or livepatch_quarantine_host to what rollouts "
            "must not touch"
        )
    if match.get("cohort") and not match.get("kmp"):
        raise PlanError(
            "livepatch_quarantine_cohort narrows livepatch_quarantine_kmp, and that is not set: a host is barred "
            "whatever its cohort is. Leave the cohort out"
        )
    entry = {**match, "reason": options["reason"], "by": by}
    added = store.send("add_to_quarantine", entries=[entry])
    state = "Added to" if added else "Already in"
    return Result([f"{state} the quarantine: {_describe_subject(entry)}"], bool(added), [entry] if added else [])


def describe_quarantine(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    return [describe_entry(entry) for entry in entries] or ["Nothing is in quarantine"]


def describe_entry(entry: t.Mapping[str, t.Any]) -> str:
    subject, since, by = _describe_subject(entry), format_time(entry["since"]), entry["by"] or "?"
    return f"{entry['id']}: {subject}, since {since} by {by}: {entry['reason']}"


def _describe_subject(entry: t.Mapping[str, t.Any]) -> str:
    if entry.get("host"):
        return str(entry["host"])
    return f"{entry['kmp']}" + (f" in cohort {entry['cohort']}" if entry.get("cohort") else "")
