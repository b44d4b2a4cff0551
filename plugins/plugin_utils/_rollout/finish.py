# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run of a rollout ends: what became of each host, and of the rollout. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import format_count
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    batches,
    hostvars,
    outcome,
    retention,
    session,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Plan
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

# A run that ended with one of these is resumed by the next one.
OPEN = ("soaking", "waiting", "halted")


@dataclasses.dataclass(frozen=True)
class Ended:
    # nothing, barred (the same where the quarantine keeps hosts out), planned (in check mode), done, failed, soaking,
    # waiting, halted
    status: str
    # Why, and until when
    detail: dict[str, t.Any]
    # None of a slice, which reports nothing but its own hosts
    plan: Plan | None
    outcomes: tuple[outcome.Outcome, ...]
    # The play's hosts as they were when they were asked; not of a rollback, which asks none
    fleet: tuple[Host, ...] = ()
    # The rollout as the store has it, of a rollback with what became of each host; None where none was begun
    stored: dict[str, t.Any] | None = None
    # The scope's, as the store has it
    halt: t.Mapping[str, t.Any] | None = None
    # Whether something in the store is to be removed for its age
    has_old: bool = False
    # What the rollout goes by; empty of a run that only rolls hosts back, and of a slice
    controls: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


def finish_run(store: StoreClient, run: Run, variables_by_host: hostvars.Variables, days: int) -> Ended:
    """Ends the run, by the ``mode`` that it was begun with, and gives the lease back.

    :param variables_by_host: of the play's hosts.
    :param days: for how many of them the store keeps what has ended; 0 for ever.
    :raises StoreError: the store cannot be used, or the lease was lost.
    """
    if run.mode == "slice":
        return _finish_slice(store, run, variables_by_host)
    state, planned, stored = session.load_whole(store, run)
    if run.mode == "rollback":
        return _finish_rollback(store, run, planned, state, stored, days)
    return _finish_rollout(store, run, planned, stored, state, variables_by_host, days)


def _finish_rollout(
    store: StoreClient,
    run: Run,
    planned: Plan,
    stored: t.Mapping[str, t.Any] | None,
    state: session.State,
    variables_by_host: hostvars.Variables,
    days: int,
) -> Ended:
    """Ends the rollout if nothing is left to do in it."""
    fleet = tuple(hostvars.parse_fleet(variables_by_host))
    fleet_by_name = {host.name: host for host in fleet}
    unplanned = [
        outcome.build_unplanned_outcome(host, planned.left_out.get(host.name))
        for host in fleet
        if host.name not in planned.hosts
    ]
    if stored is None:
        present = [row for name, row in planned.hosts.items() if name in variables_by_host]
        outcomes = hostvars.determine_outcomes(present, None, variables_by_host, store.read_only)
        recorded = store.send("show", scope=store.scope)
        opened = session.get_open(recorded["rollout"])
        if opened is not None and opened["plan_hash"] == run.hash:
            # In check mode: what is done of it stays as it is.
            outcomes = [_load_ended(row, opened["outcomes"].get(row.host), fleet_by_name) for row in outcomes]
        status, detail = ("planned" if planned.hosts else "nothing"), {}
        barred = [row.host for row in unplanned if row.barred]
        if barred and not planned.hosts:
            clear = "playbook quarantine lists and clears its entries"
            hosts = format_count(barred, "host is", "hosts are")
            status, detail = "barred", {"text": f"nothing is to be done, and {hosts} barred by the quarantine: {clear}"}
        return Ended(status, detail, planned, (*unplanned, *outcomes), fleet, halt=recorded["halt"])
    confirmations = hostvars.get_member_answers(variables_by_host, hostvars.CONFIRMATION)
    to_confirm = hostvars.list_to_confirm(variables_by_host)
    outcomes = []
    for name, host in planned.hosts.items():
        known = outcome.load_outcome(name, stored["outcomes"].get(name), host.cohort, fleet_by_name.get(name))
        if name in to_confirm:
            known = outcome.apply_confirmation(known, confirmations.get(name), variables_by_host.get(name, {}))
        outcomes.append(known)
    status, detail = _decide_status(planned, state, stored, confirmations)
    # Of pending hosts nothing is recorded: the next run starts them.
    changed = [
        row
        for host_outcome in outcomes
        if host_outcome.outcome != "pending"
        and not _is_stored(row := dataclasses.asdict(host_outcome), stored["outcomes"].get(host_outcome.host))
    ]
    ended, halt, has_old = _end(store, run, status, detail, days, changed)
    return Ended(status, detail, planned, (*unplanned, *outcomes), fleet, ended, halt, has_old, state.controls)


def _load_ended(
    row: outcome.Outcome, stored: t.Mapping[str, t.Any] | None, fleet: t.Mapping[str, Host]
) -> outcome.Outcome:
    """What is recorded of a host whose part in the rollout has ended, else ``row``."""
    if stored is None or stored["outcome"] in ("pending", BEGUN):
        return row
    return outcome.load_outcome(row.host, stored, row.cohort or "", fleet.get(row.host))


def _end(
    store: StoreClient,
    run: Run,
    status: str,
    detail: dict[str, t.Any],
    days: int,
    outcomes: t.Sequence[dict[str, t.Any]] = (),
) -> tuple[dict[str, t.Any], dict[str, t.Any] | None, bool]:
    """The rollout as it is recorded then, without the outcomes of its hosts; the scope's halt; and whether something is
    too old.
    """
    recorded = [store.build_fenced("record_outcomes", outcomes=outcomes)] if outcomes else []
    results = store.send_all(
        *recorded,
        store.build_fenced("set_status", status=status, detail=detail),
        store.build("release_lease", scope=store.scope, fence=run.fence),
        store.build("get_halt", scope=store.scope),
        *retention.build_question(store, days),
    )
    ended, _released, halt, *has_old = results[len(recorded) :]
    return ended, halt, any(has_old)


def _decide_status(
    planned: Plan, state: session.State, stored: t.Mapping[str, t.Any], confirmations: t.Mapping[str, Answer]
) -> tuple[str, dict[str, t.Any]]:
    status, detail = stored["status"], stored["detail"] or {}
    if state.ends is not None:
        status, detail = state.ends["status"], state.ends["detail"]
    elif status == "running":
        left = set(range(len(planned.waves))) - batches.list_passed_waves(stored["gates"])
        status = "halted" if left else "done"
        detail = {"text": "the run ended before its end: run the rollout again"} if left else {}
    if status == "done" and any(answer.halted for answer in confirmations.values()):
        status = "halted"
        detail = {"text": "a halt kept canaries' next boots from having the patch: run the rollout again"}
    return status, detail


def _is_stored(row: t.Mapping[str, t.Any], stored: t.Mapping[str, t.Any] | None) -> bool:
    return stored is not None and all(key in stored and stored[key] == value for key, value in row.items())


def _finish_slice(store: StoreClient, run: Run, variables_by_host: hostvars.Variables) -> Ended:
    """A slice ends its own part of the wave only, and reads no more of the plan."""
    fleet = tuple(hostvars.parse_fleet(variables_by_host))
    planned, recorded, stored = session.load_slice(store, run, [host.name for host in fleet])
    if stored is None:
        present = [planned[host.name] for host in fleet]
        outcomes = hostvars.determine_outcomes(present, run.id, variables_by_host, store.read_only)
        return Ended("planned", {}, None, tuple(outcomes), fleet)
    loaded = tuple(
        outcome.load_outcome(host.name, recorded.get(host.name), planned[host.name].cohort, host) for host in fleet
    )
    store.send("leave_wave", scope=store.scope, fence=run.fence, member=run.member)
    if stored["status"] == "halted":
        return Ended("halted", stored["detail"], None, loaded, fleet)
    refused = hostvars.find_refused_admission(variables_by_host) or {"status": "done", "detail": {}}
    return Ended(refused["status"], refused["detail"], None, loaded, fleet)


def _finish_rollback(
    store: StoreClient, run: Run, planned: Plan, state: session.State, stored: t.Mapping[str, t.Any] | None, days: int
) -> Ended:
    """After hosts were rolled back the rollout is over."""
    # In check mode the run has no lease, and its record is beside the store.
    stored = stored or store.send("show", scope=store.scope)["rollout"]
    outcomes = tuple(
        outcome.load_outcome(name, stored["outcomes"].get(name), planned.hosts[name].cohort) for name in state.hosts
    )
    if store.read_only:
        return Ended("planned", {}, planned, outcomes)
    detail = {"text": "hosts were rolled back (playbook rollback)"}
    failed, halt, has_old = _end(store, run, "failed", detail, days)
    ended = {**failed, "outcomes": stored["outcomes"]}
    return Ended("failed", detail, planned, outcomes, stored=ended, halt=halt, has_old=has_old)
