# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to the coordinator in the middle of a task on another host. PRIVATE to the collection.

It gets what Ansible's executor would hand over to a task that is delegated there (``TaskExecutor._get_connection`` and
``_set_connection_options`` of ansible-core), with the passwords that ``-k`` and ``-K`` have asked for.
"""

from __future__ import annotations

import multiprocessing
import typing as t

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.play_context import PlayContext
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import become_loader, connection_loader

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import Location, StoreClient


class CoordinatorAction(ActionBase):
    """Runs the store's module in the middle of another action, whose own treatment of answers is not for it."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        raise NotImplementedError


def build_action(
    action: t.Any, name: str, task_vars: t.Mapping[str, t.Any]
) -> tuple[CoordinatorAction, dict[str, t.Any]]:
    """An action whose task is delegated to the coordinator, and its variables.

    :param action: the action plugin that works on a host, with its ``task_vars``.
    :param name: of the coordinator in the inventory.
    """
    variables = task_vars["hostvars"][name]
    task = action._task.copy(exclude_parent=True)
    task.delegate_to = name
    delegated = CoordinatorAction(
        task,
        _open_connection(action, name, variables),
        action._play_context,
        action._loader,
        action._templar,
        action._shared_loader_obj,
    )
    return delegated, {**task_vars, "ansible_delegated_vars": {name: variables}}


def open_store(action: t.Any, location: Location, task_vars: t.Mapping[str, t.Any]) -> StoreClient:
    """The store, from a task that is not delegated to the coordinator."""
    if location.is_local:
        return StoreClient(action, dict(task_vars))
    return StoreClient(*build_action(action, location.coordinator, task_vars))


def _open_connection(action: t.Any, name: str, variables: t.Mapping[str, t.Any]) -> t.Any:
    """:param variables: the coordinator's."""
    asked = _get_asked_passwords()
    context = PlayContext()
    context.remote_addr = str(variables.get("ansible_host") or name)
    # The second argument is a standard input for ansible-core up to 2.18, and is not looked at by newer ones.
    connection = connection_loader.get(str(variables.get("ansible_connection") or "ssh"), context, None)
    _set_options(connection, "connection", variables, {"password": asked["password"], "timeout": context.timeout})
    _set_options(connection._shell, "shell", variables, {})
    # As the playbooks' tasks that are delegated there: as root, unless the inventory says otherwise.
    if boolean(variables.get("ansible_become", True)):
        become = become_loader.get(str(variables.get("ansible_become_method") or action._task.become_method or "sudo"))
        _set_options(become, "become", variables, {"become_pass": asked["become_pass"]})
        connection.set_become_plugin(become)
    return connection


def _get_asked_passwords() -> dict[str, str | None]:
    """What ``-k`` and ``-K`` have asked for: the worker has it as it was, the action as the host's own variables have
    made it.
    """
    context = getattr(multiprocessing.current_process(), "_play_context", None)
    return {name: getattr(context, name, None) or None for name in ("password", "become_pass")}


def _set_options(
    plugin: t.Any, plugin_type: str, variables: t.Mapping[str, t.Any], keys: t.Mapping[str, t.Any]
) -> None:
    """Only what the plugin reads is rendered: another variable may be undefined."""
    names = constants.config.get_plugin_vars(plugin_type, plugin._load_name)
    plugin.set_options(
        task_keys={key: value for key, value in keys.items() if value is not None},
        var_options={name: variables[name] for name in names if name in variables},
    )
