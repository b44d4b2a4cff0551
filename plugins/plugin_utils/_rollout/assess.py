# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a gate: a batch has ended, the wave soaks, the wave is assessed, hosts were rolled back. PRIVATE to the
collection.

What became of hosts is in the store before anything is done about it, so that a run that comes after one that died
knows.
"""

from __future__ import annotations

import collections
import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    batch_end,
    batches,
    budgets,
    canary_reserves,
    changes,
    host_counts,
    hostvars,
    outcome,
    session,
    soak,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gate_input import GateInput
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import SUCCESSFUL, Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

ReadVariables = t.Callable[[t.Iterable[str]], hostvars.Variables]

# What tasks after a step that could not assess go by: nothing more is done to any host.
NO_ASSESSMENT: dict[str, t.Any] = {
    "passed": False,
    "go": False,
    "last": False,
    "held": None,
    "soak": {"probes": [], "until": None},
    "counts": {},
    "barred": [],
    "halted": None,
    "follow": None,
    "confirm": [],
    "rollback": [],
    "shares": {},
    "elsewhere": [],
    "reserves": [],
}
# What may follow for hosts of the batch, or of its wave: they are collected, asked in the soak, confirmed, rolled back.
# The role's tasks that do so are in a file by this name.
COLLECT, SOAK, CONFIRM, ROLL_BACK, RESERVE = "collect", "soak", "confirm", "roll_back", "reserve"


def assess_batch(
    gate: GateInput, admitted: t.Mapping[str, t.Any], read_variables: ReadVariables, options: batch_end.WaveOptions
) -> dict[str, t.Any]:
    """The hosts of a batch have ended, but for those that are slow: records what became of them, and assesses by their
    number. Where nothing is to follow for the wave, this is the last word on it.

    :param admitted: what rollout_admit returned for the batch.
    """
    started, step = admitted["start"], gate.step
    planned = [step.planned[name] for name in started]
    rows = hostvars.determine_outcomes(planned, step.run.id, read_variables(started), gate.read_only)
    refused = None if admitted["go"] else {"status": admitted["status"], "detail": admitted["detail"]}
    counts = budgets.count_by_outcome(rows)
    assessment = {**_assess_hosts(gate, rows, counts, refused=refused), "started": bool(started)}
    return _conclude(gate, assessment, _list_slow(gate, assessment, read_variables), options)


def assess_slow(
    gate: GateInput, assessment: t.Mapping[str, t.Any], read_variables: ReadVariables, options: batch_end.WaveOptions
) -> dict[str, t.Any]:
    """Hosts that were in flight still were asked, or waited for: the same for them.

    :param assessment: what the step before returned.
    """
    loaded, step = gate.load_in_flight(), gate.step
    answers = hostvars.get_member_answers(read_variables(step.batch.hosts), hostvars.SLOW)
    planned = [host for name, host in loaded.planned.items() if name in answers]
    variables = read_variables(host.name for host in planned)
    tasks = {
        name: outcome.TaskAnswers(hostvars.get_answer(of_host, hostvars.INSTALL), answers[name])
        for name, of_host in variables.items()
    }
    rows = hostvars.determine_outcomes(planned, step.run.id, variables, gate.read_only, tasks)
    # What has ended since the batch was admitted
    counts = collections.Counter(assessment["batch_counts"]) + collections.Counter(budgets.count_by_outcome(rows))
    assessed = _assess_hosts(gate, rows, counts, assessment["held"], assessment["refused"])
    assessed["started"] = assessment["started"]
    # Who was waited for to the end, and is in flight all the same, is left to the next run.
    slow = [] if assessment["waits"] else _list_slow(gate, assessed, read_variables, answers)
    return _conclude(gate, assessed, slow, options)


def assess_reserves(
    gate: GateInput,
    assessment: t.Mapping[str, t.Any],
    admitted: t.Mapping[str, t.Any],
    read_variables: ReadVariables,
    options: batch_end.WaveOptions,
) -> dict[str, t.Any]:
    """Hosts were patched in the place of canaries: the same for them. Where they failed others may follow.

    :param assessment: what the step before returned.
    :param admitted: what rollout_admit returned for them.
    """
    step, started = gate.step, admitted["start"]
    answers = hostvars.get_reserve_answers(read_variables(step.batch.hosts))
    planned = session.load_hosts(gate.store, step.run, hosts=started).planned.values() if started else ()
    rows = [
        dataclasses.replace(row, reserve=True)
        for row in hostvars.determine_outcomes(planned, step.run.id, read_variables(started), False, answers)
    ]
    refused = None if admitted["go"] else {"status": admitted["status"], "detail": admitted["detail"]}
    counts = collections.Counter(assessment["batch_counts"]) + collections.Counter(budgets.count_by_outcome(rows))
    assessed = _assess_hosts(gate, rows, counts, assessment["held"], refused)
    assessed["started"] = assessment["started"] or bool(started)
    return _conclude(gate, assessed, [], options)


def assess_probe(gate: GateInput, assessment: t.Mapping[str, t.Any], read_variables: ReadVariables) -> dict[str, t.Any]:
    """The wave's hosts were asked again in the soak.

    :param assessment: what the step before returned, be it another probe.
    """
    wave = gate.load_wave()
    before = {name: row for name, row in wave.outcomes.items() if _is_probed(wave, row)}
    answers = hostvars.get_member_answers(read_variables(gate.step.batch.hosts), hostvars.SOAK_PROBE)
    variables = read_variables(before)
    now = {name: outcome.apply_probe(row, answers.get(name), variables[name]) for name, row in before.items()}
    changed = [row for name, row in now.items() if row != before[name]]
    # A wave's budget is that of its soak: how many a batch of it had is not known any more.
    probed = {
        **_assess_hosts(gate, changed, {}, may_replace=False),
        "soak": assessment["soak"],
        "go": True,
        "follow": SOAK,
    }
    probed["shares"] = _share_probes(gate, wave, [name for name, row in now.items() if _is_probed(wave, row)])
    due = assessment["soak"]["probes"][-1]
    halted = gate.check_halt() if time.time() < due else None
    if halted is not None:
        # This run does not wait for its end any more: the next run does.
        probed.update(soak={"probes": [], "until": due}, halted=halted)
    return probed


def assess_wave(gate: GateInput, assessment: t.Mapping[str, t.Any], options: batch_end.WaveOptions) -> dict[str, t.Any]:
    """The last word on a batch: whether the rollout goes on, which hosts are confirmed, and which are rolled back.

    :param assessment: what the step before returned.
    """
    # Of a batch that is in the middle of its wave nothing more is decided.
    is_over = (
        assessment["last"] or not assessment["passed"] or assessment["held"] is not None or bool(assessment["refused"])
    )
    wave = gate.load_wave() if is_over and not gate.read_only else None
    rows = wave.outcomes if wave else {}
    end = {**assessment, **batch_end.decide_end(gate, assessment, rows, options)}
    none: dict[str, t.Any] = {"follow": None, "rollback": [], "confirm": [], "shares": {}, "elsewhere": []}
    if wave is None:
        return {**end, **none}
    rollback = [row.host for row in batch_end.select_rollback(gate, end, rows, wave.settings)]
    confirm: list[str] = []
    if gate.is_strict and end["go"] and assessment["last"]:
        confirm = [
            name
            for name, row in rows.items()
            if row.outcome in SUCCESSFUL and name not in rollback and name in wave.settings
        ]
    here = set(gate.step.batch.hosts)
    if rollback:
        changes.keep_rollback(gate.step.run, {name: wave.settings[name] for name in rollback if name in here})
    batch_end.record_end(gate, assessment, end, rows, [rows[name] for name in rollback], asks_halt=bool(confirm))
    fence = gate.step.run.fence
    members = [
        {"host": name, "options": wave.settings[name].build_confirmation(wave.planned[name].evr, fence=fence)}
        for name in confirm
    ]
    return {
        **end,
        "follow": "_and_".join([*([CONFIRM] if confirm else []), *([ROLL_BACK] if rollback else [])]) or None,
        "rollback": rollback,
        "confirm": confirm,
        "shares": gate.share_out(members),
        # Hosts that this run does not have stay to be rolled back.
        "elsewhere": [name for name in rollback if name not in here and name in wave.settings],
    }


def assess_rollback(
    store: StoreClient, run: Run, budget: str | None, names: t.Sequence[str], read_variables: ReadVariables
) -> dict[str, t.Any]:
    """These hosts were rolled back, or not.

    :param budget: how many of them need not be.
    """
    before = session.load_hosts(store, run, hosts=list(names)).outcomes
    variables = read_variables(names)
    rows = [
        outcome.apply_rollback(
            before[name], hostvars.get_answer(variables[name], hostvars.ROLLED_BACK), variables[name]
        )
        for name in names
    ]
    store.send_fenced("record_outcomes", outcomes=[dataclasses.asdict(row) for row in rows])
    stuck = [row.host for row in rows if row.outcome != "rolled_back"]
    allowed = host_counts.resolve_count(budget, len(names))
    return {
        "hosts": list(names),
        "counts": budgets.count_by_outcome(rows),
        "go": allowed is None or len(stuck) <= allowed,
        "verdict": f"Rolled back: {len(names) - len(stuck)} of {len(names)}",
    }


def _list_slow(
    gate: GateInput,
    assessment: t.Mapping[str, t.Any],
    read_variables: ReadVariables,
    asked: t.Mapping[str, Answer] | None = None,
) -> list[changes.Running]:
    """The hosts that are asked now. All of those in flight are waited for where the rollout stops, where the wave ends,
    where they are more than a few, or where one cannot be reached: it may have gone down. Else those of earlier batches
    are asked whether they have ended, so that a failure stops the rollout soon after it is one.

    :param asked: what they have answered to that just now.
    """
    if not assessment["in_flight"]:
        return []
    loaded = gate.load_in_flight()
    variables = read_variables(loaded.planned)
    last = {name: hostvars.get_answer(of_host, hostvars.VERIFY) for name, of_host in variables.items()}
    last.update(asked or {})
    goes_on = assessment["passed"] and assessment["held"] is None and not assessment["refused"]
    is_lost = any(answer is not None and answer.lost for answer in last.values())
    waits = not goes_on or is_lost or len(loaded.planned) > gate.step.batch.room
    here = set(gate.step.batch.hosts)
    slow = []
    for name, planned in loaded.planned.items():
        settings = loaded.settings[name]
        patience = None if waits else 0
        change = changes.Change({}, settings.build_info(planned.evr), settings.unreachable_timeout, patience)
        running = hostvars.find_running(name, variables[name], change)
        if running is not None and (waits or (asked is None and name not in here)):
            slow.append(running)
    return slow


def _conclude(
    gate: GateInput, assessment: dict[str, t.Any], slow: t.Sequence[changes.Running], options: batch_end.WaveOptions
) -> dict[str, t.Any]:
    """What follows for hosts of the batch or the wave; the last word, where nothing does.

    :param slow: the hosts that are asked, or waited for.
    """
    if slow:
        shares = gate.share_out([dataclasses.asdict(running) for running in slow])
        waits = all(running.patience is None for running in slow)
        return {**assessment, "go": True, "follow": COLLECT, "waits": waits, "shares": shares}
    if assessment["reserves"]:
        return {**assessment, "go": True, "follow": RESERVE}
    soaks = assessment["last"] and assessment["passed"] and not gate.read_only
    if soaks:
        assessment = _begin_soak(gate, assessment, options)
    return assessment if assessment["follow"] else assess_wave(gate, assessment, options)


def _begin_soak(gate: GateInput, assessment: dict[str, t.Any], options: batch_end.WaveOptions) -> dict[str, t.Any]:
    soaking_since = gate.step.state.soaking.get(str(gate.wave))
    now = time.time()
    began = now if assessment["started"] or soaking_since is None else soaking_since
    # Recorded once: the soak is counted from it, by this run and by those after it. Without a soak it is recorded with
    # the wave's end.
    if began == now and options.soak <= 0:
        return {**assessment, "unrecorded": True}
    if began == now:
        gate.store.send_all(gate.build_verdict(batches.HOSTS, "pass", assessment["verdict"]))
    schedule = soak.schedule(began, options.soak, now, options.run_ends)
    soaking = {**assessment, "soak": dataclasses.asdict(schedule)}
    if not schedule.probes:
        return soaking
    wave = gate.load_wave()
    healthy = [name for name, row in wave.outcomes.items() if _is_probed(wave, row)]
    return {**soaking, "go": True, "follow": SOAK, "shares": _share_probes(gate, wave, healthy)}


def _is_probed(wave: session.LoadedHosts, row: Outcome) -> bool:
    """Of a wave that has passed, hosts may be missing in this run."""
    return row.outcome in SUCCESSFUL and row.host in wave.settings


def _share_probes(gate: GateInput, wave: session.LoadedHosts, names: t.Iterable[str]) -> dict[str, t.Any]:
    """Which of these hosts each host of the batch asks in the soak, by their own settings."""
    return gate.share_out([{"host": name, **wave.settings[name].build_probe()} for name in names])


#
# Assessing hosts
#


def _assess_hosts(
    gate: GateInput,
    news: t.Sequence[Outcome],
    batch_counts: budgets.Counts,
    held_before: str | None = None,
    refused: t.Mapping[str, t.Any] | None = None,
    may_replace: bool = True,
) -> dict[str, t.Any]:
    """:param news: what is known of hosts since the step before.
    :param batch_counts: how many hosts of the batch have come to which outcome.
    :param held_before: as ``held``, of the step before.
    :param refused: why the batch was not admitted, as ``status`` and ``detail``: none of its hosts was to start.
    :param may_replace: whether other hosts may take the place of canaries.
    """
    batch = gate.step.batch
    if gate.read_only:
        groups = budgets.group_outcomes((gate.wave, row.cohort, row.outcome) for row in news)
    else:
        # Of a host in flight that a halt kept from being asked nothing is known that was not known before.
        known = [row for row in news if not (row.halted and batch.in_flight)]
        groups = gate.record_outcomes(known, batch.last)
    totals = budgets.Totals.from_groups(groups, gate.wave, batch_counts)
    counts = totals.count_wave(gate.plan.waves[gate.wave].hosts)
    # A host that a halt has kept from starting is not bad, and the wave is not over: the next run goes on with it.
    held = [row for row in news if row.halted]
    held_by = f"{len(held)} of its hosts {held[0].reason}" if held else held_before
    last = batch.last and held_by is None and refused is None
    in_flight = totals.wave.get(BEGUN, 0)
    reserves: list[str] = []
    if gate.is_strict and (budgets.count_bad(totals.wave) or totals.wave.get("skipped")):
        rows = list(news) if gate.read_only else list(gate.load_wave().outcomes.values())
        totals = totals.weigh_canaries(gate.plan, rows)
        if may_replace and last and not in_flight and not gate.read_only:
            reserves = canary_reserves.select_reserves(gate.plan, rows)
    # Where others take their place the wave is not over yet.
    verdict = budgets.assess_wave(gate.plan, gate.wave, totals, last and not reserves, gate.read_only)
    return {
        "wave": gate.wave,
        "last": last,
        "passed": verdict.passed,
        "held": held_by,
        # Why the batch was not admitted, of the step that asks whether others have ended
        "refused": refused,
        # Whether the hosts that follow are waited for to their end
        "waits": False,
        # How many hosts of the wave have begun and not ended, those of other slices too
        "in_flight": in_flight,
        "verdict": verdict.text,
        # The same, whatever gates add to it
        "of_hosts": verdict.text,
        "barred": list(verdict.barred),
        "halted": None,
        # That its hosts passed, which is recorded with the rest where the wave does not soak
        "unrecorded": False,
        "counts": counts,
        # Hosts that are patched next in the place of canaries
        "reserves": reserves if verdict.passed else [],
        "batch_counts": dict(batch_counts),
        "follow": None,
        "shares": {},
        "soak": dataclasses.asdict(soak.Soak((), None)),
    }
