# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollouts over simulated hosts; each ends with a line of its figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulated.fleet import Fleet
from tests.support.controller import Controller
from tests.support.figures import figures, pytest_runtest_makereport, pytest_terminal_summary

__all__ = ["figures", "pytest_runtest_makereport", "pytest_terminal_summary"]


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    return Controller(tmp_path_factory.mktemp("controller"))


def command(fleet: Fleet, *arguments: str) -> list[str]:
    """A rollout of a fleet: what is recorded of it is not about the next one."""
    store: Path = fleet.inventory().parent / "rollouts.sqlite3"
    own = ["-e", f"livepatch_store_path={store}", "-e", "livepatch_unreachable_timeout=5"]
    return ["fleet.livepatch.rollout", "-i", str(fleet.inventory()), *own, *arguments]
