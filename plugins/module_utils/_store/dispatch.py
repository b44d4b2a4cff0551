# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of the rollouts, and its commands by name: for the module, and for the control node where it has the store
itself. PRIVATE to the collection: it may change at any time.

Everything belongs to a *scope*, a name for what is rolled out together: a scope has one lease and at most one open
rollout. Times are seconds since the epoch.
"""

import inspect
from typing import Any, Callable, Dict, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store.controls import ControlCommands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import LeaseCommands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.rollouts import RolloutCommands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Database

READING = (
    "find_plan",
    "get_halt",
    "list_approvals",
    "list_quarantine",
    "list_starters",
    "load_last_plan",
    "load_plan",
    "show",
)
WRITING = (
    "abort",
    "add_to_quarantine",
    "approve",
    "begin_hosts",
    "clear_quarantine",
    "halt",
    "join_wave",
    "leave_wave",
    "list_attempted",
    "record_gate",
    "record_outcomes",
    "release_lease",
    "renew_lease",
    "resume",
    "save_plan",
    "set_status",
    "start_rollout",
    "take_lease",
)

# What operators do. In check mode it is done in a transaction that is rolled back, so that the result is the same.
CONTROLS = ("abort", "add_to_quarantine", "approve", "clear_quarantine", "halt", "resume")

_NONE = type(None)
_LIST = ((list, tuple), "a list")
# By annotation of a command's parameter: the classes that it may have, and what to say if it has another one
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


class Store(LeaseCommands, RolloutCommands, ControlCommands):
    """The store in one file.

    :param clock: gives the time.
    :param group: whose members may write it too, see ``Database``.
    :param dry_run: nothing is written, see ``Database``.
    """

    def __init__(
        self, path: str, clock: Callable[[], float], dry_run: bool = False, group: Optional[str] = None
    ) -> None:
        self._database = Database(path, clock, dry_run, group)

    @property
    def dry_run(self) -> bool:
        return self._database.dry_run

    @property
    def changed(self) -> bool:
        """Whether a command has changed anything, or would have; the heartbeat of a lease counts."""
        return self._database.changed


def run_command(store: Store, command: str, arguments: Dict[str, Any]) -> Any:
    """Runs a command. In a dry run one that a rollout writes with is not run, and returns None.

    :raises BadOption: the arguments are not those of the command.
    """
    if store.dry_run and command in WRITING and command not in CONTROLS:
        return None
    method = getattr(store, command)
    _validate(command, inspect.signature(method), arguments)
    return method(**arguments)


def _validate(command: str, signature: inspect.Signature, arguments: Dict[str, Any]) -> None:
    # A number that is text would be compared, or stored, as such: a lease lost, or one that never ends.
    try:
        signature.bind(**arguments)
    except TypeError as exc:
        raise BadOption(
            f"wrong arguments for the command {command}: {exc}", f"It takes {', '.join(signature.parameters)}"
        ) from None
    for name, value in arguments.items():
        classes, wanted = _KINDS[signature.parameters[name].annotation]
        if not isinstance(value, classes):
            raise BadOption(f"the argument {name} of the command {command} has to be {wanted}, not {value!r}")
