# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bring a host to the wanted level: the use case of the module ``livepatch``. PRIVATE to the collection."""

import contextlib
import os
from typing import Any, Dict, List, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import (
    _host_facts,
    _journal,
    _kernel_facts,
    _kmp_names,
    _preconditions,
    _run_result,
    _state,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._change import boot, change
from ansible_collections.fleet.livepatch.plugins.module_utils._change.context import Context, format_kmp
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    AnotherRun,
    BadOption,
    LivepatchError,
    NotBegun,
    NotDone,
    NoWayBack,
    TransitionStalled,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import mechanisms, transition
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import examination, selection
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages

# How many KMPs that something is wrong with are named
_ALARMS_MAX = 20


def ensure_state(host: Host, request: Request) -> Dict[str, Any]:
    """Do what is missing, wait for the migration, and verify.

    :returns: the blocks of ``_host_facts.gather_facts``, and ``before``, ``after``, ``changed``, ``transition``,
        ``transaction``.
    :raises LivepatchError: the host is not in the state that was asked for; ``result`` holds the same keys as far as
        they are known.
    """
    if request.download_only and request.state == "absent":
        raise BadOption("state is absent, and download_only is true", "Leave one of them out")
    if request.check_mode:
        return _ensure_state(host, request)
    seconds = _compute_lock_wait(request)
    lock = host.lock(_journal.LOCK, seconds)
    if lock is None:
        raise AnotherRun(
            f"another run of this module is working on the host, and did not end within {seconds:g} s",
            "Nothing was done. Wait for that run (livepatch_info shows how far it is), and try again",
        )
    try:
        return _ensure_state(host, request)
    finally:
        host.unlock(lock)


def make_run_id() -> str:
    # Not uuid, which old Pythons take long to import: they start programs to look for a library.
    return os.urandom(16).hex()


def _compute_lock_wait(request: Request) -> float:
    """Seconds to wait for another run. In a rollout that is one that a dead controller has left working: if this run
    gave way before it ends, the host would be assessed while it is being patched.
    """
    lock_timeout = request.policy.lock_timeout
    return lock_timeout if request.fence is None else _run_result.longest(request.timeout, lock_timeout)


def _ensure_state(host: Host, request: Request) -> Dict[str, Any]:
    _preconditions.check_fence(host, request)
    _preconditions.check_begun(host, request)
    if request.state == "previous":
        from ansible_collections.fleet.livepatch.plugins.module_utils import _previous_level

        request = _previous_level.resolve_previous(host, request)
    kernel = _kernel_facts.gather_kernel(host)
    offer = packages.query_offer(host, kernel, request.policy)
    context = Context(host, mechanisms.find_mechanism(host), kernel, request)
    observed = _host_facts.assess_host(host, kernel, offer, request.policy)
    before = _host_facts.summarize_levels(observed)
    result = dict(
        observed, before=before, after=before, changed=False, transition=_describe_migration(None), transaction=None
    )
    if request.lock_only:
        return _apply_lock(context, result)
    if request.skip_reason is not None:
        return dict(result, msg="nothing was done: " + request.skip_reason)
    # A migration that runs decides what is true here, so it ends first.
    ended = None
    if not (request.check_mode or request.download_only):
        ended = change.finish_running_transition(context, observed)
    if ended is not None:
        observed = _observe_again(context, offer, ended)
        after = _host_facts.summarize_levels(observed)
        before = before if context.has_begun else after
        migration = _describe_migration(ended.migration)
        result.update(observed, before=before, after=after, changed=after != before, transition=migration)
        problem = change.end_change(context, ended.problem, result) if context.has_begun else ended.problem
        if problem is not None:
            raise _build_failure(problem, result)
    try:
        return _lock_or_warn(context, _converge(context, offer, observed, result))
    except LivepatchError as exc:
        if context.has_begun:
            _record_failure(host, exc)
        raise


def _lock_or_warn(context: Context, result: Dict[str, Any]) -> Dict[str, Any]:
    """See to the lock on KMPs. What is wrong with it is wrong with no live patch, and a rollout counts only what has
    changed of that.
    """
    if context.request.download_only:
        return result
    try:
        applied = _apply_lock(context, result)
        return applied if context.request.rollout is None else dict(applied, changed=result["changed"])
    except LivepatchError as exc:
        return dict(
            result, warnings=[*result.get("warnings", []), f"the lock on KMPs is not as it was asked for: {exc}"]
        )


def _apply_lock(context: Context, result: Dict[str, Any]) -> Dict[str, Any]:
    """:raises LivepatchError: the lock on KMPs is not as the request asks for."""
    wanted = context.request.lock
    if wanted is None:
        return result
    from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp_lock

    if not kmp_lock.is_different(context.host, context.manager, wanted):
        return result
    if context.request.check_mode:
        return dict(result, changed=True)
    kmp_lock.apply_lock(context.host, context.manager, wanted)
    lock = kmp_lock.describe_lock(context.host, context.manager)
    return dict(result, changed=True, kmp=dict(result["kmp"], lock=lock))


def _record_failure(host: Host, problem: LivepatchError) -> None:
    """Record that the run has failed, even where the change that it recorded last succeeded: the journal is what a
    detached run is collected from.
    """
    journal = _journal.Journal(host)
    with contextlib.suppress(LivepatchError):
        entry = journal.read()
        if entry is not None and entry["phase"] in (_journal.DONE, _journal.SOAKING):
            journal.amend(entry)
            journal.end(_journal.FAILED, problem=str(problem), **problem.marks)


def _converge(
    context: Context, offer: packages.Offer, observed: Dict[str, Any], result: Dict[str, Any]
) -> Dict[str, Any]:
    """Do what is left to do when no migration runs."""
    host, kernel, request, before = context.host, context.kernel, context.request, result["before"]
    if request.state == "absent":
        return _ensure_absent(context, offer, result)
    if _is_reached(observed, request):
        return _settle(context, offer, result)
    selected = _require_selected(observed, request, result)
    _preconditions.run_preflight(host, observed, request, result)
    if not request.download_only:
        _preconditions.check_kernel(host, request.preflight_tolerate, result)
    if request.download_only and (request.check_mode or selected["downloaded"]):
        return dict(result, changed=not selected["downloaded"])
    if request.check_mode:
        return dict(result, changed=True, after=dict(before, **_predict_level(observed["kmp"])))

    try:
        offer = examination.examine_selected(host, kernel, offer, request.policy)
    except LivepatchError as exc:
        exc.result = dict(result, **exc.result)
        raise
    if offer.transaction is not None:
        # What was seen in the package may have changed the choice.
        observed = _host_facts.assess_host(host, kernel, offer, request.policy)
        result.update(observed, transaction=offer.transaction, warnings=_list_alarms(observed["kmp"]))
        _preconditions.check_expectations(request.expect, observed, result)
        if _is_reached(observed, request):
            return _settle(context, offer, result)
        selected = _require_selected(observed, request, result)
    if request.download_only:
        return dict(result, changed=True)

    ended = change.apply_kmp(context, selected, offer.examined, observed)
    observed = _observe_again(context, offer, ended)
    after = _host_facts.summarize_levels(observed)
    result.update(observed, after=after, changed=after != before, transition=_describe_migration(ended.migration))
    result["warnings"] = result.get("warnings", []) + ended.warnings
    problem = ended.problem
    if problem is None and not observed["livepatch"]["compliance"]["up_to_date"]:
        problem = NotDone(f"{format_kmp(selected)} was applied, and the host is still not up to date")
    problem = change.end_change(context, problem, result)
    if problem is not None:
        raise _build_failure(problem, result)
    try:
        boot.apply_kernel_lock(context)
    except LivepatchError as exc:
        raise _build_failure(exc, result) from exc
    return dict(result, **_host_facts.assess_host(host, kernel, offer, request.policy))


def _ensure_absent(context: Context, offer: packages.Offer, result: Dict[str, Any]) -> Dict[str, Any]:
    """Disable what is active, and remove the KMPs."""
    request, livepatch = context.request, result["livepatch"]
    if livepatch["state"] in ("crashed", "stalled", "transitioning", "unknown", "conflict"):
        raise NotDone("nothing was done: the host's state is {state}: {reason}".format(**livepatch), result=result)
    if not livepatch["patches"] and result["kmp"]["installed"] is None:
        return result
    if context.loses_support and not request.allow_unsupported and livepatch["patches"]:
        raise NoWayBack(
            "nothing was done: disabling a live patch marks SUSE's kernels as unsupported",
            "Go back to the initial KMP instead, which replaces everything with nothing (level: 1, allow_downgrade: "
            "true), or allow it (allow_unsupported: true)",
            result,
        )
    if request.check_mode:
        after: Dict[str, Any] = {"state": "unpatched", "level": None, "patches": [], "kmp": None}
        return dict(result, changed=True, after=after)
    before = result["before"]
    ended = change.remove_patches(context, livepatch["patches"], result["kmp"]["name"])
    observed = _observe_again(context, offer, ended)
    result.update(
        observed, after=_host_facts.summarize_levels(observed), transition=_describe_migration(ended.migration)
    )
    result["changed"] = result["after"] != before
    problem = ended.problem
    if problem is None and (observed["livepatch"]["patches"] or observed["kmp"]["installed"]):
        problem = NotDone("the live patch was removed, and it is still there")
    problem = change.end_change(context, problem, result)
    if problem is not None:
        raise _build_failure(problem, result)
    return result


def _settle(context: Context, offer: packages.Offer, result: Dict[str, Any]) -> Dict[str, Any]:
    """Confirm what is there already, and put it into the next boot, as far as the request asks for it."""
    request = context.request
    if request.download_only:
        return result
    if request.check_mode:
        pending = boot.is_unsettled(context) or boot.is_kernel_lock_different(context)
        return dict(result, changed=result["changed"] or pending)
    try:
        settled = boot.settle(context)
    except LivepatchError as exc:
        raise _build_failure(exc, result) from exc
    if settled:
        result.update(_host_facts.assess_host(context.host, context.kernel, offer, request.policy), changed=True)
    return result


def _observe_again(context: Context, offer: packages.Offer, ended: change.Ended) -> Dict[str, Any]:
    stalled = isinstance(ended.problem, TransitionStalled)
    return _host_facts.assess_host(context.host, context.kernel, offer, context.request.policy, stalled=stalled)


def _build_failure(problem: LivepatchError, result: Dict[str, Any]) -> LivepatchError:
    """The error, with what is true of the host now."""
    livepatch = result["livepatch"]
    livepatch["blockers"] = problem.result.get("blockers") or livepatch["blockers"]
    return type(problem)("{} (the host's state is now {state}: {reason})".format(problem, **livepatch), result=result)


def _is_reached(observed: Dict[str, Any], request: Request) -> bool:
    livepatch = observed["livepatch"]
    if request.state == "present" and request.policy.level is None and request.policy.kmp_version is None:
        return livepatch["state"] in _state.ACTIVE
    return bool(livepatch["compliance"]["up_to_date"])


def _require_selected(observed: Dict[str, Any], request: Request, result: Dict[str, Any]) -> Dict[str, Any]:
    """The KMP that is to be applied.

    :raises NotDone: there is none.
    :raises NotBegun: it is not the one that a plan was made for.
    """
    state, reason, kmp = observed["livepatch"]["state"], observed["livepatch"]["reason"], observed["kmp"]
    # Of a plan's host it means that the host, or what is on offer, has changed since.
    error = NotBegun if request.expect.get("kmp") else NotDone
    if state not in (*_state.PATCHABLE, *_state.ACTIVE):
        raise error(f"cannot live patch this host, its state is {state}: {reason}", result=result)
    selected = kmp["selected"]
    if selected is None:
        refused = ["{evr} ({reason})".format(**rejection) for rejection in kmp["rejected"]]
        raise error(
            f"nothing was done, since the policy admits no KMP ({state}: {reason})",
            "Refused: {}".format(", ".join(refused) or "none"),
            result,
        )
    _preconditions.check_expectations(request.expect, observed, result)
    return dict(selected)


def _predict_level(kmp: Dict[str, Any]) -> Dict[str, Any]:
    """The ``after`` of check mode: what the host would be when the selected KMP is active."""
    selected, newest = kmp["selected"], kmp["newest"]
    state = "outdated"
    if selected["evr"] == newest["evr"]:
        state = "baseline" if _kmp_names.is_initial(selected["name"], selected["level"]) else "patched"
    expected = {"state": state, "level": selected["level"], "kmp": selected["evr"]}
    module = selected["module"] or _kmp_names.derive_module_name(selected["name"], selected["evr"])
    return dict(expected, patches=[module]) if module else expected


def _list_alarms(kmp: Dict[str, Any]) -> List[str]:
    """What an operator should know even though another KMP was taken, or none was needed."""
    alarms = [
        "{name}-{evr} is refused: {reason}".format(**rejection)
        for rejection in kmp["rejected"]
        if rejection["code"] in selection.ALARMS
    ]
    more = [f"and {len(alarms) - _ALARMS_MAX} more are refused"] if len(alarms) > _ALARMS_MAX else []
    return alarms[:_ALARMS_MAX] + more


def _describe_migration(migration: Optional[transition.Migration]) -> Dict[str, Any]:
    """The block ``transition`` of a result."""
    if migration is None:
        return {"seconds": None, "by": None}
    return {"seconds": migration.seconds, "by": migration.by}
