# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gather all that is known about a host, in one pass. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils import (
    _health,
    _journal,
    _kernel_facts,
    _kmp_names,
    _next_boot,
    _state,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import mechanisms
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import Mechanism, Patch
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import selection
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy

# Threads are only examined when a migration is slow: most are over in a second or two.
_SLOW = 5.0
# The fields of the journal in a result
_JOURNAL_KEYS = ("run", "rollout", "plan", "fence", "phase", "kmp", "previous", "boot_id", "at", "problem")
_NOTHING = "no KMP is installed that the next boot could load"


def gather_facts(host: Host, policy: Policy, functions: bool = False) -> Dict[str, Any]:
    """Gather the blocks ``kernel``, ``kmp`` and ``livepatch`` of a result.

    :param functions: whether to name each replaced function.
    """
    kernel = _kernel_facts.gather_kernel(host)
    offer = packages.query_offer(host, kernel, policy)
    return assess_host(host, kernel, offer, policy, functions=functions)


def assess_host(
    host: Host,
    kernel: Dict[str, Any],
    offer: packages.Offer,
    policy: Policy,
    stalled: bool = False,
    functions: bool = False,
) -> Dict[str, Any]:
    """Gather the same, when kernel and repositories have been queried already: what may have changed is read again."""
    kmp = packages.build_block(host, kernel, offer, policy)
    mechanism = mechanisms.find_mechanism(host)
    patches = [_format_patch(patch, functions) for patch in mechanism.list_patches()] if mechanism else []
    entry, damaged = _read_journal(host)
    if damaged is not None:
        kmp["unmeasured"].setdefault("installed", damaged)
    moving = next((patch for patch in patches if patch["transition"]), None)
    stalled = stalled or (moving is not None and _is_late(host, entry, kernel["boot_id"], kmp, moving["name"]))
    crash = _journal.explain_crash(entry, kernel["boot_id"])
    verdict = _state.assess_state(kernel, kmp, patches, stalled, crash)
    active = verdict.state in _state.ACTIVE
    asked = policy.kmp_version or (None if policy.level is None else str(policy.level))
    compliance = _state.assess_compliance(verdict.state, kmp, patches, asked)
    unmeasured: Dict[str, str] = {}
    next_boot = _read_next_boot(host, kernel, kmp, unmeasured)
    for key in ("cves_open", "cves_fixed", "covered_until", "kernel_fixed"):
        if compliance[key] is None:
            unmeasured["compliance." + key] = (
                kmp["unmeasured"].get(key) or "what is active is not the newest installed KMP"
            )
    threads_left = 0
    blocking: List[Dict[str, Any]] = []
    if mechanism is not None and moving is not None and (stalled or _is_slow(host, mechanism, moving["name"])):
        # Here: few migrations are slow.
        from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers

        threads_left, blocking = blockers.find_blockers(host, mechanism, moving["enabled"])
    evidence = dict(_state.collect_evidence(kernel, kmp, patches), threads_left=threads_left)
    for kmp_block in (kmp["installed"], kmp["selected"]):
        if kmp_block is not None:
            del kmp_block["vermagic"], kmp_block["module_signer"]
    # A host's result is small: kmp_info returns all candidates, and all that a kernel fixes.
    del kmp["candidates"], kmp["kernel_fixed"]
    kmp["rejected"] = [rejection for rejection in kmp["rejected"] if rejection["code"] not in selection.ELSEWHERE]
    return {
        "kernel": kernel,
        "kmp": kmp,
        "livepatch": {
            "state": verdict.state,
            "reason": verdict.reason,
            "evidence": evidence,
            "compliance": compliance,
            "level": kmp["installed"]["level"] if active else _find_active_level(patches),
            "persistent": None if next_boot is None else not next_boot["missing"],
            "patches": patches,
            "transition": {
                "running": moving is not None,
                "patch": moving["name"] if moving else None,
                "to": moving["enabled"] if moving else None,
            },
            "blockers": blocking,
            "next_boot": next_boot,
            "health": _health.assess_health(
                entry.get("baseline") if entry else None, _health.read_now(host, kernel["boot_id"])
            ),
            "journal": _format_journal(host, entry, kernel["boot_id"], kmp["installed"]),
            "unmeasured": unmeasured,
        },
    }


def _read_journal(host: Host) -> Tuple[Optional[Dict[str, Any]], Optional[str]]:
    try:
        return _journal.Journal(host).read(), None
    except Unmeasured as exc:
        return None, str(exc)


def _format_journal(
    host: Host, entry: Optional[Dict[str, Any]], boot_id: Optional[str], installed: Optional[Dict[str, Any]]
) -> Optional[Dict[str, Any]]:
    """Format the journal for a result.

    :param installed: the newest installed KMP.
    """
    if entry is None:
        return None
    fields = {key: entry.get(key) for key in _JOURNAL_KEYS}
    runs = host.is_locked(_journal.LOCK)
    module = None
    if entry["kmp"] is not None:
        module = _kmp_names.derive_module_name(*_kmp_names.split_kmp(entry["kmp"]))
        if installed is not None and entry["kmp"] == "{name}-{evr}".format(**installed):
            module = installed["module"]
    is_loaded = module is not None and host.is_dir("/sys/module/" + module)
    return dict(
        fields,
        given=_journal.was_given(entry, boot_id, is_loaded),
        running=runs,
        interrupted=_journal.is_interrupted(entry, boot_id, runs),
    )


def _is_late(
    host: Host, entry: Optional[Dict[str, Any]], boot_id: Optional[str], kmp: Dict[str, Any], moving: str
) -> bool:
    """Whether the running migration is the one in the journal, and has exceeded its limit."""
    if entry is None or entry["boot_id"] != boot_id or entry["deadline"] is None:
        return False
    if entry["kmp"] is not None:
        installed = kmp["installed"]
        is_own = installed is not None and entry["kmp"] == "{name}-{evr}".format(**installed)
        if not is_own or installed["module"] != moving:
            return False
    return host.clock() > float(entry["deadline"])


def _is_slow(host: Host, mechanism: Mechanism, name: str) -> bool:
    began, _finished = mechanism.read_log_times(name)
    return began is None or host.clock() - began > _SLOW


def _read_next_boot(
    host: Host, kernel: Dict[str, Any], kmp: Dict[str, Any], unmeasured: Dict[str, str]
) -> Optional[Dict[str, Any]]:
    problem = kmp["unmeasured"].get("installed") or (None if kmp["installed"] else _NOTHING)
    if problem is None:
        try:
            return _next_boot.read_next_boot(host, kernel, kmp["installed"])
        except Unmeasured as exc:
            problem = str(exc)
    unmeasured.update(dict.fromkeys(("persistent", "next_boot"), problem))
    return None


def _find_active_level(patches: List[Dict[str, Any]]) -> Optional[int]:
    """Find the level of an active patch that is not of the newest installed KMP, by its name."""
    return next(
        (
            _kmp_names.parse_module_level(patch["name"])
            for patch in patches
            if patch["enabled"] and not patch["transition"]
        ),
        None,
    )


def _format_patch(patch: Patch, functions: bool) -> Dict[str, Any]:
    """Format a patch for a result: the number of functions of each object, and their names only on request."""
    counts = {name: len(replaced) for name, replaced in patch.functions.items()}
    block = dict(patch._asdict(), objects=counts)
    if not functions:
        del block["functions"]
    return block


def summarize_levels(observed: Dict[str, Any]) -> Dict[str, Any]:
    """Summarize what a change of the host is reported by: its state, and what is active."""
    livepatch = observed["livepatch"]
    return {
        "state": livepatch["state"],
        "level": livepatch["level"],
        "patches": [patch["name"] for patch in livepatch["patches"]],
        "kmp": observed["kmp"]["installed"]["evr"] if observed["kmp"]["installed"] else None,
    }
