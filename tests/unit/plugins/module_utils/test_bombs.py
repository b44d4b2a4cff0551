# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import shutil
import subprocess
import sys

import pytest

from tests.support import bombs

# The most memory that the module may take for a file of a repository, whatever it unpacks to
_MIB = 300


# A GiB is unpacked before it is too much.
_SLOW = [f"{file}, {kind}" for file in ("image", "initrd") for kind in ("gzip", "xz", "zstd")]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in _SLOW else name for name in bombs.BOMBS]
)
def test_memory_is_bounded(name: str) -> None:
    if "zstd" in name and shutil.which("zstd") is None:
        pytest.skip("this machine has no zstd")
    checkout = os.path.dirname(os.path.dirname(os.path.dirname(bombs.__file__)))
    path = os.pathsep.join([checkout, os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.bombs", name],
        env=dict(os.environ, PYTHONPATH=path),
        cwd=checkout,
        stdout=subprocess.PIPE,
        check=True,
        timeout=600,
    )
    outcome, mib = run.stdout.decode().splitlines()
    assert outcome.startswith("Unmeasured: "), outcome
    assert int(mib) < _MIB, outcome
