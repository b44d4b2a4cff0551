# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upstream livepatch: ``/sys/kernel/livepatch``. PRIVATE to the collection: it may change at any time.

Rules: Documentation/ABI/testing/sysfs-kernel-livepatch and Documentation/livepatch/livepatch.rst. Which attributes
exist, and whether a disabled patch can be enabled again (before Linux 5.1), is found out by trying, never from the
kernel's version, since distributions backport.
"""

from typing import List, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import KernelRefused, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import KLP, Mechanism, Patch


class Klp(Mechanism):
    name = "klp"
    # -1 no transition, 0 not patched, 1 patched (Linux fs/proc/base.c); it needs root to be read
    thread_file = "patch_state"

    def list_patches(self) -> List[Patch]:
        patches = [self.read_patch(name) for name in self._host.list_names(KLP)]
        return [patch for patch in patches if patch is not None]

    def read_patch(self, name: str) -> Optional[Patch]:
        base = f"{KLP}/{name}"
        enabled, transition = self._host.read_text(base + "/enabled"), self._host.read_text(base + "/transition")
        if enabled is not None and transition is None and self._host.is_dir(base):
            raise Unmeasured(
                f"{base}/transition is not there",
                "This kernel is older than Linux 4.12, which the collection does not support",
            )
        if enabled is None or transition is None:
            return None
        replace, stack_order = self._host.read_text(base + "/replace"), self._host.read_number(base + "/stack_order")
        functions = {}
        for entry in self._host.list_names(base):
            if self._host.is_dir(base + "/" + entry):
                functions[entry] = [
                    function.rpartition(",")[0]
                    for function in self._host.list_names(base + "/" + entry)
                    if self._host.is_dir(f"{base}/{entry}/{function}")
                ]
        return Patch(
            name,
            enabled == "1",
            transition == "1",
            None if replace is None else replace == "1",
            stack_order,
            functions,
            self._build_id(name),
        )

    def is_in_transition(self, name: str) -> Optional[bool]:
        value = self._host.read_text(f"{KLP}/{name}/transition")
        return None if value is None else value == "1"

    def is_unmoved(self, value: Optional[bytes], target: bool) -> bool:
        return value is not None and value.strip() == (b"0" if target else b"1")

    def enable(self, name: str) -> bool:
        try:
            self._host.write(f"{KLP}/{name}/enabled", "1")
        except OSError:
            # From Linux 5.1 on; before it, where another patch is in the way.
            return False
        return True

    def disable(self, name: str) -> None:
        self._write(f"{KLP}/{name}/enabled", "0", f"the request to disable {name}")

    def reverse(self, name: str) -> None:
        value = self._host.read_text(f"{KLP}/{name}/enabled")
        if value is None:
            raise KernelRefused(f"{name} disappeared before it could be reversed")
        self._write(f"{KLP}/{name}/enabled", "0" if value == "1" else "1", f"the reversal of {name}")

    def read_log_times(self, name: str) -> Tuple[Optional[float], Optional[float]]:
        started: Optional[float] = None
        finished: Optional[float] = None
        for record in self._read_kernel_records():
            if record.text.startswith(f"livepatch: '{name}': starting "):
                # A reversal logs this again; the migration that it reverses has not completed.
                started, finished = record.seconds, None
            elif record.text in (
                f"livepatch: '{name}': patching complete",
                f"livepatch: '{name}': unpatching complete",
            ):
                finished = record.seconds
        return started, finished
