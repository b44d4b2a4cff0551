# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts of a rollout an operator has rolled back. PRIVATE to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

# The KMP is active on a host with one of these, or may be: what a lost host has made of it is not known.
_MAY_BE_ACTIVE = (BEGUN, "lost", "rollback_pending", "rollback_refused")


def begin_rollback(
    store: StoreClient,
    names: t.Collection[str],
    wave: int | None,
    cohort: str | None,
    reason: str,
    lease_seconds: int,
    read_only: bool,
) -> dict[str, t.Any]:
    """Selects hosts of the last rollout of the scope, canaries first, and takes the lease.

    The KMP that they had is in quarantine from now on: else the next run would only apply it again.

    :param names: the play's hosts.
    :param wave: only hosts of this one; ``cohort``: only hosts of this one.
    :returns: what the steps of the run work by, see rollout_begin's documentation.
    :raises PlanError: there is no host to roll back.
    """
    last = store.send("show", scope=store.scope)["rollout"]
    if last is None:
        raise PlanError(f"no rollout of the scope {store.scope} is recorded: there is nothing to roll back")
    document = session.load_plan(store, last["plan_hash"])
    waves = _select_hosts(document, last["outcomes"], names, wave, cohort)
    if not waves:
        raise PlanError("none of these hosts has a patch of that rollout that could be rolled back")
    fence = None if read_only else _take_over(store, document, last, lease_seconds)
    if not read_only:
        cohorts = {document["hosts"][name]["cohort"] for hosts in waves for name in hosts}
        entries = [
            {
                "kmp": planned["kmp"],
                "cohort": planned["target"],
                "host": None,
                "reason": reason,
                "by": store.person.name,
            }
            for planned in document["cohorts"]
            if planned["id"] in cohorts
        ]
        store.send("add_to_quarantine", entries=entries)
    limit = document["settings"]["max_in_flight"]
    return {
        "id": last["id"],
        "fence": fence,
        "mode": "rollback",
        "hash": document["hash"],
        "document": document,
        "batches": [],
        "pending": [],
        "hosts": [name for hosts in waves for name in hosts],
        "sizes": [len(hosts[at : at + limit]) for hosts in waves for at in range(0, len(hosts), limit)],
    }


def _take_over(store: StoreClient, document: t.Mapping[str, t.Any], last: t.Any, lease_seconds: int) -> int:
    current = session.get_open(last)
    if current is None:
        return int(session.take_lease(store, lease_seconds)["fence"])
    held, _rollout = session.open_rollout(store, document, current, lease_seconds)
    return int(held["fence"])


def _select_hosts(
    document: t.Mapping[str, t.Any],
    outcomes: t.Mapping[str, t.Mapping[str, t.Any]],
    names: t.Collection[str],
    wave: int | None,
    cohort: str | None,
) -> list[list[str]]:
    """The hosts of each wave that are rolled back; waves without any are left out."""
    waves = [
        [
            name
            for name in planned["hosts"]
            if name in names
            and wave in (None, number)
            and cohort in (None, document["hosts"][name]["cohort"])
            and _may_be_active(outcomes.get(name, {}))
        ]
        for number, planned in enumerate(document["waves"])
    ]
    return [hosts for hosts in waves if hosts]


def _may_be_active(row: t.Mapping[str, t.Any]) -> bool:
    """Whether the KMP of the plan may be active; any other stays."""
    return row.get("outcome") in _MAY_BE_ACTIVE or bool(row.get("applied"))
