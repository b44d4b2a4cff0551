# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests ask of the store and no step does. Python 3.6."""

import os
import sqlite3
import uuid
from typing import Any

from ansible_collections.fleet.livepatch.plugins.module_utils._store import dispatch, rows


def list_approvals(store: Any, plan_hash: str) -> Any:
    """Approvals and rejections of a plan, the oldest one first."""
    with store._database.reading() as transaction:
        return rows.find_approvals(transaction, plan_hash)


def empty_plan(plan_hash: str) -> Any:
    return {"hash": plan_hash, "waves": [], "hosts": {}, "left_out": {}}


def run_command(store: Any, command: str, arguments: Any) -> Any:
    """As a step sends one."""
    (result,) = dispatch.run_commands(store, [{"command": command, "arguments": arguments}])
    return result


def start_rollout(store: Any, scope: str, fence: int, plan_hash: str = "hash") -> str:
    """The ID of a new rollout."""
    rollout = uuid.uuid4().hex
    store.start_rollout(scope, fence, rollout, plan_hash)
    return rollout


# Two waves
PLAN = dict(
    empty_plan("ab" * 32),
    waves=[{"kind": "canaries", "hosts": ["web1"]}, {"kind": "wave", "hosts": ["web2"]}],
    hosts={name: {"cohort": "c"} for name in ("web1", "web2")},
)


def record_waiting(store: Any, scope: str = "default") -> None:
    """Records ``PLAN`` and its open rollout, which waits, and no run has its lease."""
    store.save_plan(scope, PLAN)
    fence = store.take_lease(scope, {}, 60)["fence"]
    rollout = start_rollout(store, scope, fence, PLAN["hash"])
    store.set_status(scope, fence, rollout, "waiting", {})
    store.release_lease(scope, fence)


def same_settings(*hosts: str, **settings: Any) -> Any:
    """The settings of hosts that all have the same, as save_run takes them."""
    return {"values": [settings] if hosts else [], "hosts": dict.fromkeys(hosts, 0)}


def save_run(
    store: Any,
    run: str,
    fence: Any = None,
    rollout: Any = None,
    batches: Any = (),
    settings: Any = None,
    plan_hash: str = "h",
    payload: Any = None,
) -> None:
    """A run in the scope s.

    :param settings: the hosts of the batches all have the same otherwise.
    """
    hosts = [host for batch in batches for host in batch["hosts"]]
    store.save_run(
        "s",
        fence,
        run,
        rollout,
        plan_hash,
        payload or {},
        list(batches),
        same_settings(*hosts) if settings is None else settings,
    )


def make_version(path: str, version: int) -> None:
    """A store as an earlier version of the collection made it: in the scope s one rollout that ended, one that is open,
    and a plan that was never run.
    """
    recorded = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded", f"store-{version}.sql")
    connection = sqlite3.connect(path)
    with open(recorded, encoding="utf-8") as file:
        connection.executescript(file.read())
    connection.close()
    os.chmod(path, 0o600)
