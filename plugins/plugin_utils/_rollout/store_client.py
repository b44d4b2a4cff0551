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
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.person import Person, identify_person

_COORDINATOR = "livepatch_coordinator"
_PATH = "livepatch_store_path"
_SCOPE = "livepatch_scope"
_GROUP = "livepatch_store_group"
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
    rendered = {name: action._templar.template(task_vars.get(name)) for name in (_COORDINATOR, _PATH, _SCOPE, _GROUP)}
    try:
        coordinator, path, scope, group = (schema.read(rendered, name) for name in rendered)
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
    :param rollout: the rollout whose lease this run holds.
    """

    def __init__(
        self, action: t.Any, task_vars: dict[str, t.Any], rollout: t.Mapping[str, t.Any] | None = None
    ) -> None:
        self._action = action
        self._vars = task_vars
        self._rollout = rollout
        self._location = locate(action, task_vars)
        self.scope = self._location.scope

    @functools.cached_property
    def person(self) -> Person:
        """On whose behalf the task runs."""
        return identify_person(load_extra_vars(self._action._loader))

    def send(self, command: str, **arguments: t.Any) -> t.Any:
        """Runs a command on the coordinator.

        :raises StoreError: it fails.
        """
        try:
            if self._location.is_local:
                # No module is needed.
                store = Store(self._location.path, time.time, self._action._task.check_mode, self._location.group)
                return dispatch.run_command(store, command, arguments)
            return self._run_module(command, arguments)
        except LivepatchError as exc:
            raise StoreError(f"the store of the rollouts: {exc}", exc.result.get("holder")) from None

    def _run_module(self, command: str, arguments: dict[str, t.Any]) -> t.Any:
        place = {"path": self._location.path, "group": self._location.group}
        result = self._action._execute_module(
            module_name=_MODULE,
            module_args={**place, "command": command, "arguments": arguments},
            task_vars=self._vars,
        )
        if result.get("failed") or result.get("unreachable"):
            where = self._location.coordinator
            raise StoreError(f"the store of the rollouts on {where}: {result.get('msg')}", result.get("holder"))
        return result["store"]

    def send_fenced(self, command: str, **arguments: t.Any) -> t.Any:
        """Runs a command on the rollout whose lease this run holds."""
        if self._rollout is None:
            raise StoreError(f"{command}: no rollout is open")
        return self.send(
            command, scope=self.scope, fence=self._rollout["fence"], rollout=self._rollout["id"], **arguments
        )
