# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's health since a change of its live patch began. PRIVATE to the collection."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import log, taint

# Letters of the taint that loading a live patch sets by itself: K, and O and E of a module that is not the
# distribution's own.
_EXPECTED = ("K", "O", "E")
_SHOWN_LIMIT = 10
_TEXT_LIMIT = 160


class Now(NamedTuple):
    """What is compared with a baseline."""

    boot_id: Optional[str]
    taint: Optional[int]
    # Those that the kernel still holds
    records: Sequence[log.Record]
    # Why taint or records cannot be read
    problem: Optional[str] = None


def read_now(host: Host, boot_id: Optional[str]) -> Now:
    seen = Now(boot_id, None, [])
    try:
        seen = seen._replace(taint=taint.read_taint(host))
        return seen._replace(records=log.read_records(host))
    except Unmeasured as exc:
        return seen._replace(problem=str(exc))


def build_baseline(host: Host, seen: Now) -> Dict[str, Any]:
    """Build what later shows what has come since now."""
    return {
        "boot_id": seen.boot_id,
        "taint": seen.taint,
        # Records after this one are of what is done from now on.
        "log": seen.records[-1].sequence if seen.records else None,
        "at": round(host.wall_clock(), 3),
    }


def assess_health(since: Optional[Dict[str, Any]], seen: Now) -> Dict[str, Any]:
    """Build the block ``health`` of a result. Pure.

    :param since: the baseline, None where none was recorded.
    """
    if since is None:
        return _build_block(None, [], "no change has recorded a baseline before it")
    if seen.boot_id != since["boot_id"]:
        text = "the host has booted since: boot ID {}, it was {}".format(seen.boot_id, since["boot_id"])
        return _build_block(since, [_build_problem("rebooted", text)], "what the kernel logged before the boot is lost")
    added = _list_added_flags(since["taint"], seen.taint)
    problems = [_build_problem("taint", "the kernel has set taint flags: " + " ".join(added))] if added else []
    fresh = [record for record in seen.records if since["log"] is not None and record.sequence > since["log"]]
    for record in fresh:
        kind = log.classify_record(record)
        if kind is not None:
            problems.append(_build_problem(kind, record.text))
    return _build_block(since, problems, _explain_missing(since, seen))


def add_health_checks(health: Dict[str, Any], checks: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """Add the operator's health checks to the block: one that failed is a problem. Pure."""
    failed = [
        _build_problem("health_check", "{name}: {text}".format(**check)) for check in checks if check["passed"] is False
    ]
    # In front: they are few, and a kernel in trouble logs many lines.
    return _build_block(health["since"], failed + health["problems"], health["reason"])


def _build_block(
    since: Optional[Dict[str, Any]], problems: List[Dict[str, str]], missing: Optional[str]
) -> Dict[str, Any]:
    verdict = "fail" if problems else ("pass" if missing is None else "inconclusive")
    return {
        "verdict": verdict,
        "problems": problems[:_SHOWN_LIMIT],
        "since": since,
        "complete": missing is None,
        "reason": missing,
    }


def _build_problem(kind: str, text: str) -> Dict[str, str]:
    return {"what": kind, "text": text[:_TEXT_LIMIT]}


def _list_added_flags(before: Optional[int], after: Optional[int]) -> List[str]:
    if before is None or after is None:
        return []
    return [letter for letter in taint.list_letters(after & ~before) if letter not in _EXPECTED]


def _explain_missing(since: Dict[str, Any], seen: Now) -> Optional[str]:
    """Explain what could not be examined, None if all could."""
    if since["boot_id"] is None:
        return "the boot ID cannot be read: it is unknown whether the host has booted since"
    if seen.problem is not None:
        return seen.problem
    if since["taint"] is None or seen.taint is None:
        return "the kernel's taint cannot be read"
    if since["log"] is None or not seen.records:
        return "the kernel's log cannot be read"
    lost = seen.records[0].sequence - since["log"] - 1
    if lost > 0:
        return f"{lost} records of the kernel's log are lost: its buffer is too small (log_buf_len)"
    return None
