# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a rollout without Ansible: what the bench gives the store's client, plans of many hosts, outcomes."""

from __future__ import annotations

import types
import typing as t
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import PlannedHost
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings, read_defaults
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

COHORTS = 40
_DOMAINS = 30


def make_action() -> t.Any:
    """What steps ask an action plugin for: templates are none here."""
    return types.SimpleNamespace(
        _templar=types.SimpleNamespace(template=lambda value: value),
        _task=types.SimpleNamespace(check_mode=False),
        _loader=None,
    )


def make_variables(path: Path) -> dict[str, t.Any]:
    return {"livepatch_store_path": str(path)}


def open_store(path: Path, run: Run | None = None) -> StoreClient:
    return StoreClient(make_action(), make_variables(path), run)


def make_settings(**options: t.Any) -> Settings:
    return Settings.from_options({**read_defaults(), **options})


def make_fleet(count: int) -> list[Host]:
    """Unpatched hosts in 40 cohorts and 30 failure domains."""
    return [
        Host(
            f"host{number:06}",
            "unpatched",
            "",
            release="6.4.0-150600.23.7-default",
            build_id=f"{number % COHORTS:040x}",
            arch="x86_64",
            flavor="default",
            kmp="kernel-livepatch-6_4_0-150600_23_7-default-3-1",
            boot_id=f"{number:032x}",
            domains=(f"dc={number % _DOMAINS}",),
        )
        for number in range(count)
    ]


def make_outcomes(planned: Iterable[PlannedHost]) -> list[Outcome]:
    """All hosts were patched."""
    return [
        Outcome(row.name, "done", "", "patched", level=3, kmp=row.kmp, seconds=1.2, applied=True, cohort=row.cohort)
        for row in planned
    ]
