# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store of the rollouts, as action plugins use it. PRIVATE to the collection.

It is on the coordinator, ``livepatch_coordinator``: the control node itself unless the inventory names a host, which
ephemeral control nodes need. Tasks that use it are delegated there; the file itself never moves.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch
from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store

COORDINATOR = "livepatch_coordinator"
PATH = "livepatch_store_path"
SCOPE = "livepatch_scope"
_MODULE = "fleet.livepatch.rollout_store"
_REMOTE = "/var/lib/fleet.livepatch/rollouts.sqlite3"


class StoreError(AnsibleActionFail):
    """A command of the store failed; ``holder`` has the lease, if that is why."""

    def __init__(self, message: str, holder: t.Mapping[str, t.Any] | None = None) -> None:
        super().__init__(message)
        self.holder = holder


def is_local(variables: t.Mapping[str, t.Any]) -> bool:
    return str(variables.get(COORDINATOR) or "localhost") in ("localhost", "127.0.0.1", "::1")


def get_path(variables: t.Mapping[str, t.Any]) -> str:
    """The path of the store: ``livepatch_store_path``, else below Ansible's own folder in the user's home, or below
    /var/lib on a host of the inventory.
    """
    given = variables.get(PATH)
    if given:
        return os.path.expanduser(str(given)) if is_local(variables) else str(given)
    if not is_local(variables):
        return _REMOTE
    return os.path.join(constants.config.get_config_value("ANSIBLE_HOME"), "fleet.livepatch/rollouts.sqlite3")


def get_scope(variables: t.Mapping[str, t.Any]) -> str:
    return str(variables.get(SCOPE) or "default")


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
        self.scope = get_scope(task_vars)

    def send(self, command: str, **arguments: t.Any) -> t.Any:
        """Runs a command on the coordinator.

        :raises StoreError: it fails.
        """
        try:
            if is_local(self._vars):
                # No module is needed.
                store = Store(get_path(self._vars), time.time, dry_run=self._action._task.check_mode)
                return dispatch.run_command(store, command, arguments)
            return self._run_module(command, arguments)
        except LivepatchError as exc:
            raise StoreError(f"the store of the rollouts: {exc}", exc.result.get("holder")) from None

    def _run_module(self, command: str, arguments: dict[str, t.Any]) -> t.Any:
        result = self._action._execute_module(
            module_name=_MODULE,
            module_args={"path": get_path(self._vars), "command": command, "arguments": arguments},
            task_vars=self._vars,
        )
        if result.get("failed") or result.get("unreachable"):
            where = self._vars.get(COORDINATOR)
            raise StoreError(f"the store of the rollouts on {where}: {result.get('msg')}", result.get("holder"))
        return result["store"]

    def send_fenced(self, command: str, **arguments: t.Any) -> t.Any:
        """Runs a command on the rollout whose lease this run holds."""
        if self._rollout is None:
            raise StoreError(f"{command}: no rollout is open")
        return self.send(
            command, scope=self.scope, fence=self._rollout["fence"], rollout=self._rollout["id"], **arguments
        )
