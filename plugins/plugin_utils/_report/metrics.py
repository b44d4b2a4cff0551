# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics for Prometheus, as node_exporter's textfile collector reads them. PRIVATE to the collection. Pure.

Rules: https://prometheus.io/docs/instrumenting/exposition_formats/ and .../practices/naming/.
"""

from __future__ import annotations

import datetime
import math
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import ENDED, OPEN
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.states import STATES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import to_printable
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.text import OUTCOMES

_STATUSES = (*OPEN, *ENDED)
Labels = t.Mapping[str, str]


class _Text:
    """The lines of metrics; what could not be measured is left out."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, name: str, help_: str, *samples: tuple[Labels, t.Any]) -> None:
        lines = [
            f"{name}{_format_labels(labels)} {_format_number(value)}" for labels, value in samples if _is_number(value)
        ]
        if lines:
            self.lines += [f"# HELP {name} {help_}", f"# TYPE {name} gauge", *lines]

    def add_state_set(
        self, name: str, help_: str, label: str, kinds: t.Iterable[str], current: str, labels: Labels
    ) -> None:
        self.add(name, help_, *(({**labels, label: kind}, kind == current) for kind in kinds))

    def __str__(self) -> str:
        return "\n".join(self.lines) + "\n"


def _format_labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escape(value: t.Any) -> str:
    return to_printable(str(value)).replace("\\", "\\\\").replace('"', '\\"')


def _is_number(value: t.Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _format_number(value: t.Any) -> str:
    return str(int(value)) if isinstance(value, bool) else repr(value)


def format_host(result: t.Mapping[str, t.Any], at: float) -> str:
    """The metrics of a host.

    :param result: of livepatch_info.
    :param at: when the host was asked, in seconds since the epoch.
    """
    livepatch, kernel, kmp = result["livepatch"], result["kernel"], result["kmp"]
    compliance, package = livepatch["compliance"], kmp["installed"]
    text = _Text()
    text.add_state_set("livepatch_state", "State of the live patch.", "state", STATES, livepatch["state"], {})
    info = {
        "release": kernel["release"],
        "build_id": kernel["build_id"] or "",
        "kmp": f"{package['name']}-{package['evr']}" if package else "",
    }
    text.add("livepatch_info", "Running kernel and installed KMP.", (info, 1))
    gauges = {
        "level": ("Active level.", livepatch["level"]),
        "wanted_level": ("Level that the policy selects.", compliance["wanted"]),
        "up_to_date": ("Whether the active level is the one that the policy selects.", compliance["up_to_date"]),
        "persistent": ("Whether the next boot loads the live patch.", livepatch["persistent"]),
        "transition": ("Whether a transition is running.", livepatch["transition"]["running"]),
        "threads_left": ("Threads that have not migrated yet.", livepatch["evidence"]["threads_left"]),
        "open_cves": (
            "CVEs that the newest KMP fixes and the active one does not fix.",
            None if compliance["cves_open"] is None else len(compliance["cves_open"]),
        ),
        "healthy": (
            "Whether the kernel is healthy since its live patch changed.",
            {"pass": True, "fail": False}.get(livepatch["health"]["verdict"]),
        ),
        "covered_until_timestamp_seconds": (
            "When the vendor's live patches for this kernel end.",
            _find_end_of_day(compliance["covered_until"]),
        ),
        "verified_timestamp_seconds": ("When this was measured.", at),
    }
    for name, (help_, value) in gauges.items():
        text.add(f"livepatch_{name}", help_, ({}, value))
    return str(text)


def _find_end_of_day(day: str | None) -> float | None:
    """The end of a day in UTC."""
    if day is None:
        return None
    start = datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.timezone.utc)
    return start.timestamp() + 24 * 60 * 60


def format_rollout(document: t.Mapping[str, t.Any]) -> str:
    """The metrics of a rollout.

    :param document: of its report.
    """
    rollout, scope = document["rollout"], {"scope": document["scope"]}
    counts = dict.fromkeys(OUTCOMES, 0)
    for host in document["hosts"]:
        counts[host["outcome"]] += 1
    passed = sum(wave["verdict"] == "pass" for wave in rollout["waves"])
    text = _Text()
    text.add_state_set(
        "livepatch_rollout_status",
        "Status of the rollout.",
        "status",
        _STATUSES,
        rollout["status"],
        scope,
    )
    text.add(
        "livepatch_rollout_hosts",
        "Hosts by outcome.",
        *(({**scope, "outcome": name}, count) for name, count in counts.items()),
    )
    text.add(
        "livepatch_rollout_drifted_hosts",
        "Hosts with a KMP that no rollout of the scope has put there.",
        (scope, sum(host["drift"] is not None for host in document["hosts"])),
    )
    text.add("livepatch_rollout_waves", "Waves of the plan.", (scope, len(rollout["waves"])))
    text.add("livepatch_rollout_passed_waves", "Waves whose gate passed.", (scope, passed))
    text.add("livepatch_rollout_started_timestamp_seconds", "When the rollout started.", (scope, rollout["started"]))
    text.add("livepatch_rollout_ended_timestamp_seconds", "When the rollout ended.", (scope, rollout["ended"]))
    return str(text)
