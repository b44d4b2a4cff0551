# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports for the tests: of a fleet that is as it is, and of a rollout in which one host of a wave failed."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import document
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.status import Row
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import plan_diff, planning
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings

MADE = 1_800_000_000.0
KMP = "kernel-livepatch-6_4_0-default-3-1"
HOSTILE = "</script><b>&\"'"


def row(name: str, state: str = "patched", **told: t.Any) -> Row:
    told = {
        "release": "6.4.0-default",
        "build_id": "ab" * 20,
        "kmp": KMP,
        "level": 3,
        "wanted": 3,
        "up_to_date": state == "patched",
        "overdue_days": 0,
        "cves_open": (),
        "cves_fixed": ("CVE-2099-0002",),
        "persistent": True,
        "covered_until": "2027-03-31",
        "domains": ("rack=r1",),
        "evidence": {"match": "build_id"},
        **told,
    }
    return Row(name, state, "so it is", "10.0.0.1", **told)


def status() -> dict[str, t.Any]:
    open_ = {"cves_open": ("CVE-2099-0003",), "level": 2, "domains": ("rack=r2",)}
    unknown = Row(HOSTILE, "unknown", f"unreachable: {HOSTILE}", problems=(f"unknown: {HOSTILE}",))
    return document.build_status([row("web1"), row("=web2", "outdated", **open_), unknown], MADE, "default", None)


def planned() -> dict[str, t.Any]:
    """Of what rollout() follows; the plan before had another host instead of web5, and HOSTILE is left out."""
    names = [f"web{number}" for number in range(1, 6)]
    fleet = [Host(name, "unpatched", "", "6.4.0-default", "ab" * 20, "x86_64", "default", None, KMP) for name in names]
    lost = Host(HOSTILE, "unknown", f"unreachable: {HOSTILE}")
    made = planning.build_plan([*fleet, lost], Settings(waves=("1",)))
    earlier = planning.build_plan([*fleet[:4], dataclasses.replace(fleet[4], name=f"x{HOSTILE}")], Settings(waves=()))
    changes = [dataclasses.asdict(one) for one in plan_diff.compare_plans(earlier, made)]
    before = {"hash": earlier.hash, "saved": MADE - 86400, "changes": changes}
    rows = [*(row(name, "unpatched") for name in names), Row(HOSTILE, "unknown", f"unreachable: {HOSTILE}")]
    return document.build_plan(rows, made, before, MADE, "default")


def rollout() -> dict[str, t.Any]:
    names = [f"web{number}" for number in range(1, 6)]
    fleet = [Host(name, "unpatched", "", "6.4.0-default", "ab" * 20, "x86_64", "default", None, KMP) for name in names]
    planned = planning.build_plan(fleet, Settings(waves=("1",)))
    outcomes = [Outcome(name, "done", "patched", "patched", 3, KMP, float(at)) for at, name in enumerate(names)]
    failed = planned.waves[1][0]
    outcomes[names.index(failed)] = Outcome(failed, "failed", HOSTILE, "unpatched")
    measured = [{"verdict": "pass", "text": "0.01", "request": "sum(rate(errors[5m]))", "value": 0.01, "at": MADE}]
    shown = {
        "id": "3f1c8d",
        "status": "failed",
        "detail": {"text": "Gate after wave 1: fail"},
        "started": MADE - 600,
        "started_by": "eve",
        "ended": MADE,
        "changes": [],
        "events": [{"at": MADE - 600 + 60 * wave, "wave": wave, "what": "begin", "hosts": 1} for wave in (0, 1)],
        "gates": [
            {"at": MADE - 550, "wave": 0, "of": "hosts", "verdict": "pass", "text": "1 of 1 healthy"},
            {
                "at": MADE - 549,
                "wave": 0,
                "name": "errors",
                "verdict": "pass",
                "text": "0.01",
                "measurements": measured,
            },
            {"at": MADE - 548, "wave": 0, "name": "desk", "verdict": "pass", "text": "", "skipped": "closed at night"},
            {"at": MADE - 545, "wave": 0, "of": "wave", "verdict": "pass", "text": "Gate after canaries: pass"},
            {"at": MADE - 480, "wave": 1, "of": "wave", "verdict": "fail", "text": "Gate after wave 1: fail"},
        ],
    }
    # What the one that failed told before it did is not true of it any more.
    rows = [row(name) for name in names]
    return document.build_rollout(
        rows, document.StoredRollout(planned, shown, outcomes), MADE, "default", "1 host failed"
    )
