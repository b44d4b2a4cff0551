# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brings a host to the level that is wanted: the use case of the module ``livepatch``. PRIVATE to the collection."""

import contextlib
import uuid
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils import (
    _async_result,
    _change,
    _host_facts,
    _journal,
    _kmp_names,
    _preflight,
    _state,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    AnotherRun,
    BadOption,
    Fenced,
    LivepatchError,
    NotBegun,
    NotDone,
    NoWayBack,
    TransitionStalled,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import identity
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import mechanisms, transition
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import policy as policies
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import selection
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy


# state: "latest", "present", "absent" or "previous". timeout: seconds a migration may take. on_stall: "reverse" or
# "leave". expect: what a plan was made for, as far as it says: "build_id" of the running kernel, "kmp" the EVR that
# is to be applied, "begun" that the rollout has begun its change of the host already. confirm: it may be in the next
# boot at once. mend: what loads it at boot is put in order. kernel_lock: whether the kernel's package is to be
# locked, None for as it is. allow_unsupported: disabling a patch may cost the vendor's support. run, rollout, plan:
# for the journal. fence: the number of the rollout's run, None for none. preflight: what speaks against a change
# refuses it, but for what is in tolerate. back: it is a way back. stay: why nothing is to be done, None where it is.
# download_only: the KMP's file comes to the host, and nothing else.
class Request(NamedTuple):
    policy: Policy
    timeout: float
    on_stall: str
    check_mode: bool
    expect: Dict[str, Any] = {}
    state: str = "latest"
    confirm: bool = True
    mend: bool = False
    kernel_lock: Optional[bool] = None
    allow_unsupported: bool = False
    run: Optional[str] = None
    rollout: Optional[str] = None
    plan: Optional[str] = None
    fence: Optional[int] = None
    preflight: bool = False
    tolerate: Sequence[str] = ()
    back: bool = False
    stay: Optional[str] = None
    download_only: bool = False


def bring(host: Host, request: Request) -> Dict[str, Any]:
    """Does what is missing, watches the migration, and verifies.

    :returns: the blocks of ``_observe``, and ``before``, ``after``, ``changed``, ``transition``, ``transaction``.
    :raises LivepatchError: the host is not as it was asked for; ``result`` holds the same keys as far as they are
        known.
    """
    if request.download_only and request.state == "absent":
        raise BadOption("state is absent, and download_only is true", "Leave one of them out")
    if request.check_mode:
        return _bring(host, request)
    patience = _patience(request)
    lock = host.lock(_journal.LOCK, patience)
    if lock is None:
        raise AnotherRun(
            f"another run of this module works on the host, and did not end within {patience:g} s",
            "Wait for it (livepatch_info shows how far it is); nothing was done by this one",
        )
    try:
        return _bring(host, request)
    finally:
        host.unlock(lock)


def _patience(request: Request) -> float:
    """Seconds to wait for another run. In a rollout that is one that a dead controller has left working: who gave up
    before it ends would have the host judged while it is being patched.
    """
    lock_timeout = request.policy.lock_timeout
    return lock_timeout if request.fence is None else _async_result.longest(request.timeout, lock_timeout)


def _bring(host: Host, request: Request) -> Dict[str, Any]:
    _fence(host, request)
    _insist_on_begun(host, request)
    request = _with_way_back(host, request)
    kernel = identity.read(host)
    offer = packages.ask(host, kernel, request.policy)
    work = _change.Work(host, mechanisms.find(host), kernel, request)
    observed = _host_facts.conclude(host, kernel, offer, request.policy)
    before = _host_facts.levels(observed)
    result = dict(observed, before=before, after=before, changed=False, transition=_told(None), transaction=None)
    if request.stay is not None:
        return dict(result, msg="nothing was done: " + request.stay)
    # Whoever's migration runs decides what is true here, so it ends first.
    ended = None if request.check_mode or request.download_only else work.see_out(observed)
    if ended is not None:
        late = isinstance(ended.problem, TransitionStalled)
        observed = _host_facts.conclude(host, kernel, offer, request.policy, stalled=late)
        after = _host_facts.levels(observed)
        before = before if work.began else after
        result.update(observed, before=before, after=after, changed=after != before, transition=_told(ended.migration))
        problem = work.end(ended.problem, result) if work.began else ended.problem
        if problem is not None:
            raise _failed(problem, result)
    try:
        return _reach(work, offer, observed, result)
    except LivepatchError as exc:
        if work.began:
            _tell_of_failure(host, exc)
        raise


def _tell_of_failure(host: Host, problem: LivepatchError) -> None:
    """A run has failed, also where the change that it recorded last went well: who collects it asks the journal."""
    journal = _journal.Journal(host)
    with contextlib.suppress(LivepatchError):
        entry = journal.read()
        if entry is not None and entry["phase"] in (_journal.DONE, _journal.SOAKING):
            journal.amend(entry)
            journal.end(_journal.FAILED, problem=str(problem), **problem.marks)


def _reach(
    work: "_change.Work", offer: packages.Offer, observed: Dict[str, Any], result: Dict[str, Any]
) -> Dict[str, Any]:
    """What is left to do where nobody's migration runs."""
    host, kernel, request, before = work.host, work.kernel, work.request, result["before"]
    if request.state == "absent":
        return _absent(work, offer, result)
    if _is_there(observed, request):
        return _settle(work, offer, result)
    selected = _selected(observed, request, result)
    _look_first(host, observed, request, result)
    if request.download_only and (request.check_mode or selected["downloaded"]):
        return dict(result, changed=not selected["downloaded"])
    if request.check_mode:
        return dict(result, changed=True, after=dict(before, **_expected(observed["kmp"])))

    try:
        offer = packages.examine(host, kernel, offer, request.policy)
    except LivepatchError as exc:
        exc.result = dict(result, **exc.result)
        raise
    if offer.transaction is not None:
        # What was seen in the package may have turned the choice.
        observed = _host_facts.conclude(host, kernel, offer, request.policy)
        result.update(observed, transaction=offer.transaction, warnings=_alarms(observed["kmp"]))
        _insist_on(request.expect, observed, result)
        if _is_there(observed, request):
            return _settle(work, offer, result)
        selected = _selected(observed, request, result)
    if request.download_only:
        return dict(result, changed=True)

    done = work.apply(selected, observed)
    observed = _host_facts.conclude(
        host, kernel, offer, request.policy, stalled=isinstance(done.problem, TransitionStalled)
    )
    after = _host_facts.levels(observed)
    result.update(observed, after=after, changed=after != before, transition=_told(done.migration))
    result["warnings"] = result.get("warnings", []) + done.warnings
    problem = done.problem
    if problem is None and not observed["livepatch"]["compliance"]["up_to_date"]:
        problem = NotDone("{}-{} was applied and the host is not up to date".format(selected["name"], selected["evr"]))
    problem = work.end(problem, result)
    if problem is not None:
        raise _failed(problem, result)
    try:
        work.see_to_lock()
    except LivepatchError as exc:
        raise _failed(exc, result) from exc
    return dict(result, **_host_facts.conclude(host, kernel, offer, request.policy))


def _failed(problem: LivepatchError, result: Dict[str, Any]) -> LivepatchError:
    """The error, with what is true of the host now."""
    livepatch = result["livepatch"]
    livepatch["blockers"] = problem.result.get("blockers") or livepatch["blockers"]
    return type(problem)("{} (the host's state is now {state}: {reason})".format(problem, **livepatch), result=result)


def _is_there(observed: Dict[str, Any], request: Request) -> bool:
    livepatch = observed["livepatch"]
    if request.state == "present" and request.policy.level is None and request.policy.kmp_version is None:
        return livepatch["state"] in _state.ACTIVE
    return bool(livepatch["compliance"]["up_to_date"])


def _settle(work: "_change.Work", offer: packages.Offer, result: Dict[str, Any]) -> Dict[str, Any]:
    """What is there already, confirmed and put into the next boot where that is wanted."""
    request = work.request
    if request.download_only:
        return result
    if request.check_mode:
        return dict(result, changed=result["changed"] or work.would_settle() or work.locks_differ())
    try:
        settled = work.settle()
    except LivepatchError as exc:
        raise _failed(exc, result) from exc
    if settled:
        result.update(_host_facts.conclude(work.host, work.kernel, offer, request.policy), changed=True)
    return result


def _absent(work: "_change.Work", offer: packages.Offer, result: Dict[str, Any]) -> Dict[str, Any]:
    """No KMP is installed, and none is active."""
    request, livepatch = work.request, result["livepatch"]
    if livepatch["state"] in ("crashed", "stalled", "transitioning", "unknown", "conflict"):
        raise NotDone("nothing was done, the host's state is {state}: {reason}".format(**livepatch), result=result)
    if not livepatch["patches"] and result["kmp"]["installed"] is None:
        return result
    if work.loses_support and not request.allow_unsupported and livepatch["patches"]:
        raise NoWayBack(
            "nothing was done: to disable a live patch marks SUSE's kernels as unsupported",
            "Go back to the initial KMP instead, which replaces everything with nothing (level: 1, allow_downgrade: "
            "true), or say allow_unsupported: true",
            result,
        )
    after: Dict[str, Any] = {"state": "unpatched", "level": None, "patches": [], "kmp": None}
    if request.check_mode:
        return dict(result, changed=True, after=after)
    before = result["before"]
    done = work.withdraw(livepatch["patches"], result["kmp"]["name"])
    observed = _host_facts.conclude(
        work.host, work.kernel, offer, request.policy, stalled=isinstance(done.problem, TransitionStalled)
    )
    result.update(observed, after=_host_facts.levels(observed), transition=_told(done.migration))
    result["changed"] = result["after"] != before
    problem = done.problem
    if problem is None and (observed["livepatch"]["patches"] or observed["kmp"]["installed"]):
        problem = NotDone("the live patch was removed, and it is still there")
    problem = work.end(problem, result)
    if problem is not None:
        raise _failed(problem, result)
    return result


def _fence(host: Host, request: Request) -> None:
    """Keeps out a run of the rollout that another one has taken over from.

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


def _insist_on_begun(host: Host, request: Request) -> None:
    """That the rollout has begun its change of the host, where nothing else is to be done: an earlier run did, and
    nobody knows what came of it.

    :raises NotBegun: it has not.
    :raises NotDone: it did, and the change has failed. It is not tried again.
    """
    if not request.expect.get("begun"):
        return
    try:
        entry = _journal.Journal(host).read()
    except Unmeasured:  # the host's state is unknown then, and nothing is done
        return
    if entry is None or entry.get("rollout") != request.rollout:
        raise NotBegun("the rollout has begun nothing on this host", "Nothing was done, and nothing is")
    if entry["phase"] == _journal.FAILED:
        left: Dict[str, Any] = {key: entry[key] for key in ("before", "after") if key in entry}
        raise NotDone(entry["problem"] or "the change of this host has failed", result=left)


def _with_way_back(host: Host, request: Request) -> Request:
    """``previous``, as what it means here: the level that the journal names.

    :raises NoWayBack: there is no way back that the vendor supports.
    """
    if request.state != "previous":
        return request
    if request.policy.level is not None or request.policy.kmp_version is not None:
        raise BadOption("state is previous, and a level or version is given", "The journal says which one it was")
    entry = _journal.Journal(host).read()
    if request.plan is not None and (entry is None or entry["plan"] != request.plan):
        return request._replace(stay="the last change of this host was not made for this plan")
    if entry is None or entry["kmp"] is None:
        raise NoWayBack(
            "there is nothing to go back from: the journal names no KMP that was applied", "Nothing was done"
        )
    if entry.get("back"):
        # It has gone back, or was on its way: once more would be forth again.
        policy = policies.back_to(request.policy, kmp_version=_parted(entry["kmp"])[1])
    elif entry["previous"] not in (None, _parted(entry["kmp"])[1]):
        # A change that names itself knows of nothing before it: to stay would be told as having gone back.
        policy = policies.back_to(request.policy, kmp_version=entry["previous"])
    elif _is_gone(host, entry["kmp"]):
        return request._replace(stay="there was no live patch before, and of the last change nothing is left")
    elif entry["kmp"].startswith(("kernel-livepatch-", "kgraft-patch-")) and _kmp_names.module_of(
        *_parted(entry["kmp"])
    ):
        # SUSE: the initial KMP replaces everything with nothing.
        policy = policies.back_to(request.policy, level=1)
    else:
        raise NoWayBack(
            "the journal names no other KMP that was active before {kmp}, and the vendor advises against unloading "
            "one".format(**entry),
            "Nothing was done: reboot the host when it suits, or take the patch away (state: absent)",
        )
    return request._replace(state="latest", policy=policy, back=True)


def _is_gone(host: Host, kmp: str) -> bool:
    """Whether no patch is active, and this KMP is not installed: a change that failed was undone."""
    mechanism = mechanisms.find(host)
    if mechanism is not None and any(one.enabled or one.transition for one in mechanism.patches()):
        return False
    name, version = _parted(kmp)
    return all(one["evr"] != version for one in packages.installed(host, name))


def _parted(name_evr: str) -> List[str]:
    name, version, release = name_evr.rsplit("-", 2)
    return [name, f"{version}-{release}"]


def _selected(observed: Dict[str, Any], request: Request, result: Dict[str, Any]) -> Dict[str, Any]:
    """The KMP that is to be applied.

    :raises NotDone: there is none, or not the one that a plan was made for.
    """
    state, reason, kmp = observed["livepatch"]["state"], observed["livepatch"]["reason"], observed["kmp"]
    if state not in (*_state.PATCHABLE, *_state.ACTIVE):
        raise NotDone(f"cannot live patch this host, its state is {state}: {reason}", result=result)
    selected = kmp["selected"]
    if selected is None:
        told = ["{evr} ({reason})".format(**one) for one in kmp["rejected"]]
        raise NotDone(
            f"nothing was done, since the policy admits no KMP ({state}: {reason})",
            "Refused are: {}".format(", ".join(told) or "none"),
            result,
        )
    _insist_on(request.expect, observed, result)
    return dict(selected)


def _look_first(host: Host, observed: Dict[str, Any], request: Request, result: Dict[str, Any]) -> None:
    """:raises NotDone: something speaks against a change of the host now."""
    found = _preflight.refusals(host, request.policy, observed, request.tolerate) if request.preflight else []
    if found:
        raise NotDone(
            "preflight: " + "; ".join(found),
            "Nothing was done. Mend it, or tolerate it by its name (preflight_tolerate)",
            result,
        )


def _insist_on(expect: Dict[str, Any], observed: Dict[str, Any], result: Dict[str, Any]) -> None:
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
        state = "baseline" if _kmp_names.fixes_nothing(selected["name"], selected["level"]) else "patched"
    expected = {"state": state, "level": selected["level"], "kmp": selected["evr"]}
    module = selected["module"] or _kmp_names.module_of(selected["name"], selected["evr"])
    return dict(expected, patches=[module]) if module else expected


def _alarms(kmp: Dict[str, Any]) -> List[str]:
    """What a person should know of even though another KMP was taken, or none was needed."""
    return [
        "{name}-{evr} is refused: {reason}".format(**one) for one in kmp["rejected"] if one["code"] in selection.ALARMS
    ]


def _told(migration: Optional[transition.Migration]) -> Dict[str, Any]:
    if migration is None:
        return {"seconds": None, "by": None}
    return {"seconds": migration.seconds, "by": migration.by}


def new_run() -> str:
    return uuid.uuid4().hex
