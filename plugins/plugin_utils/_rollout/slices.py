# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a job takes part in a wave that a rollout has left to several of them. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.rows import explain_not_joinable
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, controls, lease, session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import apply_values
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import Command, StoreClient

_ADVICE = "run the playbook rollout with livepatch_change_reason, which is recorded"


def join_wave(
    store: StoreClient,
    fleet: t.Sequence[Host],
    given: controls.Given,
    slices: int,
    terms: lease.LeaseTerms,
) -> session.Begun | str:
    """Takes part, with the hosts that this run has, in the wave that the open rollout has left to slices.

    :param given: what the run is given of what the rollout goes by. What is tighter holds for this run only.
    :param slices: how many of them share what may be in flight.
    :returns: the run, as a ``member`` of the lease; or why there is nothing to do.
    :raises PlanError: it is given something looser, or different.
    :raises StoreError: the store cannot be used, or another run has the lease.
    """
    joined = _join(store, terms.seconds)
    rollout = joined["rollout"]
    if rollout is None:
        return f"no wave is left to slices ({joined['why']})"
    record = controls.Record.from_stored("The open rollout", joined["controls"], is_rollout=True)
    try:
        goes_by = controls.decide(record, given, advice=_ADVICE)
    except PlanError:
        _leave(store, joined)
        raise
    for line in goes_by.describe_changes():
        terms.show_line(f"Setting changed for these hosts: {line}")
    planned, wave = session.load_plan(store, rollout["plan_hash"]), rollout["detail"]["wave"]
    planned = dataclasses.replace(planned, outline=apply_values(planned.outline, goes_by.run))
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
        _leave(store, joined, commands)
        return f"wave {wave} has none of these hosts, or they have ended"
    run = Run("slice", planned.hash, id=rollout["id"], fence=joined["fence"], member=joined["member"])
    state = session.State(time.time(), rollout["started"], controls=goes_by.run)
    return session.save(store, session.Begun(run, planned, agenda), state, goes_by.hosts, commands)


def _leave(store: StoreClient, joined: t.Mapping[str, t.Any], commands: t.Sequence[Command] = ()) -> None:
    if not store.read_only:
        left = store.build("leave_wave", scope=store.scope, fence=joined["fence"], member=joined["member"])
        store.send_all(*commands, left)


def _join(store: StoreClient, lease_seconds: int) -> dict[str, t.Any]:
    if not store.read_only:
        joined: dict[str, t.Any] = store.send(
            "join_wave", scope=store.scope, owner=lease.identify_owner(store.person.name), ttl=lease_seconds
        )
        return joined
    response, stored = store.send_all(
        store.build("show", scope=store.scope), store.build("load_controls", scope=store.scope, plan_hash="")
    )
    rollout = session.get_open(response["rollout"])
    why = explain_not_joinable(rollout)
    return {"fence": None, "member": None, "rollout": None if why else rollout, "why": why, "controls": stored}
