# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other people's collections, which the package ``ansible`` on PyPI brings along."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.locks import locked

_CACHE = Path(__file__).parents[2] / ".cache"
_REQUIREMENTS = Path(__file__).parents[1] / "requirements-collections.txt"


def fetched(namespace: str, name: str) -> Path:
    """A folder of collections with this one."""
    folder = _CACHE / f"collection-{namespace}.{name}"
    own = f"ansible_collections/{namespace}/{name}/"
    with locked(_CACHE / f"{folder.name}.lock"):
        if not (folder / own / "MANIFEST.json").exists():
            download = folder / "download"
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--require-hashes", "--only-binary", ":all:"]
            command += ["--dest", str(download), "--requirement", str(_REQUIREMENTS)]
            subprocess.run(command, check=True)
            (wheel,) = download.glob("*.whl")
            with zipfile.ZipFile(wheel) as packed:
                members = [member for member in packed.namelist() if member.startswith(own)]
                # The file that tells whether it is all there comes last.
                packed.extractall(folder, sorted(members, key=lambda member: member == f"{own}MANIFEST.json"))
            wheel.unlink()
    return folder
