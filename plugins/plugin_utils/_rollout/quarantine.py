# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The quarantine: KMPs and hosts that rollouts must not touch. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_time
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import references
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_KMP, _COHORT, _HOST = (f"livepatch_quarantine_{name}" for name in ("kmp", "cohort", "host"))

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


def change_quarantine(store: StoreClient, options: t.Mapping[str, t.Any], inventory: t.Collection[str]) -> Result:
    """
    :param inventory: the names of all hosts of the inventory.
    :raises PlanError: an option is missing or wrong, or names nothing known.
    """
    if not options["reason"]:
        raise PlanError("the reason is missing: set livepatch_reason, which the records and reports keep")
    match = {key: options[key] for key in ("id", "kmp", "cohort", "host") if options[key] is not None}
    if options["state"] == "absent":
        return _clear(store, match, options["reason"])
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
    entry = {**_resolve_subject(store, match, inventory), "reason": options["reason"], "by": store.person.name}
    added = store.send("add_to_quarantine", entries=[entry])
    state = "Added to" if added else "Already in"
    return Result([f"{state} the quarantine: {_describe_subject(entry)}"], bool(added), [entry] if added else [])


def _resolve_subject(store: StoreClient, match: t.Mapping[str, str], inventory: t.Collection[str]) -> dict[str, t.Any]:
    """What an entry bars, as rollouts compare it."""
    if "host" in match:
        known = {*inventory, match["host"]} if store.send("knows_host", host=match["host"]) else inventory
        return {"host": references.resolve_host(_HOST, match["host"], known)}
    cohorts = _list_cohorts(store)
    try:
        kmp = references.resolve_kmp(_KMP, match["kmp"], (cohort.kmp for cohort in cohorts))
    except PlanError as exc:
        raise PlanError(
            f"{exc}. Playbook plan makes known what hosts may get; livepatch_policy.quarantine bars what no plan has"
        ) from None
    if "cohort" not in match:
        return {"kmp": kmp}
    named = references.resolve_cohort(_COHORT, match["cohort"], cohorts)
    if kmp not in {cohort.kmp for cohort in named}:
        others = [cohort.describe() for cohort in cohorts if cohort.kmp == kmp]
        raise PlanError(
            f"{_COHORT} is {match['cohort']!r}, and that cohort gets {next(iter(named)).kmp}. Cohorts that get {kmp}: "
            f"{', '.join(others)}"
        )
    return {"kmp": kmp, "cohort": next(iter(named)).target}


def _clear(store: StoreClient, match: dict[str, t.Any], reason: str) -> Result:
    by = store.person.name
    if not store.person.is_known:
        raise PlanError(f"{by} was launched by no user, and an entry is cleared by a person: launch the job yourself")
    entries = store.send("list_quarantine")
    if "host" in match:
        match["host"] = references.resolve_host(_HOST, match["host"], _list_values(entries, "host"))
    if "kmp" in match:
        match["kmp"] = references.resolve_kmp(_KMP, match["kmp"], _list_values(entries, "kmp"))
    if "cohort" in match:
        barred = [
            references.KnownCohort(entry["cohort"], entry["cohort"], entry["kmp"], None)
            for entry in entries
            if entry["cohort"]
        ]
        named = references.resolve_cohort(_COHORT, match["cohort"], [*_list_cohorts(store), *barred])
        match["cohort"] = next(iter(named)).target
    cleared = store.send("clear_quarantine", match=match, by=by, reason=reason)
    if not cleared:
        raise PlanError(
            f"no entry of the quarantine matches ({store.location.describe()}): playbook quarantine lists them"
        )
    return Result([f"Cleared {describe_entry(entry)}" for entry in cleared], True, cleared)


def _list_cohorts(store: StoreClient) -> list[references.KnownCohort]:
    return [references.KnownCohort.from_row(row) for row in store.send("list_cohorts")]


def _list_values(entries: t.Iterable[t.Mapping[str, t.Any]], key: str) -> list[str]:
    return [entry[key] for entry in entries if entry[key]]


def describe_quarantine(entries: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    return [describe_entry(entry) for entry in entries] or ["Nothing is in quarantine"]


def describe_entry(entry: t.Mapping[str, t.Any]) -> str:
    subject, since, by = _describe_subject(entry), format_time(entry["since"]), entry["by"] or "?"
    return f"{entry['id']}: {subject}, since {since} by {by}: {entry['reason']}"


def _describe_subject(entry: t.Mapping[str, t.Any]) -> str:
    if entry.get("host"):
        return str(entry["host"])
    return f"{entry['kmp']}" + (f" in cohort {entry['cohort']}" if entry.get("cohort") else "")
