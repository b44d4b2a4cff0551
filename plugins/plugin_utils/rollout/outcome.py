# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each host, and whether a wave may be followed by the next. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import problems
from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout.hosts import Host

# Outcomes that use up a budget.
BAD = ("failed", "lost")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """``outcome`` is one of done, unchanged, failed, lost, skipped, pending."""

    host: str
    outcome: str
    reason: str
    state: str
    level: int | None = None
    kmp: str | None = None
    seconds: float | None = None


def judge(
    host: Host,
    planned: bool,
    variables: t.Mapping[str, t.Any],
    install: t.Mapping[str, t.Any] | None,
    verify: t.Mapping[str, t.Any] | None,
    confirm: t.Mapping[str, t.Any] | None = None,
    check_mode: bool = False,
) -> Outcome:
    """What became of one host. Whatever does not prove success is none.

    :param planned: the host is in one of the waves.
    :param install: what started the run, None where nothing did; in check mode what would be done.
    :param verify: what the host told afterwards, and what became of the run, None where it was not asked.
    :param confirm: the result of letting the next boot have the patch, None where that was not done.
    """
    before = Outcome(host.name, "pending", "not started", host.state, host.level, host.kmp)
    if not planned:
        return dataclasses.replace(before, outcome="unchanged" if host.up_to_date else "skipped", reason=host.reason)
    if not install:
        return before
    if install.get("halted"):
        return dataclasses.replace(before, reason=str(install.get("msg")))
    after = dataclasses.replace(before, outcome="failed", state="unknown", level=None)
    problem = problems.of(install, variables)
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
    problem = problems.of(verify, variables)
    if not verify or problem is not None:
        lost = not verify or bool(verify.get("unreachable"))
        return dataclasses.replace(after, outcome="lost" if lost else "failed", reason=problem or "it was not verified")
    found = _verified(host, after, verify)
    problem = problems.of(confirm, variables)
    if found.outcome in BAD or problem is None:
        return found
    return dataclasses.replace(
        found, outcome="failed", reason=f"{found.reason}; but the next boot is not in order: {problem}"
    )


def _verified(host: Host, after: Outcome, verify: t.Mapping[str, t.Any]) -> Outcome:
    job = verify["livepatch"]["job"]
    kernel, livepatch, installed = verify["kernel"], verify["livepatch"], verify["kmp"]["installed"]
    kmp = f"{installed['name']}-{installed['evr']}" if installed else None
    found = dataclasses.replace(
        after,
        reason=livepatch["reason"],
        state=livepatch["state"],
        level=livepatch["level"],
        kmp=kmp,
        seconds=((job or {}).get("transition") or {}).get("seconds"),
    )
    if job is None:
        return dataclasses.replace(found, reason="what worked on it has gone away in the middle: " + found.reason)
    if job["failed"]:
        return dataclasses.replace(
            found, reason=problems.one_line(str(job.get("msg") or "it failed without a message"))
        )
    if kernel["boot_id"] != host.boot_id:
        return dataclasses.replace(found, reason="it has rebooted since the rollout began: " + found.reason)
    if kernel["build_id"] != host.build_id or kmp != host.kmp:
        planned = f"{host.kmp} on build ID {host.build_id} was planned"
        return dataclasses.replace(found, reason=f"{planned}, which no canary tried as it is now: {found.reason}")
    if not livepatch["compliance"]["up_to_date"]:
        return found
    return dataclasses.replace(found, outcome="done" if job.get("changed") else "unchanged")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A gate's verdict on one wave."""

    passed: bool
    text: str


def gate(wave: int, members: t.Sequence[Outcome], budget: int, check_mode: bool) -> Verdict:
    """Judges the planned members of a wave: stop when more are bad than the budget has. Canaries have none.

    A member without an outcome counts as bad too: a gate never passes on what it does not know.
    """
    allowed = 0 if wave == 0 else budget
    good = ("done", "unchanged", "pending") if check_mode else ("done", "unchanged")
    bad = [one for one in members if one.outcome not in good]
    name = "canaries" if wave == 0 else f"wave {wave}"
    count = f"{len(members) - len(bad)} of {len(members)} well"
    if len(bad) <= allowed:
        return Verdict(True, f"Gate after {name}: pass ({count}, budget {allowed})")
    return Verdict(False, f"Gate after {name}: fail ({count}, budget {allowed}): no further host is touched")
