# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SUSE's kGraft, in the kernels of SLE 12 up to SP3: ``/sys/kernel/kgraft``. PRIVATE to the collection.

It shows a patch as a table of its functions with a number for the state of each. There is one ``in_progress`` for the
whole kernel, and a migration cannot be reversed: a second change is refused until the first has ended.
Rules: kernel/kgraft.c and kernel/kgraft_files.c of these kernels.
"""

import re
from typing import List, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import KernelRefused, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import KGRAFT, Mechanism, Patch

# enum kgr_patch_state, include/linux/kgraft.h
_SLOW, _APPLIED, _REVERT_SLOW, _NOT_FINAL = 1, 2, 3, 6
_ON, _MOVING = (_SLOW, _APPLIED, _NOT_FINAL), (_SLOW, _REVERT_SLOW, _NOT_FINAL)


def _parse_state(text: str) -> int:
    if not re.match(r"[0-9]\Z", text):
        raise Unmeasured(f"{KGRAFT} shows the state {text[:40]!r} of a function, which is none")
    return int(text)


class Kgraft(Mechanism):
    name = "kgraft"
    reversible = False
    # Of the whole process
    thread_file = "kgr_in_progress"
    per_thread = False

    def list_patches(self) -> List[Patch]:
        names = [name for name in self._host.list_names(KGRAFT) if self._host.is_dir(f"{KGRAFT}/{name}")]
        patches = [self.read_patch(name) for name in names]
        return [patch for patch in patches if patch is not None]

    def read_patch(self, name: str) -> Optional[Patch]:
        name = name.replace("-", "_")
        base = self._folder(name)
        table = None if base is None else self._host.read_text(base + "/state")
        if table is None:
            return None
        rows = [line.split() for line in table.splitlines()[1:]]
        states = {row[0]: _parse_state(row[2]) for row in rows if len(row) == 3}
        progress = self._host.read_text(KGRAFT + "/in_progress") == "1"
        # One without functions has no state of its own: its module is in use as long as it is enabled.
        enabled = any(state in _ON for state in states.values()) if states else bool(self.count_references(name))
        moving = progress and (not states or any(state in _MOVING for state in states.values()))
        replace = self._host.read_text(f"{base}/replace_all")
        return Patch(
            name,
            enabled,
            moving,
            None if replace is None else replace != "0",
            None,
            {"vmlinux": sorted(states)},
            self._build_id(name),
        )

    def _folder(self, module: str) -> Optional[str]:
        """Find a patch's folder: its name has hyphens where its module's has underscores."""
        for entry in self._host.list_names(KGRAFT):
            if entry.replace("-", "_") == module:
                return f"{KGRAFT}/{entry}"
        return None

    def is_in_transition(self, name: str) -> Optional[bool]:
        patch = self.read_patch(name)
        return None if patch is None else patch.transition

    def is_unmoved(self, value: Optional[bytes], target: bool) -> bool:
        return value is not None and value.strip() == b"1"

    def enable(self, name: str) -> bool:
        return False

    def disable(self, name: str) -> None:
        base = self._folder(name)
        if base is None:
            raise KernelRefused(f"{name} disappeared before it could be reverted")
        self._write(base + "/revert", "1", f"the request to revert {name}")

    def reverse(self, name: str) -> None:
        raise KernelRefused(
            f"kGraft cannot reverse the migration to {name}", "It goes on until its blockers have moved"
        )

    def read_log_times(self, name: str) -> Tuple[Optional[float], Optional[float]]:
        # It names no patch in its log, and looks at the tasks in intervals of seconds.
        return None, None
