# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a job takes part in a wave that a rollout has left to several of them. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.rows import explain_not_joinable
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, lease, session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient


def join_wave(
    store: StoreClient,
    fleet: t.Sequence[Host],
    host_settings: t.Mapping[str, HostSettings],
    slices: int,
    terms: lease.LeaseTerms,
) -> session.Begun | str:
    """Takes part, with the hosts that this run has, in the wave that the open rollout has left to slices.

    :param host_settings: of these hosts, by host.
    :param slices: how many of them share what may be in flight.
    :returns: the run, as a ``member`` of the lease; or why there is nothing to do.
    :raises StoreError: the store cannot be used, or another run has the lease.
    """
    joined = _join(store, terms.seconds)
    rollout = joined["rollout"]
    if rollout is None:
        return f"no wave is left to slices ({joined['why']})"
    planned, wave = session.load_plan(store, rollout["plan_hash"]), rollout["detail"]["wave"]
    fleet_by_name = {host.name: host for host in fleet}
    agenda, changed = batches.build_slice_agenda(
        planned, wave, fleet_by_name, rollout["outcomes"], slices, rollout["id"]
    )
    commands = []
    if changed and not store.read_only:
        cohorts = {name: planned.hosts[name].cohort for name in changed}
        recorded = store.build(
            "record_outcomes",
            scope=store.scope,
            fence=joined["fence"],
            rollout=rollout["id"],
            wave=wave,
            outcomes=batches.build_skipped_rows(changed, cohorts),
        )
        commands.append(recorded)
    if not agenda:
        if not store.read_only:
            left = store.build("leave_wave", scope=store.scope, fence=joined["fence"], member=joined["member"])
            store.send_all(*commands, left)
        return f"wave {wave} has none of these hosts, or they have ended"
    run = Run("slice", planned.hash, id=rollout["id"], fence=joined["fence"], member=joined["member"])
    state = session.State(time.time(), rollout["started"])
    return session.save(store, session.Begun(run, planned, agenda), state, host_settings, commands)


def _join(store: StoreClient, lease_seconds: int) -> dict[str, t.Any]:
    if not store.read_only:
        joined: dict[str, t.Any] = store.send(
            "join_wave", scope=store.scope, owner=lease.identify_owner(store.person.name), ttl=lease_seconds
        )
        return joined
    rollout = session.get_open(store.send("show", scope=store.scope)["rollout"])
    why = explain_not_joinable(rollout)
    return {"fence": None, "member": None, "rollout": None if why else rollout, "why": why}
