# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of the rollouts, as action plugins use it. PRIVATE to the collection.

It is on the coordinator, ``livepatch_coordinator``: the control node itself unless the inventory names a host, which
ephemeral control nodes need. Tasks that use it are delegated there; the file itself never moves.
"""

from __future__ import annotations

import functools
import grp
import os
import pwd
import stat
import time
import typing as t
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.utils.vars import load_extra_vars

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import to_printable
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import common_options, schema, scratch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.person import Person, identify_person
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run

Command = dict[str, t.Any]

# Those that say where the store is, without their prefix
SETTINGS = ("coordinator", "store_path", "scope", "store_group")
_MODULE = "fleet.livepatch.rollout_store"
_REMOTE = "/var/lib/fleet.livepatch/rollouts.sqlite3"
_FILE = "rollouts.sqlite3"
# Where the users of one control node share a store, if its administrator has made it: a group's, with mode 2770
_SHARED_FOLDER = Path("/var/lib/fleet.livepatch/store")


class StoreError(AnsibleActionFail):
    """A command of the store failed.

    :ivar holder: who has the lease, if that is why.
    :ivar is_lost: another run has taken the lease over.
    """

    def __init__(self, message: str, holder: t.Mapping[str, t.Any] | None = None, is_lost: bool = False) -> None:
        super().__init__(to_printable(message))
        self.holder = holder
        self.is_lost = is_lost


class Location(t.NamedTuple):
    """Where the rollouts of a run are recorded."""

    coordinator: str
    path: str
    scope: str
    # The group whose members may write there too
    group: str | None
    # Whether it is in the user's home, where no other user's rollouts are
    is_own: bool = False

    @property
    def is_local(self) -> bool:
        return self.coordinator in ("localhost", "127.0.0.1", "::1")

    def describe(self) -> str:
        """Which store it is, for operators."""
        if not self.is_local:
            return f"store {self.path} on {self.coordinator}"
        note = f", which has rollouts of {_get_user()} on this control node only" if self.is_own else ""
        return f"store {self.path}{note}"


def locate(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> Location:
    """Read ``livepatch_coordinator`` and the settings of the store, which may be templates.

    By default the store is, on the control node, in the folder that its users share, and where there is none below
    Ansible's own folder in the user's home; on a host of the inventory it is below /var/lib.

    :raises StoreError: one of them has a wrong type, or the folder is not for this user.
    """
    try:
        coordinator, path, scope, group = schema.read_rendered(action._templar, task_vars, *SETTINGS).values()
        if path:
            common_options.require_absolute("livepatch_store_path", path)
    except PlanError as exc:
        raise StoreError(str(exc)) from None
    location = Location(coordinator, path or _REMOTE, scope, group or None)
    if not location.is_local:
        return location
    if path:
        return location._replace(path=os.path.expanduser(path))
    return _locate_default(location, _SHARED_FOLDER)


def _locate_default(location: Location, shared: Path) -> Location:
    """:param shared: the folder that the users of this control node share, if it is there."""
    try:
        status = shared.stat()
    except PermissionError:
        raise StoreError(
            f"{_get_user()} cannot see whether {shared} is the store of this control node: make the folders that it is "
            "in readable (chmod a+rx), or set livepatch_store_path to the store of your rollouts"
        ) from None
    except OSError:
        home = constants.config.get_config_value("ANSIBLE_HOME")
        return location._replace(path=os.path.join(home, "fleet.livepatch", _FILE), is_own=True)
    if not os.access(shared, os.R_OK | os.W_OK | os.X_OK):
        raise StoreError(
            f"the store of this control node is in {shared}, and {_get_user()} may not write there: become a member of "
            f"its group {_get_group(status.st_gid)}, or set livepatch_store_path to the store of your rollouts"
        )
    group = location.group
    if group is None and status.st_mode & stat.S_IWGRP:
        group = _get_group(status.st_gid)
    return location._replace(path=str(shared / _FILE), group=group)


def _get_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # as in a container
        return f"the user {os.geteuid()}"


def _get_group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


class StoreClient:
    """Sends commands to the store.

    :param action: an action plugin whose task is delegated to the coordinator.
    :param run: the one that holds the lease of a rollout.
    """

    def __init__(self, action: t.Any, task_vars: dict[str, t.Any], run: Run | None = None) -> None:
        self._action = action
        self._vars = task_vars
        self._run = run
        self.location = locate(action, task_vars)
        self.scope = self.location.scope
        self._is_detached = False

    @functools.cached_property
    def person(self) -> Person:
        """On whose behalf the task runs."""
        return identify_person(load_extra_vars(self._action._loader))

    def send(self, command: str, **arguments: t.Any) -> t.Any:
        """Runs a command on the coordinator, and returns its result.

        :raises StoreError: it fails.
        """
        return self.send_all(self.build(command, **arguments))[0]

    def send_all(self, *commands: Command) -> list[t.Any]:
        """Runs commands on the coordinator in one go, and returns the results. Either all are done, or none.

        :raises StoreError: one fails.
        """
        try:
            if self.location.is_local:
                # No module is needed.
                store = Store(self.location.path, time.time, self.read_only, self.location.group)
                return dispatch.run_commands(store, commands)
            return self._run_module(commands)
        except LivepatchError as exc:
            raise StoreError(
                f"the store of the rollouts: {exc}", exc.result.get("holder"), bool(exc.result.get("lost"))
            ) from None

    @staticmethod
    def build(command: str, **arguments: t.Any) -> Command:
        """A command for ``send_all``."""
        return {"command": command, "arguments": arguments}

    def build_fenced(self, command: str, **arguments: t.Any) -> Command:
        """A command on the rollout whose lease this run holds."""
        if self._run is None:
            raise StoreError(f"{command}: no rollout is open")
        return self.build(command, scope=self.scope, fence=self._run.fence, rollout=self._run.id, **arguments)

    def send_fenced(self, command: str, **arguments: t.Any) -> t.Any:
        """Runs a command on the rollout whose lease this run holds, and returns its result."""
        return self.send_all(self.build_fenced(command, **arguments))[0]

    def send_own(self, run: Run, *commands: Command) -> list[t.Any]:
        """Runs commands on what a run works by. Without a lease the run keeps that in a store which goes away with it,
        in Ansible's own folder for the run on the control node, which all its workers have.

        :raises StoreError: one fails.
        """
        if run.fence is not None:
            return self.send_all(*commands)
        try:
            store = Store(scratch.find_path("run.sqlite3"), time.time, private=True)
            return dispatch.run_commands(store, commands)
        except LivepatchError as exc:
            raise StoreError(f"what this run works by: {exc}") from None

    @property
    def fence(self) -> int | None:
        """The number of the lease that the run holds."""
        return None if self._run is None else self._run.fence

    @property
    def read_only(self) -> bool:
        """Whether nothing is recorded: in check mode."""
        return bool(self._action._task.check_mode)

    def show_line(self, line: str) -> None:
        """Show a line in the output of the playbook."""
        self._action._display.display(to_printable(line))

    def detach(self) -> None:
        """Use the connection in another process than the step's, which ends: what it leaves on the coordinator is its
        own.
        """
        if not self.location.is_local:
            self._action._connection._shell.tmpdir = None
            self._is_detached = True

    def _run_module(self, commands: t.Sequence[Command]) -> list[t.Any]:
        place = {"path": self.location.path, "group": self.location.group}
        try:
            result = self._action._execute_module(
                module_name=_MODULE, module_args={**place, "commands": list(commands)}, task_vars=self._vars
            )
        finally:
            if self._is_detached:
                self._action.cleanup(force=True)
                self._action._connection._shell.tmpdir = None
        if result.get("failed") or result.get("unreachable"):
            where = self.location.coordinator
            raise StoreError(
                f"the store of the rollouts on {where}: {result.get('msg')}",
                result.get("holder"),
                bool(result.get("lost")),
            )
        return t.cast("list[t.Any]", result["store"])
