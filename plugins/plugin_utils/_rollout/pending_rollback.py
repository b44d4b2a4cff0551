# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts of a rollout that has ended which are still to be rolled back. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

# In the detail of a rollout that was resumed to roll hosts back only: as what it had ended
ENDS = "ends"


def list_hosts(rollout: t.Mapping[str, t.Any], fleet: t.Mapping[str, Host], settings: Settings) -> list[str]:
    """Hosts that are still to be rolled back, and can be reached. One that an operator has put in quarantine is left to
    the operator.
    """
    quarantined = {entry.host for entry in settings.quarantine if entry.host}
    return [
        name
        for name, row in rollout["outcomes"].items()
        if row["outcome"] == "rollback_pending" and name in fleet and fleet[name].build_id and name not in quarantined
    ]


def resume(
    store: StoreClient, rollout: t.Mapping[str, t.Any], owed: list[str], lease_seconds: int, read_only: bool
) -> dict[str, t.Any]:
    """Resumes a rollout that has ended, for nothing else than to roll these hosts back.

    :returns: what the steps of the run work by; as what it ``ends`` again, and the hosts that are ``owed`` that.
    """
    document = session.load_plan(store, rollout["plan_hash"])
    ends = rollout["detail"].get(ENDS) or {"status": rollout["status"], "detail": rollout["detail"]}
    held: dict[str, t.Any] = {"id": None, "fence": None}
    if not read_only:
        held = {"id": rollout["id"], "fence": session.take_lease(store, lease_seconds)["fence"]}
        # A run that comes after one that died in the middle knows by that to start no host.
        store.send(
            "set_status",
            scope=store.scope,
            fence=held["fence"],
            rollout=held["id"],
            status="running",
            detail={ENDS: ends, "text": "hosts are rolled back"},
        )
    return {
        **held,
        "mode": "rollout",
        "resumed": True,
        "before": None,
        "began": time.time(),
        "started": rollout["started"],
        "hash": document["hash"],
        "document": document,
        **session.build_todo(batches.Agenda((), {})),
        "soaking": {},
        "pending": [] if read_only else sorted(owed),
        "ends": ends,
        "owed": sorted(owed),
    }
