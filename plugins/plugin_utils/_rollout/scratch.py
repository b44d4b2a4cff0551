# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one step of a run leaves for the next ones, beside the store. PRIVATE to the collection.

It is in Ansible's own folder for the run on the control node: all its workers have it, no other user does, and it goes
away with the run. Only what does not change, or what the same run alone changes, is kept here, so that the store, which
may be on another host, is asked once.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t

from ansible import constants


def find_path(name: str) -> str:
    """The path of a file of the run."""
    return os.path.join(constants.DEFAULT_LOCAL_TMP, f"fleet.livepatch.{name}")


def remember(key: str, value: t.Any) -> None:
    """Keep a value in the place of the one of the same kind: what is before the first blank of its key. Where that
    fails there is none, and who needs it asks the store.
    """
    path = find_path(f"{key.partition(' ')[0]}.json")
    try:
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump({"key": key, "value": value}, file)
        os.replace(f"{path}.new", path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path)


def recall(key: str) -> t.Any:
    """The value, None where another one was kept since, or none at all."""
    try:
        with open(find_path(f"{key.partition(' ')[0]}.json"), encoding="utf-8") as file:
            kept = json.load(file)
    except FileNotFoundError:
        return None
    return kept["value"] if kept["key"] == key else None
