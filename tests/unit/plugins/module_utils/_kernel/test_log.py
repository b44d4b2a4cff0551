# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines as kernels print them: 4.12 (SLE 12), 5.14 (EL 9), 6.1 and 6.12 (Debian), on the architectures we know."""

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import log

_TROUBLE = {
    "panic": [
        "Kernel panic - not syncing: Fatal exception in interrupt",
        "Kernel panic - not syncing: Hard LOCKUP",
        "Kernel panic - not syncing: softlockup: hung tasks",
    ],
    "oops": [
        "BUG: unable to handle page fault for address: ffffffffffffffc8",
        "BUG: unable to handle kernel NULL pointer dereference at 0000000000000008",
        "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        "BUG: Unable to handle kernel data access at 0xc00000000002",
        "Oops: 0002 [#1] PREEMPT SMP NOPTI",
        "Oops: Oops: 0000 [#1] PREEMPT SMP NOPTI",
        "Oops: Kernel access of bad area, sig: 11 [#1]",
        "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] PREEMPT SMP PTI",
        "Oops: general protection fault, probably for non-canonical address 0xdffffc000000001c: 0000 [#1] PREEMPT SMP",
        "general protection fault: 0000 [#1] SMP",
        "invalid opcode: 0000 [#1] PREEMPT SMP NOPTI",
        "divide error: 0000 [#2] SMP PTI",
        "Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP",
        "Internal error: Oops - BUG: 00000000f2000800 [#1] SMP",
        "Unable to handle kernel paging request at virtual address ffff80007bfeeb30",
        "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000028",
        "Unable to handle kernel pointer dereference in virtual kernel address space",
    ],
    "bug": [
        "kernel BUG at mm/usercopy.c:102!",
        "BUG: Bad page state in process kworker/0:1  pfn:12345",
        "BUG: scheduling while atomic: bash/812/0x00000002",
        "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:283",
        "BUG: KASAN: slab-use-after-free in x+0x1/0x2",
        "UBSAN: array-index-out-of-bounds in drivers/x.c:12:3",
    ],
    "warning": [
        "WARNING: CPU: 0 PID: 812 at fs/proc/cmdline.c:9 cmdline_proc_show+0x12/0x30 [livepatch_3]",
        "WARNING: CPU: 3 PID: 0 at net/sched/sch_generic.c:478 dev_watchdog+0x1f9/0x200",
        "WARNING: kernel/workqueue.c:2257 at __queue_work+0x4c0/0x4d0, CPU#1: kworker/1:2/54",
        "WARNING: possible circular locking dependency detected",
        "WARNING: suspicious RCU usage",
    ],
    "lockup": [
        "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [kworker/u32:9:5941]",
        "NMI watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [swapper/0:1]",
        "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0",
        "watchdog: Watchdog detected hard LOCKUP on cpu 3",
        "watchdog: CPU3: Watchdog detected hard LOCKUP on cpu 3",
        "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!",
    ],
    "hung_task": [
        "INFO: task kworker/0:1:23 blocked for more than 120 seconds.",
        "INFO: task jbd2/dm-0-8:512 blocked for more than 241 seconds.",
        "INFO: task (networkd):520 blocked for more than 122 seconds.",
        "INFO: task cp:77 blocked in I/O wait for more than 120 seconds.",
    ],
    "rcu_stall": [
        "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "rcu: INFO: rcu_sched self-detected stall on CPU",
        "INFO: rcu_sched self-detected stall on CPU",
        "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-...D } 62703 jiffies s: 417 root: 0x2/.",
        "INFO: rcu_tasks detected stalls on tasks:",
    ],
}
_HARMLESS = [
    "livepatch: enabling patch 'livepatch_3'",
    "livepatch: 'livepatch_3': starting patching transition",
    "livepatch: signaling remaining tasks",
    "livepatch: 'livepatch_3': patching complete",
    "livepatch: 'livepatch_3': unpatching complete",
    "livepatch: tainting kernel with TAINT_LIVEPATCH",
    "livepatch: attention: replacing all patches",
    "livepatch_3: loading out-of-tree module taints kernel.",
    "livepatch_3: tainting kernel with TAINT_LIVEPATCH",
    "livepatch_3: module verification failed: signature and/or required key missing - tainting kernel",
    "livepatch: klp_try_switch_task: kworker/1:2:54 is sleeping on function msleep",
    # Programs that died, not the kernel
    "traps: nano[3312930] general protection fault ip:14f27ed59a3f sp:7fffd97387b8 error:0 in libncursesw.so.6.5",
    "nano[812]: segfault at 0 ip 00005581 sp 00007ffe error 4 in nano[55d0+1000] likely on CPU 0 (core 0, socket 0)",
    "traps: a.out[99] trap invalid opcode ip:401106 sp:7ffd error:0 in a.out[401000+1000]",
    # A container that was short of memory
    "stress invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "Call Trace:",
    " <TASK>",
    "Memory cgroup out of memory: Killed process 4242 (stress) total-vm:1052672kB",
    # Words that look like it
    "ACPI BIOS Error (bug): Could not resolve symbol [\\_SB.PCI0], AE_NOT_FOUND (20220331/psargs-330)",
    "[Firmware Bug]: TSC_DEADLINE disabled due to Errata",
    "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible via Spectre v2 BHB attacks!",
    "workqueue: drm_fb_helper_damage_work hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND",
    "clocksource: timekeeping watchdog on CPU1: Marking clocksource 'tsc' as unstable because the skew is too large:",
    "perf: interrupt took too long (2514 > 2500), lowering kernel.perf_event_max_sample_rate to 79500",
    "NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
    "rcu: Hierarchical RCU implementation.",
    "cfg80211: failed to load regulatory.db",
    "EXT4-fs (vda1): DEBUG: x",
]


@pytest.mark.parametrize("kind, line", [(kind, line) for kind in _TROUBLE for line in _TROUBLE[kind]])
def test_trouble(host: Any, kind: str, line: str) -> None:
    host.log = [f"4,612,5000000,-,caller=T54;{line}\n SUBSYSTEM=x\n"]
    assert [log.classify_record(one) for one in log.read_records(host)] == [kind]


@pytest.mark.parametrize("line", _HARMLESS)
def test_no_trouble(host: Any, line: str) -> None:
    host.log = [f"6,612,5000000,-;{line}\n DEVICE=BUG: kernel BUG at x\n"]
    assert [log.classify_record(one) for one in log.read_records(host)] == [None]


@pytest.mark.parametrize("priority, kind", [(0, "bug"), (4, "bug"), (12, None), (30, None)])
def test_only_the_kernel_is_believed(host: Any, priority: int, kind: Any) -> None:
    host.log = [f"{priority},1,5000000,-;systemd[1]: BUG: kernel BUG at home\n"]
    assert [log.classify_record(one) for one in log.read_records(host)] == [kind]


def test_records(host: Any) -> None:
    host.log = ["30,339,5140900,c,caller=T1;one; two\n KEY=value\n", "6,340,6000000,-;\n"]
    assert log.read_records(host) == [log.Record(3, 339, 5.1409, "one; two"), log.Record(0, 340, 6.0, "")]
