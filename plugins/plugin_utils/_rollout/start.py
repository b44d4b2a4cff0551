# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run of a rollout begins: the plan that it follows, the lease, what is left to do. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    batches,
    budgets,
    host_counts,
    lease,
    outcome,
    pending_rollback,
    plan,
    plan_diff,
    planning,
    references,
    session,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.controls import Controls
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings, apply_values
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import Command, StoreClient


def resolve_plan_hash(store: StoreClient, wanted: str) -> str:
    """The whole hash of the plan that is asked for, by its beginning too; ``''`` where none is.

    :raises PlanError: no plan, or more than one, is meant.
    """
    return session.resolve_plan(store, wanted) if 0 < len(wanted) < references.HASH_LENGTH else wanted


def save_new_plan(
    store: StoreClient,
    fleet: t.Sequence[Host],
    settings: Settings,
    controls: Controls,
    plan_hash: str,
    mode: str,
    last: t.Any,
) -> session.Begun:
    """Plans, keeps the plan in the store, and begins nothing. Where a rollout is open the plan is that one's.

    :param controls: what a rollout of the plan goes by, unless it was planned before.
    :param plan_hash: the plan that is asked for, or ``''``.
    :param last: the last rollout of the scope, as the store shows it.
    :raises PlanError: it cannot be planned, or not as it was asked for.
    """
    _require_reachable(fleet, settings)
    fleet_by_name = {host.name: host for host in fleet}
    current = session.get_open(last)
    if mode == "plan" and current is not None and pending_rollback.ENDS not in current["detail"]:
        planned = _load_or_build_plan(store, fleet, settings, current, plan_hash)
        planned = dataclasses.replace(planned, outline=apply_values(planned.outline, controls.run))
        _require_planned_hosts(planned, fleet_by_name, current)
        fleet_by_name.update(_expect_planned(planned, fleet_by_name, controls))
        agenda = _build_agenda(planned, fleet_by_name, current)
        return session.Begun(Run(mode, planned.hash), planned, agenda, resumed=True)
    planned = _load_or_build_plan(store, fleet, settings, None, plan_hash)
    _require_planned_hosts(planned, fleet_by_name, None)
    before = _compare_with_previous(store.send("load_last_plan", scope=store.scope), planned)
    kept = None if plan_hash else controls.as_document(planned.hosts)
    store.send("save_plan", scope=store.scope, document=planned.as_document(), by=store.person.name, controls=kept)
    owed = _find_owed(last, fleet_by_name, settings)
    agenda = _build_agenda(planned, fleet_by_name, None)
    begun = session.Begun(Run(mode, planned.hash), planned, agenda, owed=owed, before=before)
    if mode == "plan":
        return begun
    return session.save(store, begun, session.State(time.time(), time.time()), controls.hosts)


def begin_rollout(
    store: StoreClient,
    fleet: t.Sequence[Host],
    settings: Settings,
    controls: Controls,
    plan_hash: str,
    last: t.Any,
    terms: lease.LeaseTerms,
) -> session.Begun:
    """Plans, or resumes the rollout that is open, and takes the lease.

    :param controls: what the rollout goes by.
    :param plan_hash: the plan that is asked for, or ``''``.
    :param last: the last rollout of the scope, as the store shows it.
    :raises PlanError: it cannot be planned, or not as it was asked for.
    :raises StoreError: the store cannot be used, or another run has the lease.
    """
    _require_reachable(fleet, settings)
    fleet_by_name = {host.name: host for host in fleet}
    current = session.get_open(last)
    owed = _find_owed(last, fleet_by_name, settings)
    if owed is not None:
        return pending_rollback.resume(store, last, owed, controls.hosts, terms)
    planned = _load_or_build_plan(store, fleet, settings, current, plan_hash)
    planned = dataclasses.replace(planned, outline=apply_values(planned.outline, controls.run))
    _require_planned_hosts(planned, fleet_by_name, current)
    fleet_by_name.update(_expect_planned(planned, fleet_by_name, controls))
    run, resumed, now = Run("rollout", planned.hash), current is not None, time.time()
    commands: list[Command] = []
    if planned.waves and not store.read_only:
        run, current, commands = session.open_rollout(store, planned, current, terms)
        commands.append(_build_controls(store, run, planned, controls))
    gates = current["gates"] if current else []
    outcomes = current["outcomes"] if current else {}
    begun = session.Begun(
        run,
        planned,
        _build_agenda(planned, fleet_by_name, current),
        sorted(
            name for name, row in outcomes.items() if row["outcome"] == "rollback_pending" and name in fleet_by_name
        ),
        resumed,
    )
    state = session.State(
        now, current["started"] if current else now, batches.get_soak_starts(gates), controls=controls.run
    )
    return session.save(store, begun, state, controls.hosts, commands)


def _build_controls(store: StoreClient, run: Run, planned: plan.Plan, controls: Controls) -> Command:
    """The command that keeps what the rollout goes by, where that has changed."""
    version = controls.record.version if controls.record else 0
    return store.build(
        "keep_controls",
        scope=store.scope,
        fence=run.fence,
        rollout=run.id,
        version=version,
        controls=controls.as_document(planned.hosts) if controls.changes or not version else None,
        changes=controls.list_changes(store.person.name),
    )


def _expect_planned(planned: plan.Plan, fleet: t.Mapping[str, Host], controls: Controls) -> dict[str, Host]:
    """The hosts that were asked with another policy than they are changed with: what they would get by that one says
    nothing. The change itself takes what was planned, by the policy that is recorded, or nothing.
    """
    names = controls.asked_otherwise & {*planned.hosts} & {*fleet}
    return {
        name: dataclasses.replace(fleet[name], kmp=planned.hosts[name].kmp, left_out=None)
        for name in names
        if fleet[name].build_id is not None
    }


def _find_owed(last: t.Any, fleet: t.Mapping[str, Host], settings: Settings) -> list[str] | None:
    """The hosts that the next run does nothing but roll back, None where it does more."""
    if not last:
        return None
    current = session.get_open(last)
    # A rollout that was resumed for that only goes no further, whatever has become of that.
    only_pending = bool(current and pending_rollback.ENDS in current["detail"])
    owed = [] if current and not only_pending else pending_rollback.list_hosts(last, fleet, settings)
    return owed if owed or only_pending else None


def _build_agenda(
    planned: plan.Plan, fleet: t.Mapping[str, Host], current: t.Mapping[str, t.Any] | None
) -> list[batches.Batch]:
    """:param current: the open rollout, None where it is only beginning."""
    if current is None:
        return batches.build_agenda(planned, fleet, {}, ())
    passed = batches.list_passed_waves(current["gates"])
    stopped = _find_stopped_waves(planned.outline, current)
    return batches.build_agenda(planned, fleet, current["outcomes"], passed, stopped, current["id"])


def _find_stopped_waves(outline: plan.Outline, rollout: t.Mapping[str, t.Any]) -> set[int]:
    """The waves that a slice has stopped, or in which more hosts failed than may: the run that found that has died
    before it could end the rollout.
    """
    stopped = {rollout["detail"]["wave"]} if session.is_stopped_by_slice(rollout) else set()
    groups = budgets.group_outcomes(
        (row["wave"], row["cohort"], row["outcome"]) for row in rollout["outcomes"].values()
    )
    for number in range(len(outline.waves)):
        # How large a batch was is not recorded.
        totals = budgets.Totals.from_groups(groups, number)
        if outline.waves[number].is_strict:
            of_wave = [
                outcome.load_outcome(name, row, row["cohort"])
                for name, row in rollout["outcomes"].items()
                if row["wave"] == number or (row.get("reserve") and outline.waves[number].kind == plan.CANARIES)
            ]
            totals = totals.weigh_canaries(outline, of_wave)
        if totals.wave and not budgets.assess_wave(outline, number, totals, last=False).passed:
            stopped.add(number)
    return stopped


def _compare_with_previous(last: t.Mapping[str, t.Any] | None, planned: plan.Plan) -> dict[str, t.Any] | None:
    """The plan before this one, and what has changed since; None where there is none that can be understood."""
    if last is None or last["document"].get("schema") != plan.SCHEMA:
        return None
    before = plan.Plan.from_document(last["document"])
    changes = [dataclasses.asdict(change) for change in plan_diff.compare_plans(before, planned)]
    return {"hash": before.hash, "saved": last["saved"], "changes": changes}


def _load_or_build_plan(
    store: StoreClient, fleet: t.Sequence[Host], settings: Settings, current: t.Any, wanted: str
) -> plan.Plan:
    if current is not None:
        if wanted not in ("", current["plan_hash"]):
            raise PlanError(
                f"the plan {wanted} is asked for, and a rollout of the plan {current['plan_hash']} is open. Finish "
                "that one first (run the rollout without livepatch_plan_hash), or abort it (playbook abort)"
            )
        return session.load_plan(store, current["plan_hash"])
    built = planning.build_plan(fleet, settings)
    if wanted in ("", built.hash):
        return built
    document: dict[str, t.Any] | None = store.send("find_plan", plan_hash=wanted)
    if document is None:
        raise PlanError(
            f"plan {wanted} is not in the store; the fleet as it is now gives plan {built.hash}. Run playbook plan, "
            "and use the hash that it prints"
        )
    plan.validate_document(document)
    return plan.Plan.from_document(document)


def _require_reachable(fleet: t.Sequence[Host], settings: Settings) -> None:
    unreachable = [host.name for host in fleet if host.reason.startswith("unreachable: ")]
    budget = host_counts.resolve_count(settings.budgets["unreachable"], len(fleet))
    if budget is not None and len(unreachable) > budget:
        raise PlanError(
            f"{len(unreachable)} of {len(fleet)} hosts cannot be reached, and livepatch_budget_unreachable is "
            f"{budget}. Nothing was done. Look at the network, or at the inventory; the first of them are "
            f"{', '.join(unreachable[:5])}"
        )


def _require_planned_hosts(
    planned: plan.Plan, fleet: t.Mapping[str, Host], rollout: t.Mapping[str, t.Any] | None
) -> None:
    """A run that leaves planned hosts out would assess waves, and pass canaries, that it does not see: those that have
    something before them, be it their wave's gate.
    """
    outcomes, gates = (rollout["outcomes"], rollout["gates"]) if rollout else ({}, [])
    passed = batches.list_passed_waves(gates)
    missing: list[str] = []
    for number, names in enumerate(planned.waves):
        unfinished: tuple[str, ...] = (BEGUN, "pending")
        if number not in passed:
            unfinished = (*unfinished, *outcome.SUCCESSFUL)
        absent = [name for name in names if name not in fleet]
        # One host at least has to be there to come to the gate.
        without_hosts = number not in passed and len(absent) == len(names)
        missing += [
            name for name in absent if without_hosts or outcomes.get(name, {}).get("outcome", "pending") in unfinished
        ]
    if missing:
        more = " and others" if len(missing) > 5 else ""
        raise PlanError(
            f"the plan {planned.hash[:12]} has hosts that this run leaves out ({', '.join(missing[:5])}{more}), "
            "canaries perhaps: run it without --limit, and with the livepatch_targets that it was made with. If they "
            "are gone for good, abort the rollout (playbook abort)"
        )
