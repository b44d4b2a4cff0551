# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a job takes part in a wave that a rollout has left to several of them. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.rows import explain_not_joinable
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, lease, session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient


def join_wave(
    store: StoreClient, fleet: t.Sequence[Host], slices: int, lease_seconds: int, read_only: bool
) -> dict[str, t.Any] | str:
    """Takes part, with the hosts that this run has, in the wave that the open rollout has left to slices.

    :param slices: how many of them share what may be in flight.
    :param lease_seconds: without a sign of life of any of them for so long another run may take over.
    :returns: what the steps of the run work by, with the ``member`` of the lease that this run is; or why there is
        nothing to do.
    :raises StoreError: the store cannot be used, or another run has the lease.
    """
    joined = _join(store, lease_seconds, read_only)
    rollout = joined["rollout"]
    if rollout is None:
        return f"no wave is left to slices ({joined['why']})"
    document, wave = session.load_plan(store, rollout["plan_hash"]), rollout["detail"]["wave"]
    fleet_by_name = {host.name: host for host in fleet}
    left = batches.build_slice_agenda(document, wave, fleet_by_name, rollout["outcomes"], slices, rollout["id"])
    if left.changed and not read_only:
        store.send(
            "record_outcomes",
            scope=store.scope,
            fence=joined["fence"],
            rollout=rollout["id"],
            wave=wave,
            outcomes=batches.build_skipped_rows(document, left.changed),
        )
    if not left.batches:
        if not read_only:
            store.send("leave_wave", scope=store.scope, fence=joined["fence"], member=joined["member"])
        return f"wave {wave} has none of these hosts, or they have ended"
    return {
        **session.build_todo(left),
        "mode": "slice",
        "id": rollout["id"],
        "fence": joined["fence"],
        "member": joined["member"],
        "wave": wave,
        "began": time.time(),
        "started": rollout["started"],
        "hash": document["hash"],
        "document": document,
        # Recorded by now
        "changed": {},
        # Of the wave's gate, which is not a slice's
        "soaking": {},
        "pending": [],
    }


def _join(store: StoreClient, lease_seconds: int, read_only: bool) -> dict[str, t.Any]:
    if not read_only:
        joined: dict[str, t.Any] = store.send(
            "join_wave", scope=store.scope, owner=lease.identify_owner(store.person.name), ttl=lease_seconds
        )
        return joined
    rollout = session.get_open(store.send("show", scope=store.scope)["rollout"])
    why = explain_not_joinable(rollout)
    return {"fence": None, "member": None, "rollout": None if why else rollout, "why": why}
