# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the kernel has fared since a change of its live patch began. PRIVATE to the collection."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import log, taint

# Letters of the taint that loading a live patch sets by itself: K, and O and E of a module that is not the
# distribution's own.
_EXPECTED = ("K", "O", "E")
_MOST = 10
_LONGEST = 160


# What is compared with a baseline: records are those that the kernel still holds.
class Now(NamedTuple):
    boot_id: Optional[str]
    taint: Optional[int]
    records: Sequence[log.Record]


def now(host: Host, boot_id: Optional[str]) -> Now:
    return Now(boot_id, taint.read(host), log.records(host))


def baseline(host: Host, seen: Now) -> Dict[str, Any]:
    """What tells later what has come since now."""
    return {
        "boot_id": seen.boot_id,
        "taint": seen.taint,
        # What comes after this record is of what is done from now on.
        "log": seen.records[-1].sequence if seen.records else None,
        "at": round(host.wall_clock(), 3),
    }


def judge(since: Optional[Dict[str, Any]], seen: Now) -> Dict[str, Any]:
    """The block ``health`` of a result. Pure.

    :param since: the baseline, None where none was recorded.
    """
    if since is None:
        return _block(None, [], "no change has recorded what the host was like before it")
    if seen.boot_id != since["boot_id"]:
        text = "the host has booted since: boot ID {}, it was {}".format(seen.boot_id, since["boot_id"])
        return _block(since, [_problem("rebooted", text)], "what the kernel told before the boot is lost")
    added = _added(since["taint"], seen.taint)
    problems = [_problem("taint", "the kernel has set taint flags: " + " ".join(added))] if added else []
    fresh = [one for one in seen.records if since["log"] is not None and one.sequence > since["log"]]
    for record in fresh:
        kind = log.trouble(record)
        if kind is not None:
            problems.append(_problem(kind, record.text))
    return _block(since, problems, _missing(since, seen))


def probed(health: Dict[str, Any], probes: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """The same with what the operator's probes found: one that failed is a problem. Pure."""
    failed = [_problem("probe", "{name}: {text}".format(**one)) for one in probes if one["passed"] is False]
    # In front: they are few, and a kernel in trouble tells of it in many lines.
    return _block(health["since"], failed + health["problems"], health["reason"])


def _block(since: Optional[Dict[str, Any]], problems: List[Dict[str, str]], missing: Optional[str]) -> Dict[str, Any]:
    verdict = "fail" if problems else ("pass" if missing is None else "inconclusive")
    return {
        "verdict": verdict,
        "problems": problems[:_MOST],
        "since": since,
        "complete": missing is None,
        "reason": missing,
    }


def _problem(what: str, text: str) -> Dict[str, str]:
    return {"what": what, "text": text[:_LONGEST]}


def _added(before: Optional[int], after: Optional[int]) -> List[str]:
    if before is None or after is None:
        return []
    return [letter for letter in taint.letters(after & ~before) if letter not in _EXPECTED]


def _missing(since: Dict[str, Any], seen: Now) -> Optional[str]:
    """What could not be looked at, None if all could."""
    if since["boot_id"] is None:
        return "the boot ID cannot be read: whether the host has booted since is not known"
    if since["taint"] is None or seen.taint is None:
        return "the kernel's taint cannot be read"
    if since["log"] is None or not seen.records:
        return "the kernel's log cannot be read"
    lost = seen.records[0].sequence - since["log"] - 1
    if lost > 0:
        return f"{lost} records of the kernel's log are lost: it holds too few (log_buf_len)"
    return None
