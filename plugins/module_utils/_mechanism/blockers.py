# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The threads that keep a transition from completing, and what to do about each. PRIVATE to the collection."""

import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import Mechanism

# A host's result is small: ten thousand of them live in the controller's memory.
_SHOWN_LIMIT = 10
# PF_KTHREAD, Linux include/linux/sched.h
_KERNEL_THREAD = 0x00200000

_THREAD = re.compile(r"[0-9]{1,10}\Z")
# More than any kernel has
_CPUS_MAX = 1 << 16

# What to do about a blocker, by its class
ADVICE = {
    "stopped": "it is stopped or frozen: resume it (SIGCONT, thaw its cgroup), or end it",
    "vcpu": "it runs or serves a virtual machine: it moves when the guest leaves the CPU; or migrate the guest away",
    "tracing": "a tracer holds it (BPF, kprobe, ftrace): detach it, then try again",
    "isolated_cpu": "it never leaves its isolated CPU (isolcpus, nohz_full): interrupt the program there for a moment",
    "kernel_thread": "it is a thread of the kernel: it moves when it leaves the function; report it to the vendor",
    "uninterruptible": "it waits for I/O and cannot be woken: check the disk or the server that it waits for",
    "cpu_bound": "it runs without entering the kernel: it moves when it does; lower the load",
    "sleeping": "it sleeps in the kernel in a function that is patched: it moves when it is woken",
}


class Blockers(NamedTuple):
    # How many threads in all
    total: int
    # Ten, those of the kernel first
    first: List[Dict[str, Any]]


def find_blockers(host: Host, mechanism: Mechanism, target: bool) -> Blockers:
    """Find the threads, not processes, that have not moved yet to the patch (``target``), or away from it.

    One pass over /proc, no process per thread.
    """
    file = mechanism.thread_file
    folders = [
        folder
        for folder in _iterate_folders(host, mechanism)
        if mechanism.is_unmoved(host.read_start(f"{folder}/{file}"), target)
    ]
    isolated = _list_isolated_cpus(host) if folders else set()
    if len(folders) > _SHOWN_LIMIT:
        # Any user can hold threads of programs, as many as they like: one of the kernel must not be hidden by them.
        folders.sort(key=lambda base: not _is_kernel_thread(_read_status(host, base)[1]))
    return Blockers(len(folders), [_describe_thread(host, base, isolated) for base in folders[:_SHOWN_LIMIT]])


def _iterate_folders(host: Host, mechanism: Mechanism) -> Iterator[str]:
    for pid in host.list_names("/proc"):
        if not _THREAD.match(pid):
            continue
        if not mechanism.per_thread:
            yield f"/proc/{pid}"
            continue
        for tid in host.list_names(f"/proc/{pid}/task"):
            if _THREAD.match(tid):
                yield f"/proc/{pid}/task/{tid}"


def _read_status(host: Host, base: str) -> Tuple[str, List[str]]:
    """A thread's command, and the fields after it, from its state on."""
    # "tid (command) state ppid pgrp session tty tpgid flags": the command may hold blanks and brackets itself.
    command, _bracket, rest = (host.read_text(base + "/stat") or "").partition("(")[2].rpartition(")")
    return command, rest.split()


def _is_kernel_thread(fields: List[str]) -> bool:
    return bool((_parse_number(fields, 6) or 0) & _KERNEL_THREAD)


def _describe_thread(host: Host, base: str, isolated: Set[int]) -> Dict[str, Any]:
    command, fields = _read_status(host, base)
    stack = _parse_stack(host.read_text(base + "/stack") or "")
    cpu = _parse_number(fields, 36)
    kernel_thread = _is_kernel_thread(fields)
    state = fields[0] if fields else None
    kind = classify(command, kernel_thread, state, stack, cpu in isolated)
    return {
        "tid": int(base.rpartition("/")[2]),
        "command": command,
        "kernel_thread": kernel_thread,
        "state": state,
        "cpu": cpu,
        "stack": stack[0] if stack else None,
        "class": kind,
        "advice": ADVICE[kind],
    }


def _parse_number(fields: List[str], position: int) -> Optional[int]:
    """None where the kernel shows no number there."""
    text = fields[position] if len(fields) > position else ""
    return int(text) if re.match(r"[0-9]{1,20}\Z", text) else None


def classify(command: str, kernel_thread: bool, state: Optional[str], stack: List[str], isolated: bool) -> str:
    """Classify a blocker, so that the operator knows what to do: the most specific class comes first.

    :param state: the letter of proc(5).
    :param stack: the functions that the thread is in, innermost first, as far as the kernel shows them.
    :param isolated: the CPU that it ran on last is one that the scheduler, or its tick, leaves alone.
    """
    if state in ("T", "t") or any(re.search(r"refrigerator|do_freezer_trap|ptrace_stop", each) for each in stack):
        return "stopped"
    if re.match(r"CPU \d+/KVM|vhost-|kvm-", command) or any(re.match(r"kvm_|vhost_|vcpu_", each) for each in stack):
        return "vcpu"
    if any(re.search(r"bpf_trampoline|bpf_prog_|ftrace_|kretprobe|rethook|uprobe", each) for each in stack):
        return "tracing"
    if isolated and state == "R":
        return "isolated_cpu"
    if kernel_thread:
        return "kernel_thread"
    if state == "D":
        return "uninterruptible"
    return "cpu_bound" if state == "R" else "sleeping"


def _parse_stack(stack: str) -> List[str]:
    """``[<0>] msleep+0x2d/0x40`` line by line (proc(5), ``/proc/pid/stack``)."""
    return re.findall(r"^\[<[0-9a-fx]+>\] ([^\s+]+)", stack, re.MULTILINE)


def _list_isolated_cpus(host: Host) -> Set[int]:
    cpus: Set[int] = set()
    for file in ("isolated", "nohz_full"):
        text = host.read_text("/sys/devices/system/cpu/" + file) or ""
        for first, last in re.findall(r"\b([0-9]{1,6})(?:-([0-9]{1,6}))?\b", text[:_CPUS_MAX]):
            cpus.update(range(int(first), min(int(last or first), _CPUS_MAX) + 1))
    return cpus
