# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold before a host is changed: the fence, what the plan was made for, and preflight. PRIVATE to the
collection.
"""

from typing import Any, Dict, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Fenced, NotBegun, NotDone, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host


def check_fence(host: Host, request: Request) -> None:
    """Refuse a run of the rollout that a newer one has replaced.

    :raises Fenced: this is such a run.
    """
    if request.fence is None:
        return
    journal = _journal.Journal(host)
    try:
        entry = journal.read()
    except Unmeasured:  # the host's state is unknown then, and nothing is done
        return
    if entry is None:  # nothing was ever changed here: the first change records the number
        return
    newest = entry.get("fence")
    if newest is not None and request.fence < newest:
        raise Fenced(
            f"a newer run of the rollout (number {newest}) has taken over this host, this is number {request.fence}",
            "Nothing was done: end this run",
        )
    if request.fence != newest and not request.check_mode:
        journal.fence(entry, request.fence)


def check_begun(host: Host, request: Request) -> None:
    """Where only a change that an earlier run began is to be finished, checks that there is one.

    :raises NotBegun: there is none.
    :raises NotDone: there is one, and it has failed. It is not tried again.
    """
    if not request.expect.get("begun"):
        return
    try:
        entry = _journal.Journal(host).read()
    except Unmeasured:  # the host's state is unknown then, and nothing is done
        return
    if entry is None or entry.get("rollout") != request.rollout:
        raise NotBegun("the rollout has not begun to change this host", "Nothing was done")
    if entry["phase"] == _journal.FAILED:
        levels: Dict[str, Any] = {key: entry[key] for key in ("before", "after") if key in entry}
        if entry.get("stalled"):
            levels.update(stalled=True, blockers=entry.get("blockers") or [])
        raise NotDone(entry["problem"] or "the change of this host has failed", result=levels)


def run_preflight(host: Host, observed: Dict[str, Any], request: Request, result: Dict[str, Any]) -> None:
    """:raises NotDone: a preflight check failed that is not tolerated."""
    if not request.preflight:
        return
    from ansible_collections.fleet.livepatch.plugins.module_utils import _preflight

    refusals = _preflight.list_refusals(host, request.policy, observed, request.preflight_tolerate)
    if refusals:
        raise NotDone(
            "preflight: " + "; ".join(refusals),
            "Nothing was done. Fix it, or tolerate the check by its name (preflight_tolerate)",
            result,
        )


def check_kernel(host: Host, tolerated: Sequence[str], result: Dict[str, Any]) -> None:
    """Check that the kernel takes live patches at all. If it does not, none of them is to blame.

    :param tolerated: preflight checks that may fail.

    :raises NotDone: an operator has switched off what they need.
    """
    if "ftrace" not in tolerated and host.read_text("/proc/sys/kernel/ftrace_enabled") == "0":
        raise NotDone(
            "kernel.ftrace_enabled is 0, and the kernel refuses live patches then",
            "Nothing was done: set it to 1 (sysctl kernel.ftrace_enabled=1)",
            result,
        )
    if host.read_text("/proc/sys/kernel/modules_disabled") == "1":
        raise NotDone(
            "kernel.modules_disabled is 1, and the kernel loads no module until its next boot",
            "Nothing was done: reboot the host, without that setting",
            result,
        )


def check_expectations(expect: Dict[str, Any], observed: Dict[str, Any], result: Dict[str, Any]) -> None:
    """Check that this is the host, and the KMP, that a plan was made for.

    :raises NotBegun: it is not.
    """
    kernel, kmp = observed["kernel"], observed["kmp"]
    evr = kmp["selected"]["evr"] if kmp["selected"] else None
    problem = None
    if expect.get("build_id", kernel["build_id"]) != kernel["build_id"]:
        problem = "build ID {} runs, the plan was made for {}".format(kernel["build_id"], expect["build_id"])
    elif expect.get("kmp", evr) != evr:
        refusal = _find_refusal(kmp, expect["kmp"])
        problem = "the newest KMP is {}, the plan was made for {}{}".format(
            evr or "none", expect["kmp"], f" ({refusal})" if refusal else ""
        )
    if problem is not None:
        raise NotBegun(problem + ". Nothing was done; plan again (run the rollout again)", result=result)


def _find_refusal(kmp: Dict[str, Any], evr: str) -> Optional[str]:
    """Why this version was not selected."""
    return next(
        (
            "{name}-{evr} is refused: {reason}".format(**rejection)
            for rejection in kmp["rejected"]
            if rejection["evr"] == evr
        ),
        None,
    )
