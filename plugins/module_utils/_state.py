# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a host: facts in, state, reason and evidence out. PRIVATE to the collection. Pure.

The states and their order are the table "Host states" in the docs: the first that applies, from the top.
"""

from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import selection


class Verdict(NamedTuple):
    state: str
    reason: str


# States in which a KMP of the running kernel is active, whichever level.
ACTIVE = ("patched", "baseline", "outdated")
# States from which a KMP can be applied.
PATCHABLE = ("installed", "unpatched", "outdated")


def assess_state(
    kernel: Dict[str, Any],
    kmp: Dict[str, Any],
    patches: List[Dict[str, Any]],
    stalled: bool,
    crash: Optional[str] = None,
) -> Verdict:
    """:param stalled: whether the running transition has exceeded its limit.
    :param crash: the crash that this boot follows, by the journal.
    """
    if kernel["confinement"] is not None:
        return Verdict(
            "not_covered",
            "this is {}: the kernel is not this system's own. Patch the machine that it runs on".format(
                "WSL" if kernel["confinement"] == "wsl" else "a container"
            ),
        )
    if not kernel["livepatch_supported"]:
        return Verdict(
            "not_covered",
            "this kernel cannot be live patched: /sys/kernel/livepatch is not there (built without CONFIG_LIVEPATCH). "
            "Reboot the host into a kernel that can",
        )
    unknown = _explain_unknown(kernel, kmp, patches)
    if crash is not None:
        # The journal alone decides that. What the crash has damaged is appended.
        return Verdict("crashed", crash + (f". In addition, {unknown}" if unknown else ""))
    if unknown is not None:
        return Verdict("unknown", unknown)

    installed, newest = kmp["installed"], kmp["newest"]
    own = _find_own_patch(installed, patches)
    # A replaced patch shows 0 and 0 for a moment before it disappears.
    others = [patch["name"] for patch in patches if patch is not own and patch["enabled"]]

    moving = next((patch for patch in patches if patch["transition"]), None)
    # While our patch is applied, those that it replaces are still there; before that, an older level of the KMP may be.
    foreign = others if own is not None else [name for name in others if _kmp_names.parse_module_level(name) is None]
    if installed is not None and foreign and moving is None:
        text = "{} is active, which is not of {name}-{evr}. Find out what loaded it; a reboot removes it"
        return Verdict("conflict", text.format(", ".join(foreign), **installed))
    refused = next((entry for entry in kmp["rejected"] if installed and entry["evr"] == installed["evr"]), None)
    mismatch = _explain_mismatch(kernel, installed, own, refused)
    if mismatch is not None:
        return Verdict("mismatch", mismatch)
    if installed is None and newest is None:
        text = "no KMP fits {}: {}. Reboot the host into a kernel that has one"
        return Verdict("not_covered", text.format(kernel["release"], _explain_refusal(kmp)))
    if moving is not None:
        direction = "to" if moving["enabled"] else "from"
        text = "tasks are moving {} {}".format(direction, moving["name"])
        return Verdict("stalled", text + ", for longer than the limit") if stalled else Verdict("transitioning", text)
    if installed is None:
        return Verdict("unpatched", "{}-{evr} exists and is not installed".format(kmp["name"], **newest))
    package = "{}-{}".format(installed["name"], installed["evr"])
    if own is None or not own["enabled"]:
        still = "; {} is active".format(", ".join(others)) if others else ""
        refusal = "; it is refused: {reason}".format(**refused) if refused and newest is None else ""
        return Verdict("installed", f"{package} is installed and its module is not active{still}{refusal}")
    if newest is None or _evr.compare(installed["evr"], newest["evr"]) > 0:
        return Verdict("unknown", f"{package} is active and is not among the KMPs that fit: {_explain_refusal(kmp)}")
    if newest["evr"] != installed["evr"]:
        return Verdict("outdated", "{} is active, {} is the newest".format(package, newest["evr"]))
    if _kmp_names.is_initial(installed["name"], installed["level"]):
        return Verdict("baseline", "{} is active; level {} fixes nothing".format(package, installed["level"]))
    on_what = {
        "build_id": "{} is active on build ID {}",
        "signed_image": "{} is active on build ID {}, as its vendor's signed kernel package holds it",
        "name": "{} is active, and only its name ties it to this kernel",
    }
    return Verdict("patched", on_what[newest["basis"]].format(package, kernel["build_id"]))


def assess_compliance(
    state: str, kmp: Dict[str, Any], patches: List[Dict[str, Any]], version: Optional[str]
) -> Dict[str, Any]:
    """Assess what the state means for the operator; what is unknown is None.

    :param version: the KMP version that is asked for, None for the newest that the policy admits.
    """
    installed, selected = kmp["installed"], kmp["selected"]
    fixed: Optional[List[str]] = None
    if not patches:
        fixed = []
    elif state in ACTIVE:
        fixed = installed["cves"]
    fixes = kmp["newest"]["cves"] if kmp["newest"] else None
    kernel_fixed = kmp["kernel_fixed"]
    return {
        "cves_fixed": fixed,
        "cves_open": None if fixed is None or fixes is None else [cve for cve in fixes if cve not in fixed],
        "kernel_fixed": None if kernel_fixed is None else len(kernel_fixed),
        "wanted": selected["level"] if selected else None,
        "up_to_date": _is_up_to_date(state, kmp, version),
        "pinned_by": kmp["pinned_by"],
        "covered_until": kmp["covered_until"],
    }


def _is_up_to_date(state: str, kmp: Dict[str, Any], version: Optional[str]) -> Optional[bool]:
    if state in PATCHABLE and state not in ACTIVE:
        return False
    if state not in ACTIVE:
        return None
    if kmp["selected"] is None:
        # All that the policy admits is older than what is active, or it admits nothing.
        return version is None
    return bool(kmp["installed"]["evr"] == kmp["selected"]["evr"])


def collect_evidence(kernel: Dict[str, Any], kmp: Dict[str, Any], patches: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Collect what the state rests on, as read from the kernel, the module's file and the RPM database."""
    installed = kmp["installed"]
    own = _find_own_patch(installed, patches)
    return {
        "build_id": kernel["build_id"],
        "match": kmp["newest"]["basis"] if kmp["newest"] else None,
        "image_matches_running": kernel["image"]["matches_running"],
        "package": "{name}-{evr}.{arch}".format(**installed) if installed else None,
        "signature": installed["signed"] if installed else None,
        "target_release": installed["target_release"] if installed else None,
        "module_file_build_id": installed["module_build_id"] if installed else None,
        "module_build_id": own["build_id"] if own else None,
        "patch": own["name"] if own else None,
        "enabled": own["enabled"] if own else None,
        "transition": own["transition"] if own else None,
        "replace": own["replace"] if own else None,
        "stack_order": own["stack_order"] if own else None,
        "module_signer": installed["module_signer"] if installed else None,
        "vermagic": installed["vermagic"] if installed else None,
        "functions": sum(own["objects"].values()) if own else None,
    }


def _find_own_patch(installed: Optional[Dict[str, Any]], patches: List[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """Find the patch in the kernel whose module is that of the installed KMP."""
    return next((patch for patch in patches if installed and patch["name"] == installed["module"]), None)


def _explain_unknown(kernel: Dict[str, Any], kmp: Dict[str, Any], patches: List[Dict[str, Any]]) -> Optional[str]:
    if kernel["build_id"] is None:
        return "the running kernel's build ID is unknown: " + str(kernel["unmeasured"]["build_id"])
    for key in ("installed", "candidates"):
        if key in kmp["unmeasured"]:
            return str(kmp["unmeasured"][key])
    active = [patch["name"] for patch in patches if patch["enabled"]]
    if active and kmp["installed"] is None and not any(patch["transition"] for patch in patches):
        return "{} is active, and no installed KMP holds it: what it was built for is unknown".format(", ".join(active))
    return None


def _explain_mismatch(
    kernel: Dict[str, Any],
    installed: Optional[Dict[str, Any]],
    own: Optional[Dict[str, Any]],
    refused: Optional[Dict[str, str]],
) -> Optional[str]:
    """Explain what does not match. The kernel itself ignores the release in vermagic (CONFIG_MODVERSIONS)."""
    if installed is not None and installed["target_release"] not in (None, kernel["release"]):
        return "{}-{} was built for {}, the running kernel is {}. Remove it, and install one that fits".format(
            installed["name"], installed["evr"], installed["target_release"], kernel["release"]
        )
    if refused is not None and refused["code"] == "other_build":
        return "{name}-{evr} is installed and was {reason}. Remove it, and install one that fits".format(**refused)
    if installed is not None and own is not None:
        both = (own["build_id"], installed["module_build_id"])
        if None not in both and both[0] != both[1]:
            return (
                "the module {} in the kernel (build ID {}) is not the one in {} (build ID {}). A reboot loads that one"
            ).format(own["name"], both[0], installed["module_path"], both[1])
    image = kernel["image"]
    if image["matches_running"] is False:
        version = "build ID {build_id}" if image["basis"] == "build_id" else "{version}"
        return (
            "the running kernel (build ID {}) is not the installed one: {} holds {}; its package was probably "
            "rebuilt and updated without a reboot. Boot the installed kernel"
        ).format(kernel["build_id"], image["path"], version.format(**image))
    return None


def _explain_refusal(kmp: Dict[str, Any]) -> str:
    """Explain why the newest refused candidate was refused, or that there is none."""
    first = next((rejection for rejection in kmp["rejected"] if rejection["code"] not in selection.ELSEWHERE), None)
    if first is not None:
        return "{name}-{evr} is refused: {reason}".format(**first)
    others = len(kmp["rejected"])
    return "no repository offers {}".format(kmp["name"]) + (f", but {others} for other kernels" if others else "")
