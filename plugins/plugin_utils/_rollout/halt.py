# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The halt: once it is recorded no host starts. PRIVATE to the collection.

It is checked on the control node, immediately before the module starts on a host. All workers of a run share the answer
that one of them got, for two seconds at most; where the store is on the control node itself, until its file changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import ALL_SCOPES, SLICE
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import scratch, store_client

# Seconds for which an answer is shared at most
_SHARED_SECONDS = 2.0


def get_halt_reason(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> str | None:
    """Why no host may start, None where rollouts are not halted. A store that fails halts.

    :param action: the action plugin that is about to start the module.
    """
    try:
        location = store_client.locate(action, task_vars)
        stored = _share(location, lambda: _query(action, location, task_vars))
    except (AnsibleError, OSError, ValueError) as exc:
        return f"cannot check whether rollouts are halted: {exc}"
    return None if stored is None else describe_halt(stored)


def describe_halt(stored: t.Mapping[str, t.Any]) -> str:
    """A recorded halt, and how to end it."""
    by = f" by {stored['by']}" if stored.get("by") else ""
    everywhere = " with -e livepatch_all_scopes=true" if stored.get("scope") == ALL_SCOPES else ""
    way_out = f"to go on, run playbook resume{everywhere}"
    if stored.get("by") == SLICE:
        way_out = "to go on, run playbook rollout, which assesses the wave"
    return f"rollouts are halted{by}: {stored.get('reason') or 'no reason was given'} ({way_out})"


def share(store: store_client.StoreClient, answer: t.Any) -> None:
    """Let the workers of the run have an answer that another step got from the store. Where it cannot be written they
    ask by themselves.
    """
    with contextlib.suppress(OSError):
        _share(store.location, lambda: answer, anew=True)


def _share(location: store_client.Location, query: t.Callable[[], t.Any], anew: bool = False) -> t.Any:
    """One worker queries, those that come after it take its answer.

    :param anew: whether an answer that is there is replaced.
    """
    with open(scratch.find_path("halt"), "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        known, stamp, now = {} if anew else _parse(text), _read_stamp(location), time.time()
        if known.get("stamp") == stamp and 0 <= now - known["at"] < _SHARED_SECONDS:
            return known["answer"]
        answer = query()
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"stamp": stamp, "at": now, "answer": answer}))
        return answer


def _parse(text: str) -> dict[str, t.Any]:
    """A shared answer, empty where there is none that can be read."""
    try:
        return dict(json.loads(text))
    except (TypeError, ValueError):
        return {}


def _read_stamp(location: store_client.Location) -> list[t.Any]:
    """Which store it is, and as far as that can be seen from here how it is now."""
    state: list[t.Any] = []
    if location.is_local and os.path.exists(location.path):
        status = os.stat(location.path)
        state = [status.st_ino, status.st_size, status.st_mtime_ns]
    return [location.coordinator, location.path, location.scope, state]


def _query(action: t.Any, location: store_client.Location, task_vars: t.Mapping[str, t.Any]) -> t.Any:
    if location.is_local:
        return _send(action, task_vars)
    return _query_coordinator(action, location.coordinator, task_vars)


def _send(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> t.Any:
    store = store_client.StoreClient(action, dict(task_vars))
    return store.send("get_halt", scope=store.scope)


def _query_coordinator(action: t.Any, name: str, task_vars: t.Mapping[str, t.Any]) -> t.Any:
    """As a task that is delegated to the coordinator would."""
    variables = task_vars["hostvars"][name]
    task = action._task.copy(exclude_parent=True)
    task.delegate_to = name
    other = store_client.CoordinatorAction(
        task,
        _open_connection(name, variables),
        action._play_context,
        action._loader,
        action._templar,
        action._shared_loader_obj,
    )
    return _send(other, {**task_vars, "ansible_delegated_vars": {name: variables}})


def _open_connection(name: str, variables: t.Mapping[str, t.Any]) -> t.Any:
    context = PlayContext()
    context.remote_addr = str(variables.get("ansible_host") or name)
    # The second argument is a standard input for ansible-core up to 2.18, and is not looked at by newer ones.
    connection = connection_loader.get(str(variables.get("ansible_connection") or "ssh"), context, None)
    connection.set_options(var_options=dict(variables))
    # As the playbooks' tasks that are delegated there: as root, unless the inventory says otherwise.
    if boolean(variables.get("ansible_become", True)):
        become = become_loader.get(str(variables.get("ansible_become_method") or "sudo"))
        become.set_options(var_options=dict(variables))
        connection.set_become_plugin(become)
    return connection
