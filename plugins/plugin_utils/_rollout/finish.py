# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run of a rollout ends: what became of each host, and of the rollout. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import batches, hostvars, outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

# A run that ended with one of these is taken up again by the next one.
OPEN = ("soaking", "waiting", "halted")


@dataclasses.dataclass(frozen=True)
class Ended:
    """``status`` is one of nothing, planned (in check mode), done, failed, soaking, waiting, halted; ``detail`` says
    why. ``shown`` is the rollout as the store has it, without what became of each host; None where none was begun.
    """

    status: str
    detail: dict[str, t.Any]
    outcomes: tuple[outcome.Outcome, ...]
    shown: dict[str, t.Any] | None = None


def end(store: StoreClient, rollout: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any], read_only: bool) -> Ended:
    """Closes the rollout if nothing is left to do in it, and gives the lease back.

    :raises StoreError: the store cannot be used, or the lease was lost.
    """
    variables = hostvars.variables_of(hostvars.everybody(task_vars), task_vars)
    planned = rollout["document"]["hosts"]
    fleet = {host.name: host for host in hostvars.fleet(variables)}
    left_out = rollout["document"]["left_out"]
    outcomes = [
        outcome.build_unplanned_outcome(host, left_out.get(name)) for name, host in fleet.items() if name not in planned
    ]
    if rollout["id"] is None:
        outcomes += hostvars.judged([name for name in planned if name in variables], rollout, variables, read_only)
        return Ended("planned" if planned else "nothing", {}, tuple(outcomes))
    shown = store.send("show", scope=store.scope)["rollout"]
    outcomes += [
        outcome.load_outcome(name, shown["outcomes"].get(name), row["cohort"], fleet.get(name))
        for name, row in planned.items()
    ]
    status, detail = shown["status"], shown["detail"] or {}
    if "ends" in rollout:
        status, detail = rollout["ends"]["status"], rollout["ends"]["detail"]
    elif status == "running":
        left = set(range(len(rollout["document"]["waves"]))) - batches.passed(shown["gates"])
        status = "halted" if left else "done"
        detail = {"text": "the run ended before its end: run the rollout again"} if left else {}
    heard = _heard(variables)
    if status == "done" and any(result.get("halted") for result in heard.values()):
        status, detail = (
            "halted",
            {"text": "a halt kept canaries' next boots from having the patch: run the rollout again"},
        )
    outcomes = [outcome.apply_confirmation(one, heard.get(one.host), variables.get(one.host, {})) for one in outcomes]
    # Of the others nothing is recorded: the next run starts them.
    known = [one for one in outcomes if one.host in planned and one.outcome != "pending"]
    store.send_fenced("record_outcomes", outcomes=[dataclasses.asdict(one) for one in known])
    store.send_fenced("set_status", status=status, detail=detail)
    store.send("release_lease", scope=store.scope, fence=rollout["fence"])
    shown = store.send("show", scope=store.scope)["rollout"]
    shown = {key: value for key, value in shown.items() if key != "outcomes"}
    return Ended(status, detail, tuple(outcomes), shown)


def end_share(
    store: StoreClient, rollout: t.Mapping[str, t.Any], variables: hostvars.Variables, read_only: bool
) -> Ended:
    """The same for a slice, which ends its own part of the wave only.

    :param variables: of its hosts.
    :raises StoreError: the store cannot be used, or the lease was lost.
    """
    document = rollout["document"]
    fleet = {host.name: host for host in hostvars.fleet(variables)}
    if read_only:
        return Ended("planned", {}, tuple(hostvars.judged(rollout["hosts"], rollout, variables, read_only)))
    shown = store.send("show", scope=store.scope)["rollout"]
    outcomes = tuple(
        outcome.load_outcome(name, shown["outcomes"].get(name), document["hosts"][name]["cohort"], host)
        for name, host in fleet.items()
    )
    store.send("leave_wave", scope=store.scope, fence=rollout["fence"], member=rollout["member"])
    if shown["status"] == "halted":
        return Ended("halted", shown["detail"], outcomes)
    turns = (of_host.get(hostvars.TURN) or {} for of_host in variables.values())
    stopped = next((turn for turn in turns if not turn.get("go", True)), None)
    return Ended(stopped["status"], stopped["detail"], outcomes) if stopped else Ended("done", {}, outcomes)


def end_back(store: StoreClient, rollout: t.Mapping[str, t.Any], read_only: bool) -> Ended:
    """The same after hosts were brought back; the rollout is over then.

    :raises StoreError: the store cannot be used, or the lease was lost.
    """
    shown = store.send("show", scope=store.scope)["rollout"]
    planned = rollout["document"]["hosts"]
    outcomes = tuple(
        outcome.load_outcome(name, shown["outcomes"].get(name), planned[name]["cohort"]) for name in rollout["hosts"]
    )
    if read_only:
        return Ended("planned", {}, outcomes)
    detail = {"text": "hosts were brought back (playbook rollback)"}
    store.send_fenced("set_status", status="failed", detail=detail)
    store.send("release_lease", scope=store.scope, fence=rollout["fence"])
    return Ended("failed", detail, outcomes)


def _heard(variables: hostvars.Variables) -> dict[str, t.Any]:
    """What hosts told when the next boot of canaries was to have the patch."""
    heard = {}
    for of_host in variables.values():
        for result in (of_host.get(hostvars.CONFIRMED) or {}).get("results", ()):
            heard[result["__livepatch_member"]] = result
    return heard
