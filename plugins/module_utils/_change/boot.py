# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of a change, and the next boot: confirmation, repair, locks. PRIVATE to the collection."""

from typing import Any, Dict, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _boot_persistence, _journal, _next_boot
from ansible_collections.fleet.livepatch.plugins.module_utils._change.context import Context, format_kmp
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import NotDone, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kernel_lock


def confirm_change(context: Context) -> None:
    """Let the next boot start with what is active now."""
    if is_removal(context.journal.read()):
        _boot_persistence.release_hold(context.host)
        return
    _boot_persistence.end_hold(context.host, context.kernel["release"])
    if context.request.repair_boot:
        repair_next_boot(context)


def repair_next_boot(context: Context) -> bool:
    """Repair what loads the patch at boot; whether that changed anything."""
    release = context.kernel["release"]
    try:
        next_boot = _next_boot.read_next_boot(context.host, context.kernel, context.find_newest_installed())
    except Unmeasured as exc:
        context.warnings.append(str(exc))
        return False
    if not next_boot["missing"] or next_boot["release"] != release:
        return False
    _boot_persistence.repair_boot(context.host, release)
    return True


def is_unsettled(context: Context) -> bool:
    """Whether a change that an earlier run began is still to be ended."""
    return _is_open(context) or (context.request.confirm and _next_boot.is_held(context.host))


def settle(context: Context) -> bool:
    """End the change of an earlier run, and repair the next boot and the kernel's lock, as far as the request asks
    for it; whether that changed anything.
    """
    request, journal = context.request, context.journal
    changed = False
    if is_unsettled(context):
        if request.confirm:
            _boot_persistence.end_hold(context.host, context.kernel["release"])
        entry = journal.read()
        if entry is not None and (_is_open(context) or _is_newest_installed(context, entry["kmp"])):
            journal.amend(entry)
            journal.end(_journal.DONE if request.confirm else _journal.SOAKING, problem=None, undo=None)
        changed = True
    if request.repair_boot and repair_next_boot(context):
        changed = True
    return apply_kernel_lock(context) or changed


def is_kernel_lock_different(context: Context) -> bool:
    """Whether the lock on the kernel's package is not what the request asks for."""
    wanted = context.request.kernel_lock
    if wanted is None:
        return False
    return kernel_lock.is_different(context.host, context.manager, _find_kernel_package(context), wanted)


def apply_kernel_lock(context: Context) -> bool:
    """Set or removes our lock on the kernel's package, as the request asks for; whether that changed anything."""
    wanted = context.request.kernel_lock
    if wanted is None or not is_kernel_lock_different(context):
        return False
    kernel_lock.apply_lock(context.host, context.manager, _find_kernel_package(context), wanted)
    return True


def is_removal(entry: Optional[Dict[str, Any]]) -> bool:
    """Whether the record is of the removal of a patch."""
    return entry is not None and entry["kmp"] is None


def _find_kernel_package(context: Context) -> str:
    kernel = context.kernel
    if kernel["package"] is None:
        raise NotDone("the kernel's package is unknown and cannot be locked", kernel["unmeasured"]["package"])
    return str(kernel["package"]["name"])


def _is_open(context: Context) -> bool:
    """Whether the last change has not ended: it soaks, or its run was killed."""
    entry = context.journal.read()
    phases = _journal.UNFINISHED + ((_journal.SOAKING,) if context.request.confirm else ())
    return entry is not None and entry["phase"] in phases


def _is_newest_installed(context: Context, kmp: Optional[str]) -> bool:
    """Whether this is the newest installed KMP: the record of another one is of a change that failed."""
    installed = context.find_newest_installed()
    return installed is not None and kmp == format_kmp(installed)
