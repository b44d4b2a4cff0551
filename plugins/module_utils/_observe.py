# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that is known of a host, in one pass. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict, List, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _verdict
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import identity
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers, klp
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import names, selection
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy

_LATER = "this version does not find it out"


def observe(host: Host, policy: Policy) -> Dict[str, Any]:
    """The blocks ``kernel``, ``kmp`` and ``livepatch`` of a result."""
    kernel = identity.read(host)
    offer = packages.ask(host, kernel, policy)
    return conclude(host, kernel, offer, policy)


def conclude(
    host: Host, kernel: Dict[str, Any], offer: packages.Offer, policy: Policy, stalled: bool = False
) -> Dict[str, Any]:
    """The same, when kernel and repositories have been asked already: what may have changed is read again."""
    kmp = packages.block(host, kernel, offer, policy)
    patches = [_patch(one) for one in klp.patches(host)]
    verdict = _verdict.judge(kernel, kmp, patches, stalled)
    moving = next((one for one in patches if one["transition"]), None)
    active = verdict.state in _verdict.ACTIVE
    compliance = _verdict.compliance(verdict.state, kmp, patches, policy.kmp_version)
    unmeasured = dict.fromkeys(("persistent", "next_boot"), _LATER)
    for key in ("cves_open", "cves_fixed", "covered_until", "kernel_fixed"):
        if compliance[key] is None:
            unmeasured["compliance." + key] = (
                kmp["unmeasured"].get(key) or "what is active is not the newest installed KMP"
            )
    # A host's result is small: who wants all there is to choose from, or all that a kernel fixes, asks kmp_info.
    del kmp["candidates"], kmp["kernel_fixed"]
    kmp["rejected"] = [one for one in kmp["rejected"] if one["code"] not in selection.ELSEWHERE]
    return {
        "kernel": kernel,
        "kmp": kmp,
        "livepatch": {
            "state": verdict.state,
            "reason": verdict.reason,
            "evidence": _verdict.evidence(kernel, kmp, patches),
            "compliance": compliance,
            "level": kmp["installed"]["level"] if active else _level(patches),
            "persistent": None,
            "patches": patches,
            "transition": _transition(moving),
            "blockers": blockers.find(host, int(moving["enabled"])) if moving else [],
            "next_boot": None,
            "unmeasured": unmeasured,
        },
    }


def _level(patches: List[Dict[str, Any]]) -> Optional[int]:
    """The level of a patch that is active and not of the newest installed KMP, by its name."""
    return next((names.module_level(one["name"]) for one in patches if one["enabled"] and not one["transition"]), None)


def _transition(moving: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    return {"running": moving is not None, "patch": moving["name"] if moving else None}


def _patch(patch: klp.Patch) -> Dict[str, Any]:
    """A patch for a result, which is small: how many functions of each object, not which."""
    counts = {name: len(functions) for name, functions in patch.functions.items()}
    shown = dict(patch._asdict(), objects=counts)
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
