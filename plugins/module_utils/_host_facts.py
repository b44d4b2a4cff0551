# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that is known of a host, in one pass. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils import (
    _boot_persistence,
    _health,
    _journal,
    _kernel_facts,
    _kmp_names,
    _state,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers, mechanisms
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import Mechanism, Patch
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import selection
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy

# Threads are only looked at when a migration is slow: most are over in a second or two.
_SLOW = 5.0
# Of the journal, what a result tells
_RECORDED = ("run", "rollout", "plan", "fence", "phase", "kmp", "previous", "boot_id", "at", "problem")
_NOTHING = "nothing is installed that the next boot could keep"


def observe(host: Host, policy: Policy, functions: bool = False) -> Dict[str, Any]:
    """The blocks ``kernel``, ``kmp`` and ``livepatch`` of a result; ``functions``: with each replaced one's name."""
    kernel = _kernel_facts.gather_kernel(host)
    offer = packages.ask(host, kernel, policy)
    return conclude(host, kernel, offer, policy, functions=functions)


def conclude(
    host: Host,
    kernel: Dict[str, Any],
    offer: packages.Offer,
    policy: Policy,
    stalled: bool = False,
    functions: bool = False,
) -> Dict[str, Any]:
    """The same, when kernel and repositories have been asked already: what may have changed is read again."""
    kmp = packages.block(host, kernel, offer, policy)
    mechanism = mechanisms.find(host)
    patches = [_patch(one, functions) for one in mechanism.patches()] if mechanism else []
    entry, damaged = _recorded(host)
    if damaged is not None:
        kmp["unmeasured"].setdefault("installed", damaged)
    moving = next((one for one in patches if one["transition"]), None)
    stalled = stalled or (moving is not None and _is_late(host, entry, kernel["boot_id"], kmp, moving["name"]))
    crash = _journal.crashed(entry, kernel["boot_id"])
    verdict = _state.judge(kernel, kmp, patches, stalled, crash)
    active = verdict.state in _state.ACTIVE
    asked = policy.kmp_version or (None if policy.level is None else str(policy.level))
    compliance = _state.compliance(verdict.state, kmp, patches, asked)
    unmeasured: Dict[str, str] = {}
    next_boot = _next_boot(host, kernel, kmp, unmeasured)
    for key in ("cves_open", "cves_fixed", "covered_until", "kernel_fixed"):
        if compliance[key] is None:
            unmeasured["compliance." + key] = (
                kmp["unmeasured"].get(key) or "what is active is not the newest installed KMP"
            )
    found = blockers.Blockers(0, [])
    if mechanism is not None and moving is not None and (stalled or _is_slow(host, mechanism, moving["name"])):
        found = blockers.find(host, mechanism, moving["enabled"])
    evidence = dict(_state.evidence(kernel, kmp, patches), threads_left=found.left)
    for shown in (kmp["installed"], kmp["selected"]):
        if shown is not None:
            del shown["vermagic"], shown["module_signer"]
    # A host's result is small: who wants all there is to choose from, or all that a kernel fixes, asks kmp_info.
    del kmp["candidates"], kmp["kernel_fixed"]
    kmp["rejected"] = [one for one in kmp["rejected"] if one["code"] not in selection.ELSEWHERE]
    return {
        "kernel": kernel,
        "kmp": kmp,
        "livepatch": {
            "state": verdict.state,
            "reason": verdict.reason,
            "evidence": evidence,
            "compliance": compliance,
            "level": kmp["installed"]["level"] if active else _level(patches),
            "persistent": None if next_boot is None else not next_boot["missing"],
            "patches": patches,
            "transition": {
                "running": moving is not None,
                "patch": moving["name"] if moving else None,
                "to": moving["enabled"] if moving else None,
            },
            "blockers": found.shown,
            "next_boot": next_boot,
            "health": _health.judge(entry.get("baseline") if entry else None, _health.now(host, kernel["boot_id"])),
            "journal": _told(host, entry, kernel["boot_id"]),
            "unmeasured": unmeasured,
        },
    }


def _recorded(host: Host) -> Tuple[Optional[Dict[str, Any]], Optional[str]]:
    try:
        return _journal.Journal(host).read(), None
    except Unmeasured as exc:
        return None, str(exc)


def _told(host: Host, entry: Optional[Dict[str, Any]], boot_id: Optional[str]) -> Optional[Dict[str, Any]]:
    """The journal for a result."""
    if entry is None:
        return None
    told = {key: entry.get(key) for key in _RECORDED}
    runs = host.is_locked(_journal.LOCK)
    return dict(told, running=runs, interrupted=_journal.interrupted(entry, boot_id, runs))


def _is_late(
    host: Host, entry: Optional[Dict[str, Any]], boot_id: Optional[str], kmp: Dict[str, Any], moving: str
) -> bool:
    """Whether the migration that runs is the one that the journal tells of, and has exceeded its limit."""
    if entry is None or entry["boot_id"] != boot_id or entry["deadline"] is None:
        return False
    if entry["kmp"] is not None:
        installed = kmp["installed"]
        ours = installed is not None and entry["kmp"] == "{name}-{evr}".format(**installed)
        if not ours or installed["module"] != moving:
            return False
    return host.clock() > float(entry["deadline"])


def _is_slow(host: Host, mechanism: Mechanism, name: str) -> bool:
    began, _finished = mechanism.logged(name)
    return began is None or host.clock() - began > _SLOW


def _next_boot(
    host: Host, kernel: Dict[str, Any], kmp: Dict[str, Any], unmeasured: Dict[str, str]
) -> Optional[Dict[str, Any]]:
    problem = kmp["unmeasured"].get("installed") or (None if kmp["installed"] else _NOTHING)
    if problem is None:
        try:
            return _boot_persistence.find(host, kernel, kmp["installed"])
        except Unmeasured as exc:
            problem = str(exc)
    unmeasured.update(dict.fromkeys(("persistent", "next_boot"), problem))
    return None


def _level(patches: List[Dict[str, Any]]) -> Optional[int]:
    """The level of a patch that is active and not of the newest installed KMP, by its name."""
    return next(
        (_kmp_names.module_level(one["name"]) for one in patches if one["enabled"] and not one["transition"]), None
    )


def _patch(patch: Patch, functions: bool) -> Dict[str, Any]:
    """A patch for a result, which is small: how many functions of each object, and which only if that was asked for."""
    counts = {name: len(replaced) for name, replaced in patch.functions.items()}
    shown = dict(patch._asdict(), objects=counts)
    if not functions:
        del shown["functions"]
    return shown


def levels(observed: Dict[str, Any]) -> Dict[str, Any]:
    """What a change of the host is told by: its state, and the patch that is active."""
    livepatch = observed["livepatch"]
    return {
        "state": livepatch["state"],
        "level": livepatch["level"],
        "patches": [one["name"] for one in livepatch["patches"]],
        "kmp": observed["kmp"]["installed"]["evr"] if observed["kmp"]["installed"] else None,
    }
