# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of the rollouts, and its commands by name: for the module, and for the control node where it has the store
itself. PRIVATE to the collection: it may change at any time.

Everything belongs to a *scope*, a name for what is rolled out together: a scope has one lease and at most one open
rollout. Times are seconds since the epoch.
"""

import inspect
from typing import Any, Callable, ContextManager, Dict, List, Mapping, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._store.backup import BackupCommands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.controls import ControlCommands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.lease import LeaseCommands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.plans import PlanCommands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.retention import RetentionCommands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.rollouts import RolloutCommands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.runs import RunCommands
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import Database

READING = (
    "check_start",
    "find_plan",
    "find_plans",
    "find_subject",
    "get_halt",
    "has_old",
    "knows_host",
    "list_approvals",
    "list_cohorts",
    "list_quarantine",
    "list_starters",
    "load_admission",
    "load_controls",
    "load_hosts",
    "load_in_flight",
    "load_last_plan",
    "load_outline",
    "load_plan",
    "load_provenance",
    "load_run",
    "load_slice",
    "load_step",
    "load_whole",
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
    "keep_controls",
    "leave_wave",
    "record_gate",
    "record_outcomes",
    "release_lease",
    "remove_old",
    "renew_lease",
    "resume",
    "save_plan",
    "save_run",
    "set_status",
    "start_rollout",
    "take_lease",
)

# What is run alone, and is no part of a transaction
ALONE = ("back_up", "restore")
COMMANDS = (*READING, *WRITING, *ALONE)

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
    Optional[Dict[str, Any]]: ((dict, _NONE), "a dictionary, or null"),
    Sequence[str]: _LIST,
    Optional[Sequence[str]]: ((list, tuple, _NONE), "a list, or null"),
    Sequence[Dict[str, Any]]: _LIST,
}


class Store(
    PlanCommands, LeaseCommands, RunCommands, RolloutCommands, ControlCommands, RetentionCommands, BackupCommands
):
    """The store in one file.

    :param clock: gives the time.
    :param dry_run: nothing is written; this and the others see ``Database``.
    """

    def __init__(
        self,
        path: str,
        clock: Callable[[], float],
        dry_run: bool = False,
        group: Optional[str] = None,
        private: bool = False,
    ) -> None:
        self._database = Database(path, clock, dry_run, group, private)

    def together(self, writes: bool) -> ContextManager[None]:
        """Commands that are run in it are one transaction, see ``Database``."""
        return self._database.together(writes)

    @property
    def dry_run(self) -> bool:
        return self._database.dry_run

    @property
    def changed(self) -> bool:
        """Whether a command has changed anything, or would have; the heartbeat of a lease counts."""
        return self._database.changed


def run_commands(store: Store, commands: Sequence[Mapping[str, Any]]) -> List[Any]:
    """Runs commands, one after the other and all of them or none: what each of them returns.

    In a dry run one that a rollout writes with is not run, and returns None.

    :param commands: each with ``command`` and ``arguments``.
    :raises BadOption: one is unknown, or its arguments are not those of the command.
    """
    wanted = [each for each in commands if not (store.dry_run and _is_recorded(each["command"]))]
    for each in wanted:
        if each["command"] not in COMMANDS:
            raise BadOption("the store has no command {command}".format(**each))
        _validate(each["command"], inspect.signature(getattr(store, each["command"])), each["arguments"])
    if not wanted:
        return [None] * len(commands)
    if any(each["command"] in ALONE for each in commands):
        if len(commands) > 1:
            raise BadOption("the commands {} are run alone".format(" and ".join(ALONE)))
        return [getattr(store, each["command"])(**each["arguments"]) for each in commands]
    with store.together(any(each["command"] in WRITING for each in wanted)):
        return [getattr(store, each["command"])(**each["arguments"]) if each in wanted else None for each in commands]


def _is_recorded(command: str) -> bool:
    """Whether a rollout writes with it, and no operator does."""
    return command in WRITING and command not in CONTROLS


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
