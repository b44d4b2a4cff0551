# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ansible-core versions that the collection supports, each in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from tests.support.venvs import ensure_venv

_TOOLS = Path(__file__).parents[1] / "tools"

# By version: the Pythons that can run it.
VERSIONS = {"2.16": ("3.12", "3.11", "3.10"), "2.19": ("3.13", "3.12", "3.11")}
# What everything else runs with.
NEWEST = "newest"
OLDEST = next(iter(VERSIONS))


def slow(*values: object) -> t.Any:
    """Parameters of a test that `make test` does without."""
    return pytest.param(*values, marks=pytest.mark.slow)


# What differs from one version to another is tried with all of them; `make test` takes one.
EACH = [*map(slow, VERSIONS), NEWEST]


def environment(version: str) -> Path:
    """Where this version's programs are; the test is skipped where no Python can run it."""
    if version == NEWEST:
        return Path(sys.executable).parent
    found = subprocess.run([_TOOLS / "find-python", *VERSIONS[version]], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(f"no Python of {', '.join(VERSIONS[version])} is at hand for ansible-core {version}")
    return ensure_venv(f"core-{version}", found.stdout.strip(), f"requirements-core-{version}.txt")
