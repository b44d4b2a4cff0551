# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another user of the control node: one that each system has and that nobody works as. Only root becomes it."""

from __future__ import annotations

import grp
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

_UID, _GID = 65534, 65534
GROUP = grp.getgrgid(_GID).gr_name
# What a command begins with that this user runs. Its Python may be in a folder that is not for it: it may read what it
# likes, and writes no more than others.
COMMAND = (
    "setpriv",
    *(f"--reuid={_UID}", f"--regid={_GID}", "--clear-groups"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
)


def require() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")


def share(path: Path) -> None:
    """Gives a folder or a file to the group as well."""
    os.chown(path, -1, _GID)
    path.chmod(0o2770 if path.is_dir() else 0o660)


def adapt(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of that user, whose home is in the folder.

    :param environment: that of the user who runs the tests.
    """
    home = folder / "home-of-another-user"
    home.mkdir(exist_ok=True)
    os.chown(home, _UID, _GID)
    own = {"HOME": str(home), "ANSIBLE_HOME": str(home), "ANSIBLE_LOCAL_TEMP": str(home / "tmp")}
    own |= {"RECORDER_FILE": str(home / "events"), "USER": "nobody", "LOGNAME": "nobody"}
    return {**environment, **own}
