# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the kernel's log, and classify its records of trouble. PRIVATE to the collection: it may change at any time."""

import re
from typing import List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

# The first line of each kind of trouble: include/asm-generic/bug.h, kernel/panic.c,
# kernel/watchdog.c, kernel/hung_task.c, kernel/rcu/tree_stall.h, and each architecture's die(), which counts ("[#1]").
# Not "Call Trace:", which follows them: alone it comes with each out-of-memory kill, in any container.
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


def read_records(host: Host) -> List[Record]:
    """Read the records that the kernel still holds, each with its first line; none where that is not permitted.

    Format: Documentation/ABI/testing/dev-kmsg.
    """
    parsed = []
    for record in host.read_kernel_log():
        head, _semicolon, text = record.partition(";")
        priority, sequence, microseconds = head.split(",")[:3]
        first = text.splitlines()[0] if text else ""
        parsed.append(Record(int(priority) >> 3, int(sequence), float(microseconds) / 1e6, first))
    return parsed


def classify_record(record: Record) -> Optional[str]:
    """Classify the trouble that a record reports, None where it reports none. Pure.

    Only the kernel's own records count (facility 0): any process that may write to /dev/kmsg can write anything.
    """
    match = _TROUBLE.search(record.text) if record.facility == 0 else None
    return match.lastgroup if match else None
