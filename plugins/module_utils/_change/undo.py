# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back from a change that fails. PRIVATE to the collection: it may change at any time."""

from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils import _boot_persistence, _evr, _next_boot
from ansible_collections.fleet.livepatch.plugins.module_utils._change import boot
from ansible_collections.fleet.livepatch.plugins.module_utils._change.context import Context, format_kmp
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    KernelRefused,
    LivepatchError,
    LoadRefused,
    PackageDiffers,
    TransitionStalled,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.transition import Migration
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm, transaction_check

# The package is installed, and the kernel did not take what is in it, or must not.
KERNEL_ERRORS = (LoadRefused, TransitionStalled, KernelRefused, PackageDiffers)


class Undo(NamedTuple):
    """What a change that fails is undone to. It is in the journal, for the run that takes up an interrupted change."""

    # Whether the KMP was not installed before
    was_absent: bool
    # The newest EVR that was installed before, None for none
    previous_evr: Optional[str]
    # Whether the next boot was held already, for a reason that is not ours to end
    was_held: bool
    # Whether the next boot would have kept what was installed
    was_persistent: bool
    # They distinguish the package that was installed before from others of its name and version
    previous_arch: Optional[str]
    previous_digests: Sequence[str]


def read_undo(entry: Optional[Dict[str, Any]]) -> Optional[Undo]:
    """What the change of this record is undone to; None where the record does not have it."""
    fields = entry["undo"] if entry is not None else None
    return Undo(**fields) if fields else None


def run_with_undo(
    context: Context, kmp: Dict[str, Any], undo: Optional[Undo], steps: Callable[[], Migration]
) -> Migration:
    """Take the steps, and where they fail undoes what the change has done.

    :param undo: None for an unknown one: then nothing is undone.
    """
    try:
        return steps()
    except LivepatchError as exc:
        is_refused = isinstance(exc, KERNEL_ERRORS) and not exc.result.get("left")
        if undo is not None and undo.was_absent:
            if is_refused:
                _restore_packages(context, kmp["name"], kmp["evr"], undo, exc)
            _restore_next_boot(context, kmp, undo, exc)
        elif is_refused:
            is_held = _next_boot.is_held(context.host)
            effect = "it is kept out of the next boot until it is confirmed" if is_held else "the next boot may load it"
            _append(exc, f"{format_kmp(kmp)} was installed before, and still is: {effect}")
        raise


def _restore_packages(context: Context, name: str, evr: str, undo: Undo, problem: LivepatchError) -> None:
    """Restore the installed packages: what the kernel did not take must not be loaded at the next boot."""
    try:
        context.journal.enter("removing")
        if undo.previous_evr is not None and context.find_installed(name, undo.previous_evr) is None:
            _reinstall(context, name, evr, undo)
        installed = context.find_installed(name, evr)
        if installed is not None:
            context.remove_package(installed)
    except LivepatchError as exc:
        _append(problem, f"{name}-{evr} is still installed: {exc}")


def _reinstall(context: Context, name: str, evr: str, undo: Undo) -> None:
    """Install again what was there before, and no other package that has its name and version."""
    package = rpm.Package(name, str(undo.previous_evr), undo.previous_arch or context.kernel["arch"])
    wanted = packages.ExaminedFile("", package, tuple(undo.previous_digests), False)
    manager = context.manager
    file = packages.find_file(context.host, manager, context.kernel["release"], wanted)
    older = _evr.compare(package.evr, evr) < 0
    transaction_check.check_files(manager.preview_files([file.path], older), [package], older)
    context.install_files([file], older)


def _restore_next_boot(context: Context, kmp: Dict[str, Any], undo: Undo, problem: LivepatchError) -> None:
    """End the hold of a change that failed, and have the next boot keep what it kept before: an initrd that was made
    meanwhile lacks it. Nothing is done while the KMP that failed is still installed.
    """
    try:
        if context.find_installed(kmp["name"], kmp["evr"]) is not None:
            return
        if not undo.was_held:
            _boot_persistence.release_hold(context.host)
        if undo.was_persistent and not _next_boot.is_held(context.host):
            boot.repair_next_boot(context)
    except LivepatchError as exc:
        _append(problem, f"The next boot is not as it was: {exc}")


def _append(problem: LivepatchError, sentence: str) -> None:
    """Add to an error what else is wrong."""
    problem.args = ("{}. {}".format(str(problem).rstrip(". "), sentence),)
