# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Environments that tests make for themselves, beside the one that they run in."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.locks import locked

_CHECKOUT = Path(__file__).parents[2]


def ensure_venv(name: str, python: str | Path, requirements: str) -> Path:
    """Makes .cache/<name> if need be, or if it is made of something else by now; the folder of its programs."""
    with locked(_CHECKOUT / f".cache/{name}.lock"):
        command = ["tests/tools/make-venv", f".cache/{name}", str(python), f"tests/{requirements}"]
        subprocess.run(command, check=True, cwd=_CHECKOUT)
    return _CHECKOUT / ".cache" / name / "bin"
