# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The halt holds on the ansible-core versions that the collection supports: each loses a canary in its migration."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab.fleet import Lab
from tests.support import canary, cores
from tests.support.controller import Controller


@pytest.mark.parametrize("version", cores.VERSIONS)
def test_a_lost_canary_halts(lab: Lab, tmp_path: Path, figures: dict[str, object], version: str) -> None:
    bin_ = cores.environment(version)
    told = subprocess.run([bin_ / "ansible", "--version"], check=True, capture_output=True, text=True).stdout
    figures["ansible-core"] = told.partition("[core ")[2].partition("]")[0]
    lab.up(4, fresh=True)
    figures.update(canary.kill_one(lab, Controller(tmp_path, bin_)))
