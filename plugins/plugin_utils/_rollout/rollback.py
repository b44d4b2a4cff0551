# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts of a rollout an operator has rolled back. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import lease, session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.batches import Batch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Plan
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import Command, StoreClient

# The KMP is active on a host with one of these, or may be: what a lost host has made of it is not known.
_MAY_BE_ACTIVE = (BEGUN, "lost", "rollback_pending", "rollback_refused")


def begin_rollback(
    store: StoreClient,
    host_settings: t.Mapping[str, HostSettings],
    wave: int | None,
    cohort: str | None,
    reason: str,
    terms: lease.LeaseTerms,
) -> session.Begun:
    """Selects hosts of the last rollout of the scope, canaries first, and takes the lease.

    The KMP that they had is in quarantine from now on: else the next run would only apply it again.

    :param host_settings: of the play's hosts, by host.
    :param wave: only hosts of this one; ``cohort``: only hosts of this one.
    :raises PlanError: there is no host to roll back.
    """
    last = store.send("show", scope=store.scope)["rollout"]
    if last is None:
        raise PlanError(f"no rollout of the scope {store.scope} is recorded: there is nothing to roll back")
    planned = session.load_plan(store, last["plan_hash"])
    waves = _select_hosts(planned, last["outcomes"], host_settings, wave, cohort)
    if not waves:
        raise PlanError("none of these hosts has a patch of that rollout that could be rolled back")
    run = Run("rollback", planned.hash, id=last["id"])
    commands: list[Command] = []
    if not store.read_only:
        fence, commands = _take_over(store, planned, last, terms)
        run = dataclasses.replace(run, fence=fence)
        cohorts = {planned.hosts[name].cohort for _wave, hosts in waves for name in hosts}
        entries = [
            {"kmp": cohort.kmp, "cohort": cohort.target, "host": None, "reason": reason, "by": store.person.name}
            for cohort in planned.outline.cohorts.values()
            if cohort.id in cohorts
        ]
        commands.append(store.build("add_to_quarantine", entries=entries))
    limit = planned.outline.settings.max_in_flight
    agenda = [
        Batch(number, hosts[at : at + limit], (), at + limit >= len(hosts))
        for number, hosts in waves
        for at in range(0, len(hosts), limit)
    ]
    state = session.State(time.time(), last["started"], hosts=tuple(name for batch in agenda for name in batch.hosts))
    return session.save(store, session.Begun(run, planned, agenda), state, host_settings, commands)


def _take_over(store: StoreClient, planned: Plan, last: t.Any, terms: lease.LeaseTerms) -> tuple[int, list[Command]]:
    current = session.get_open(last)
    if current is None:
        return session.take_lease(store, terms)["fence"], []
    run, _rollout, commands = session.open_rollout(store, planned, current, terms)
    return t.cast(int, run.fence), commands


def _select_hosts(
    planned: Plan,
    outcomes: t.Mapping[str, t.Mapping[str, t.Any]],
    names: t.Collection[str],
    wave: int | None,
    cohort: str | None,
) -> list[tuple[int, tuple[str, ...]]]:
    """The hosts of each wave that are rolled back; waves without any are left out."""
    waves = [
        (
            number,
            tuple(
                name
                for name in of_wave
                if name in names
                and wave in (None, number)
                and cohort in (None, planned.hosts[name].cohort)
                and _may_be_active(outcomes.get(name, {}))
            ),
        )
        for number, of_wave in enumerate(planned.waves)
    ]
    return [(number, hosts) for number, hosts in waves if hosts]


def _may_be_active(row: t.Mapping[str, t.Any]) -> bool:
    """Whether the KMP of the plan may be active; any other stays."""
    return row.get("outcome") in _MAY_BE_ACTIVE or bool(row.get("applied"))
