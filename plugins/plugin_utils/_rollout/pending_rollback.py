# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts of a rollout that has ended which are still to be rolled back. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import lease, session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import Command, StoreClient

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
    store: StoreClient,
    rollout: t.Mapping[str, t.Any],
    owed: list[str],
    host_settings: t.Mapping[str, HostSettings],
    terms: lease.LeaseTerms,
) -> session.Begun:
    """Resumes a rollout that has ended, for nothing else than to roll these hosts back."""
    planned = session.load_plan(store, rollout["plan_hash"])
    ends = rollout["detail"].get(ENDS) or {"status": rollout["status"], "detail": rollout["detail"]}
    run = Run("rollout", planned.hash)
    commands: list[Command] = []
    if not store.read_only:
        fence = session.take_lease(store, terms)["fence"]
        run = Run("rollout", planned.hash, id=rollout["id"], fence=fence)
        # A run that comes after one that died in the middle knows by that to start no host.
        resumed = store.build(
            "set_status",
            scope=store.scope,
            fence=fence,
            rollout=rollout["id"],
            status="running",
            detail={ENDS: ends, "text": "hosts are rolled back"},
        )
        commands = [resumed]
    begun = session.Begun(
        run, planned, pending=[] if store.read_only else sorted(owed), resumed=True, owed=sorted(owed)
    )
    state = session.State(time.time(), rollout["started"], ends=ends)
    return session.save(store, begun, state, host_settings, commands)
