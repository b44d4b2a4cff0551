# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables that a person reads."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import text
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import planning
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import NOT_IN_PLAN, Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.prestage import Download
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings

WELL = Host("web1", "unpatched", "", "6.1.0-56-default", "ab" * 20, "x86_64", "default", None, "klp-3-1", "boot")
LOST = Host("web2", "unknown", "unreachable: connection refused")
NEVER = Host("web3", "not_covered", "no repository offers it", "5.4", "cd" * 20, "x86_64", "default")


def test_prestage_shows_who_has_nothing_first():
    found = [
        Download("web1", "downloaded", "", "klp-3-1"),
        Download("web2", "failed", "repository lab does not answer", "klp-3-1"),
        Download("web3", "skipped", "quarantine: it crashed web9"),
    ]
    assert text.format_prestage(found) == [
        "HOST  OUTCOME     KMP",
        "web2  failed      klp-3-1",
        "web3  skipped     -",
        "web1  downloaded  klp-3-1",
        "",
        "Problems:",
        "  web2: failed: repository lab does not answer",
        "  web3: skipped: quarantine: it crashed web9",
        "",
        "3 hosts: 1 failed, 1 skipped, 1 downloaded",
    ]
    assert text.describe_prestage_problem(found) == "1 host failed to download the KMP (web2)"
    assert text.describe_prestage_problem(found[:1]) is None


def test_rollout_shows_levels_and_seconds():
    done = Outcome("web1", "done", "", "patched", 3, "klp-3-1", 1.5)
    skipped = Outcome("web2", "skipped", "unreachable: connection refused", "unknown")
    assert text.format_outcomes([WELL, LOST], None, [done, skipped], "done", {}) == [
        "HOST  OUTCOME  STATE    BUILD ID      KMP      LEVEL   SECONDS",
        "web2  skipped  unknown  -             -        -       -",
        "web1  done     patched  abababababab  klp-3-1  - -> 3  1.5",
        "",
        "Problems:",
        "  web2: skipped: unreachable: connection refused",
        "",
        "2 hosts: 1 skipped, 1 done",
    ]


def test_a_pending_host_shows_what_it_is_to_get():
    rows = [Outcome("web1", "pending", "not started", "unpatched", None, "kernel-livepatch-6_4-default-3-1.2")]
    (line,) = (line for line in text.format_outcomes([WELL], None, rows, "planned", {}) if line.startswith("web1"))
    assert "kernel-livepatch-6_4-default-3-1.2  - -> 3" in line


def test_levels_are_those_before_the_rollout_and_now() -> None:
    """This run has found the hosts patched, or has asked none."""
    fleet = [dataclasses.replace(WELL, name=name, level=1) for name in ("a1", "a2")]
    made = planning.build_plan(fleet, Settings(waves=("1",)))
    found = [dataclasses.replace(host, level=3) for host in fleet]
    rows = [Outcome("a1", "done", "", "patched", 3), Outcome("a2", "rolled_back", "why", "outdated", 1)]
    for asked in (found, []):
        lines = text.format_outcomes(asked, made, rows, "failed", {})
        assert [line.split()[5:8] for line in lines[1:3]] == [["1", "->", "1"], ["1", "->", "3"]]


def test_whoever_got_nothing_for_the_same_reason_is_told_of_in_one_line():
    rows = [Outcome(f"web{number}", "skipped", "quarantine: it crashed web9", "unknown") for number in range(3)]
    rows += [Outcome(name, "failed", "the kernel refused it", "unknown") for name in ("db1", "db2")]
    lines = text.format_outcomes([], None, rows, "failed", {})
    assert lines[lines.index("Problems:") + 1 : -2] == [
        "  db1: failed: the kernel refused it",
        "  db2: failed: the kernel refused it",
        "  web0, web1, web2: skipped: quarantine: it crashed web9",
    ]


def test_what_needs_attention_decides_how_the_run_ends():
    def ends(outcome: str, host: Host = WELL) -> bool:
        return text.describe_problem([host], [Outcome(host.name, outcome, "", host.state)], "failed", {}) is None

    assert ends("done")
    assert ends("unchanged")
    assert ends("skipped", NEVER), "nothing is wrong with a host that no KMP exists for"
    assert not ends("skipped", LOST)
    assert not ends("skipped", dataclasses.replace(NEVER, refused=True)), "there is one, and it was refused"
    assert not ends("skipped", dataclasses.replace(WELL, state="installed", refused=True))
    assert not ends("failed")
    assert not ends("lost")
    assert not ends("pending")


@pytest.mark.parametrize(
    ("status", "sentence", "problem"),
    [
        ("failed", "The rollout has failed: so", "the rollout has failed"),
        ("halted", "The rollout is halted: so", "the rollout is halted (so)"),
        ("waiting", "The rollout is waiting: so", "the rollout is waiting (so)"),
        ("soaking", "The rollout is soaking: so", None),
        ("aborted", "The rollout is aborted: so", None),
    ],
)
def test_a_verdict_stands_below_the_table_and_why_it_stopped_in_the_error(
    status: str, sentence: str, problem: str | None
) -> None:
    outcomes = [Outcome("web1", "done", "", "patched")]
    assert sentence in text.format_outcomes([WELL], None, outcomes, status, {"text": "so"})
    assert text.describe_problem([WELL], outcomes, status, {"text": "so"}) == problem


def test_check_mode_tells_of_hosts_that_cannot_be_planned():
    outcomes = [Outcome("web1", "pending", "", "unpatched"), Outcome(LOST.name, "skipped", "", LOST.state)]
    assert text.describe_problem([WELL, LOST], outcomes, "planned", {}) == f"1 host not planned ({LOST.name})"


def test_a_host_that_was_added_is_an_error_once_the_rollout_no_longer_waits():
    added = [Outcome(WELL.name, "skipped", NOT_IN_PLAN, "unpatched")]
    unpatched = dataclasses.replace(WELL, state="unpatched")
    for status, problem in (("soaking", None), ("done", f"1 host not planned ({WELL.name})")):
        assert text.describe_problem([unpatched], added, status, {}) == problem


def test_who_waits_as_planned_ends_well():
    def ends(status: str, **detail: object) -> bool:
        return text.describe_problem([WELL], [Outcome("web1", "pending", "", "unpatched")], status, detail) is None

    assert ends("soaking")
    assert ends("planned"), "in check mode"
    assert ends("waiting", **{"for": "window"})
    assert ends("waiting", **{"for": "approval"})
    assert not ends("waiting", **{"for": "approval", "refused": True})
    assert not ends("waiting", **{"for": "inconclusive"})
    assert not ends("waiting", **{"for": "error"})
    assert not ends("halted")
