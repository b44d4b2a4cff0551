# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run is: the lease that it holds, the rollout that it works on under it, and what its steps work by. PRIVATE to
the collection.

Steps hand over nothing but what a run is known by; what they work by is in the store.
"""

from __future__ import annotations

import dataclasses
import typing as t
import uuid

from ansible_collections.fleet.livepatch.plugins.module_utils._store.rows import is_left_to_slices
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import host_settings, lease, references, scratch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.batches import Batch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome, load_outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import (
    Outline,
    Plan,
    PlannedHost,
    validate_document,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.schema import PREFIX
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import apply_values
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import Command, StoreClient


@dataclasses.dataclass(frozen=True)
class State:
    """What a run was begun with."""

    # When, in seconds since the epoch, and when the rollout was
    began: float
    started: float
    # By wave, as text, when the last of its hosts was done
    soaking: t.Mapping[str, float] = dataclasses.field(default_factory=dict)
    # As what the rollout ends, of a run that only rolls hosts back
    ends: t.Mapping[str, t.Any] | None = None
    # The hosts of a rollback
    hosts: tuple[str, ...] = ()
    # By setting, what the rollout goes by; empty of a run that only rolls hosts back
    controls: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Step:
    """What a step on a batch works on."""

    run: Run
    state: State
    plan: Outline
    batch: Batch
    # The batch's hosts
    planned: t.Mapping[str, PlannedHost]

    def get_controls(self, options: t.Iterable[str]) -> dict[str, t.Any]:
        """Settings that the rollout goes by.

        :param options: their names without the prefix, as those of the values are.
        """
        return {option: self.state.controls[PREFIX + option] for option in options}


@dataclasses.dataclass(frozen=True)
class LoadedHosts:
    """Hosts of a run, by name."""

    planned: dict[str, PlannedHost]
    # Those of which nothing is recorded are pending.
    outcomes: dict[str, Outcome]
    # Of those that are in the run
    settings: dict[str, HostSettings]


@dataclasses.dataclass(frozen=True)
class Begun:
    """A run that has begun: what its steps hand over, and what it does."""

    run: Run
    plan: Plan
    batches: t.Sequence[Batch] = ()
    # Those of earlier batches that are still to be rolled back
    pending: t.Sequence[str] = ()
    # The rollout was open before
    resumed: bool = False
    # The run does nothing but roll these back; None where it does more
    owed: t.Sequence[str] | None = None
    # The plan before it, and what has changed since
    before: t.Mapping[str, t.Any] | None = None

    @property
    def hosts(self) -> list[str]:
        return [host for batch in self.batches for host in batch.hosts]

    @property
    def sizes(self) -> list[int]:
        """How many hosts each batch has."""
        return [len(batch.hosts) for batch in self.batches]


def get_open(rollout: t.Any) -> t.Any:
    """A rollout that the store shows if it is open, else None."""
    return rollout if rollout and rollout["ended"] is None else None


def resolve_plan(store: StoreClient, text: str) -> str:
    """The hash of a plan in the store, by its first digits; see ``references.resolve_plan``."""
    return references.resolve_plan("livepatch_plan_hash", text, lambda prefix: store.send("find_plans", prefix=prefix))


def load_plan(store: StoreClient, plan_hash: str) -> Plan:
    """:raises StoreError: there is no such plan.
    :raises PlanError: it was made by another version of the collection.
    """
    document: dict[str, t.Any] = store.send("load_plan", plan_hash=plan_hash)
    validate_document(document)
    return Plan.from_document(document)


def take_lease(store: StoreClient, terms: lease.LeaseTerms) -> dict[str, t.Any]:
    """The lease of the scope, with its ``fence`` and the ``rollout`` of the scope.

    :raises StoreError: another run holds it.
    """
    owner = lease.identify_owner(store.person.name)
    taken: dict[str, t.Any] = lease.with_takeover(
        lambda **more: store.send("take_lease", scope=store.scope, owner=owner, ttl=terms.seconds, **more), terms
    )
    return taken


def open_rollout(
    store: StoreClient, plan: Plan, seen: t.Any, terms: lease.LeaseTerms
) -> tuple[Run, t.Any, list[Command]]:
    """The lease, and the rollout under it: the open one as it is now that no other run writes to it, or a new one.

    :param seen: the open rollout as it was before the lease was taken, None where there was none.
    :returns: the run that has it; the open rollout, None where it is new; and the commands that begin it, or go on with
        it, to be sent with the rest.
    :raises PlanError: another run has begun or ended one meanwhile.
    """
    taken = take_lease(store, terms)
    fence, current = taken["fence"], get_open(taken["rollout"])
    if (current or {}).get("id") != (seen or {}).get("id"):
        store.send("release_lease", scope=store.scope, fence=fence)
        raise PlanError("another run has begun or ended a rollout meanwhile: run this one again")
    run = Run("rollout", plan.hash, id=current["id"] if current else uuid.uuid4().hex, fence=fence)
    held, by = {"scope": store.scope, "fence": fence, "rollout": run.id}, store.person.name
    if current is None:
        saved = store.build("save_plan", scope=store.scope, document=plan.as_document(), by=by)
        return run, None, [saved, store.build("start_rollout", plan_hash=plan.hash, by=by, **held)]
    # That a slice has stopped a wave is known by the detail until the wave's gate has ended the rollout.
    detail = current["detail"] if is_stopped_by_slice(current) else {}
    return run, current, [store.build("set_status", status="running", detail=detail, **held)]


def is_stopped_by_slice(rollout: t.Mapping[str, t.Any]) -> bool:
    """Whether a slice has stopped the wave that was left to it, be it that a run has resumed the rollout since."""
    return is_left_to_slices(rollout, "halted") or is_left_to_slices(rollout, "running")


def save(
    store: StoreClient,
    begun: Begun,
    state: State,
    settings: t.Mapping[str, HostSettings],
    first: t.Sequence[Command] = (),
) -> Begun:
    """Keeps what the steps of a run work by. Without a lease that is beside the store, which stays as it is.

    :param settings: those of the play's hosts.
    :param first: what is sent to the store before it, with it.
    :returns: the run as its steps know it.
    """
    run = dataclasses.replace(begun.run, run=uuid.uuid4().hex)
    saved = store.build(
        "save_run",
        scope=store.scope,
        fence=run.fence,
        run=run.run,
        rollout=run.id,
        plan_hash=run.hash,
        payload=dataclasses.asdict(state),
        batches=[dataclasses.asdict(batch) for batch in begun.batches],
        settings=host_settings.pack(settings),
    )
    if run.fence is None:
        first = [store.build("save_plan", scope=store.scope, document=begun.plan.as_document())]
    store.send_own(run, *first, saved)
    return dataclasses.replace(begun, run=run)


def load_outline(store: StoreClient, run: Run) -> tuple[State, Outline]:
    """What a run was begun with, and the plan that it follows, without its hosts.

    :raises StoreError: another run has taken over.
    """
    (loaded,) = store.send_own(run, store.build("load_run", run=run.run))
    return _parse_state(loaded), _parse_outline(loaded)


def load_whole(store: StoreClient, run: Run) -> tuple[State, Plan, dict[str, t.Any] | None]:
    """What a run was begun with, its whole plan, and the rollout as it is recorded, None where nothing was begun.

    :raises StoreError: another run has taken over.
    """
    (loaded,) = store.send_own(run, store.build("load_whole", run=run.run))
    return _parse_state(loaded), Plan.from_document(loaded["plan"]), loaded["rollout"]


def load_slice(
    store: StoreClient, run: Run, hosts: t.Sequence[str]
) -> tuple[dict[str, PlannedHost], dict[str, t.Any], dict[str, t.Any] | None]:
    """What is planned for the hosts of a slice, what is recorded of them, and the rollout without its history, None
    where nothing was begun.

    :raises StoreError: another run has taken over.
    """
    (loaded,) = store.send_own(run, store.build("load_slice", run=run.run, hosts=list(hosts)))
    planned = {name: PlannedHost.from_row(name, row) for name, row in loaded["planned"].items()}
    return planned, loaded["outcomes"], loaded["rollout"]


def load_hosts(store: StoreClient, run: Run, **which: t.Any) -> LoadedHosts:
    """What is planned for hosts, and what has become of them.

    :param which: ``wave``, ``hosts`` or ``cohorts``.
    :raises StoreError: another run has taken over.
    """
    (loaded,) = store.send_own(run, store.build("load_hosts", run=run.run, **which))
    return parse_hosts(loaded)


def parse_hosts(loaded: t.Mapping[str, t.Any]) -> LoadedHosts:
    """:param loaded: the store's answer to load_hosts."""
    planned = {name: PlannedHost.from_row(name, row) for name, row in loaded["planned"].items()}
    outcomes = {name: load_outcome(name, loaded["outcomes"].get(name), host.cohort) for name, host in planned.items()}
    return LoadedHosts(planned, outcomes, host_settings.unpack(loaded["settings"]))


def load_step(store: StoreClient, run: Run, hosts: t.Sequence[str]) -> Step:
    """What a step on a batch works on.

    :param hosts: those of the play's batch, of which Ansible may have dropped some.
    :raises PlanError: they are in no batch of the run.
    :raises StoreError: another run has taken over.
    """
    loaded = scratch.recall(f"step of {run.run}")
    if loaded is None or not set(hosts) & set(loaded["batch"]["hosts"]):
        (loaded,) = store.send_own(run, store.build("load_step", run=run.run, hosts=list(hosts)))
    return _parse_step(run, loaded)


def load_admission(store: StoreClient, run: Run, hosts: t.Sequence[str]) -> tuple[Step, dict[str, t.Any]]:
    """As ``load_step``, with what the store has of all that may hold hosts back."""
    loaded: dict[str, t.Any]
    (loaded,) = store.send_own(run, store.build("load_admission", run=run.run, hosts=list(hosts)))
    step = _parse_step(run, loaded)
    scratch.remember(f"step of {run.run}", {key: loaded[key] for key in ("run", "plan", "batch", "planned")})
    return step, loaded


def _parse_step(run: Run, loaded: t.Mapping[str, t.Any]) -> Step:
    if loaded["batch"] is None:
        raise PlanError(
            "none of the play's hosts is in a batch of the rollout: the option rollout is another run's. Give it what "
            "rollout_begin has returned in this run"
        )
    return Step(
        run,
        _parse_state(loaded),
        _parse_outline(loaded),
        Batch.from_document(loaded["batch"]),
        {name: PlannedHost.from_row(name, row) for name, row in loaded["planned"].items()},
    )


def _parse_outline(loaded: t.Mapping[str, t.Any]) -> Outline:
    """The plan's, as the rollout goes by its settings now."""
    return apply_values(Outline.from_document(loaded["plan"]), loaded["run"].get("controls", {}))


def _parse_state(loaded: t.Mapping[str, t.Any]) -> State:
    return State(**{**loaded["run"], "hosts": tuple(loaded["run"]["hosts"])})
