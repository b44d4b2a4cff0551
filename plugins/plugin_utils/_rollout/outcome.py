# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each host. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._state import ACTIVE
from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host

SUCCESSFUL = ("done", "unchanged")
# Outcomes that use up a budget: something went wrong, whatever was made of it afterwards.
BAD = ("failed", "lost", "rolled_back", "rollback_pending", "rollback_refused")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """``outcome`` is one of done, unchanged, failed, lost, skipped, pending, rolled_back, rollback_pending,
    rollback_refused. ``applied``: what is active now was put there by this rollout, as far as is known. ``crashed``:
    the host went down since its patch was begun. ``halted``: its turn had come, and a halt kept it from starting.
    ``health_unknown``: why it is not known whether it is well.
    """

    host: str
    outcome: str
    reason: str
    state: str
    level: int | None = None
    kmp: str | None = None
    seconds: float | None = None
    applied: bool = False
    crashed: bool = False
    halted: bool = False
    cohort: str | None = None
    health_unknown: str | None = None

    @property
    def bad(self) -> bool:
        return self.outcome in BAD


@dataclasses.dataclass(frozen=True)
class TaskResults:
    """What a host's tasks returned, each None where it did not run.

    ``install`` started the run (in check mode: says what would be done), ``verify`` told what became of it. ``found``
    is what was heard of a host that was lost, after a while.
    """

    install: t.Mapping[str, t.Any] | None = None
    verify: t.Mapping[str, t.Any] | None = None
    found: t.Mapping[str, t.Any] | None = None


def build_unplanned_outcome(host: Host, why: str | None = None) -> Outcome:
    """Of a host that is in no wave.

    :param why: what the plan says of it; what the host itself says is newer, and is enough where it cannot be patched.
    """
    kind = "unchanged" if host.up_to_date else "skipped"
    reason = why if why and host.patchable else host.reason
    return Outcome(host.name, kind, reason, host.state, host.level, host.kmp)


def determine_outcome(
    host: Host,
    variables: t.Mapping[str, t.Any],
    results: TaskResults,
    rollout: str | None = None,
    check_mode: bool = False,
) -> Outcome:
    """What became of one planned host. Whatever does not prove success is none.

    :param rollout: this one: what the host's journal ascribes to it was done by it, be it by an earlier run.
    """
    before = Outcome(host.name, "pending", "not started", host.state, host.level, host.kmp)
    install, verify = results.install, results.verify
    if not install:
        return before
    if install.get("halted"):
        return dataclasses.replace(before, reason=str(install.get("msg")), halted=True)
    after = dataclasses.replace(before, outcome="failed", state="unknown", level=None)
    if results.found is not None:
        return _after_all(host, after, install, results.found, rollout)
    problem = _task_errors.describe_error(install, variables)
    if problem is not None:
        left = install.get("livepatch") or {}
        return dataclasses.replace(
            after,
            outcome="lost" if install.get("unreachable") else "failed",
            reason=problem,
            state=left.get("state", "unknown"),
            level=left.get("level"),
        )
    if check_mode:
        return dataclasses.replace(before, reason="check mode: would be patched")
    problem = _task_errors.describe_error(verify, variables)
    if not verify or problem is not None:
        lost = not verify or bool(verify.get("unreachable"))
        # It was started, so that it is patched by now, or will be.
        return dataclasses.replace(
            after, outcome="lost" if lost else "failed", reason=problem or "it was not verified", applied=not lost
        )
    return _verified(host, after, verify, rollout)


def apply_probe(before: Outcome, result: t.Mapping[str, t.Any] | None, variables: t.Mapping[str, t.Any]) -> Outcome:
    """What a probe in the soak has made of a host that was well.

    :param result: what the host told, None where it was not asked.
    """
    problem = _task_errors.describe_error(result, variables) if result else "it was not asked in the soak"
    if result and "problem" in result:
        problem = str(result["problem"])
    if not result or problem is not None:
        return dataclasses.replace(before, outcome="lost", reason=f"in the soak: {problem}", state="unknown")
    told = result["livepatch"]
    crashed = told["state"] == "crashed"
    now = dataclasses.replace(
        before,
        state=told["state"],
        level=told["level"],
        crashed=before.crashed or crashed,
        # Who went down runs what the next boot had, and is not changed until somebody has looked at it.
        applied=before.applied and not crashed,
    )
    # What the kernel says since its last change is about this rollout only where that was its change.
    if now.applied:
        now = dataclasses.replace(now, health_unknown=_explain_unknown_health(told))
    problem = _unwell(told) if now.applied else None
    # Not whether it is the newest: another one may have come out while the wave soaks.
    if problem is None and not _in_force(result, before.kmp):
        problem = f"{told['state']}: {told['reason']}"
    if problem is None:
        return now
    return dataclasses.replace(now, outcome="failed", reason=f"in the soak: {problem}")


def apply_confirmation(
    before: Outcome, result: t.Mapping[str, t.Any] | None, variables: t.Mapping[str, t.Any]
) -> Outcome:
    """What letting the next boot have the patch has made of a host; None where that was not tried."""
    problem = _task_errors.describe_error(result, variables)
    if problem is None or before.bad or (result or {}).get("halted"):
        return before
    return dataclasses.replace(
        before, outcome="failed", reason=f"{before.reason}; but the next boot is not in order: {problem}"
    )


def apply_rollback(before: Outcome, result: t.Mapping[str, t.Any] | None, variables: t.Mapping[str, t.Any]) -> Outcome:
    """What came of bringing a host back.

    :param result: what the host told when it was collected, None where that did not happen.
    """
    why = before.reason
    if not result or result.get("unreachable") or "livepatch" not in result:
        problem = _task_errors.describe_error(result, variables) or "it was not asked"
        return dataclasses.replace(before, outcome="rollback_pending", reason=f"{why}; not brought back yet: {problem}")
    told = result["livepatch"]
    job = told["job"] or {"failed": True, "msg": "what worked on it has gone away in the middle"}
    now = dataclasses.replace(before, state=told["state"], level=told["level"], applied=False)
    if not job["failed"]:
        back = "no live patch" if told["level"] is None else f"level {told['level']}"
        return dataclasses.replace(now, outcome="rolled_back", reason=f"{why}; brought back to {back}")
    if told["state"] == "crashed":
        # To try it again would be refused as long as nobody has looked at it.
        gone = f"it went down before it was brought back: {told['reason']}"
        return dataclasses.replace(now, outcome="failed", crashed=True, reason=f"{why}; {gone}")
    said = _task_errors.to_one_line(str(job.get("msg") or "it failed without a message"))
    kind = "rollback_refused" if job.get("refused") else "rollback_pending"
    return dataclasses.replace(now, outcome=kind, applied=True, reason=f"{why}; not brought back: {said}")


def _after_all(
    host: Host,
    after: Outcome,
    install: t.Mapping[str, t.Any],
    found: t.Mapping[str, t.Any],
    rollout: str | None,
) -> Outcome:
    """Of a host that was lost for a while."""
    if "livepatch" not in found:
        return dataclasses.replace(after, outcome="lost", reason=str(found.get("problem") or "it does not answer"))
    journal = found["livepatch"]["journal"] or {}
    began = found["livepatch"]["job"] is not None or journal.get("run") == install.get("run")
    # Or by the run before, which has died
    began = began or _is_ours(found, rollout)
    if not began and found["kernel"]["boot_id"] == host.boot_id:
        return _not_begun(after, found)
    return _verified(host, after, found, rollout)


def _not_begun(after: Outcome, told: t.Mapping[str, t.Any]) -> Outcome:
    return dataclasses.replace(
        after,
        outcome="skipped",
        reason="it could not be reached when its turn came, and nothing was done to it",
        state=told["livepatch"]["state"],
        level=told["livepatch"]["level"],
    )


def _is_ours(told: t.Mapping[str, t.Any], rollout: str | None) -> bool:
    """Whether what was last done to a host was done by this rollout."""
    return rollout is not None and (told["livepatch"]["journal"] or {}).get("rollout") == rollout


def _undone(told: t.Mapping[str, t.Any]) -> bool:
    """Whether the change of a host has failed and left it as it was: there is nothing to bring back. A run that took it
    up from another and failed says nothing of what that one had done: the journal does.
    """
    job, journal = told["livepatch"]["job"], told["livepatch"]["journal"] or {}
    as_it_was = bool(job and job["failed"] and job.get("before") and job["before"] == job.get("after"))
    return as_it_was and journal.get("phase") == _journal.FAILED


def _verified(host: Host, after: Outcome, verify: t.Mapping[str, t.Any], rollout: str | None) -> Outcome:
    job = verify["livepatch"]["job"]
    if job is not None and job.get("not_begun"):
        return _not_begun(after, verify)
    kernel, livepatch, installed = verify["kernel"], verify["livepatch"], verify["kmp"]["installed"]
    kmp = f"{installed['name']}-{installed['evr']}" if installed else None
    ours = _is_ours(verify, rollout)
    changed = bool((job or {}).get("changed")) or ours
    found = dataclasses.replace(
        after,
        reason=livepatch["reason"],
        state=livepatch["state"],
        level=livepatch["level"],
        kmp=kmp,
        seconds=((job or {}).get("transition") or {}).get("seconds"),
        applied=changed and livepatch["state"] in ACTIVE and not _undone(verify),
    )
    if kernel["boot_id"] != host.boot_id:
        reason = "it has rebooted since the rollout began: " + found.reason
        return dataclasses.replace(found, reason=reason, crashed=True)
    if job is None and not (ours and livepatch["compliance"]["up_to_date"]):
        return dataclasses.replace(found, reason="what worked on it has gone away in the middle: " + found.reason)
    if job is not None and job["failed"]:
        return dataclasses.replace(
            found, reason=_task_errors.to_one_line(str(job.get("msg") or "it failed without a message"))
        )
    if kernel["build_id"] != host.build_id or kmp != host.kmp:
        planned = f"{host.kmp} on build ID {host.build_id} was planned"
        return dataclasses.replace(found, reason=f"{planned}, which no canary tried as it is now: {found.reason}")
    if not livepatch["compliance"]["up_to_date"]:
        return found
    unwell = _unwell(livepatch) if changed else None
    if unwell is not None:
        return dataclasses.replace(found, reason="it is patched, and not well since: " + unwell)
    health_unknown = _explain_unknown_health(livepatch) if changed else None
    return dataclasses.replace(found, outcome="done" if changed else "unchanged", health_unknown=health_unknown)


def _in_force(told: t.Mapping[str, t.Any], kmp: str | None) -> bool:
    """Whether this KMP is the active one."""
    installed = told["kmp"]["installed"]
    return (
        told["livepatch"]["state"] in ACTIVE
        and installed is not None
        and f"{installed['name']}-{installed['evr']}" == kmp
    )


def _unwell(livepatch: t.Mapping[str, t.Any]) -> str | None:
    """What has gone wrong on the host since the patch was applied."""
    health = livepatch.get("health") or {}
    if health.get("verdict") != "fail":
        return None
    return "; ".join("{what}: {text}".format(**one) for one in health["problems"]) or "it says that it is not"


def _explain_unknown_health(livepatch: t.Mapping[str, t.Any]) -> str | None:
    """Why nobody can tell whether something has gone wrong on the host since the patch was applied."""
    health = livepatch.get("health") or {}
    return str(health.get("reason")) if health.get("verdict") == "inconclusive" else None


def load_outcome(name: str, stored: t.Mapping[str, t.Any] | None, cohort: str, before: Host | None = None) -> Outcome:
    """What the store says of a planned host; of one that was not started what is known from before."""
    row = dict(stored or {"outcome": "pending", "reason": "not started"})
    if row["outcome"] == BEGUN:
        row = {"outcome": "pending", "reason": "it was begun, and nobody knows yet what became of it"}
    if before is not None and row["outcome"] in ("pending", "skipped"):
        row.update(state=before.state, level=before.level, kmp=before.kmp)
    row.setdefault("state", "unknown")
    known = {field.name for field in dataclasses.fields(Outcome)}
    return Outcome(**{**{key: row[key] for key in known & set(row)}, "host": name, "cohort": cohort})
