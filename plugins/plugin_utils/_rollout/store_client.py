# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of the rollouts, as action plugins use it. PRIVATE to the collection.

It is on the coordinator, ``livepatch_coordinator``: the control node itself unless the inventory names a host, which
ephemeral control nodes need. Tasks that use it are delegated there; the file itself never moves.
"""

from __future__ import annotations

import functools
import os
import time
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import to_printable
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema, scratch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.person import Person, identify_person
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run

Command = dict[str, t.Any]

# Those that say where the store is, without their prefix
SETTINGS = ("coordinator", "store_path", "scope", "store_group")
_MODULE = "fleet.livepatch.rollout_store"
_REMOTE = "/var/lib/fleet.livepatch/rollouts.sqlite3"


class StoreError(AnsibleActionFail):
    """A command of the store failed; ``holder`` has the lease, if that is why."""

    def __init__(self, message: str, holder: t.Mapping[str, t.Any] | None = None) -> None:
        super().__init__(to_printable(message))
        self.holder = holder


class Location(t.NamedTuple):
    """Where the rollouts of a run are recorded."""

    coordinator: str
    path: str
    scope: str
    # The group whose members may write there too
    group: str | None

    @property
    def is_local(self) -> bool:
        return self.coordinator in ("localhost", "127.0.0.1", "::1")


def locate(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> Location:
    """Read ``livepatch_coordinator`` and the settings of the store, which may be templates.

    By default the store is below Ansible's own folder in the user's home, or below /var/lib on a host of the inventory.

    :raises StoreError: one of them has a wrong type.
    """
    try:
        coordinator, path, scope, group = schema.read_rendered(action._templar, task_vars, *SETTINGS).values()
    except PlanError as exc:
        raise StoreError(str(exc)) from None
    location = Location(coordinator, path or _REMOTE, scope, group or None)
    if not location.is_local:
        return location
    home = constants.config.get_config_value("ANSIBLE_HOME")
    return location._replace(path=os.path.expanduser(path or os.path.join(home, "fleet.livepatch/rollouts.sqlite3")))


class CoordinatorAction(ActionBase):
    """Runs the store's module in the middle of another action, whose own treatment of answers is not for it."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        raise NotImplementedError


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
            raise StoreError(f"the store of the rollouts: {exc}", exc.result.get("holder")) from None

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
    def read_only(self) -> bool:
        """Whether nothing is recorded: in check mode."""
        return bool(self._action._task.check_mode)

    def _run_module(self, commands: t.Sequence[Command]) -> list[t.Any]:
        place = {"path": self.location.path, "group": self.location.group}
        result = self._action._execute_module(
            module_name=_MODULE, module_args={**place, "commands": list(commands)}, task_vars=self._vars
        )
        if result.get("failed") or result.get("unreachable"):
            where = self.location.coordinator
            raise StoreError(f"the store of the rollouts on {where}: {result.get('msg')}", result.get("holder"))
        return t.cast("list[t.Any]", result["store"])
