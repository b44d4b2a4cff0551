# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
CHECKOUT = SOURCE.parents[1]


@dataclass(frozen=True)
class Layout:
    """The one folder that the lab writes to."""

    root: Path

    @classmethod
    def default(cls) -> Layout:
        """Return the folder of this checkout, or the one that LIVEPATCH_LAB_DIR names."""
        named = os.environ.get("LIVEPATCH_LAB_DIR")
        layout = cls(Path(named).resolve() if named else CHECKOUT / ".cache" / "lab")
        for folder in (layout.artifacts, layout.keys, layout.hosts):
            folder.mkdir(parents=True, exist_ok=True)
        # Whatever the checkout's own ignore list says, none of this may ever be committed.
        (layout.root / ".gitignore").write_text("*\n")
        return layout

    @property
    def artifacts(self) -> Path:
        """What is cached: each folder's name ends with the hash of its inputs."""
        return self.root / "artifacts"

    @property
    def keys(self) -> Path:
        """The lab's SSH and GPG keys."""
        return self.root / "keys"

    @property
    def hosts(self) -> Path:
        """One folder for each running virtual machine."""
        return self.root / "hosts"

    @property
    def server(self) -> Path:
        """The repository server: its files, its record, its log."""
        return self.root / "server"

    @property
    def inventory(self) -> Path:
        """The Ansible inventory."""
        return self.root / "inventory.yml"

    @property
    def lock(self) -> Path:
        """Held by whoever builds, starts or ends something."""
        return self.root / "lock"
