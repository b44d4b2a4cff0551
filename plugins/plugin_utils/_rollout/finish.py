# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run of a rollout ends: what became of each host, and of the rollout. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, hostvars, outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

# A run that ended with one of these is resumed by the next one.
OPEN = ("soaking", "waiting", "halted")


@dataclasses.dataclass(frozen=True)
class Ended:
    # nothing, planned (in check mode), done, failed, soaking, waiting, halted
    status: str
    # Why, and until when
    detail: dict[str, t.Any]
    outcomes: tuple[outcome.Outcome, ...]
    # The play's hosts as they were when they were asked; not of a rollback, which asks none
    fleet: tuple[Host, ...] = ()
    # The rollout as the store has it, of a rollback with what became of each host; None where none was begun
    stored: dict[str, t.Any] | None = None


def finish_run(
    store: StoreClient, rollout: t.Mapping[str, t.Any], variables_by_host: hostvars.Variables, read_only: bool
) -> Ended:
    """Ends the run, by the ``mode`` that it was begun with, and gives the lease back.

    :param variables_by_host: of the play's hosts.
    :raises StoreError: the store cannot be used, or the lease was lost.
    """
    if rollout["mode"] == "slice":
        return _finish_slice(store, rollout, variables_by_host, read_only)
    if rollout["mode"] == "rollback":
        return _finish_rollback(store, rollout, read_only)
    return _finish_rollout(store, rollout, variables_by_host, read_only)


def _finish_rollout(
    store: StoreClient, rollout: t.Mapping[str, t.Any], variables_by_host: hostvars.Variables, read_only: bool
) -> Ended:
    """Ends the rollout if nothing is left to do in it."""
    planned = rollout["document"]["hosts"]
    fleet = tuple(hostvars.parse_fleet(variables_by_host))
    fleet_by_name = {host.name: host for host in fleet}
    left_out = rollout["document"]["left_out"]
    unplanned = [
        outcome.build_unplanned_outcome(host, left_out.get(host.name)) for host in fleet if host.name not in planned
    ]
    if rollout["id"] is None:
        names = [name for name in planned if name in variables_by_host]
        outcomes = hostvars.determine_outcomes(names, rollout, variables_by_host, read_only)
        return Ended("planned" if planned else "nothing", {}, (*unplanned, *outcomes), fleet)
    stored = store.send("show", scope=store.scope)["rollout"]
    confirmations = hostvars.get_member_answers(variables_by_host, hostvars.CONFIRMATION)
    outcomes = [
        outcome.apply_confirmation(
            outcome.load_outcome(name, stored["outcomes"].get(name), row["cohort"], fleet_by_name.get(name)),
            confirmations.get(name),
            variables_by_host.get(name, {}),
        )
        for name, row in planned.items()
    ]
    status, detail = _decide_status(rollout, stored, confirmations)
    # Of pending hosts nothing is recorded: the next run starts them.
    changed = [
        row
        for host_outcome in outcomes
        if host_outcome.outcome != "pending"
        and not _is_stored(row := dataclasses.asdict(host_outcome), stored["outcomes"].get(host_outcome.host))
    ]
    if changed:
        store.send_fenced("record_outcomes", outcomes=changed)
    stored = store.send_fenced("set_status", status=status, detail=detail)
    store.send("release_lease", scope=store.scope, fence=rollout["fence"])
    return Ended(status, detail, (*unplanned, *outcomes), fleet, stored)


def _decide_status(
    rollout: t.Mapping[str, t.Any], stored: t.Mapping[str, t.Any], confirmations: t.Mapping[str, Answer]
) -> tuple[str, dict[str, t.Any]]:
    status, detail = stored["status"], stored["detail"] or {}
    if "ends" in rollout:
        status, detail = rollout["ends"]["status"], rollout["ends"]["detail"]
    elif status == "running":
        left = set(range(len(rollout["document"]["waves"]))) - batches.list_passed_waves(stored["gates"])
        status = "halted" if left else "done"
        detail = {"text": "the run ended before its end: run the rollout again"} if left else {}
    if status == "done" and any(answer.halted for answer in confirmations.values()):
        status = "halted"
        detail = {"text": "a halt kept canaries' next boots from having the patch: run the rollout again"}
    return status, detail


def _is_stored(row: t.Mapping[str, t.Any], stored: t.Mapping[str, t.Any] | None) -> bool:
    return stored is not None and all(key in stored and stored[key] == value for key, value in row.items())


def _finish_slice(
    store: StoreClient, rollout: t.Mapping[str, t.Any], variables_by_host: hostvars.Variables, read_only: bool
) -> Ended:
    """A slice ends its own part of the wave only."""
    fleet = tuple(hostvars.parse_fleet(variables_by_host))
    if read_only:
        outcomes = hostvars.determine_outcomes(rollout["hosts"], rollout, variables_by_host, read_only)
        return Ended("planned", {}, tuple(outcomes), fleet)
    planned = rollout["document"]["hosts"]
    stored = store.send("show", scope=store.scope)["rollout"]
    loaded = tuple(
        outcome.load_outcome(host.name, stored["outcomes"].get(host.name), planned[host.name]["cohort"], host)
        for host in fleet
    )
    store.send("leave_wave", scope=store.scope, fence=rollout["fence"], member=rollout["member"])
    if stored["status"] == "halted":
        return Ended("halted", stored["detail"], loaded, fleet)
    refused = hostvars.find_refused_admission(variables_by_host) or {"status": "done", "detail": {}}
    return Ended(refused["status"], refused["detail"], loaded, fleet)


def _finish_rollback(store: StoreClient, rollout: t.Mapping[str, t.Any], read_only: bool) -> Ended:
    """After hosts were rolled back the rollout is over."""
    stored = store.send("show", scope=store.scope)["rollout"]
    planned = rollout["document"]["hosts"]
    outcomes = tuple(
        outcome.load_outcome(name, stored["outcomes"].get(name), planned[name]["cohort"]) for name in rollout["hosts"]
    )
    if read_only:
        return Ended("planned", {}, outcomes)
    detail = {"text": "hosts were rolled back (playbook rollback)"}
    failed = store.send_fenced("set_status", status="failed", detail=detail)
    store.send("release_lease", scope=store.scope, fence=rollout["fence"])
    return Ended("failed", detail, outcomes, stored={**failed, "outcomes": stored["outcomes"]})
