# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The halt holds on the ansible-core versions that the collection supports: each loses a canary in its migration."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.controller import Controller

_CHECKOUT = Path(__file__).parent.parent.parent
_TOOLS = _CHECKOUT / "tests/tools"

# The newest is what the other scenarios run with. By version: the Pythons that can run it.
VERSIONS = {"2.16": ("3.12", "3.11", "3.10"), "2.19": ("3.13", "3.12", "3.11")}


def _environment(version: str) -> Path:
    """A virtual environment with this ansible-core."""
    found = subprocess.run([_TOOLS / "find-python", *VERSIONS[version]], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(f"no Python of {', '.join(VERSIONS[version])} is at hand for ansible-core {version}")
    folder = _CHECKOUT / f".cache/core-{version}"
    if not (folder / ".packages").exists():
        requirements = _CHECKOUT / "meta/ee-requirements.txt"
        command = [_TOOLS / "make-venv", folder, found.stdout.strip(), "pip", requirements]
        subprocess.run([*command, f"ansible-core ~= {version}.0", "PyYAML"], check=True, cwd=_CHECKOUT)
    return folder / "bin"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lost_canary_halts(lab: Lab, tmp_path: Path, figures: dict[str, object], version: str) -> None:
    bin_ = _environment(version)
    told = subprocess.run([bin_ / "ansible", "--version"], check=True, capture_output=True, text=True).stdout
    figures["ansible-core"] = told.partition("[core ")[2].partition("]")[0]
    lab.up(4, fresh=True)
    figures.update(canary.kill_one(lab, Controller(tmp_path, bin_)))
