# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the kernel's log, and classify its records of trouble. PRIVATE to the collection: it may change at any time."""

import re
from typing import List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

# The first line of each kind of trouble, from its first letter on, as the kernel's sources print it (tests name the
# functions). Not "Call Trace:", which follows them: alone it comes with each out-of-memory kill, in any container.
#
# A user chooses the name of a program (15 bytes, any) and of a network device (15, without blanks and colons), and the
# kernel begins records with either: "Oops[812]: segfault at", "BUG: renamed from veth0", "WARNING: CPU: 0 invoked
# oom-killer". So each of these is longer than that, or counts only as a whole record. The names of USB devices,
# file systems and hosts come after something of the kernel's own.
_FLAGS = r"(?: ?(?:PREEMPT\S*|SMP|DEBUG_PAGEALLOC|KASAN|PTI|NOPTI))* ?\Z"
_X86_TRAPS = (
    r"Oops|divide error|debug|int3|overflow|bounds|invalid opcode|device not available|double fault|invalid TSS"
    r"|coprocessor segment overrun|segment not present|stack segment|stack guard page|kernel stack overflow"
    r"|general protection fault(?:, (?:probably|maybe) for (?:non-canonical )?address(?: range)? 0x[0-9a-f]+\S*)?"
    r"|alignment check|x87 FPU exception|SIMD exception|fpu exception|simd exception|control protection fault"
    r"|virtualization exception|iret exception|Bad pagetable|Machine check|NMI"
)
_S390_TRAPS = (
    r"Oops|illegal operation|privileged operation|execute exception|addressing exception|specification exception"
    r"|data exception|fixpoint divide exception|operand exception|translation specification exception"
    r"|special operation exception|transaction constraint exception|monitor event|vector exception|stack overflow"
    r"|kernel stack overflow|(?:HFP|hfp) [\w -]+ exception"
)
# Not compiled before there is a record to match: that takes longer than all else in this file.
_TROUBLE = (
    r"(?P<panic>Kernel panic - not syncing)"
    r"|(?P<lockup>(?:(?:NMI )?watchdog: )?BUG: soft lockup - CPU#\d+ stuck for \d+s!"
    r"|BUG: workqueue lockup - pool"
    r"|(?:NMI )?watchdog: (?:CPU\d+: )?Watchdog detected hard LOCKUP on cpu \d"
    r"|watchdog: CPU \d+ (?:self-detected hard LOCKUP @|detected hard LOCKUP on other CPUs) )"
    # No 15 bytes before the colon hold all that is after it.
    r"|(?P<hung_task>INFO: task .+:\d+ (?:is )?blocked (?:in I/O wait )?for more than \d+ seconds\.\Z)"
    r"|(?P<rcu_stall>(?:rcu: )?INFO: rcu\w* "
    r"(?:self-detected stall on CPU|detected (?:expedited )?stalls on (?:CPU|task)))"
    r"|(?P<oops>BUG: (?:[Uu]nable to handle (?:kernel|page|un)|[Kk]ernel NULL pointer dereference)"
    r"|Unable to handle kernel "
    rf"|(?:Oops: )?(?:{_X86_TRAPS}): [0-9a-f]{{4}} \[#\d+\]{_FLAGS}"
    rf"|(?:{_S390_TRAPS}): [0-9a-f]{{4}} ilc:\d+ \[#\d+\]{_FLAGS}"
    r"|Oops: [^:]+, sig: \d+ \[#\d+\]\Z"
    rf"|Oops(?: - [\w ]+)? \[#\d+\]{_FLAGS}"
    rf"|Internal error: [^:\[]+: [0-9a-f]+ \[#\d+\]{_FLAGS})"
    r"|(?P<bug>[Kk]ernel BUG at (?:\S+:\d+!|\S+ \[verbose debug info unavailable\])\Z"
    r"|BUG: failure at \S+:\d+/\w+\(\)!"
    r"|BUG: (?:sleeping function called from invalid context|scheduling while atomic:) "
    r"|BUG: using \S+\(\) in preemptible \["
    r"|BUG: (?:KASAN|KCSAN|KMSAN|KFENCE): [\w -]{3,} in \S"
    r"|BUG: Bad (?:page (?:state|map|cache) in process|rss-counter state mm:)"
    r"|BUG: non-zero \w+ on freeing mm:"
    r"|BUG: (?:spinlock|rwlock) [\w -]+ on CPU#\d"
    r"|BUG: workqueue leaked (?:lock or atomic|atomic, lock or RCU):"
    r"|BUG: (?:\S+ )?stack guard page was hit at "
    r"|BUG: Dentry [0-9a-f]+\{i="
    # mm/slub.c, slab_bug(), without a colon
    r"|BUG \S+ \((?:Not tainted|Tainted: [A-Z ]+)\): "
    r"|\[ BUG: [\w -]{9,}!? \]\Z"
    r"|UBSAN: (?:[\w -]{6,}|Undefined behaviour) in \S+:\d+:\d+)"
    r"|(?P<warning>WARNING: CPU: \d+ PID: \d+ at "
    # From Linux 6.18 on
    r"|WARNING: (?:\S+:\d+ )?at \S+(?: \[\w+\])?, CPU#\d+: "
    r"|WARNING: (?:possible \w+ |possible irq |suspicious RCU usage|inconsistent lock state|bad unlock balance detected"
    r"|bad contention detected|held lock freed!|lock held when returning to user space!|Nested lock was not taken)"
    r"|WARNING: \S+-safe -> \S+-unsafe lock order detected"
    r"|WARNING: .+/\d+ still has locks held!\Z)"
)


# Priority, sequence number and microseconds; flags and more may follow
_RECORD = re.compile(r"([0-9]{1,10}),([0-9]{1,20}),([0-9]{1,20})(?:,[^;\n]*)?;")


class Record(NamedTuple):
    facility: int
    sequence: int
    seconds: float
    text: str


def read_records(host: Host) -> List[Record]:
    """Read the records that the kernel still holds, each with its first line; none where that is not permitted.

    Format: Documentation/ABI/testing/dev-kmsg.

    :raises Unmeasured: one of them is no record: a container's /dev/kmsg may be something else.
    """
    parsed = []
    for record in host.read_kernel_log():
        match = _RECORD.match(record)
        if match is None:
            raise Unmeasured(f"/dev/kmsg holds {record[:40]!r}, which is no record of the kernel's log")
        priority, sequence, microseconds = (int(number) for number in match.groups())
        parsed.append(Record(priority >> 3, sequence, microseconds / 1e6, record[match.end() :].partition("\n")[0]))
    return parsed


def classify_record(record: Record) -> Optional[str]:
    """Classify the trouble that a record reports, None where it reports none. Pure.

    Only the kernel's own records count (facility 0, which the kernel gives to no record that is written to /dev/kmsg).
    """
    match = re.match(_TROUBLE, record.text) if record.facility == 0 else None
    return match.lastgroup if match else None
