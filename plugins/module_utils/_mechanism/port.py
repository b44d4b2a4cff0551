# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection needs of a live patching mechanism. PRIVATE to the collection: it may change at any
time.

A new mechanism is one new file that implements this port, and a model of its kernel's rules for the tests.
"""

import abc
import re
from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    Incompatible,
    KernelRefused,
    LoadRefused,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import elf_notes, log

# kernel/livepatch/core.c, klp_enable_patch()
_INCOMPATIBLE = r"livepatch: Livepatch patch \(\S+\) is not compatible with the already installed livepatches"
# Where kernels show their patches
KLP, KGRAFT = "/sys/kernel/livepatch", "/sys/kernel/kgraft"


class Patch(NamedTuple):
    # The module's name in the kernel
    name: str
    # Where it is heading, not that it is there
    enabled: bool
    # Whether tasks are still moving
    transition: bool
    # None where this kernel does not have them
    replace: Optional[bool]
    stack_order: Optional[int]
    # By object (vmlinux or a module)
    functions: Dict[str, List[str]]
    # Of the module in the kernel, None where the kernel does not show it
    build_id: Optional[str]


class Mechanism(abc.ABC):
    """One way in which the kernel of one host is patched."""

    name = ""
    # Whether a running transition can be reversed
    reversible = True
    # The file below a thread's (or a process's) folder in /proc that shows whether it has moved
    thread_file = ""
    per_thread = True

    def __init__(self, host: Host) -> None:
        self._host = host

    @abc.abstractmethod
    def list_patches(self) -> List[Patch]:
        """The patches that the kernel shows, by name; without any that disappears during the read."""

    @abc.abstractmethod
    def read_patch(self, name: str) -> Optional[Patch]:
        """One patch, None where the kernel does not show it (any more)."""

    @abc.abstractmethod
    def is_in_transition(self, name: str) -> Optional[bool]:
        """Whether the patch's transition still runs; None where the kernel does not show the patch. One small read."""

    @abc.abstractmethod
    def is_unmoved(self, value: Optional[bytes], target: bool) -> bool:
        """Whether a thread's file has the value of one that has not moved yet; ``target``: to the patch, or from
        it.
        """

    @abc.abstractmethod
    def enable(self, name: str) -> bool:
        """Enable a patch that is in the kernel and disabled; False where this kernel needs its module loaded again."""

    @abc.abstractmethod
    def disable(self, name: str) -> None:
        """Start the transition away from an active patch.

        :raises KernelRefused: the kernel refused it.
        """

    @abc.abstractmethod
    def reverse(self, name: str) -> None:
        """Reverse a running transition.

        :raises KernelRefused: the kernel refused it.
        """

    @abc.abstractmethod
    def read_log_times(self, name: str) -> Tuple[Optional[float], Optional[float]]:
        """When the patch's last transition began and when it completed, in seconds since boot by the kernel's log."""

    def is_loaded(self, name: str) -> bool:
        """Whether the module is in the kernel: true for a replaced or reversed patch as well, so no sign of success."""
        return self._host.is_dir("/sys/module/" + name)

    def count_references(self, name: str) -> Optional[int]:
        """How often the module is in use; None where it is not loaded."""
        return self._host.read_number(f"/sys/module/{name}/refcnt")

    def load(self, path: str) -> None:
        """Insert the module, which starts the transition.

        ``insmod`` and not ``modprobe``: livepatch modules have no dependencies, and the path is unambiguous.

        :raises LoadRefused: the kernel refused it, with the records of its log.
        """
        before = self._sequence()
        answer = self._host.run(["insmod", path])
        if answer.rc == 0:
            return
        words = [record.text for record in self._read_kernel_records() if record.sequence > before]
        problem = "the kernel refused {}: {}{}".format(
            path,
            answer.err.strip().split(": ")[-1] or f"insmod exited with {answer.rc}",
            " (kernel log: {})".format("; ".join(words[-4:])) if words else "",
        )
        if any(re.match(_INCOMPATIBLE, text) for text in words):
            # Documentation/livepatch/system-state.rst
            raise Incompatible(
                problem + ": an active patch has changed the system in a way that this one does not support",
                "Reboot the host into the wanted level; it cannot be reached without a reboot",
            )
        raise LoadRefused(problem, "Report it to the vendor of the KMP; the host keeps the patch that it had")

    def unload(self, name: str) -> bool:
        """Remove a module that no longer patches anything; whether that worked."""
        return self._host.run(["rmmod", name]).rc == 0

    def is_busy(self, problem: LoadRefused) -> bool:
        """Whether the kernel refused a module because of another patch's transition, which ends some time."""
        text = str(problem)
        return "Device or resource busy" in text or "Resource temporarily unavailable" in text

    def _write(self, path: str, value: str, action: str) -> None:
        try:
            self._host.write(path, value)
        except OSError as exc:
            raise KernelRefused(f"the kernel refused {action}: {exc.strerror}", "Check its log (dmesg)") from exc

    def _build_id(self, module: str) -> Optional[str]:
        data = self._host.read_bytes(f"/sys/module/{module}/notes/.note.gnu.build-id")
        return None if data is None else elf_notes.parse_build_id(data, self._host.byteorder)

    def _read_kernel_records(self) -> List[log.Record]:
        """The records of the kernel's log that it has written itself; none where they cannot be read."""
        try:
            return [record for record in log.read_records(self._host) if record.facility == 0]
        except Unmeasured:
            return []

    def _sequence(self) -> int:
        records = self._read_kernel_records()
        return records[-1].sequence if records else -1
