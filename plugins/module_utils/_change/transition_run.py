# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A migration from its start to its end, and what to do when it stalls. PRIVATE to the collection."""

from typing import Any, Dict, List

from ansible_collections.fleet.livepatch.plugins.module_utils._change.context import Context
from ansible_collections.fleet.livepatch.plugins.module_utils._change.load import load_module, unload_module
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import KernelRefused, TransitionStalled
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers, transition

_RESOLVE = "Resolve its blockers"
_RESOLVE_AND_RETRY = "Resolve its blockers, and try again"


def activate_kmp(context: Context, installed: Dict[str, Any]) -> transition.Migration:
    """Load the module of an installed KMP, where that is still to be done, and wait for the migration.

    :raises TransitionStalled: it did not complete in time.
    """
    module = installed["module"]
    patch = context.mechanism.read_patch(module)
    # Else the package's own script has loaded it already. Before Linux 5.1 a disabled patch is still shown.
    if patch is None or not (patch.enabled or patch.transition):
        load_module(context, module, installed["module_path"])
    return watch_migration(context, module)


def watch_migration(context: Context, module: str) -> transition.Migration:
    """Wait for the migration to a patch.

    :raises TransitionStalled: it did not complete in time.
    """
    timeout = context.request.timeout
    started = _find_start(context, module)
    context.journal.enter("migrating", started + timeout)
    migration = transition.wait_for_end(context.host, context.mechanism, module, started, timeout)
    return migration if migration.completed else _reverse_or_leave(context, module, started)


def disable_patch(context: Context, module: str) -> transition.Migration:
    """Disable an active patch, and wait for the migration away from it.

    :raises TransitionStalled: it did not complete in time.
    """
    timeout = context.request.timeout
    context.mechanism.disable(module)
    started = context.host.clock()
    context.journal.enter("migrating", started + timeout)
    migration = transition.wait_for_end(context.host, context.mechanism, module, started, timeout)
    if not migration.completed:
        _enable_again_or_leave(context, module)
    return migration


def find_blockers(context: Context, module: str) -> List[Dict[str, Any]]:
    """The threads that keep the transition of a patch from completing, ten at most."""
    patch = context.mechanism.read_patch(module)
    return blockers.find_blockers(context.host, context.mechanism, patch is None or patch.enabled).first


def _find_start(context: Context, module: str) -> float:
    """When the migration began: a package's script has started it before the package manager came to its end."""
    now = context.host.clock()
    began, finished = context.mechanism.read_log_times(module)
    if began is None or finished is not None:
        return now
    return max(context.started, min(now, began))


def _reverse_or_leave(context: Context, module: str, started: float) -> transition.Migration:
    """Handle a migration to a patch that did not complete in time.

    :returns: the migration, where it completed at the last moment.
    :raises TransitionStalled: otherwise.
    """
    host, mechanism, limit = context.host, context.mechanism, context.request.timeout
    # A reversal sets them free: look for them before it.
    details: Dict[str, Any] = {"blockers": find_blockers(context, module)}
    causes = _format_blockers(details["blockers"])
    problem = f"the migration to {module} did not complete within {limit:g} s{causes}"
    if context.request.on_stall == "leave":
        context.journal.enter("stalled", started + limit)
        raise TransitionStalled(problem + " and was left running", _RESOLVE, dict(details, left=True))
    context.journal.enter("reversing", host.clock() + limit)
    if not mechanism.is_in_transition(module):
        # It completed while we looked for its blockers, and a reversal would remove a good patch. So nothing that takes
        # time may come between this look and the reversal: the disk has taken its own already.
        return transition.wait_for_end(host, mechanism, module, started, limit)
    try:
        mechanism.reverse(module)
    except KernelRefused as exc:
        if not mechanism.is_in_transition(module):
            return transition.wait_for_end(host, mechanism, module, started, limit)
        raise TransitionStalled(f"{problem}, and {exc}", _RESOLVE, dict(details, left=True)) from exc
    reversal = transition.wait_for_end(host, mechanism, module, host.clock(), limit)
    if not reversal.completed:
        raise TransitionStalled(problem + ", and neither did its reversal", _RESOLVE, dict(details, left=True))
    unload_module(context, module)
    raise TransitionStalled(problem + " and was reversed", _RESOLVE_AND_RETRY, details)


def _enable_again_or_leave(context: Context, module: str) -> None:
    """Handle a migration away from a patch that did not complete in time.

    :raises TransitionStalled: always.
    """
    host, mechanism, limit = context.host, context.mechanism, context.request.timeout
    details: Dict[str, Any] = {"blockers": find_blockers(context, module)}
    causes = _format_blockers(details["blockers"])
    problem = f"the migration away from {module} did not complete within {limit:g} s{causes}"
    if context.request.on_stall == "leave" or not mechanism.reversible:
        context.journal.enter("stalled", host.clock())
        raise TransitionStalled(problem + " and was left running", _RESOLVE, dict(details, left=True))
    context.journal.enter("reversing", host.clock() + limit)
    mechanism.reverse(module)
    reversal = transition.wait_for_end(host, mechanism, module, host.clock(), limit)
    outcome = " and was reversed: it is active as before" if reversal.completed else ", and neither did its reversal"
    raise TransitionStalled(problem + outcome, _RESOLVE_AND_RETRY, details)


def _format_blockers(threads: List[Dict[str, Any]]) -> str:
    """The first blockers, as the end of a sentence; empty where there are none."""
    if not threads:
        return ""
    names = ["{command} (tid {tid}, {class})".format(**thread) for thread in threads[:3]]
    return " because of {}{}".format(", ".join(names), " and others" if len(threads) > len(names) else "")
