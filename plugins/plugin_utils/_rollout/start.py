# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run of a rollout begins: the plan that it follows, the lease, what is left to do. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.module_utils._store.rows import explain_not_joinable, is_left_to_slices
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    batches,
    budgets,
    host_counts,
    lease,
    outcome,
    plan,
    plan_diff,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import QuarantineEntry, Settings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient, StoreError

# In the detail of a rollout that was taken up to bring hosts back only: as what it had ended
ENDS = "ends"


def begin(
    store: StoreClient, fleet: t.Sequence[Host], options: t.Mapping[str, t.Any], settings: Settings, read_only: bool
) -> dict[str, t.Any]:
    """Plans, or takes up the rollout that is open, and takes the lease.

    :param options: ``only``, keep the plan and begin nothing; ``plan_hash``, the plan that is asked for, or ``''``;
        ``lease``, seconds without a sign of life after which another run may take over.
    :returns: what the steps of the run work by, see livepatch_plan's documentation.
    :raises PlanError: it cannot be planned, or not as it was asked for.
    :raises StoreError: the store cannot be used, or another run has the lease.
    """
    _insist_on_reaching(fleet, settings)
    only = bool(options["only"])
    by_name = {host.name: host for host in fleet}
    last = None if only else store.send("show", scope=store.scope)["rollout"]
    open_ = _open(last)
    # A rollout that was taken up for that only goes no further, whatever has become of that.
    ends = bool(open_ and ENDS in open_["detail"])
    if last:
        owed = [] if open_ and not ends else _owed(last, by_name, settings.quarantine)
        if owed or ends:
            return _bring_back(store, last, owed, int(options["lease"]), read_only)
    open_ = None if ends else open_
    document = _document(store, fleet, settings, open_, str(options["plan_hash"]))
    _insist_on_everybody(document, by_name, open_)
    held: dict[str, t.Any] = {"id": None, "fence": None}
    resumed = open_ is not None
    before = None
    if only:
        before = _compared(store.send("load_last_plan", scope=store.scope), document)
        store.send("save_plan", scope=store.scope, document=document)
    elif document["waves"] and not read_only:
        held, open_ = _take(store, document, open_, int(options["lease"]))
    recorded = open_["outcomes"] if open_ else {}
    gates = open_["gates"] if open_ else []
    stopped, rollout = (_stopped(document, open_), open_["id"]) if open_ else ((), None)
    left = batches.make(document, by_name, recorded, batches.passed(gates), stopped, rollout)
    return {
        **held,
        "resumed": resumed,
        "before": before,
        "began": time.time(),
        "started": open_["started"] if open_ else time.time(),
        "hash": document["hash"],
        "document": document,
        **_as_result(left),
        "soaking": batches.soaking_since(gates),
        "pending": sorted(name for name, row in recorded.items() if row["outcome"] == "rollback_pending"),
    }


def _stopped(document: t.Mapping[str, t.Any], rollout: t.Mapping[str, t.Any]) -> set[int]:
    """The waves that a slice has stopped, or with which more went wrong than may: whoever found that has died before
    it could end the rollout.
    """
    found = {rollout["detail"]["wave"]} if _stopped_by_slice(rollout) else set()
    rows = {
        name: outcome.load_outcome(name, row, document["hosts"][name]["cohort"])
        for name, row in rollout["outcomes"].items()
        if name in document["hosts"]
    }
    everybody = budgets.count_outcomes(rows.values())
    for number, wave in enumerate(document["waves"]):
        known = [rows[name] for name in wave["hosts"] if name in rows]
        # Of how many a batch was nobody knows any more.
        totals = budgets.Totals(everybody["rollout"], budgets.count_by_outcome(known), {}, everybody["cohorts"])
        if known and not budgets.assess_wave(document, number, totals, known, last=False).passed:
            found.add(number)
    return found


def _stopped_by_slice(rollout: t.Mapping[str, t.Any]) -> bool:
    """Whether a slice has stopped the wave that it was left, be it that a run has taken the rollout up since."""
    return is_left_to_slices(rollout, "halted") or is_left_to_slices(rollout, "running")


def _owed(
    rollout: t.Mapping[str, t.Any], fleet: t.Mapping[str, Host], quarantine: t.Iterable[QuarantineEntry]
) -> list[str]:
    """Who of a rollout that has ended is still to be brought back, and can be reached. Whom somebody has put in
    quarantine is left to that one.
    """
    left = {entry.host for entry in quarantine if entry.host}
    return [
        name
        for name, row in rollout["outcomes"].items()
        if row["outcome"] == "rollback_pending" and name in fleet and fleet[name].build_id and name not in left
    ]


def _bring_back(
    store: StoreClient, rollout: t.Mapping[str, t.Any], owed: list[str], ttl: int, read_only: bool
) -> dict[str, t.Any]:
    """Takes a rollout up that has ended, for nothing else than to bring these hosts back.

    :returns: the same as ``begin``, and as what it ``ends`` again, and to whom it is ``owed``.
    """
    document = _stored(store, rollout["plan_hash"])
    ends = rollout["detail"].get(ENDS) or {"status": rollout["status"], "detail": rollout["detail"]}
    held: dict[str, t.Any] = {"id": None, "fence": None}
    if not read_only:
        held = {"id": rollout["id"], "fence": _hold(store, ttl)}
        ours = {"scope": store.scope, "fence": held["fence"], "rollout": held["id"]}
        # Whoever comes after a run that died in the middle knows by that to start nobody.
        store.send("set_status", **ours, status="running", detail={ENDS: ends, "text": "hosts are brought back"})
    return {
        **held,
        "resumed": True,
        "before": None,
        "began": time.time(),
        "started": rollout["started"],
        "hash": document["hash"],
        "document": document,
        **_as_result(batches.Agenda((), {})),
        "soaking": {},
        "pending": [] if read_only else sorted(owed),
        "ends": ends,
        "owed": sorted(owed),
    }


def _compared(last: t.Mapping[str, t.Any] | None, document: t.Mapping[str, t.Any]) -> dict[str, t.Any] | None:
    """The plan before this one, and what has changed since; None where there is none that can be understood."""
    if last is None or last["document"].get("schema") != plan.SCHEMA:
        return None
    changes = [dataclasses.asdict(one) for one in plan_diff.compare_plans(last["document"], document)]
    return {"hash": last["document"]["hash"], "saved": last["saved"], "changes": changes}


def join(store: StoreClient, fleet: t.Sequence[Host], slices: int, ttl: int, read_only: bool) -> dict[str, t.Any] | str:
    """Takes part, with the hosts that this run has, in the wave that the open rollout has left to slices.

    :param slices: how many of them share what may be in flight.
    :param ttl: seconds without a sign of life of any of them after which another run may take over.
    :returns: the same as ``begin``, and the ``member`` of the lease that this run is; or why there is nothing to do.
    :raises StoreError: the store cannot be used, or another run has the lease.
    """
    joined: dict[str, t.Any]
    if read_only:
        open_ = _open(store.send("show", scope=store.scope)["rollout"])
        why = explain_not_joinable(open_)
        joined = {"fence": None, "member": None, "rollout": None if why else open_, "why": why}
    else:
        joined = store.send("join_wave", scope=store.scope, owner=lease.identify_owner(), ttl=ttl)
    open_ = joined["rollout"]
    if open_ is None:
        return f"no wave is left to slices ({joined['why']})"
    document, wave = _stored(store, open_["plan_hash"]), open_["detail"]["wave"]
    left = batches.share(document, wave, {host.name: host for host in fleet}, open_["outcomes"], slices, open_["id"])
    ours = {"scope": store.scope, "fence": joined["fence"]}
    if left.changed and not read_only:
        outcomes = batches.skipped(document, left.changed)
        store.send("record_outcomes", **ours, rollout=open_["id"], wave=wave, outcomes=outcomes)
    if not left.batches:
        if not read_only:
            store.send("leave_wave", **ours, member=joined["member"])
        return f"wave {wave} has none of these hosts, or they have ended"
    return {
        **_as_result(left),
        "id": open_["id"],
        "fence": joined["fence"],
        "member": joined["member"],
        "wave": wave,
        "began": time.time(),
        "started": open_["started"],
        "hash": document["hash"],
        "document": document,
        # Recorded by now
        "changed": {},
        # Of the wave's gate, which is not a slice's
        "soaking": {},
        "pending": [],
    }


def _as_result(left: batches.Agenda) -> dict[str, t.Any]:
    """What is left to do, as plays take it: their hosts, and how many of them each batch has."""
    return {
        "batches": [batch.as_result() for batch in left.batches],
        "hosts": [host for batch in left.batches for host in batch.hosts],
        "sizes": [len(batch.hosts) for batch in left.batches],
        "changed": left.changed,
    }


def back(
    store: StoreClient, names: t.Collection[str], which: t.Mapping[str, t.Any], reason: str, ttl: int, read_only: bool
) -> dict[str, t.Any]:
    """Chooses who is brought back of the last rollout of the scope, canaries first, and takes the lease.

    What they had is barred from now on: else the next run would only apply it again.

    :param names: the play's hosts.
    :param which: ``wave`` and ``cohort``, None for all.
    :returns: the same as ``begin``.
    :raises PlanError: there is nobody to bring back, or not all of them are in the play.
    """
    shown = store.send("show", scope=store.scope)["rollout"]
    if shown is None:
        raise PlanError(f"no rollout of the scope {store.scope} is recorded: there is nothing to bring hosts back from")
    document = _stored(store, shown["plan_hash"])
    waves = []
    for number, wave in enumerate(document["waves"]):
        rows = {name: shown["outcomes"].get(name, {}) for name in wave["hosts"] if name in names}
        chosen = [name for name, row in rows.items() if _may_go_back(row, document["hosts"][name], number, which)]
        if chosen:
            waves.append(chosen)
    if not waves:
        raise PlanError("none of these hosts has a patch of that rollout that it could be brought back from")
    told: dict[str, t.Any] = {"id": shown["id"], "fence": None}
    if not read_only:
        told["fence"] = _take(store, document, _open(shown), ttl)[0]["fence"] if _open(shown) else _hold(store, ttl)
        cohorts = {document["hosts"][name]["cohort"] for wave in waves for name in wave}
        entries = [
            {"kmp": one["kmp"], "cohort": one["target"], "host": None, "reason": reason, "by": "rollback"}
            for one in document["cohorts"]
            if one["id"] in cohorts
        ]
        store.send("add_to_quarantine", entries=entries)
    most = document["settings"]["max_in_flight"]
    sizes = [len(wave[at : at + most]) for wave in waves for at in range(0, len(wave), most)]
    hosts = [name for wave in waves for name in wave]
    return {**told, "hash": document["hash"], "document": document, "batches": [], "hosts": hosts, "sizes": sizes}


def _may_go_back(
    row: t.Mapping[str, t.Any], planned: t.Mapping[str, t.Any], wave: int, which: t.Mapping[str, t.Any]
) -> bool:
    if which["wave"] not in (None, wave) or which["cohort"] not in (None, planned["cohort"]):
        return False
    # What a lost host has made of it since nobody knows; what is not of this plan it keeps.
    away = (BEGUN, "lost", "rollback_pending", "rollback_refused")
    return row.get("outcome") in away or bool(row.get("applied"))


def _hold(store: StoreClient, ttl: int) -> int:
    """The lease, where no rollout is open."""
    return int(_taken(store, ttl)["fence"])


def _taken(store: StoreClient, ttl: int) -> t.Any:
    return lease.with_takeover(
        lambda **more: store.send("take_lease", scope=store.scope, owner=lease.identify_owner(), ttl=ttl, **more)
    )


def _document(
    store: StoreClient, fleet: t.Sequence[Host], settings: Settings, open_: t.Any, wanted: str
) -> dict[str, t.Any]:
    if open_ is not None:
        if wanted not in ("", open_["plan_hash"]):
            raise PlanError(
                f"the plan {wanted} is asked for, and a rollout of the plan {open_['plan_hash']} is open. Finish that "
                "one first (run the rollout without livepatch_plan_hash), or abort it (playbook abort)"
            )
        return _stored(store, open_["plan_hash"])
    made = plan.build_plan(fleet, settings).as_document()
    if wanted in ("", made["hash"]):
        return made
    try:
        return _stored(store, wanted)
    except StoreError as exc:
        raise PlanError(
            f"the plan {wanted} is asked for. The fleet as it is now gives the plan {made['hash']}; and {exc}. Look at "
            "the plan again (playbook plan), and take its hash"
        ) from exc


def _stored(store: StoreClient, hash_: str) -> dict[str, t.Any]:
    document: dict[str, t.Any] = store.send("load_plan", plan_hash=hash_)
    plan.validate_document(document)
    return document


def _take(store: StoreClient, document: t.Mapping[str, t.Any], seen: t.Any, ttl: int) -> tuple[dict[str, t.Any], t.Any]:
    """The lease, and the rollout under it: the open one as it is now that nobody else writes to it, or a new one."""
    taken = _taken(store, ttl)
    fence, open_ = taken["fence"], _open(taken["rollout"])
    ours = {"scope": store.scope, "fence": fence}
    if (open_ or {}).get("id") != (seen or {}).get("id"):
        store.send("release_lease", **ours)
        raise PlanError("another run has begun or ended a rollout meanwhile: run this one again")
    if open_ is None:
        store.send("save_plan", scope=store.scope, document=document)
        identity = store.send("start_rollout", **ours, plan_hash=document["hash"])
    else:
        identity = open_["id"]
        # That a slice has stopped a wave is known by the detail until the wave's gate has ended the rollout.
        detail = open_["detail"] if _stopped_by_slice(open_) else {}
        store.send("set_status", **ours, rollout=identity, status="running", detail=detail)
    return {"id": identity, "fence": fence}, open_


def _insist_on_reaching(fleet: t.Sequence[Host], settings: Settings) -> None:
    out = [host.name for host in fleet if host.reason.startswith("unreachable: ")]
    most = host_counts.resolve_count(settings.budgets["unreachable"], len(fleet))
    if most is not None and len(out) > most:
        raise PlanError(
            f"{len(out)} of {len(fleet)} hosts cannot be reached, and livepatch_budget_unreachable is {most}. Nothing "
            f"was done. Look at the network, or at the inventory; the first of them are {', '.join(out[:5])}"
        )


def _insist_on_everybody(
    document: t.Mapping[str, t.Any], fleet: t.Mapping[str, Host], rollout: t.Mapping[str, t.Any] | None
) -> None:
    """A run that leaves planned hosts out would judge waves, and pass canaries, that it does not see: those that have
    something before them, be it their wave's gate.
    """
    recorded, gates = (rollout["outcomes"], rollout["gates"]) if rollout else ({}, [])
    passed = batches.passed(gates)
    away = []
    for number, wave in enumerate(document["waves"]):
        todo = (BEGUN, "pending") if number in passed else (BEGUN, "pending", *outcome.SUCCESSFUL)
        gone = [name for name in wave["hosts"] if name not in fleet]
        # Somebody has to be there to come to the gate.
        nobody = number not in passed and len(gone) == len(wave["hosts"])
        away += [name for name in gone if nobody or recorded.get(name, {}).get("outcome", "pending") in todo]
    if away:
        more = " and others" if len(away) > 5 else ""
        raise PlanError(
            f"the plan {document['hash'][:12]} has hosts that this run leaves out ({', '.join(away[:5])}{more}), "
            "canaries perhaps: run it without --limit, and with the livepatch_targets that it was made with. If they "
            "are gone for good, abort the rollout (playbook abort)"
        )


def _open(rollout: t.Any) -> t.Any:
    return rollout if rollout and rollout["ended"] is None else None
