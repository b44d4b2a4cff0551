# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's log, and what in it tells of trouble. PRIVATE to the collection: it may change at any time."""

import re
from typing import List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

# The line with which the kernel begins to tell of each kind of trouble: include/asm-generic/bug.h, kernel/panic.c,
# kernel/watchdog.c, kernel/hung_task.c, kernel/rcu/tree_stall.h, and each architecture's die(), which counts ("[#1]").
# Not "Call Trace:", which follows them: by itself it comes with each kill for want of memory, in any container.
_TROUBLE = re.compile(
    r"(?P<panic>^Kernel panic - )"
    r"|(?P<lockup>\bBUG: (?:soft|workqueue) lockup\b|\bhard LOCKUP on\b)"
    r"|(?P<hung_task>\bINFO: task \S.* blocked (?:in I/O wait )?for more than \d+ seconds)"
    r"|(?P<rcu_stall>\bINFO: rcu\w* (?:self-)?detected (?:expedited )?stalls? on\b)"
    r"|(?P<oops>\bBUG: (?:[Uu]nable to handle|kernel NULL pointer)|\bOops\b|\[#\d+\]|^Unable to handle kernel\b)"
    r"|(?P<bug>\bBUG: |\bkernel BUG at |^UBSAN: )"
    r"|(?P<warning>^WARNING: (?:CPU: \d|\S+:\d+ at |possible |suspicious ))"
)


class Record(NamedTuple):
    facility: int
    sequence: int
    seconds: float
    text: str


def records(host: Host) -> List[Record]:
    """What the kernel still holds, each with its first line; nothing where it may not be read.

    Format: Documentation/ABI/testing/dev-kmsg.
    """
    found = []
    for record in host.kernel_log():
        head, _semicolon, text = record.partition(";")
        priority, sequence, microseconds = head.split(",")[:3]
        first = text.splitlines()[0] if text else ""
        found.append(Record(int(priority) >> 3, int(sequence), float(microseconds) / 1e6, first))
    return found


def trouble(record: Record) -> Optional[str]:
    """Of which kind the trouble is that the record tells of, None where it tells of none. Pure.

    Only the kernel's own records count (facility 0): whoever may write to /dev/kmsg can write what he likes.
    """
    found = _TROUBLE.search(record.text) if record.facility == 0 else None
    return found.lastgroup if found else None
