# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines as kernels print them, and lines that users of a host can make a kernel print.

6.1 and 6.12: seen on the lab's hosts, or in these kernels' sources. 5.14 (EL 9) and 6.4 (SLE 15 SP6): from the format
strings of the functions that are named, in Linux 5.14, its branch for EL 9 and Linux 6.4. 4.12: SLE 12. What 6.18 has
changed is there as well.
"""

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import log

# By kind and by what prints them
_SOURCES = {
    "panic": {
        "kernel/panic.c panic(), all": [
            "Kernel panic - not syncing: Fatal exception in interrupt",
            "Kernel panic - not syncing: Hard LOCKUP",
            "Kernel panic - not syncing: softlockup: hung tasks",
            "Kernel panic - not syncing: sysrq triggered crash",
        ],
    },
    "oops": {
        "arch/x86/mm/fault.c show_fault_oops(), 5.14, 6.1, 6.4, 6.12": [
            "BUG: unable to handle page fault for address: ffffffffffffffc8",
            "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        ],
        "the same, 4.12": ["BUG: unable to handle kernel NULL pointer dereference at 0000000000000008"],
        "arch/x86/kernel/dumpstack.c __die_header(), 5.14, 6.1, 6.4": [
            "Oops: 0002 [#1] PREEMPT SMP NOPTI",
            "Oops: 0000 [#3] SMP",
            "Oops: 0010 [#1] PREEMPT_RT SMP KASAN PTI",
            "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP PTI",
            "general protection fault, maybe for address 0xffff888000000000: 0000 [#1] SMP PTI",
            "general protection fault: 0000 [#1] SMP",
            "invalid opcode: 0000 [#1] PREEMPT SMP NOPTI",
            "divide error: 0000 [#2] SMP PTI",
            "stack segment: 0000 [#1] PREEMPT SMP NOPTI",
            "stack guard page: 0000 [#1] PREEMPT SMP PTI",
            "int3: 0000 [#1] PREEMPT SMP NOPTI",
            "double fault: 0000 [#1] PREEMPT SMP NOPTI",
            "control protection fault: 0003 [#1] PREEMPT SMP NOPTI",
        ],
        "the same, 6.12 and 6.18": [
            "Oops: Oops: 0000 [#1] PREEMPT SMP NOPTI",
            "Oops: general protection fault, probably for non-canonical address 0xdffffc000000001c: 0000 [#1] SMP",
            "Oops: invalid opcode: 0000 [#1] PREEMPT_{RT,(full)} SMP NOPTI",
            "Oops: Oops: 0002 [#1] SMP NOPTI",
        ],
        "arch/arm64/mm/fault.c die_kernel_fault(), 5.14, 6.1, 6.4, 6.12": [
            "Unable to handle kernel paging request at virtual address ffff80007bfeeb30",
            "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000028",
            "Unable to handle kernel access to user memory outside uaccess routines at virtual address 0000000000",
        ],
        "arch/arm64/kernel/traps.c __die(), 5.14 with 8 digits, the others with 16": [
            "Internal error: Oops: 96000004 [#1] SMP",
            "Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP",
            "Internal error: Oops - BUG: 00000000f2000800 [#1] SMP",
            "Internal error: synchronous external abort: 0000000096000010 [#1] PREEMPT_RT SMP",
        ],
        "arch/powerpc/mm/fault.c __bad_page_fault(), 5.14, 6.1, 6.4, 6.12": [
            "BUG: Kernel NULL pointer dereference on read at 0x00000000",
            "BUG: Unable to handle kernel data access at 0xc00000000002",
            "BUG: Unable to handle kernel data access on write at 0xc008000002140150",
            "BUG: Unable to handle kernel instruction fetch (NULL pointer?)",
            "BUG: Unable to handle unaligned access at 0xc000000000000001",
        ],
        "arch/powerpc/kernel/traps.c __die(), all": [
            "Oops: Kernel access of bad area, sig: 11 [#1]",
            "Oops: Exception in kernel mode, sig: 5 [#1]",
        ],
        "arch/s390/mm/fault.c do_no_context(), 5.14, 6.4; handle_fault_error_nolock(), 6.12": [
            "Unable to handle kernel pointer dereference in virtual kernel address space",
            "Unable to handle kernel paging request in virtual user address space",
        ],
        "arch/s390/kernel/dumpstack.c die(), 5.14, 6.4, 6.12": [
            "Oops: 0004 ilc:2 [#1] SMP ",
            "Oops: 0038 ilc:3 [#1] PREEMPT SMP DEBUG_PAGEALLOC",
            "illegal operation: 0001 ilc:1 [#1] SMP ",
            "specification exception: 0006 ilc:2 [#2] SMP ",
            "monitor event: 0040 ilc:2 [#1] SMP ",
        ],
        "the same, 6.18": ["Oops: 0004 ilc:2 [#1]SMP "],
        "arch/riscv/kernel/traps.c die()": ["Oops [#1]", "Oops - illegal instruction [#1]"],
    },
    "bug": {
        "lib/bug.c __report_bug(), all": [
            "kernel BUG at mm/usercopy.c:102!",
            "Kernel BUG at usercopy_abort+0x74/0x76 [verbose debug info unavailable]",
        ],
        "include/asm-generic/bug.h": ["BUG: failure at mm/slab.c:12/kfree()!"],
        "kernel/sched/core.c __schedule_bug(), __might_resched(), all": [
            "BUG: scheduling while atomic: bash/812/0x00000002",
            "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:283",
        ],
        "lib/smp_processor_id.c check_preemption_disabled(), all": [
            "BUG: using smp_processor_id() in preemptible [00000000] code: bash/812",
            "BUG: using __this_cpu_add() in preemptible [00000000] code: bash/812",
        ],
        "mm/page_alloc.c bad_page(), mm/memory.c print_bad_pte(), kernel/fork.c check_mm(), all": [
            "BUG: Bad page state in process kworker/0:1  pfn:12345",
            "BUG: Bad page map in process bash  pte:8000000123456867 pmd:123456067",
            "BUG: Bad rss-counter state mm:000000003a55b09e type:MM_ANONPAGES val:1",
            "BUG: non-zero pgtables_bytes on freeing mm: 4096",
        ],
        "mm/filemap.c filemap_unaccount_folio()": ["BUG: Bad page cache in process dd  pfn:12345"],
        "kernel/locking/spinlock_debug.c spin_dump(), all": ["BUG: spinlock bad magic on CPU#0, swapper/0/1"],
        "kernel/workqueue.c process_one_work()": [
            "BUG: workqueue leaked lock or atomic: kworker/0:1/0x00000001/23",
            "BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[23]",
        ],
        "arch/x86/kernel/traps.c handle_stack_overflow(), all": [
            "BUG: stack guard page was hit at 000000008ad63b01 (stack is 00000000b1..00000000b2)",
            "BUG: NMI stack guard page was hit at 0000000085fd977b (stack is 000000003a55b09e..0)",
        ],
        "fs/dcache.c umount_check()": ["BUG: Dentry 00000000beef{i=12,n=a}  still in use (1) [unmount of ext4 vda1]"],
        "mm/slub.c slab_bug(), all": [
            "BUG kmalloc-64 (Not tainted): Poison overwritten",
            "BUG task_struct (Tainted: G    B      OE    ): Redzone overwritten",
        ],
        "mm/kasan/report.c print_error_description(), all": [
            "BUG: KASAN: slab-use-after-free in x+0x1/0x2",
            "BUG: KASAN: double-free or invalid-free in x+0x1/0x2",
        ],
        "mm/kfence/report.c kfence_report_error(), all": ["BUG: KFENCE: out-of-bounds read in x+0x1/0x2\\x0a"],
        "kernel/kcsan/report.c print_report(), all": ["BUG: KCSAN: data-race in a / b"],
        "lib/ubsan.c ubsan_prologue(), 5.14, 6.1, 6.4, 6.12": ["UBSAN: array-index-out-of-bounds in drivers/x.c:12:3"],
        "the same, 4.12": ["UBSAN: Undefined behaviour in drivers/x.c:12:3"],
        "kernel/locking/lockdep.c print_lock_invalid_wait_context(), all": ["[ BUG: Invalid wait context ]"],
    },
    "warning": {
        "kernel/panic.c __warn(), 5.14, 6.1, 6.4, 6.12": [
            "WARNING: CPU: 0 PID: 812 at fs/proc/cmdline.c:9 cmdline_proc_show+0x12/0x30 [livepatch_3]",
            "WARNING: CPU: 3 PID: 0 at net/sched/sch_generic.c:478 dev_watchdog+0x1f9/0x200",
            "WARNING: CPU: 3 PID: 0 at dev_watchdog+0x1f9/0x200",
        ],
        "the same, 6.18": [
            "WARNING: kernel/workqueue.c:2257 at __queue_work+0x4c0/0x4d0, CPU#1: kworker/1:2/54",
            "WARNING: fs/x.c:9 at x_show+0x1/0x2 [livepatch_3], CPU#12: a b/54",
            "WARNING: at dev_watchdog+0x1f9/0x200, CPU#1: swapper/1/0",
        ],
        "kernel/locking/lockdep.c, all": [
            "WARNING: possible circular locking dependency detected",
            "WARNING: possible irq lock inversion dependency detected",
            "WARNING: suspicious RCU usage",
            "WARNING: inconsistent lock state",
            "WARNING: bad unlock balance detected!",
            "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected",
            "WARNING: bash/812 still has locks held!",
            "WARNING: lock held when returning to user space!",
        ],
    },
    "lockup": {
        "kernel/watchdog.c watchdog_timer_fn(), 5.14, 6.1, 6.4, 6.12": [
            "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [kworker/u32:9:5941]"
        ],
        "the same, 4.12": ["NMI watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [swapper/0:1]"],
        "kernel/watchdog_hld.c watchdog_overflow_callback(), 4.12, 5.14, 6.1, 6.4": [
            "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0"
        ],
        "kernel/watchdog.c watchdog_hardlockup_check(), 6.12; 6.18": [
            "watchdog: Watchdog detected hard LOCKUP on cpu 3",
            "watchdog: CPU3: Watchdog detected hard LOCKUP on cpu 3",
        ],
        "arch/powerpc/kernel/watchdog.c soft_nmi_interrupt(), wd_lockup_ipi(), all": [
            "watchdog: CPU 4 self-detected hard LOCKUP @ power_pmu_enable+0x10/0x20",
            "watchdog: CPU 0 detected hard LOCKUP on other CPUs 4-7",
        ],
        "kernel/workqueue.c wq_watchdog_timer_fn(), all": [
            "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!"
        ],
    },
    "hung_task": {
        "kernel/hung_task.c check_hung_task(), all": [
            "INFO: task kworker/0:1:23 blocked for more than 120 seconds.",
            "INFO: task jbd2/dm-0-8:512 blocked for more than 241 seconds.",
            "INFO: task (networkd):520 blocked for more than 122 seconds.",
            "INFO: task a b:\\x0aOops: 1:9 blocked for more than 122 seconds.",
        ],
        "the same, 6.18": ["INFO: task cp:77 blocked in I/O wait for more than 120 seconds."],
    },
    "rcu_stall": {
        "kernel/rcu/tree_stall.h print_other_cpu_stall(), print_cpu_stall(), 5.14, 6.1, 6.4, 6.12": [
            "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "rcu: INFO: rcu_sched self-detected stall on CPU",
        ],
        "kernel/rcu/tree.c, 4.12": ["INFO: rcu_sched self-detected stall on CPU"],
        "kernel/rcu/tree_exp.h synchronize_rcu_expedited_wait(), 5.14, 6.1, 6.4, 6.12": [
            "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-...D } 627 jiffies s: 417 root: 0x2/.",
        ],
        "kernel/rcu/tasks.h check_all_holdout_tasks(), 5.14, 6.1, 6.4, 6.12": [
            "INFO: rcu_tasks detected stalls on tasks:",
            "rcu: INFO: rcu_tasks_trace detected stalls on tasks:",
        ],
    },
}
# What a user chooses: a program's name, any 15 bytes; a network device's, 15 without blanks and colons.
_PROGRAMS = (
    "Oops",
    "Oops [#1]",
    "Oops: 0000 [#1]",
    "Oops - a [#1]",
    "BUG: ",
    "BUG: KASAN: a i",
    "BUG: KASAN: abc",
    "BUG: KFENCE: ab",
    "BUG: soft locku",
    "BUG: unable to ",
    "BUG: Kernel NUL",
    "BUG: Dentry a{i",
    "BUG a (Tainted:",
    "kernel BUG at a",
    "kernel BUG a:1!",
    "Kernel panic - ",
    "WARNING: CPU: 0",
    "WARNING: a:1 at",
    "WARNING: at a, ",
    "WARNING: a/1 st",
    "WARNING: possib",
    "INFO: task a:1 ",
    "INFO: rcu_sched",
    "rcu: INFO: rcu_",
    "watchdog: BUG: ",
    "UBSAN: a in b:1",
    "Internal error:",
    "Unable to handl",
    "int3: 0000 [#1]",
    "[ BUG: a ]",
)
# What kernels begin with a program's name, from the sources named
_BEGUN = (
    # arch/x86/mm/fault.c show_signal_msg() and mm/memory.c print_vma_addr(): another name of the user's is in it
    "{}[812]: segfault at 0 ip 00005581 sp 00007ffe error 4 in Oops: 0000 [#1] SMP[55d0+1000]",
    "{}[812]: segfault at 0 ip 05 sp 07 error 4 in :1 blocked for more than 9 seconds.[5+1] likely on CPU 0 (core 0)",
    # arch/x86/kernel/signal.c signal_fault(), arch/arm64/kernel/traps.c arm64_show_signal()
    "{}[812] bad frame in rt_sigreturn frame:00007ffe ip:5581 sp:7ffe orax:ffffffffffffffff",
    "{}[812]: unhandled exception: DABT (lower EL), ESR 0x0000000092000007, level 3 translation fault",
    # mm/oom_kill.c dump_header(), mm/page_alloc.c warn_alloc(), fs/drop_caches.c, kernel/signal.c print_fatal_signal()
    "{} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "{}: page allocation failure: order:5, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)",
    "{} (812): drop_caches: 3",
    "{}: potentially unexpected fatal signal 11.",
)
_DEVICES = ("Oops", "BUG", "WARNING", "INFO", "UBSAN", "rcu", "watchdog", "panic", "Oops[#1]")
_BEGUN_BY_DEVICE = (
    # net/core/dev.c __dev_change_name(), __dev_set_promiscuity(); net/ipv6/addrconf.c
    "{}: renamed from veth0",
    "{}: entered promiscuous mode",
    "{}: Caught tx_queue_len zero misconfig",
)
# After something of the kernel's own: names of devices, file systems, hosts and servers, and of programs again
_CONTAINED = (
    "usb 1-1: Product: {}",
    "usb 1-1: SerialNumber: {}",
    "input: {} as /devices/pci0000:00/0000:00:14.0/usb1/1-1/input/input9",
    "scsi 2:0:0:0: Direct-Access     {} 1.00 PQ: 0 ANSI: 6",
    "hid-generic 0003:046D:C31C.0001: input,hidraw0: USB HID v1.10 Keyboard [{}] on usb-0000:00:14.0-1/input0",
    "BTRFS: device label {} devid 1 transid 7 /dev/loop0 (7:0) scanned by mount (812)",
    "device-mapper: ioctl: {}: device is in use",
    "systemd[1]: Hostname set to <{}>.",
    "nfs: server {} not responding, still trying",
    "CIFS: VFS: \\\\{} Send error in SessSetup = -13",
    "traps: {}[99] general protection fault ip:14f27ed59a3f sp:7fffd97387b8 error:0 in a[401000+1000]",
    "Memory cgroup out of memory: Killed process 4242 ({}) total-vm:1052672kB",
    "oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/user.slice/{},task=a,pid=4242,uid=1000",
    'audit: type=1400 audit(1.1:9): apparmor="DENIED" operation="open" comm="{}" requested_mask="r"',
    "process '{}' started with executable stack",
    "tmpfs: Unknown parameter '{}'",
    "cgroup: fork rejected by pids controller in /user.slice/{}",
    "CPU: 0 PID: 812 Comm: {} Not tainted 6.1.0-56-cloud-amd64 #1",
    "loop0: {}",
)


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


_TROUBLE = [(kind, line) for kind, sources in _SOURCES.items() for lines in sources.values() for line in lines]


@pytest.mark.parametrize("kind, line", _TROUBLE)
def test_trouble(host: Any, kind: str, line: str) -> None:
    host.log = [f"4,612,5000000,-,caller=T54;{line}\n SUBSYSTEM=x\n"]
    assert [log.classify_record(one) for one in log.read_records(host)] == [kind]


@pytest.mark.parametrize("line", _HARMLESS)
def test_no_trouble(host: Any, line: str) -> None:
    host.log = [f"6,612,5000000,-;{line}\n DEVICE=BUG: kernel BUG at x\n"]
    assert [log.classify_record(one) for one in log.read_records(host)] == [None]


def _classify_all(lines: Any) -> Any:
    classified = [(line, log.classify_record(log.Record(0, 1, 1.0, line))) for line in lines]
    return [pair for pair in classified if pair[1] is not None]


def test_what_users_name_is_no_trouble() -> None:
    assert all(len(name) <= 15 for name in _PROGRAMS + _DEVICES)
    assert _classify_all(form.format(name) for form in _BEGUN for name in _PROGRAMS) == []
    assert _classify_all(form.format(name) for form in _BEGUN_BY_DEVICE for name in _DEVICES) == []
    # These may be as long as real messages.
    named = [line for _kind, line in _TROUBLE]
    assert _classify_all(form.format(name) for form in _CONTAINED for name in named) == []
    # The first 15 bytes of any message are a program's name as well.
    assert _classify_all(form.format(line[:15]) for form in _BEGUN for line in named) == []


@pytest.mark.parametrize("priority, kind", [(0, "bug"), (4, "bug"), (12, None), (30, None)])
def test_only_the_kernel_is_believed(host: Any, priority: int, kind: Any) -> None:
    host.log = [f"{priority},1,5000000,-;kernel BUG at mm/usercopy.c:102!\n"]
    assert [log.classify_record(one) for one in log.read_records(host)] == [kind]


def test_records(host: Any) -> None:
    host.log = ["30,339,5140900,c,caller=T1;one; two\n KEY=value\n", "6,340,6000000,-;\n"]
    assert log.read_records(host) == [log.Record(3, 339, 5.1409, "one; two"), log.Record(0, 340, 6.0, "")]
