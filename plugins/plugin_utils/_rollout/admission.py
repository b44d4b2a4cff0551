# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a batch may start, and the record that it does. PRIVATE to the collection."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import SLICES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    approvals,
    batches,
    change_windows,
    changes,
    halt,
    host_settings,
    outcome,
    session,
    timeouts,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import PlannedHost
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Quarantine, QuarantineEntry
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

# Seconds after which a slow host is left to a later step
_PATIENCE = 10


def admit_batch(
    store: StoreClient, step: session.Step, stored: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Asks the halt, the quarantine, approvals and windows, and records the hosts that start, before they do.

    :param stored: what the store has of all that may hold hosts back.
    :param options: the settings that may, without their prefix.
    :returns: ``go``; ``start``, the hosts, whose ``changes`` are kept for the tasks that come next; where they do not
        go ``status`` and ``detail``; whether hosts of earlier batches are ``in_flight``.
    :raises StoreError: the store cannot be used, or the lease was lost.
    """
    run, batch, planned = step.run, step.batch, step.planned
    settings = host_settings.unpack(stored["settings"])
    admission = {
        "go": True,
        "wave": batch.wave,
        "wave_name": step.plan.name_wave(batch.wave),
        "start": list(batch.starts),
        "in_flight": False,
    }
    if store.read_only:
        changes.keep({name: _build_change(step, planned[name], settings[name], begun=False) for name in batch.starts})
        return admission
    # The changes of the batch before are none of this one.
    changes.keep({})
    admission["in_flight"] = bool(stored["in_flight"])
    # A host in flight finishes, and has to be looked at, whatever has been barred since.
    barred = {} if batch.in_flight else _find_barred(step, stored)
    # A host that has taken a canary's place is done.
    starts = [name for name in batch.starts if name not in barred and name not in stored["reserves"]]
    if starts and not batch.in_flight:
        waits = _find_wait(step, stored, options, [settings[name] for name in starts])
        if waits is not None:
            return {**admission, **_stop(store, run, "waiting", waits)}
    left_out = {**barred, **batch.changed}
    cohorts = {name: planned[name].cohort for name in barred}
    if batch.changed:
        others = session.load_hosts(store, run, hosts=list(batch.changed)).planned
        cohorts.update({name: host.cohort for name, host in others.items()})
    # Before anything is recorded: a host that is recorded as begun has a change.
    # What holds others back was not asked for those in flight: nothing new is begun on them.
    changes.keep({name: _build_change(step, planned[name], settings[name], begun=batch.in_flight) for name in starts})
    begun = store.send_fenced(
        "begin_hosts", wave=batch.wave, hosts=starts, skipped=batches.build_skipped_rows(left_out, cohorts)
    )
    if not begun["go"]:
        changes.keep({})
        text = halt.describe_halt(begun["halt"])
        return {**admission, **_stop(store, run, "halted", {"wave": batch.wave, "text": text})}
    return {**admission, "start": starts}


def refuse(error: str) -> dict[str, t.Any]:
    """The answer where it cannot be decided whether the batch may start: no host does."""
    # Where nothing can be written, nothing was kept either.
    with contextlib.suppress(PlanError):
        changes.keep({})
    return {"go": False, "start": [], "shares": {}, "in_flight": True, "status": "halted", "detail": {"text": error}}


def admit_rollback(store: StoreClient, run: Run, names: t.Sequence[str]) -> dict[str, t.Any]:
    """Keeps the changes of hosts that go back. No halt holds them up."""
    loaded = session.load_hosts(store, run, hosts=list(names))
    changes.keep_rollback(run, loaded.settings)
    return {"go": True, "start": list(loaded.settings)}


def admit_reserves(
    store: StoreClient,
    step: session.Step,
    stored: t.Mapping[str, t.Any],
    options: t.Mapping[str, t.Any],
    names: t.Sequence[str],
) -> dict[str, t.Any]:
    """The same for hosts that take the place of canaries of the batch, each with what is done there as one of the
    ``members`` that hosts of the batch share.
    """
    wave = step.batch.wave
    admission: dict[str, t.Any] = {"go": True, "wave": wave, "start": [], "members": [], "in_flight": False}
    admission["wave_name"] = f"{step.plan.name_wave(wave)}, reserves"
    loaded = session.load_hosts(store, step.run, hosts=names)
    begun = [name for name in names if loaded.outcomes[name].reason == outcome.IN_FLIGHT]
    fresh = [name for name in names if name not in begun]
    quarantine = Quarantine(QuarantineEntry.from_row(row) for row in stored["quarantine"])
    left_out = {}
    for name in names:
        planned = loaded.planned[name]
        barred = quarantine.explain(name, planned.kmp, step.plan.cohorts[planned.cohort].target)
        if name not in loaded.settings:
            left_out[name] = "this run leaves it out: it takes no canary's place"
        elif name in fresh and barred is not None:
            left_out[name] = barred
    fresh = [name for name in fresh if name not in left_out]
    waits = _find_wait(step, stored, options, [loaded.settings[name] for name in fresh]) if fresh else None
    if waits is not None:
        return {**admission, **_stop(store, step.run, "waiting", waits)}
    cohorts = {name: loaded.planned[name].cohort for name in left_out}
    skipped = [{**row, "reserve": True} for row in batches.build_skipped_rows(left_out, cohorts)]
    starts = [name for name in names if name not in left_out]
    for number in sorted({loaded.planned[name].wave for name in names}):
        recorded = store.send_fenced(
            "begin_hosts",
            wave=number,
            hosts=[name for name in starts if loaded.planned[name].wave == number],
            skipped=[row for row in skipped if loaded.planned[row["host"]].wave == number],
            reserve=True,
        )
        if not recorded["go"]:
            text = halt.describe_halt(recorded["halt"])
            return {**admission, **_stop(store, step.run, "halted", {"wave": wave, "text": text})}
    changes_by_host = {
        name: _build_change(step, loaded.planned[name], loaded.settings[name], begun=name in begun) for name in starts
    }
    members = [{"host": name, **dataclasses.asdict(change)} for name, change in changes_by_host.items()]
    return {**admission, "start": starts, "members": members}


def _build_change(step: session.Step, planned: PlannedHost, settings: HostSettings, begun: bool) -> changes.Change:
    """That of a host that is patched: just what was planned, whatever it might get by now.

    :param begun: an earlier run has begun it, and it is only finished. In check mode nothing is, and the rollout that
        has begun is none of this run's.
    """
    run, batch = step.run, step.batch
    expect = {"build_id": planned.build_id, "kmp": planned.evr, "begun": begun}
    options = settings.build_start(
        planned.evr,
        # Whether the first of their kind will be up in an hour is not known yet: the next boot is kept without.
        confirm=not step.plan.waves[batch.wave].is_strict,
        expect=expect,
        **run.get_marks(),
    )
    patience = _PATIENCE if batch.room > 0 else None
    return changes.Change(options, settings.build_info(planned.evr), settings.unreachable_timeout, patience)


def _find_barred(step: session.Step, stored: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The hosts of a batch that are not started, and why."""
    quarantine = Quarantine(QuarantineEntry.from_row(row) for row in stored["quarantine"])
    untried = _find_untried_cohorts(step, stored["attempted"])
    barred = {}
    for name in step.batch.starts:
        planned = step.planned[name]
        why = quarantine.explain(name, planned.kmp, step.plan.cohorts[planned.cohort].target)
        if why is None and planned.cohort in untried:
            why = "no canary of its cohort was patched: it is left for the next plan"
        if why is not None:
            barred[name] = why
    return barred


def _find_untried_cohorts(step: session.Step, attempted: t.Collection[str]) -> set[str]:
    """Cohorts whose canaries were all left out: the KMP was tried on none of them."""
    if step.plan.waves[step.batch.wave].is_strict:
        return set()
    return {cohort.id for cohort in step.plan.cohorts.values() if cohort.canaries} - set(attempted)


def _find_wait(
    step: session.Step,
    stored: t.Mapping[str, t.Any],
    options: t.Mapping[str, t.Any],
    settings: t.Sequence[HostSettings],
) -> dict[str, t.Any] | None:
    """What this wave still waits for, as planned; None where it may start.

    :param settings: of the hosts that are to start.
    """
    now, hash_, wave = time.time(), step.run.hash, step.batch.wave
    needed = options["window_min_remaining"]
    if needed is None:
        needed = timeouts.compute_window_seconds(settings, options["soak"])
    opened = change_windows.check_windows(options["windows"], options["blackouts"], now, needed)
    if not opened.open:
        return {"for": "window", "wave": wave, "until": opened.opens_at, "text": opened.text}
    if approvals.is_needed(options["approval"], wave):
        barred = stored["starters"] if options["approver_not_starter"] else ()
        approval = approvals.check_approval(stored["approvals"], hash_, wave, now, barred)
        if approval.verdict != "pass":
            return {"for": "approval", "wave": wave, "text": approval.text, "refused": approval.verdict == "fail"}
    if _is_left_to_slices(step, options["slices"]):
        text = f"wave {wave} is left to {options['slices']} slices (playbook wave): run the rollout again after them"
        return {"for": SLICES, "wave": wave, "text": text}
    return None


def _is_left_to_slices(step: session.Step, slices: int) -> bool:
    """Whether several jobs at once do better: there is more to do than this one may have in flight. What they have left
    of a wave, for whatever reason, this run does itself.
    """
    wave = step.plan.waves[step.batch.wave]
    larger = wave.hosts > step.plan.settings.max_in_flight
    return slices > 1 and larger and step.batch.untouched and not wave.is_strict


def _stop(store: StoreClient, run: Run, status: str, detail: dict[str, t.Any]) -> dict[str, t.Any]:
    # A slice does not end the rollout.
    if run.member is None:
        store.send_fenced("set_status", status=status, detail=detail)
    return {"go": False, "start": [], "status": status, "detail": detail}
