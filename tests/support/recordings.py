# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What real kernels and tools have shown, by the name of the file. Python 3.6."""

import json
import os
from typing import Any

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded")


def load(name: str) -> Any:
    with open(os.path.join(_FOLDER, name + ".json"), encoding="utf-8") as stream:
        return json.load(stream)


def load_completed(name: str) -> Completed:
    """What a tool answered."""
    frame = load(name)
    return Completed(frame["rc"], "\n".join(frame["out"]), "\n".join(frame["err"]))
