# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be done with the store, by name: as the module does it, and as the control node does where it keeps the
store itself. PRIVATE to the collection: it may change at any time.
"""

import inspect
from typing import Any, Dict, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store.rollouts import Store

READING = ("approvals", "halted", "last_plan", "load_plan", "quarantine_list", "show")
WRITING = (
    "abandon",
    "approve",
    "begin",
    "event",
    "gate",
    "halt",
    "join",
    "leave",
    "quarantine_add",
    "quarantine_clear",
    "release",
    "renew",
    "results",
    "save_plan",
    "start",
    "status",
    "take",
    "tried",
    "unhalt",
)

_NONE = type(None)
_LIST = ((list, tuple), "a list")
# What the methods of the store ask for: of which classes it is in Python, and what to say if it is not
_KINDS: Dict[Any, Any] = {
    str: ((str,), "text"),
    Optional[str]: ((str, _NONE), "text, or null"),
    int: ((int,), "a whole number"),
    Optional[int]: ((int, _NONE), "a whole number, or null"),
    float: ((float, int), "a number"),
    Optional[float]: ((float, int, _NONE), "a number, or null"),
    bool: ((bool,), "true or false"),
    Dict[str, Any]: ((dict,), "a dictionary"),
    Sequence[str]: _LIST,
    Sequence[Dict[str, Any]]: _LIST,
}


def do(store: Store, command: str, arguments: Dict[str, Any], check_mode: bool) -> Any:
    """:param check_mode: what writes is not done, and gives None.
    :raises BadOption: the arguments are not those of the command.
    """
    if command in WRITING and check_mode:
        return None
    call = getattr(store, command)
    _check(command, inspect.signature(call), arguments)
    return call(**arguments)


def _check(command: str, signature: inspect.Signature, arguments: Dict[str, Any]) -> None:
    # A number that is text would be compared, or stored, as such: a lease lost, or one that never ends.
    try:
        signature.bind(**arguments)
    except TypeError as exc:
        raise BadOption(
            f"the command {command} does not go with these arguments: {exc}",
            f"It takes {', '.join(signature.parameters)}",
        ) from exc
    for name, value in arguments.items():
        classes, wanted = _KINDS[signature.parameters[name].annotation]
        if not isinstance(value, classes):
            raise BadOption(f"the command {command} wants {wanted} as {name}, not {value!r}")
