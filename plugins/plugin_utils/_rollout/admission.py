# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a batch may start, and the record that it does. PRIVATE to the collection."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import SLICES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    approvals,
    batches,
    budgets,
    change_windows,
    common_options,
    halt,
    hosts,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Quarantine, QuarantineEntry
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient


def admit_batch(
    store: StoreClient,
    rollout: t.Mapping[str, t.Any],
    batch: t.Mapping[str, t.Any],
    options: t.Mapping[str, t.Any],
    read_only: bool,
) -> dict[str, t.Any]:
    """Asks the halt, the quarantine, approvals and windows, and records the hosts that start, before they do.

    :returns: ``go``; ``start``, the hosts; where they do not go ``status`` and ``detail``; and what each host needs to
        know.
    :raises StoreError: the store cannot be used, or the lease was lost.
    """
    planned = rollout["document"]["hosts"]
    admission = {
        "go": True,
        "wave": batch["wave"],
        "start": batch["starts"],
        "rollout": rollout["id"],
        "fence": rollout["fence"],
        "plan": rollout["hash"],
        # Whether the first of their kind will be up in an hour is not known yet: the next boot is kept without.
        "confirm": rollout["document"]["waves"][batch["wave"]]["kind"] not in budgets.ZERO_BUDGET_KINDS,
        # Just that, whatever the host might get by now.
        "expect": {
            name: {
                "build_id": planned[name]["build_id"],
                "kmp": hosts.get_evr(planned[name]["kmp"]),
                # What holds others back was not asked for those in flight: nothing new is begun on them. In check mode
                # nothing is, and the rollout that has begun is none of this run's.
                "begun": batch["in_flight"] and not read_only,
            }
            for name in batch["starts"]
        },
    }
    if read_only:
        return admission
    barred: dict[str, str] = {}
    # A host in flight finishes, and has to be looked at, whatever has been barred since.
    if not batch["in_flight"]:
        barred = _find_barred(store, rollout["document"], batch)
    starts = [name for name in batch["starts"] if name not in barred]
    if starts and not batch["in_flight"]:
        waits = _find_wait(store, rollout, batch, options)
        if waits is not None:
            return {**admission, **_stop(store, rollout, "waiting", waits)}
    left_out = {**barred, **{name: why for name, why in rollout["changed"].items() if name in planned}}
    if left_out:
        store.send_fenced(
            "record_outcomes", wave=batch["wave"], outcomes=batches.build_skipped_rows(rollout["document"], left_out)
        )
    begun = store.send_fenced("begin_hosts", wave=batch["wave"], hosts=starts)
    if not begun["go"]:
        text = halt.describe_halt(begun["halt"])
        return {**admission, **_stop(store, rollout, "halted", {"wave": batch["wave"], "text": text})}
    return {**admission, "start": starts}


def _find_barred(store: StoreClient, document: t.Mapping[str, t.Any], batch: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The hosts of a batch that are not started, and why."""
    planned = document["hosts"]
    quarantine = Quarantine(QuarantineEntry.from_row(row) for row in store.send("list_quarantine"))
    targets = {planned_cohort["id"]: planned_cohort["target"] for planned_cohort in document["cohorts"]}
    untried = _find_untried_cohorts(store, document, batch)
    barred = {}
    for name in batch["starts"]:
        cohort = planned[name]["cohort"]
        why = quarantine.explain(name, planned[name]["kmp"], targets[cohort])
        if why is None and cohort in untried:
            why = "no canary of its cohort was patched: it is left for the next plan"
        if why is not None:
            barred[name] = why
    return barred


def _find_untried_cohorts(
    store: StoreClient, document: t.Mapping[str, t.Any], batch: t.Mapping[str, t.Any]
) -> set[str]:
    """Cohorts whose canaries were all left out: the KMP was tried on none of them."""
    if document["waves"][batch["wave"]]["kind"] in budgets.ZERO_BUDGET_KINDS:
        return set()
    canaries = [name for wave in document["waves"] if wave["kind"] == "canaries" for name in wave["hosts"]]
    tried = store.send_fenced("list_attempted", hosts=canaries)
    return {document["hosts"][name]["cohort"] for name in canaries} - {
        document["hosts"][name]["cohort"] for name in tried
    }


def _find_wait(
    store: StoreClient, rollout: t.Mapping[str, t.Any], batch: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]
) -> dict[str, t.Any] | None:
    """What this wave still waits for, as planned; None where it may start."""
    now, hash_, wave = time.time(), rollout["hash"], batch["wave"]
    opened = change_windows.check_windows(options["windows"], options["blackouts"], now, options["min_remaining"])
    if not opened.open:
        return {"for": "window", "wave": wave, "until": opened.opens_at, "text": opened.text}
    needs_approval = {common_options.parse_wave("livepatch_approval", text) for text in options["approval"]}
    if needs_approval & {None, wave}:
        barred = store.send("list_starters", plan_hash=hash_) if options["approver_not_starter"] else ()
        approval = approvals.check_approval(store.send("list_approvals", plan_hash=hash_), hash_, wave, now, barred)
        if approval.verdict != "pass":
            return {"for": "approval", "wave": wave, "text": approval.text, "refused": approval.verdict == "fail"}
    if _is_left_to_slices(rollout["document"], batch, options["slices"]):
        text = f"wave {wave} is left to {options['slices']} slices (playbook wave): run the rollout again after them"
        return {"for": SLICES, "wave": wave, "text": text}
    return None


def _is_left_to_slices(document: t.Mapping[str, t.Any], batch: t.Mapping[str, t.Any], slices: int) -> bool:
    """Whether several jobs at once do better: there is more to do than this one may have in flight. What they have left
    of a wave, for whatever reason, this run does itself.
    """
    wave = document["waves"][batch["wave"]]
    larger = len(wave["hosts"]) > document["settings"]["max_in_flight"]
    return slices > 1 and larger and batch["untouched"] and wave["kind"] not in budgets.ZERO_BUDGET_KINDS


def _stop(
    store: StoreClient, rollout: t.Mapping[str, t.Any], status: str, detail: dict[str, t.Any]
) -> dict[str, t.Any]:
    # A slice does not end the rollout.
    if rollout.get("member") is None:
        store.send_fenced("set_status", status=status, detail=detail)
    return {"go": False, "start": [], "status": status, "detail": detail}
