# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules into the kernel and out of it. PRIVATE to the collection: it may change at any time."""

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._change.context import Context
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LoadRefused, TransitionStalled
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import transition

# Seconds until a work queue of the kernel has released a replaced or reversed module; kpatch waits as long.
UNLOAD_TIMEOUT = 15.0


def load_module(context: Context, module: str, path: str) -> None:
    """Load or enable a module, which starts its transition.

    :raises TransitionStalled: the transition of another patch did not end in time.
    :raises LoadRefused: the kernel refused the module.
    """
    host, mechanism, timeout = context.host, context.mechanism, context.request.timeout
    deadline = host.clock() + timeout
    while True:
        busy = transition.wait_for_others(host, mechanism, max(0.0, deadline - host.clock()))
        if busy is not None:
            raise TransitionStalled(
                f"{module} was not loaded: the transition of {busy} did not end within {timeout:g} s",
                "Find its blockers with livepatch_info",
            )
        # Not before: a module that another patch keeps waiting has not been given to the kernel.
        context.journal.enter("loading")
        if mechanism.read_patch(module) is not None and mechanism.enable(module):
            return
        if mechanism.is_loaded(module) and not unload_module(context, module):
            raise LoadRefused(
                f"the inactive module {module} is in the kernel and cannot be removed", "Reboot the host to remove it"
            )
        try:
            mechanism.load(path)
            return
        except LoadRefused as exc:
            # Another patch was faster: its transition ends some time.
            if not mechanism.is_busy(exc) or transition.find_running(mechanism) is None:
                raise


def unload_module(context: Context, module: str) -> bool:
    """Remove a module that patches nothing any more, which cannot be enabled again; whether that worked."""
    host = context.host
    deadline = host.clock() + UNLOAD_TIMEOUT
    while context.mechanism.count_references(module) and host.clock() < deadline:
        host.sleep(transition.INTERVAL)
    return context.mechanism.unload(module)


def unload_replaced_modules(context: Context) -> None:
    """Remove the modules of older levels that were replaced."""
    active = [patch.name for patch in context.mechanism.list_patches()]
    for module in context.host.list_names("/sys/module"):
        if _kmp_names.parse_module_level(module) is not None and module not in active:
            unload_module(context, module)
