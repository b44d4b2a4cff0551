# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lease that a run holds, and the rollout that it works on under it. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.rows import is_left_to_slices
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, lease, plan
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

# What a run works by where there is nothing to do
NOTHING_TO_DO: dict[str, t.Any] = {"document": {}, "batches": [], "hosts": [], "sizes": [], "pending": []}


def get_open(rollout: t.Any) -> t.Any:
    """A rollout that the store shows if it is open, else None."""
    return rollout if rollout and rollout["ended"] is None else None


def load_plan(store: StoreClient, plan_hash: str) -> dict[str, t.Any]:
    """:raises StoreError: there is no such plan.
    :raises PlanError: it was made by another version of the collection.
    """
    document: dict[str, t.Any] = store.send("load_plan", plan_hash=plan_hash)
    plan.validate_document(document)
    return document


def take_lease(store: StoreClient, seconds: int) -> dict[str, t.Any]:
    """The lease of the scope, with its ``fence`` and the ``rollout`` of the scope.

    :raises StoreError: another run holds it.
    """
    owner = lease.identify_owner(store.person.name)
    taken: dict[str, t.Any] = lease.with_takeover(
        lambda **more: store.send("take_lease", scope=store.scope, owner=owner, ttl=seconds, **more)
    )
    return taken


def open_rollout(
    store: StoreClient, document: t.Mapping[str, t.Any], seen: t.Any, seconds: int
) -> tuple[dict[str, t.Any], t.Any]:
    """The lease, and the rollout under it: the open one as it is now that no other run writes to it, or a new one.

    :param seen: the open rollout as it was before the lease was taken, None where there was none.
    :returns: ``id`` and ``fence``; the open rollout, None where it is new.
    :raises PlanError: another run has begun or ended one meanwhile.
    """
    taken = take_lease(store, seconds)
    fence, current = taken["fence"], get_open(taken["rollout"])
    if (current or {}).get("id") != (seen or {}).get("id"):
        store.send("release_lease", scope=store.scope, fence=fence)
        raise PlanError("another run has begun or ended a rollout meanwhile: run this one again")
    if current is None:
        store.send("save_plan", scope=store.scope, document=document, by=store.person.name)
        rollout_id = store.send(
            "start_rollout", scope=store.scope, fence=fence, plan_hash=document["hash"], by=store.person.name
        )
    else:
        rollout_id = current["id"]
        # That a slice has stopped a wave is known by the detail until the wave's gate has ended the rollout.
        detail = current["detail"] if is_stopped_by_slice(current) else {}
        store.send("set_status", scope=store.scope, fence=fence, rollout=rollout_id, status="running", detail=detail)
    return {"id": rollout_id, "fence": fence}, current


def is_stopped_by_slice(rollout: t.Mapping[str, t.Any]) -> bool:
    """Whether a slice has stopped the wave that was left to it, be it that a run has resumed the rollout since."""
    return is_left_to_slices(rollout, "halted") or is_left_to_slices(rollout, "running")


def build_todo(left: batches.Agenda) -> dict[str, t.Any]:
    """What is left to do, as plays take it: their hosts, and how many of them each batch has."""
    return {
        "batches": [batch.as_result() for batch in left.batches],
        "hosts": [host for batch in left.batches for host in batch.hosts],
        "sizes": [len(batch.hosts) for batch in left.batches],
        "changed": left.changed,
    }
