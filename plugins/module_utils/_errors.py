# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong on a host, as exceptions. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _zip_finder

# Here, since all else that runs on a host imports this first: what is imported from now on is compiled once.
_zip_finder.install()


class LivepatchError(Exception):
    """A problem that an operator has to know of: what is wrong, and what to do.

    ``result`` holds what was measured or done before it, so that nothing half done goes unreported.
    ``marks`` are keys of a failed result by which a program recognises this problem.
    """

    marks: Dict[str, bool] = {}

    def __init__(self, problem: str, todo: str = "", result: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(problem.rstrip(". ") + (". " + todo if todo else ""))
        self.result = result or {}


class BadOption(LivepatchError):
    """The options make no sense."""


class Unmeasured(LivepatchError):
    """Something that decides the host's state could not be measured."""


class Malformed(Unmeasured):
    """What was read is not what it should be: another try, or another host, would read the same."""


class RepositoryDown(Unmeasured):
    """A repository did not answer: nothing is known about what it offers."""


class PackageManagerMissing(Unmeasured):
    """No package manager that the collection supports is on the host."""


class PackageManagerLocked(Unmeasured):
    """Another program holds the package manager's lock for longer than the limit."""


class NoRepository(LivepatchError):
    """No repository offers KMPs, and the host cannot change that by itself."""


class ImportFailed(LivepatchError):
    """RPM does not trust just the keys that it was to trust."""


class TransactionRefused(LivepatchError):
    """Installing the KMP would do something to the host that a live patch must not do."""


class InstallFailed(LivepatchError):
    """The package manager did not install the KMP."""


class PackageDiffers(InstallFailed):
    """What is installed is not what was examined."""


class LoadRefused(LivepatchError):
    """The kernel refused the KMP's module."""


class Incompatible(LoadRefused):
    """The kernel takes the module only after a reboot: what is active has changed the system for good."""

    marks = {"refused": True}


class TransitionStalled(LivepatchError):
    """The kernel's migration to the patch did not complete within its limit."""

    marks = {"stalled": True}


class KernelRefused(LivepatchError):
    """The kernel refused what was written to it."""


class AnotherRun(LivepatchError):
    """Another run of the module is working on the host."""


class NotStarted(LivepatchError):
    """A detached run could not be started."""


class Fenced(LivepatchError):
    """A newer run of the rollout has taken the host over."""

    marks = {"fenced": True}


class NextBootFailed(LivepatchError):
    """The next boot could not be repaired."""


class NotDone(LivepatchError):
    """Everything was tried, and the host is still not in the state that was asked for."""


class NotBegun(NotDone):
    """What was to be finished on the host was never begun, or the host is not what it was planned for any more."""

    marks = {"not_begun": True}


class NoWayBack(NotDone):
    """The vendor advises against it, or there is nothing to go back to: trying again will not help."""

    marks = {"refused": True}
