# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be done with the store, by name: as the module does it, and as the control node does where it keeps the
store itself. PRIVATE to the collection: it may change at any time.
"""

import inspect
from typing import Any, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store.store import Store

READING = ("approvals", "halted", "load_plan", "quarantine_list", "show")
WRITING = (
    "abandon",
    "approve",
    "begin",
    "gate",
    "halt",
    "quarantine_add",
    "quarantine_clear",
    "release",
    "renew",
    "results",
    "save_plan",
    "start",
    "status",
    "take",
    "unhalt",
)


def do(store: Store, command: str, arguments: Dict[str, Any], check_mode: bool) -> Any:
    """:param check_mode: what writes is not done, and gives None.
    :raises BadOption: the arguments are not those of the command.
    """
    if command in WRITING and check_mode:
        return None
    call = getattr(store, command)
    try:
        inspect.signature(call).bind(**arguments)
    except TypeError as exc:
        raise BadOption(f"the command {command} does not go with these arguments: {exc}") from exc
    return call(**arguments)
