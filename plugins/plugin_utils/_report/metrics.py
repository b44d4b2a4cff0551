# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics for Prometheus, as node_exporter's textfile collector reads them. PRIVATE to the collection. Pure.

Rules: https://prometheus.io/docs/instrumenting/exposition_formats/ and .../practices/naming/.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import ENDED, OPEN
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.status import STATES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.text import OUTCOMES

_STATUSES = (*OPEN, *ENDED)
Labels = t.Mapping[str, str]


class _Text:
    """Metrics one after the other; what could not be measured is left out."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, name: str, help_: str, *samples: tuple[Labels, t.Any]) -> None:
        told = [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples if value is not None]
        if told:
            self.lines += [f"# HELP {name} {help_}", f"# TYPE {name} gauge", *told]

    def one_of(self, name: str, help_: str, label: str, kinds: t.Iterable[str], which: str, labels: Labels) -> None:
        self.add(name, help_, *(({**labels, label: kind}, kind == which) for kind in kinds))

    def __str__(self) -> str:
        return "\n".join(self.lines) + "\n"


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escaped(value: t.Any) -> str:
    return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: t.Any) -> str:
    return str(int(value)) if isinstance(value, bool) else repr(value)


def format_host(result: t.Mapping[str, t.Any], at: float) -> str:
    """Of the host itself.

    :param result: of livepatch_info.
    :param at: when it was asked, in seconds since the epoch.
    """
    livepatch, kernel, kmp = result["livepatch"], result["kernel"], result["kmp"]
    told, package = livepatch["compliance"], kmp["installed"]
    text = _Text()
    text.one_of("livepatch_state", "What is true of the live patch.", "state", STATES, livepatch["state"], {})
    info = {
        "release": kernel["release"],
        "build_id": kernel["build_id"] or "",
        "kmp": f"{package['name']}-{package['evr']}" if package else "",
    }
    text.add("livepatch_info", "The running kernel, and the KMP that is installed for it.", (info, 1))
    gauges = {
        "level": ("The level that is active.", livepatch["level"]),
        "wanted_level": ("The level that the policy selects.", told["wanted"]),
        "up_to_date": ("Whether what is active is what the policy wants.", told["up_to_date"]),
        "persistent": ("Whether the next boot keeps the live patch.", livepatch["persistent"]),
        "transition": ("Whether the kernel migrates.", livepatch["transition"]["running"]),
        "threads_left": ("Threads that have not migrated.", livepatch["evidence"]["threads_left"]),
        "open_cves": (
            "CVEs that the newest KMP fixes and the active one does not.",
            None if told["cves_open"] is None else len(told["cves_open"]),
        ),
        "healthy": (
            "Whether the kernel fares well since its live patch changed.",
            {"pass": True, "fail": False}.get(livepatch["health"]["verdict"]),
        ),
        "covered_until_timestamp_seconds": ("When the vendor's live patches end.", _midnight(told["covered_until"])),
        "verified_timestamp_seconds": ("When this was found out.", at),
    }
    for name, (help_, value) in gauges.items():
        text.add(f"livepatch_{name}", help_, ({}, value))
    return str(text)


def _midnight(day: str | None) -> float | None:
    """The end of a day, by UTC."""
    if day is None:
        return None
    start = datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.timezone.utc)
    return start.timestamp() + 24 * 60 * 60


def format_rollout(document: t.Mapping[str, t.Any]) -> str:
    """Of a rollout, on the control node.

    :param document: a report's.
    """
    rollout, scope = document["rollout"], {"scope": document["scope"]}
    counts = dict.fromkeys(OUTCOMES, 0)
    for host in document["hosts"]:
        counts[host["outcome"]] += 1
    passed = sum(wave["verdict"] == "pass" for wave in rollout["waves"])
    text = _Text()
    text.one_of(
        "livepatch_rollout_status",
        "How the last run of the rollout ended.",
        "status",
        _STATUSES,
        rollout["status"],
        scope,
    )
    text.add(
        "livepatch_rollout_hosts",
        "What became of the hosts.",
        *(({**scope, "outcome": name}, count) for name, count in counts.items()),
    )
    text.add("livepatch_rollout_waves", "Waves of the plan.", (scope, len(rollout["waves"])))
    text.add("livepatch_rollout_passed_waves", "Waves whose gate has passed.", (scope, passed))
    text.add("livepatch_rollout_started_timestamp_seconds", "When it was begun.", (scope, rollout["started"]))
    text.add("livepatch_rollout_ended_timestamp_seconds", "When it was over.", (scope, rollout["ended"]))
    return str(text)
