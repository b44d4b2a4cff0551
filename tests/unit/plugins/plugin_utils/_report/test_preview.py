# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run would do, as an operator reads it."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import preview as shown
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, plan_diff, planning, preview
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings

KMP = "kernel-livepatch-6_4_0-default-3-1.2"
NOW = 1_800_000_000.0
OPTIONS: dict[str, t.Any] = {
    "approval": [],
    "approver_not_starter": False,
    "windows": [],
    "blackouts": [],
    "window_min_remaining": None,
    "soak": 0,
    "slices": 0,
    "gates": [],
    "skip_gates": {},
}
OUTDATED = Host(
    *("web1", "outdated", "", "6.4.0-default", "ab" * 20, "x86_64", "default", 2, KMP),
    boot_id="1",
    cves=("CVE-2099-0001", "CVE-2099-0002"),
)


def make_fleet(count: int, prefix: str = "web", **changes: t.Any) -> list[Host]:
    return [dataclasses.replace(OUTDATED, name=f"{prefix}{number}", **changes) for number in range(1, count + 1)]


def make(
    fleet: t.Sequence[Host],
    settings: t.Mapping[str, t.Any] | None = None,
    **options: t.Any,
) -> list[str]:
    """The lines of a new plan of these hosts."""
    plan = planning.build_plan(fleet, Settings(**{"waves": ("1",), **(settings or {})}))
    by_name = {host.name: host for host in fleet}
    agenda = batches.build_agenda(plan, by_name, {}, ())
    made = preview.build_preview(
        plan,
        agenda,
        by_name,
        preview.Recorded(),
        {**OPTIONS, **options},
        {name: HostSettings() for name in by_name},
        NOW,
    )
    # Programs can read it
    json.dumps(made.as_document())
    return shown.format_preview(plan, made)


def select(lines: t.Sequence[str], title: str) -> list[str]:
    """The lines below a title, or of a table that begins so."""
    at = next(at for at, line in enumerate(lines) if line.startswith(title))
    return list(lines[at + 1 : lines.index("", at)])


def test_a_plan_shows_the_change_itself() -> None:
    other = [dataclasses.replace(OUTDATED, name="db1", build_id="cd" * 20, level=None, cves=None)]
    left = [
        Host("lost1", "unknown", "unreachable: no route"),
        dataclasses.replace(OUTDATED, name="good1", state="patched", reason="level 3", up_to_date=True),
    ]
    fleet = [*make_fleet(4), *other, *left]
    lines = make(fleet)
    ids = {host.name: planning.compute_cohort_id(host) for host in fleet}
    canary = next(line.split()[-1] for line in lines if line.startswith("0 canaries"))
    assert lines[:6] == [
        "5 hosts in 2 cohorts, 4 waves",
        "",
        "COHORT        HOSTS  KERNEL         BUILD ID      LEVEL   CVES  KMP",
        f"{ids['web1']}  4      6.4.0-default  abababababab  2 -> 3  2     {KMP}",
        f"{ids['db1']}  1      6.4.0-default  cdcdcdcdcdcd  - -> 3  -     {KMP}",
        "",
    ]
    table = select(lines, "WAVE  ")
    assert lines[6] == "WAVE            BUDGET  HOSTS  COHORT        LEVEL"
    assert table[0] == f"0 canaries      0       1      {ids['web1']}  2 -> 3  {canary}"
    assert table[1].startswith(f"1               any     1      {ids['web1']}  2 -> 3  web")
    assert table[2].startswith(f"2               any     2      {ids['web1']}  2 -> 3  web")
    assert table[3] == f"3 single hosts  0       1      {ids['db1']}  - -> 3  db1"
    assert select(lines, "Closes:") == [
        "  4 hosts: 2 CVEs: CVE-2099-0001, CVE-2099-0002",
        "  1 host: which CVEs is not known",
    ]
    assert select(lines, "Left out:") == ["      1  lost1: unknown: unreachable: no route"]
    assert "After each wave: health of its hosts, within the budget" in lines
    assert lines[-1] == "Plan: 5 hosts to patch in 4 waves, 1 left out, 1 up to date"
    assert lines[-2].startswith("Plan ") and len(lines[-2]) == len("Plan ") + 64


def test_where_nothing_is_to_be_patched_nothing_is_asked() -> None:
    done = [dataclasses.replace(OUTDATED, state="patched", reason="level 3", up_to_date=True)]
    for fleet in ([], done):
        lines = make(fleet, approval=["all"], soak=60, windows=[{"start": "22:00", "minutes": 5}])
        assert lines[0] == "0 hosts in 0 cohorts, 0 waves"
        assert not any(line.startswith(("Before", "After", "Closes", "WAVE")) for line in lines)
        assert lines[-1] == "Plan: nothing to patch, 0 left out" + (", 1 up to date" if fleet else "")


APPROVED = {"plan_hash": "", "wave": 1, "approver": "eve", "expires": None, "granted": True, "reason": ""}


def test_an_open_rollout_shows_what_is_left_of_it() -> None:
    fleet = make_fleet(5)
    plan = planning.build_plan(fleet, Settings(waves=("1",)))
    (canary,), (second,), others = plan.waves
    outcomes = {canary: {"outcome": "done"}, second: {"outcome": "failed"}, others[0]: {"outcome": "begun"}}
    gates = [{"wave": 0, "of": "wave", "verdict": "pass"}]
    approvals = [{**APPROVED, "plan_hash": plan.hash, "wave": 2}]
    now = [dataclasses.replace(host, boot_id="2") if host.name == others[1] else host for host in fleet]
    by_name = {host.name: host for host in now}
    recorded = preview.Recorded(outcomes, gates, approvals)
    agenda = batches.build_agenda(plan, by_name, outcomes, {0}, rollout="r")
    settings = {name: HostSettings() for name in by_name}
    made = preview.build_preview(plan, agenda, by_name, recorded, {**OPTIONS, "approval": ["2"]}, settings, NOW)
    lines = shown.format_preview(plan, made, resumed=True)
    table = [" ".join(line.split()) for line in select(lines, "WAVE  ")]
    cohort = next(iter(plan.outline.cohorts))
    # The journal of the host that was begun says nothing of this rollout: it was never started.
    assert table == [
        f"0 canaries 0 1 {cohort} 2 -> 3 1 done",
        f"1 any 1 {cohort} 2 -> 3 1 failed",
        f"2 any 3 {cohort} 2 -> 3 1 changed since, 2 to patch {others[0]}, {others[2]}",
    ]
    assert select(lines, "Changed since the plan:") == [
        f"      1  {others[1]}: it runs another boot than when it was planned: it is left for the next plan"
    ]
    assert f"  wave 2 of plan {plan.hash[:12]} was approved by eve" in lines
    assert lines[-2] == f"The open plan {plan.hash}"
    assert lines[-1] == "Plan: 2 hosts to patch in 1 wave, 1 changed since, 1 done, 1 failed, 0 left out"
    assert [wave.passed for wave in made.waves] == [True, False, False]


def test_what_a_run_waits_for() -> None:
    windows = [{"days": ["sat", "sun"], "start": "22:00", "minutes": 360, "tz": "Europe/Berlin", "reason": "quiet"}]
    blackouts = [{"from": "2027-12-24", "to": "2027-12-27", "reason": "holidays"}, {"start": "12:00", "minutes": 60}]
    gates = [{"name": "errors", "type": "prometheus", "query": "secret"}, {"name": "desk", "type": "http"}]
    lines = make(
        make_fleet(3),
        approval=["1"],
        windows=windows,
        blackouts=blackouts,
        soak=600,
        gates=gates,
        skip_gates={"desk": "closed"},
    )
    waits = select(lines, "Before a wave starts:")
    assert waits[:3] == [
        "  change window: sat, sun from 22:00 for 360 minutes (Europe/Berlin), quiet",
        "  blackout: 2027-12-24 to 2027-12-27 (UTC), holidays",
        "  blackout: each day from 12:00 for 60 minutes (UTC)",
    ]
    assert waits[3].startswith("  wave 0, 1, 2: no change window with enough time is open; the next one opens at 2027-")
    assert waits[4].startswith("  wave 1 of plan ") and " is waiting for approval: run playbook approve" in waits[4]
    assert (
        "After each wave: health of its hosts, within the budget, soak of 600 s, gate errors (prometheus), gate desk "
        "(http, skipped: closed)"
    ) in lines
    assert "secret" not in "\n".join(lines)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"waves": ("2", "5")}, []),
        (
            {"waves": ("1%", "25%", "3")},
            ["livepatch_waves: 1% of 10, 0.10 rounded up: 1; 25% of 10, 2.50 rounded down: 2; 3"],
        ),
        ({"canaries": "34%"}, ["livepatch_canaries: 34% of each cohort, rounded down, 1 at least: 1 to 2"]),
        ({"max_per_wave": "29%"}, ["livepatch_max_per_wave: 29% of the planned hosts, rounded down, 1 at least: 2"]),
        (
            {"max_per_group": "50%"},
            ["livepatch_max_per_group: 50% of each service, rounded down, 1 at least: 2"],
        ),
        ({"max_per_domain": "50%"}, []),
        (
            {"budgets": {"wave": "34%", "lost": "9%", "unreachable": "5%", "batch": "10%"}},
            [
                "livepatch_budget: 34% of each wave, rounded down: 0 to 2",
                "livepatch_budget_batch: 10% of each batch, rounded down",
                "livepatch_budget_lost: 9% of the planned hosts, rounded down: 0",
                "livepatch_budget_unreachable: 5% of all hosts, rounded down: 0",
            ],
        ),
    ],
)
def test_the_plan_says_what_shares_come_to(settings: dict[str, t.Any], expected: list[str]) -> None:
    budgets = {**Settings(waves=()).budgets, **settings.get("budgets", {})}
    fleet = [*make_fleet(6, groups=("shop",)), *make_fleet(4, "db", build_id="cd" * 20)]
    fleet = [dataclasses.replace(host, groups=()) if host.name in ("web1", "web2") else host for host in fleet]
    lines = make(fleet, settings={**settings, "budgets": budgets})
    found = select(lines, "Shares:") if "Shares:" in lines else []
    assert found == [f"  {text}" for text in expected]


def test_a_large_fleet_fits_on_a_page() -> None:
    fleet = [
        dataclasses.replace(host, build_id=f"{number % 300:040}", cves=(f"CVE-2099-{number % 300}",))
        for number, host in enumerate(make_fleet(6000))
    ]
    lost = [Host(f"lost{number}", "unknown", f"unreachable: 10.0.0.{number}: no route") for number in range(500)]
    barred = [Host(f"old{number}", "not_covered", "end of support") for number in range(40)]
    lines = make([*fleet, *lost, *barred], settings={"waves": ("1%", "25%")})
    assert len(lines) < 100
    assert max(map(len, lines)) < 200
    assert "and 280 more cohorts, 5600 hosts" in lines
    assert any("293 others" in line for line in select(lines, "WAVE  "))
    assert select(lines, "Left out:") == [
        "     40  old0, old1, old10, old11, old12, old13 and 34 more: not_covered: end of support",
        "      1  lost0: unknown: unreachable: 10.0.0.0: no route",
        "      1  lost1: unknown: unreachable: 10.0.0.1: no route",
        "    498  lost10, lost100, lost101, lost102, lost103, lost104 and 492 more: unknown, for other reasons",
    ]
    assert lines[-1] == "Plan: 6000 hosts to patch in 4 waves, 540 left out"


def test_changes_since_the_plan_before() -> None:
    before, after = (planning.build_plan(fleet, Settings(waves=())) for fleet in (make_fleet(3), make_fleet(4)))
    changes = [dataclasses.asdict(change) for change in plan_diff.compare_plans(before, after)]
    made = preview.build_preview(after, [], {}, preview.Recorded(), OPTIONS, {}, NOW)
    since = {"hash": "ab" * 32, "saved": NOW}
    lines = shown.format_preview(after, made, before={**since, "changes": changes})
    assert "  new in the plan           1  web4" in select(lines, "Changes since plan abababababab of 2027-01-15 08:00")
    unchanged = shown.format_preview(after, made, before={**since, "changes": []})
    assert "No changes since plan abababababab of 2027-01-15 08:00 UTC" in unchanged
