# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection needs of a way in which kernels are patched. PRIVATE to the collection: it may change at any
time.

A new mechanism is one new file that implements this port, and a model of its kernel's rules for the tests.
"""

import abc
from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Incompatible, KernelRefused, LoadRefused
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import elf_notes, log


# name: the module's, as the kernel knows it. enabled: where it is heading, not that it is there. transition: tasks are
# still moving. replace, stack_order: None where this kernel does not have them. functions: per object (vmlinux or a
# module). build_id: of the module in the kernel, None where the kernel does not show it.
class Patch(NamedTuple):
    name: str
    enabled: bool
    transition: bool
    replace: Optional[bool]
    stack_order: Optional[int]
    functions: Dict[str, List[str]]
    build_id: Optional[str]


class Mechanism(abc.ABC):
    """One way in which the kernel of one host is patched."""

    name = ""
    # Whether a transition that runs can be turned round.
    reversible = True
    # The file below a thread's (or a process's) folder in /proc that tells whether it has moved.
    thread_file = ""
    per_thread = True

    def __init__(self, host: Host) -> None:
        self._host = host

    @abc.abstractmethod
    def patches(self) -> List[Patch]:
        """The patches that the kernel shows, by name; one that goes away while we read is not among them."""

    @abc.abstractmethod
    def patch(self, name: str) -> Optional[Patch]:
        """One patch, None where the kernel does not show it (any more)."""

    @abc.abstractmethod
    def in_transition(self, name: str) -> Optional[bool]:
        """Whether the patch's transition still runs; None where the kernel does not show the patch. One small read."""

    @abc.abstractmethod
    def waits_for(self, value: Optional[bytes], target: bool) -> bool:
        """Whether what stands in a thread's file says that it has not moved yet; ``target``: to the patch, or from
        it.
        """

    @abc.abstractmethod
    def enable(self, name: str) -> bool:
        """Enables a patch that is in the kernel and disabled; False where this kernel wants its module loaded anew."""

    @abc.abstractmethod
    def disable(self, name: str) -> None:
        """Starts the transition away from a patch that is active.

        :raises KernelRefused: the kernel did not take it.
        """

    @abc.abstractmethod
    def reverse(self, name: str) -> None:
        """Turns a running transition round.

        :raises KernelRefused: the kernel did not take it.
        """

    @abc.abstractmethod
    def logged(self, name: str) -> Tuple[Optional[float], Optional[float]]:
        """When the patch's last transition began and when it completed, in seconds since boot by the kernel's log."""

    def loaded(self, name: str) -> bool:
        """Whether the module is in the kernel: true of a replaced or reversed patch as well, so no sign of success."""
        return self._host.is_dir("/sys/module/" + name)

    def references(self, name: str) -> Optional[int]:
        """How often the module is in use; None where it is not loaded."""
        value = self._host.text(f"/sys/module/{name}/refcnt")
        return None if value is None else int(value)

    def load(self, path: str) -> None:
        """Inserts the module, which starts the transition.

        ``insmod`` and not ``modprobe``: livepatch modules have no dependencies, and the path says which one is meant.

        :raises LoadRefused: the kernel said no, with its own words from the kernel log.
        """
        before = self._sequence()
        answer = self._host.run(["insmod", path])
        if answer.rc == 0:
            return
        words = [one.text for one in log.records(self._host) if one.sequence > before]
        problem = "the kernel refused {}: {}{}".format(
            path,
            answer.err.strip().split(": ")[-1] or f"insmod ended with {answer.rc}",
            " (kernel log: {})".format("; ".join(words[-4:])) if words else "",
        )
        if any("not compatible with the already installed livepatches" in text for text in words):
            # Documentation/livepatch/system-state.rst
            raise Incompatible(
                problem + ": a patch that is active has changed the system in a way that this one does not know",
                "Boot the host into the level that is wanted; there is no way there without a reboot",
            )
        raise LoadRefused(problem, "Report it to who built the KMP; the host keeps the patch it had")

    def unload(self, name: str) -> bool:
        """Removes a module that no longer patches anything; whether that worked."""
        return self._host.run(["rmmod", name]).rc == 0

    def is_busy(self, problem: LoadRefused) -> bool:
        """Whether the kernel refused a module because of another patch's transition, which ends some time."""
        text = str(problem)
        return "Device or resource busy" in text or "Resource temporarily unavailable" in text

    def _write(self, path: str, value: str, what: str) -> None:
        try:
            self._host.write(path, value)
        except OSError as exc:
            raise KernelRefused(f"the kernel did not take {what}: {exc.strerror}", "Look into its log (dmesg)") from exc

    def _build_id(self, module: str) -> Optional[str]:
        data = self._host.read(f"/sys/module/{module}/notes/.note.gnu.build-id")
        return None if data is None else elf_notes.build_id(data, self._host.byteorder)

    def _sequence(self) -> int:
        records = log.records(self._host)
        return records[-1].sequence if records else -1
