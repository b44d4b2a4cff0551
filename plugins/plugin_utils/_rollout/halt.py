# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The halt: once it is recorded no host starts, nor one of a run that has lost its lease. PRIVATE to the collection.

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

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import ALL_SCOPES, SLICE
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import coordinator, scratch, store_client

# What the store answers where a host may start
MAY_START = {"halt": None, "lost": False}
# Seconds for which an answer is shared at most
_SHARED_SECONDS = 2.0


def get_halt_reason(
    action: t.Any, task_vars: t.Mapping[str, t.Any], fence: int | None = None, goes_back: bool = False
) -> str | None:
    """Why no host may start, None where rollouts are not halted. A store that fails halts.

    :param action: the action plugin that is about to start the module.
    :param fence: the number of the lease under which it is started, None without a rollout.
    :param goes_back: whether the host is put in order, which a halt does not keep back.
    """
    try:
        location = store_client.locate(action, task_vars)
        answer = _share(location, fence, lambda: _query(action, location, task_vars, fence))
    except Exception as exc:  # such as Ansible's own on the coordinator's variables: what cannot be asked halts
        answer = {"error": str(exc)}
    if "error" in answer:
        # A host that goes back has its own number of the lease, and refuses a lower one.
        return None if goes_back else f"cannot check whether rollouts are halted: {answer['error']}"
    if answer["lost"]:
        return "this run has lost the lease of its rollout: another run has it, or it was aborted"
    return None if answer["halt"] is None or goes_back else describe_halt(answer["halt"])


def load_controls(action: t.Any, task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The ``halt`` of the scope, in words, and its open ``rollout``; None where there is none.

    A store that fails counts as a halt.
    """
    try:
        location = store_client.locate(action, task_vars)
        subject, stored = _send_to_store(action, location, task_vars, "find_subject", "get_halt")
    except Exception as exc:  # such as Ansible's own on the coordinator's variables
        return {"halt": f"cannot check whether rollouts are halted: {exc}", "rollout": None}
    return {"halt": stored and describe_halt(stored), "rollout": next(iter(subject["open"]), None)}


def describe_halt(stored: t.Mapping[str, t.Any]) -> str:
    """A recorded halt, and how to end it."""
    by = f" by {stored['by']}" if stored.get("by") else ""
    everywhere = " with -e livepatch_all_scopes=true" if stored.get("scope") == ALL_SCOPES else ""
    way_out = f"to go on, run playbook resume{everywhere}"
    if stored.get("by") == SLICE:
        way_out = "to go on, run playbook rollout, which assesses the wave"
    return f"rollouts are halted{by}: {stored.get('reason') or 'no reason was given'} ({way_out})"


def share(store: store_client.StoreClient, answer: t.Mapping[str, t.Any]) -> None:
    """Let the workers of the run have an answer that another step got from the store. Where it cannot be written they
    ask by themselves.

    :param answer: to the store's command ``check_start``.
    """
    with contextlib.suppress(OSError):
        _share(store.location, store.fence, lambda: answer, anew=True)


def _share(
    location: store_client.Location, fence: int | None, query: t.Callable[[], t.Any], anew: bool = False
) -> t.Any:
    """One worker queries, those that come after it take its answer.

    :param anew: whether an answer that is there is replaced.
    """
    with open(scratch.find_path("halt"), "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        known, stamp, now = {} if anew else _parse(text), _read_stamp(location, fence), time.time()
        if known.get("stamp") == stamp and 0 <= now - known["at"] < _SHARED_SECONDS:
            return known["answer"]
        answer = query()
        # A halt may have been stored since it was asked for; that nothing answers is known only now.
        at = time.time() if "error" in answer else now
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"stamp": stamp, "at": at, "answer": answer}))
        return answer


def _parse(text: str) -> dict[str, t.Any]:
    """A shared answer, empty where there is none that can be read."""
    try:
        return dict(json.loads(text))
    except (TypeError, ValueError):
        return {}


def _read_stamp(location: store_client.Location, fence: int | None) -> list[t.Any]:
    """Which store it is, and as far as that can be seen from here how it is now."""
    state: list[t.Any] = []
    if location.is_local and os.path.exists(location.path):
        status = os.stat(location.path)
        state = [status.st_ino, status.st_size, status.st_mtime_ns]
    return [location.coordinator, location.path, location.scope, fence, state]


def _query(
    action: t.Any, location: store_client.Location, task_vars: t.Mapping[str, t.Any], fence: int | None
) -> t.Any:
    try:
        return _ask_store(action, location, task_vars, fence)
    except AnsibleError as exc:
        # Shared as well: each host would wait for the coordinator by itself.
        return {"error": str(exc)}


def _ask_store(
    action: t.Any, location: store_client.Location, task_vars: t.Mapping[str, t.Any], fence: int | None
) -> t.Any:
    (answer,) = _send_to_store(action, location, task_vars, "check_start", fence=fence)
    return answer


def _send_to_store(
    action: t.Any,
    location: store_client.Location,
    task_vars: t.Mapping[str, t.Any],
    *commands: str,
    **arguments: t.Any,
) -> list[t.Any]:
    """Sends commands on the scope from a task that is not delegated to the coordinator."""
    store = coordinator.open_store(action, location, task_vars)
    return store.send_all(*(store.build(command, scope=store.scope, **arguments) for command in commands))
