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
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import names

_LATER = "this version does not find it out"


def observe(host: Host, policy: packages.Policy) -> Dict[str, Any]:
    """The blocks ``kernel``, ``kmp`` and ``livepatch`` of a result."""
    kernel = identity.read(host)
    offer = packages.ask(host, kernel, policy)
    return conclude(host, kernel, offer, policy)


def conclude(
    host: Host, kernel: Dict[str, Any], offer: packages.Offer, policy: packages.Policy, stalled: bool = False
) -> Dict[str, Any]:
    """The same, when kernel and repositories have been asked already: what may have changed is read again."""
    kmp = packages.block(host, kernel, offer, policy)
    patches = [_patch(one) for one in klp.patches(host)]
    verdict = _verdict.judge(kernel, kmp, patches, stalled)
    moving = next((one for one in patches if one["transition"]), None)
    unmeasured = dict.fromkeys(
        ("compliance.cves_open", "compliance.pinned_by", "compliance.covered_until", "persistent", "next_boot"), _LATER
    )
    active = verdict.state in ("patched", "baseline", "outdated")
    if patches and not active:
        unmeasured["compliance.cves_fixed"] = "what is active is not the newest installed KMP"
    installed, selected = kmp["installed"], kmp["selected"]
    # A host's result is small: who wants all there is to choose from asks kmp_info.
    del kmp["candidates"]
    return {
        "kernel": kernel,
        "kmp": kmp,
        "livepatch": {
            "state": verdict.state,
            "reason": verdict.reason,
            "evidence": _verdict.evidence(kernel, kmp, patches),
            "compliance": {
                "cves_open": None,
                "cves_fixed": _cves_fixed(active, installed, patches),
                "wanted": selected["level"] if selected else None,
                "up_to_date": verdict.state in _verdict.UP_TO_DATE if selected else None,
                "pinned_by": None,
                "covered_until": None,
            },
            "level": installed["level"] if active else _level(patches),
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


def _cves_fixed(
    active: bool, installed: Optional[Dict[str, Any]], patches: List[Dict[str, Any]]
) -> Optional[List[str]]:
    if active and installed is not None:
        return list(installed["cves"])
    return None if patches else []


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
