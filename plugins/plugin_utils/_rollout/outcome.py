# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of each host in a rollout. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._state import ACTIVE
from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer, Facts
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.change import Job
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.livepatch import Livepatch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import to_one_line
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.causes import CAUSES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import BARRED

SUCCESSFUL = ("done", "unchanged")
# Of a host whose change has no result: the process that worked on it is gone
KILLED = "the live patch process was killed before it finished"
# Of a host that was started, and of which no end is recorded
IN_FLIGHT = "started, and its outcome is not known yet"
# Of a host that is in no wave since the plan was made without it
NOT_IN_PLAN = "not in the open plan: it is left for the next plan"
# Outcomes that count against the budgets: something went wrong, whatever was made of it afterwards.
BAD = ("failed", "lost", "rolled_back", "rollback_pending", "rollback_refused")


@dataclasses.dataclass(frozen=True)
class Outcome:
    host: str
    # done, unchanged, failed, lost, skipped, pending, rolled_back, rollback_pending or rollback_refused
    outcome: str
    reason: str
    state: str
    level: int | None = None
    kmp: str | None = None
    seconds: float | None = None
    # What is active now was applied by this rollout, as far as is known
    applied: bool = False
    # What happened, by its key in the table of causes; None where nothing has gone wrong
    cause: str | None = None
    # It was patched in the place of a canary
    reserve: bool = False
    # It was to start, and a halt kept it from that
    halted: bool = False
    cohort: str | None = None
    # Why it is not known whether the host is healthy
    health_unknown: str | None = None

    @property
    def bad(self) -> bool:
        return self.outcome in BAD

    @property
    def barred(self) -> bool:
        """Whether it is skipped because of the quarantine."""
        return self.outcome == "skipped" and self.reason.startswith(BARRED)


@dataclasses.dataclass(frozen=True)
class TaskAnswers:
    """A host's answers to tasks, each None where the task did not run."""

    # Of the task that started the run; in check mode it says what would be done
    install: Answer | None = None
    # Of the task that collected the run; with facts, whatever is displayed of it
    verify: Answer | None = None


def build_unplanned_outcome(host: Host, left_out: str | None = None) -> Outcome:
    """The outcome of a host that is in no wave.

    :param left_out: the plan's reason, None of a host that it does not have; the host's own is newer, and is enough
        where it cannot be patched.
    """
    kind = "unchanged" if host.up_to_date else "skipped"
    reason = (left_out or NOT_IN_PLAN) if host.patchable else host.reason
    return Outcome(host.name, kind, reason, host.state, host.level, host.kmp)


def determine_outcome(
    host: Host,
    variables: t.Mapping[str, t.Any],
    answers: TaskAnswers,
    rollout: str | None = None,
    check_mode: bool = False,
) -> Outcome:
    """The outcome of one planned host. Whatever does not prove success is not one.

    :param rollout: ID of this one: what the host's journal ascribes to it was done by it, if only by an earlier run.
    """
    before = Outcome(host.name, "pending", "not started", host.state, host.level, host.kmp)
    install, verify = answers.install, answers.verify
    if install is None:
        return before
    if install.halted:
        return dataclasses.replace(before, reason=str(install.msg), halted=True)
    base = dataclasses.replace(before, outcome="failed", state="unknown", level=None)
    if verify is not None and verify.lost:
        return _assess_lost(host, base, install, verify, variables, rollout)
    error = install.describe_error(variables)
    if error is not None:
        livepatch = install.livepatch
        return _fail(
            base,
            _find_lost_cause(install) if install.unreachable else "not_started",
            error,
            state=livepatch.state if livepatch else "unknown",
            level=livepatch.level if livepatch else None,
        )
    if check_mode:
        return dataclasses.replace(before, reason="check mode: would be patched")
    error = verify.describe_error(variables) if verify and verify.facts is None else None
    if verify is None or error is not None:
        lost = verify is None or verify.unreachable
        # It was started, so that it is patched by now, or will be.
        return _fail(base, "lost" if lost else "unverified", error or "its patch was not verified", applied=not lost)
    return _assess_verification(host, base, verify, rollout)


def _fail(before: Outcome, cause: str, reason: str, **more: t.Any) -> Outcome:
    return dataclasses.replace(before, outcome=CAUSES[cause].outcome, cause=cause, reason=reason, **more)


def apply_probe(before: Outcome, answer: Answer | None, variables: t.Mapping[str, t.Any]) -> Outcome:
    """The outcome of a host that was healthy, after a probe during the soak.

    :param answer: the host's, None where it was not probed.
    """
    error = (answer.problem or answer.describe_error(variables)) if answer else "it was not probed"
    facts = answer.facts if answer else None
    if facts is None or error is not None:
        return _fail(before, "lost", f"during the soak: {error or 'no facts were gathered'}", state="unknown")
    livepatch = facts.livepatch
    crashed = livepatch.state == "crashed"
    now = dataclasses.replace(
        before,
        state=livepatch.state,
        level=livepatch.level,
        # A host that crashed runs what its next boot had, and is not changed until an operator has looked at it.
        applied=before.applied and not crashed,
    )
    # What the kernel reports since its last change concerns this rollout only where that was its change.
    if now.applied:
        now = dataclasses.replace(now, health_unknown=_explain_unknown_health(livepatch))
    problem, cause = _format_health_problems(livepatch) if now.applied else None, "unhealthy"
    # Whether it is the newest does not matter: another one may have come out while the wave soaks.
    if problem is None and not _is_active(facts, before.kmp):
        problem = f"{livepatch.state}: {livepatch.reason}"
        is_other = str(facts.kmp.installed) != before.kmp or not before.applied
        cause = "crashed" if crashed else "other_patch" if is_other else "unverified"
    return now if problem is None else _fail(now, cause, f"during the soak: {problem}")


def apply_confirmation(before: Outcome, answer: Answer | None, variables: t.Mapping[str, t.Any]) -> Outcome:
    """The outcome of a host after the patch was confirmed for its next boot.

    :param answer: to that task, None where it did not run.
    """
    error = answer.describe_error(variables) if answer else "the task did not run"
    if error is None or before.bad or (answer is not None and answer.halted):
        return before
    reason = f"{before.reason}; but the patch was not confirmed for the next boot: {error}"
    return _fail(before, "unconfirmed", reason)


def apply_rollback(before: Outcome, answer: Answer | None, variables: t.Mapping[str, t.Any]) -> Outcome:
    """The outcome of a host after its rollback.

    :param answer: to the task that collected it, None where it did not run.
    """
    why = before.reason
    if answer is None or answer.unreachable or answer.livepatch is None:
        error = (answer.describe_error(variables) if answer else None) or "its rollback was not run"
        return dataclasses.replace(before, outcome="rollback_pending", reason=f"{why}; not rolled back yet: {error}")
    livepatch = answer.livepatch
    job = livepatch.job or Job(True, msg=KILLED)
    now = dataclasses.replace(before, state=livepatch.state, level=livepatch.level, applied=False)
    if not job.failed:
        level = "no live patch" if livepatch.level is None else f"level {livepatch.level}"
        return dataclasses.replace(now, outcome="rolled_back", reason=f"{why}; rolled back to {level}")
    if livepatch.state == "crashed":
        # A second try would be refused until an operator has looked at it.
        reason = f"{why}; it went down before it was rolled back: {livepatch.reason}"
        return _fail(now, "crashed", reason)
    kind = "rollback_refused" if job.refused else "rollback_pending"
    return dataclasses.replace(
        now, outcome=kind, applied=True, reason=f"{why}; the rollback failed: {_format_job_error(job)}"
    )


def _format_job_error(job: Job) -> str:
    return to_one_line(job.msg or _task_errors.NO_MESSAGE)


def _assess_lost(
    host: Host,
    base: Outcome,
    install: Answer,
    verify: Answer,
    variables: t.Mapping[str, t.Any],
    rollout: str | None,
) -> Outcome:
    """Of a host that could not be reached for a while."""
    facts = verify.facts
    if facts is None:
        reason = verify.describe_error(variables) or "the host does not answer"
        return _fail(base, _find_lost_cause(install), reason)
    livepatch, journal = facts.livepatch, facts.livepatch.journal
    begun = livepatch.job is not None or (None if journal is None else journal.run) == install.run
    # Or by an earlier run, which has died
    begun = begun or _is_changed_by(livepatch, rollout)
    # A host that was reached when it was to start has begun, or was killed before it could record that.
    if not begun and install.unreachable and facts.kernel.boot_id == host.boot_id:
        return _skip(base, livepatch, "not_begun", "the host was unreachable when its batch started")
    return _assess_facts(host, base, facts, rollout)


def _find_lost_cause(install: Answer) -> str:
    """Whether a host that is lost may have begun: a connection that broke at its start may have broken after that."""
    return "unreachable" if install.unreachable and _task_errors.is_unconnected(install.msg) else "lost"


def _skip(base: Outcome, livepatch: Livepatch, cause: str, why: str) -> Outcome:
    reason = f"{why}. It was not changed"
    return _fail(base, cause, reason, state=livepatch.state, level=livepatch.level)


def _is_changed_by(livepatch: Livepatch, rollout: str | None) -> bool:
    """Whether the last change of a host was made by this rollout."""
    return rollout is not None and livepatch.journal is not None and livepatch.journal.rollout == rollout


def _is_undone(livepatch: Livepatch) -> bool:
    """Whether the change of a host has failed and left it as it was: there is nothing to roll back. A run that took
    over from another and failed does not know what that one had done: the journal does.
    """
    job, journal = livepatch.job, livepatch.journal
    unchanged = job is not None and job.failed and job.before is not None and job.before == job.after
    return unchanged and journal is not None and journal.phase == _journal.FAILED


def _assess_verification(host: Host, base: Outcome, verify: Answer, rollout: str | None) -> Outcome:
    if verify.facts is None:
        return _fail(base, "unverified", "its patch was not verified: no facts were gathered", applied=True)
    return _assess_facts(host, base, verify.facts, rollout)


def _assess_facts(host: Host, base: Outcome, facts: Facts, rollout: str | None) -> Outcome:
    kernel, livepatch, installed = facts.kernel, facts.livepatch, facts.kmp.installed
    job, journal = livepatch.job, livepatch.journal
    kmp = str(installed) if installed else None
    changed_by_rollout = _is_changed_by(livepatch, rollout)
    changed = changed_by_rollout or (job is not None and job.changed)
    # Where it is not known whether the kernel was given the module, it was.
    given = changed and not (changed_by_rollout and journal is not None and journal.given is False)
    if job is not None and job.fenced:
        return _skip(base, livepatch, "taken_over", _format_job_error(job))
    if job is not None and job.not_begun and not given:
        return _skip(base, livepatch, "not_begun", _format_job_error(job))
    now = dataclasses.replace(
        base,
        reason=livepatch.reason,
        state=livepatch.state,
        level=livepatch.level,
        kmp=kmp,
        seconds=job.seconds if job else None,
        applied=changed and livepatch.state in ACTIVE and not _is_undone(livepatch),
    )
    if kernel.boot_id != host.boot_id:
        why = f"the host has rebooted since the rollout began: {now.reason}"
        if _went_down(facts, given, changed_by_rollout):
            return _fail(now, "crashed", why)
        if job is None:
            return _skip(base, livepatch, "not_begun", why)
    problems = _format_health_problems(livepatch) if given else None
    if job is None and not (changed_by_rollout and livepatch.compliance.up_to_date):
        return _fail(now, _find_cause(host, facts, given, problems), f"{KILLED}: {now.reason}")
    if job is not None and job.failed:
        return _fail(now, _find_cause(host, facts, given, problems), _format_job_error(job))
    if kernel.build_id != host.build_id or kmp != host.kmp:
        planned = f"{host.kmp} on build ID {host.build_id}"
        actual = f"{kmp or 'no KMP'} on build ID {kernel.build_id}"
        reason = f"planned was {planned}; the host has {actual}, which no canary has tried: {now.reason}"
        return _fail(now, "other_patch", reason)
    if not livepatch.compliance.up_to_date:
        return _fail(now, "unverified" if given else "host_failed", now.reason)
    if problems is not None:
        return _fail(now, "unhealthy", f"patched, and unhealthy since: {problems}")
    unknown = _explain_unknown_health(livepatch) if changed else None
    return dataclasses.replace(now, outcome="done" if changed else "unchanged", health_unknown=unknown)


def _went_down(facts: Facts, given: bool, changed_by_rollout: bool) -> bool:
    """Whether a host that has rebooted went down with the change, and not before it was begun."""
    livepatch, journal = facts.livepatch, facts.livepatch.journal
    if livepatch.state == "crashed":
        return True
    if changed_by_rollout and journal is not None and journal.boot_id == facts.kernel.boot_id:
        return False
    return given


def _find_cause(host: Host, facts: Facts, given: bool, problems: str | None) -> str:
    """Why a change has failed, or was killed, as far as the kernel had a part in it.

    :param problems: what the kernel reports since the change.
    """
    livepatch, job = facts.livepatch, facts.livepatch.job
    if not given:
        return "host_failed"
    if problems is not None:
        return "unhealthy"
    if job is not None and job.stalled:
        of_kernel = any(blocker["kernel_thread"] for blocker in job.blockers)
        return "stalled_by_kernel" if of_kernel else "stalled"
    if livepatch.compliance.up_to_date and _is_active(facts, host.kmp):
        return "incomplete"
    return "refused"


def _is_active(facts: Facts, kmp: str | None) -> bool:
    """Whether this KMP is the active one."""
    installed = facts.kmp.installed
    return facts.livepatch.state in ACTIVE and installed is not None and str(installed) == kmp


def _format_health_problems(livepatch: Livepatch) -> str | None:
    """What has gone wrong on the host since the patch was applied."""
    if livepatch.health.verdict != "fail":
        return None
    return "; ".join(livepatch.health.problems) or "its health check failed without naming a problem"


def _explain_unknown_health(livepatch: Livepatch) -> str | None:
    """Why it is not known whether something has gone wrong on the host since the patch was applied."""
    return str(livepatch.health.reason) if livepatch.health.verdict == "inconclusive" else None


def load_outcome(name: str, stored: t.Mapping[str, t.Any] | None, cohort: str, before: Host | None = None) -> Outcome:
    """The outcome of a planned host by its row in the store.

    :param stored: None where there is none.
    :param before: the host's facts, for one that was not started.
    """
    row = dict(stored or {"outcome": "pending", "reason": "not started"})
    if row["outcome"] == BEGUN:
        row = {"outcome": "pending", "reason": IN_FLIGHT, "reserve": bool(row.get("reserve"))}
    if before is not None and row["outcome"] in ("pending", "skipped"):
        row.update(state=before.state, level=before.level, kmp=before.kmp)
    row.setdefault("state", "unknown")
    fields = {field.name for field in dataclasses.fields(Outcome)}
    return Outcome(**{**{key: row[key] for key in fields & set(row)}, "host": name, "cohort": cohort})
