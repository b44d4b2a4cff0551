# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a host to the newest level: the use case of the module ``livepatch``. PRIVATE to the collection."""

from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _observe, _verdict
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    LivepatchError,
    LoadRefused,
    NotDone,
    TransitionStalled,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import identity
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers, klp, transition
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import managers, names, selection
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy


# timeout: seconds a migration may take. on_stall: "reverse" or "leave". expect: what a plan was made for, as far as it
# says: "build_id" of the running kernel, "kmp" the EVR that is to be applied.
class Request(NamedTuple):
    policy: Policy
    timeout: float
    on_stall: str
    check_mode: bool
    expect: Dict[str, str] = {}


# A module that is replaced or reversed is let go by a work queue of the kernel a moment later; kpatch waits as long.
_LET_GO = 15.0


def latest(host: Host, request: Request) -> Dict[str, Any]:
    """Installs and loads the KMP that is wanted for the running kernel, watches the migration, and verifies.

    :returns: the blocks of ``_observe``, and ``before``, ``after``, ``changed``, ``transition``, ``transaction``.
    :raises LivepatchError: the host is not up to date now; its ``result`` holds the same keys as far as they are known.
    """
    kernel = identity.read(host)
    offer = packages.ask(host, kernel, request.policy)
    # Somebody else's migration decides what is true here, so it ends first.
    busy = None if request.check_mode else transition.wait_for_others(host, request.timeout)
    observed = _observe.conclude(host, kernel, offer, request.policy, stalled=busy is not None)
    before = _observe.levels(observed)
    result = dict(observed, before=before, after=before, changed=False, transition=_told(None), transaction=None)

    if observed["livepatch"]["compliance"]["up_to_date"]:
        return result
    selected = _selected(observed, request.expect, result)
    if request.check_mode:
        return dict(result, changed=True, after=dict(before, **_expected(observed["kmp"])))

    try:
        offer = packages.examine(host, kernel, offer, request.policy)
    except LivepatchError as exc:
        exc.result = dict(result, **exc.result)
        raise
    if offer.transaction is not None:
        # What was seen in the package may have turned the choice.
        observed = _observe.conclude(host, kernel, offer, request.policy)
        result.update(observed, transaction=offer.transaction, warnings=_alarms(observed["kmp"]))
        _insist_on(request.expect, observed, result)
        if observed["livepatch"]["compliance"]["up_to_date"]:
            return result
        selected = _selected(observed, request.expect, result)

    problem: Optional[LivepatchError] = None
    migration: Optional[transition.Migration] = None
    try:
        migration = _apply(host, request, kernel, selected)
    except LivepatchError as exc:
        problem = exc
    observed = _observe.conclude(host, kernel, offer, request.policy, stalled=isinstance(problem, TransitionStalled))
    after = _observe.levels(observed)
    result.update(observed, after=after, changed=after != before, transition=_told(migration))
    if problem is not None:
        result["livepatch"]["blockers"] = problem.result.get("blockers") or result["livepatch"]["blockers"]
        raise type(problem)(
            "{} (the host's state is now {}: {})".format(problem, after["state"], observed["livepatch"]["reason"]),
            result=result,
        )
    if not observed["livepatch"]["compliance"]["up_to_date"]:
        raise NotDone(
            "{}-{} was applied and the host is not patched, its state is {}: {}".format(
                selected["name"], selected["evr"], after["state"], observed["livepatch"]["reason"]
            ),
            result=result,
        )
    return result


def _selected(observed: Dict[str, Any], expect: Dict[str, str], result: Dict[str, Any]) -> Dict[str, Any]:
    """The KMP that is to be applied.

    :raises NotDone: there is none, or not the one that a plan was made for.
    """
    state, reason, kmp = observed["livepatch"]["state"], observed["livepatch"]["reason"], observed["kmp"]
    if state not in (*_verdict.PATCHABLE, *_verdict.ACTIVE):
        raise NotDone(f"cannot live patch this host, its state is {state}: {reason}", result=result)
    selected = kmp["selected"]
    if selected is None:
        told = ["{evr} ({reason})".format(**one) for one in kmp["rejected"]]
        raise NotDone(
            f"nothing was done, since the policy admits no KMP ({state}: {reason})",
            "Refused are: {}".format(", ".join(told) or "none"),
            result,
        )
    _insist_on(expect, observed, result)
    return dict(selected)


def _insist_on(expect: Dict[str, str], observed: Dict[str, Any], result: Dict[str, Any]) -> None:
    """That this is the host, and the KMP, that a plan was made for."""
    kernel, kmp = observed["kernel"], observed["kmp"]
    evr = kmp["selected"]["evr"] if kmp["selected"] else None
    problem = None
    if expect.get("build_id", kernel["build_id"]) != kernel["build_id"]:
        problem = "build ID {} runs, the plan was made for {}".format(kernel["build_id"], expect["build_id"])
    elif expect.get("kmp", evr) != evr:
        refused = _refused(kmp, expect["kmp"])
        problem = "the newest KMP is {}, the plan was made for {}{}".format(
            evr or "none", expect["kmp"], f" ({refused})" if refused else ""
        )
    if problem is not None:
        raise NotDone(problem + ". Nothing was done; plan again (run the rollout again)", result=result)


def _refused(kmp: Dict[str, Any], evr: str) -> Optional[str]:
    """Why this version was not selected."""
    return next(
        ("{name}-{evr} is refused: {reason}".format(**one) for one in kmp["rejected"] if one["evr"] == evr),
        None,
    )


def _expected(kmp: Dict[str, Any]) -> Dict[str, Any]:
    """What the host would be told by when the selected KMP is active."""
    selected, newest = kmp["selected"], kmp["newest"]
    state = "outdated"
    if selected["evr"] == newest["evr"]:
        state = "baseline" if names.fixes_nothing(selected["name"], selected["level"]) else "patched"
    return {"state": state, "level": selected["level"], "kmp": selected["evr"]}


def _alarms(kmp: Dict[str, Any]) -> List[str]:
    """What a person should know of even though another KMP was taken, or none was needed."""
    return [
        "{name}-{evr} is refused: {reason}".format(**one) for one in kmp["rejected"] if one["code"] in selection.ALARMS
    ]


def _apply(host: Host, request: Request, kernel: Dict[str, Any], selected: Dict[str, Any]) -> transition.Migration:
    installed = _installed(host, selected)
    if installed is None:
        managers.find(host, request.policy).install(selected["name"], selected["evr"])
        installed = _installed(host, selected)
    if installed is None:
        raise NotDone(
            "{}-{} is not installed, though the package manager reported success".format(
                selected["name"], selected["evr"]
            )
        )
    if installed["target_release"] != kernel["release"]:
        raise NotDone(
            "{}-{} was not loaded: its module was built for {}, the kernel that runs is {}".format(
                installed["name"], installed["evr"], installed["target_release"], kernel["release"]
            )
        )

    module = installed["module"]
    shown = klp.patch(host, module)
    # Else the package's own script has loaded it already. Before Linux 5.1 a disabled patch is still shown.
    if shown is None or not (shown.enabled or shown.transition):
        _load(host, request, module, installed["module_path"])
    started = host.clock()
    migration = transition.wait(host, module, started, request.timeout)
    return migration if migration.completed else _stalled(host, request, module, started)


def _installed(host: Host, wanted: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """The KMP in just this version; another one may be installed beside it."""
    return next((one for one in packages.installed(host, wanted["name"]) if one["evr"] == wanted["evr"]), None)


def _load(host: Host, request: Request, module: str, path: str) -> None:
    busy = transition.wait_for_others(host, request.timeout)
    if busy is not None:
        raise TransitionStalled(
            f"{module} was not loaded: the transition of {busy} did not end within {request.timeout:g} s",
            "Find its blockers with livepatch_info",
        )
    if klp.loaded(host, module):
        # Left over from an earlier reversal: such a module patches nothing, and cannot be enabled again.
        deadline = host.clock() + _LET_GO
        while klp.references(host, module) and host.clock() < deadline:
            host.sleep(transition.INTERVAL)
        if not klp.unload(host, module):
            raise LoadRefused(
                f"an inactive module {module} is in the kernel and cannot be removed",
                "Reboot the host to be rid of it",
            )
    klp.load(host, path)


def _stalled(host: Host, request: Request, module: str, started: float) -> transition.Migration:
    problem = f"the migration to {module} did not complete within {request.timeout:g} s"
    found = {"blockers": blockers.find(host, target=1)}  # a reversal sets them free: ask before it
    if request.on_stall == "leave":
        raise TransitionStalled(problem + " and was left running", "Deal with the blockers", found)
    if not klp.in_transition(host, module):
        # It completed while we looked for what blocked it, and a reversal would take a good patch away.
        return transition.wait(host, module, started, request.timeout)
    try:
        klp.reverse(host, module)
    except Unmeasured as exc:
        raise TransitionStalled(f"{problem}, and {exc}", "Deal with the blockers", found) from exc
    back = transition.wait(host, module, host.clock(), request.timeout)
    if not back.completed:
        raise TransitionStalled(problem + ", and neither did its reversal", "Deal with the blockers", found)
    raise TransitionStalled(problem + " and was reversed", "Deal with the blockers, and try again", found)


def _told(migration: Optional[transition.Migration]) -> Dict[str, Any]:
    if migration is None:
        return {"seconds": None, "by": None}
    return {"seconds": migration.seconds, "by": migration.by}
