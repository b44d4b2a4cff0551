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
    seconds: float | None = None


def judge(
    host: Host,
    planned: bool,
    variables: t.Mapping[str, t.Any],
    install: t.Mapping[str, t.Any] | None,
    verify: t.Mapping[str, t.Any] | None,
) -> Outcome:
    """What became of one host. Whatever does not prove success is none.

    :param planned: the host is in one of the waves.
    :param install: the result of the role install, None where it did not run.
    :param verify: the result of the role verify, None where it did not run.
    """
    if not planned:
        kind = "unchanged" if host.up_to_date else "skipped"
        return Outcome(host.name, kind, host.reason, host.state, host.level)
    if install is None:
        return Outcome(host.name, "pending", "not started", host.state, host.level)
    seconds = (install.get("transition") or {}).get("seconds")
    problem = problems.of(install, variables)
    if problem is not None:
        found = install.get("livepatch") or {}
        kind = "lost" if install.get("unreachable") else "failed"
        return Outcome(host.name, kind, problem, found.get("state", "unknown"), found.get("level"), seconds)
    if install.get("changed") and verify is None:
        # Only in check mode does a role end without verification and without an error.
        return Outcome(host.name, "pending", "check mode: would be patched", host.state, host.level)
    problem = problems.of(verify, variables)
    if verify is None or problem is not None:
        lost = verify is None or bool(verify.get("unreachable"))
        reason = problem or "it was not verified"
        return Outcome(host.name, "lost" if lost else "failed", reason, "unknown", None, seconds)
    livepatch = verify["livepatch"]
    found = Outcome(host.name, "failed", livepatch["reason"], livepatch["state"], livepatch["level"], seconds)
    if verify["kernel"]["boot_id"] != host.boot_id:
        return dataclasses.replace(found, reason="it has rebooted since the rollout began: " + livepatch["reason"])
    if not livepatch["compliance"]["up_to_date"]:
        return found
    return dataclasses.replace(found, outcome="done" if install.get("changed") else "unchanged")


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
