# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a change, each recorded before it is taken. PRIVATE to the collection: it may change at any time."""

import contextlib
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import (
    _boot_persistence,
    _evr,
    _health,
    _journal,
    _kmp_names,
    _next_boot,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._change import boot
from ansible_collections.fleet.livepatch.plugins.module_utils._change.context import Context, format_kmp
from ansible_collections.fleet.livepatch.plugins.module_utils._change.load import unload_replaced_modules
from ansible_collections.fleet.livepatch.plugins.module_utils._change.transition_run import (
    activate_kmp,
    disable_patch,
    find_blockers,
    watch_migration,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._change.undo import Undo, read_undo, run_with_undo
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError, NotDone, TransitionStalled
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import transition
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages


class Ended(NamedTuple):
    """What came of the steps."""

    migration: Optional[transition.Migration]
    # Why they did not all succeed
    problem: Optional[LivepatchError]
    warnings: List[str]


def finish_running_transition(context: Context, observed: Dict[str, Any]) -> Optional[Ended]:
    """Wait for the end of a migration that runs already; None where none does.

    One that an earlier run began is watched as if this run had begun it: that run has ended.
    """
    mechanism = context.optional_mechanism
    if mechanism is None:
        return None
    module = transition.find_running(mechanism)
    if module is None:
        return None
    installed = observed["kmp"]["installed"]
    entry = context.journal.read()
    # One that an earlier run has reversed already is only waited for.
    if (
        entry is not None
        and entry["boot_id"] == context.kernel["boot_id"]
        and installed is not None
        and installed["module"] == module
        and entry["kmp"] == format_kmp(installed)
        and observed["livepatch"]["transition"]["to"]
    ):
        undo = read_undo(entry)
        _begin(context, entry["kmp"], entry["previous"], "migrating", entry, undo)
        return _run(context, lambda: run_with_undo(context, installed, undo, lambda: watch_migration(context, module)))
    timeout = context.request.timeout
    busy = transition.wait_for_others(context.host, mechanism, timeout)
    if busy is None:
        return Ended(None, None, [])
    problem = TransitionStalled(
        f"nothing was done: the transition of {busy} did not end within {timeout:g} s",
        "Resolve its blockers",
        {"blockers": find_blockers(context, busy)},
    )
    return Ended(None, problem, [])


def apply_kmp(
    context: Context, selected: Dict[str, Any], files: List[packages.ExaminedFile], observed: Dict[str, Any]
) -> Ended:
    """Install a KMP, load its module and wait for the migration; the level that it replaces goes away.

    Where that fails, what this run has done is undone.

    :param files: what was examined of it; none where it is installed already.
    """
    before, level = observed["kmp"]["installed"], observed["livepatch"]["level"]
    active = [patch["name"] for patch in observed["livepatch"]["patches"] if patch["enabled"]]
    kmp = format_kmp(selected)
    interrupted = _find_interrupted(context, kmp)
    if interrupted is not None:
        # Its package may be gone by now: the interrupted run has seen it.
        previous = interrupted["previous"]
    else:
        previous = context.find_active_evr(selected["name"], active)
        if previous is None and level is not None and before is not None and before["evr"] != selected["evr"]:
            previous = before["evr"]
    undo = read_undo(interrupted) or Undo(
        context.find_installed(selected["name"], selected["evr"]) is None,
        before["evr"] if before else None,
        _next_boot.is_held(context.host),
        bool(observed["livepatch"]["persistent"]),
        before["arch"] if before else None,
        packages.read_digests(context.host, before) if before else (),
    )
    _begin(context, kmp, previous, "installing", interrupted, undo)
    return _run(context, lambda: _apply_steps(context, selected, files, before, undo))


def remove_patches(context: Context, patches: List[Dict[str, Any]], name: str) -> Ended:
    """Disable the active patches, and remove their modules and all KMPs of this name."""
    _begin(context, None, None, "removing", _find_interrupted(context, None), None)
    return _run(context, lambda: _remove_steps(context, [patch["name"] for patch in patches], name))


def end_change(context: Context, problem: Optional[LivepatchError], result: Dict[str, Any]) -> Optional[LivepatchError]:
    """Confirm a change that has succeeded, where that is asked for, and record what became of it.

    :returns: why it failed, which the confirmation may be the first to find.
    """
    journal = context.journal
    outcome = {key: result[key] for key in ("changed", "transition", "before", "after", "transaction")}
    if problem is None or not problem.result.get("left"):
        # What comes to the host from now on is not this change's.
        outcome["undo"] = None
    confirm = context.request.confirm or boot.is_removal(journal.read())
    if problem is None and confirm:
        try:
            boot.confirm_change(context)
        except LivepatchError as exc:
            problem = exc
    if problem is not None:
        outcome.update(problem.marks)
        threads = problem.result.get("blockers") or []
        journal.end(_journal.FAILED, problem=str(problem), blockers=threads, **outcome)
    else:
        journal.end(_journal.DONE if confirm else _journal.SOAKING, **outcome)
    return problem


def _find_interrupted(context: Context, kmp: Optional[str]) -> Optional[Dict[str, Any]]:
    """The record of the same change, begun by an earlier run that was interrupted in this boot."""
    entry = context.journal.read()
    if entry is None or entry["kmp"] != kmp:
        return None
    return entry if _journal.is_interrupted(entry, context.kernel["boot_id"], False) else None


def _begin(
    context: Context,
    kmp: Optional[str],
    previous: Optional[str],
    phase: str,
    interrupted: Optional[Dict[str, Any]],
    undo: Optional[Undo],
) -> None:
    """:param interrupted: the record of the interrupted change that is taken up, None for a new one."""
    host, request, boot_id = context.host, context.request, context.kernel["boot_id"]
    context.started = host.clock()
    if interrupted is not None:
        is_rollback, baseline = bool(interrupted.get("back")), interrupted.get("baseline")
    else:
        is_rollback, baseline = request.is_rollback, _health.build_baseline(host, _health.read_now(host, boot_id))
    fence = request.fence
    if fence is None:  # a run by hand takes no number away
        fence = (context.journal.read() or {}).get("fence")
    change = _journal.Change(request.run, request.rollout, request.plan, kmp, previous, fence, is_rollback)
    context.journal.begin(change, boot_id, phase, baseline, None if undo is None else dict(undo._asdict()))


def _run(context: Context, steps: Callable[[], Optional[transition.Migration]]) -> Ended:
    try:
        return Ended(steps(), None, context.warnings)
    except LivepatchError as exc:
        return Ended(None, exc, context.warnings)


def _apply_steps(
    context: Context,
    selected: Dict[str, Any],
    files: List[packages.ExaminedFile],
    before: Optional[Dict[str, Any]],
    undo: Undo,
) -> transition.Migration:
    name, evr = selected["name"], selected["evr"]
    is_older = before is not None and _evr.compare(evr, before["evr"]) < 0
    migration = run_with_undo(context, selected, undo, lambda: _install_and_load(context, selected, files, is_older))
    if is_older:
        _remove_newer_packages(context, name, evr)
    context.journal.enter("verifying")
    unload_replaced_modules(context)
    return migration


def _install_and_load(
    context: Context, selected: Dict[str, Any], files: List[packages.ExaminedFile], is_older: bool
) -> transition.Migration:
    """Install the KMP where it is not installed, and have the kernel take it."""
    host, release = context.host, context.kernel["release"]
    name, evr = selected["name"], selected["evr"]
    confirm = context.request.confirm
    if not confirm:
        _boot_persistence.hold_patches(host)
    if context.find_installed(name, evr) is None:
        if not files:
            raise NotDone(f"{name}-{evr} was removed by another program meanwhile", "Try again")
        try:
            context.install_files(files, is_older)
        finally:
            _note_given(context, selected)
    installed = context.find_installed(name, evr)
    if installed is None:
        raise NotDone(f"{name}-{evr} is not installed, though the package manager reported success")
    if installed["target_release"] != release:
        raise NotDone(
            "{}-{} was not loaded: its module was built for {}, the running kernel is {}".format(
                name, evr, installed["target_release"], release
            )
        )
    if not confirm:
        warning = _boot_persistence.keep_out(host, release, installed["module_path"])
        context.warnings += [warning] if warning else []
    return activate_kmp(context, installed)


def _note_given(context: Context, selected: Dict[str, Any]) -> None:
    """Note whether the package's own script has had the kernel load the module, whatever came of the installation."""
    name, evr = selected["name"], selected["evr"]
    module = selected["module"] or _kmp_names.derive_module_name(name, evr)
    if module is None:
        # Only the installed package names it.
        with contextlib.suppress(LivepatchError):
            module = (context.find_installed(name, evr) or {}).get("module")
    if module is not None and context.mechanism.is_loaded(module):
        context.journal.mark_given()


def _remove_newer_packages(context: Context, name: str, evr: str) -> None:
    """Remove the levels that are installed beside this one, which the next boot would load instead of it."""
    for kmp in context.list_installed(name):
        if _evr.compare(kmp["evr"], evr) > 0:
            context.journal.enter("removing")
            context.remove_package(kmp)


def _remove_steps(context: Context, modules: List[str], name: str) -> Optional[transition.Migration]:
    migration: Optional[transition.Migration] = None
    for module in modules:
        patch = context.mechanism.read_patch(module)
        if patch is not None and patch.enabled:
            migration = disable_patch(context, module)
    context.journal.enter("removing")
    for kmp in context.list_installed(name):
        context.remove_package(kmp)
    context.journal.enter("verifying")
    unload_replaced_modules(context)
    return migration
