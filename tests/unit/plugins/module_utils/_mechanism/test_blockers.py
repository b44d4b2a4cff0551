# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers, klp

_KTHREAD, _USER = 0x00208040, 0x00400100


def _thread(
    host: Any, pid: int, tid: int, state: Any, command: str = "sh", letter: str = "S", flags: int = _USER
) -> None:
    base = f"/proc/{pid}/task/{tid}"
    host.put(base + "/stat", f"{tid} ({command}) {letter} 1 {pid} 0 0 -1 {flags} 0 0 0")
    if state is not None:
        host.put(base + "/patch_state", state)


def _find(host: Any, target: bool = True) -> Any:
    return blockers.find_blockers(host, klp.Klp(host), target)


@pytest.mark.parametrize("target, expected", [(True, [11, 54]), (False, [10, 12])], ids=["to the patch", "from it"])
def test_target(host: Any, target: bool, expected: Any) -> None:
    _thread(host, 10, 10, "1")
    _thread(host, 10, 11, "0")
    _thread(host, 12, 12, "1")
    _thread(host, 54, 54, "0")
    _thread(host, 60, 60, "-1")
    _thread(host, 61, 61, None)
    host.put("/proc/sys/kernel/task/1/patch_state", "0")
    host.put("/proc/self/task/1/patch_state", "0")
    found = _find(host, target)
    assert [one["tid"] for one in found.first] == expected
    assert found.total == len(expected)


@pytest.mark.parametrize(
    "command, letter, flags, kernel_thread, kind",
    [
        ("kworker/1:2+events", "D", _KTHREAD, True, "kernel_thread"),
        ("sshd", "S", _USER, False, "sleeping"),
        ("a (b) c)", "R", _USER, False, "cpu_bound"),
        (") D 2 0 0 0 -1 2129984 (", "R", _USER, False, "cpu_bound"),
    ],
)
def test_thread(host: Any, command: str, letter: str, flags: int, kernel_thread: bool, kind: str) -> None:
    _thread(host, 54, 55, "0", command, letter, flags)
    (one,) = _find(host).first
    assert one == {
        "tid": 55,
        "command": command,
        "kernel_thread": kernel_thread,
        "state": letter,
        "cpu": None,
        "stack": None,
        "class": kind,
        "advice": blockers.ADVICE[kind],
    }


_STACK = "[<0>] {}+0x1b/0x30\n[<0>] kthread+0xda/0x100\n[<0>] ret_from_fork+0x22/0x30"


@pytest.mark.parametrize(
    "command, letter, flags, top, cpu, kind",
    [
        ("oom_reaper", "S", _KTHREAD, "oom_reaper", 0, "kernel_thread"),
        ("dd", "D", _USER, "io_schedule", 0, "uninterruptible"),
        ("spin", "R", _USER, "", 0, "cpu_bound"),
        ("spin", "R", _USER, "", 3, "isolated_cpu"),
        ("spin", "S", _USER, "do_nanosleep", 3, "sleeping"),
        ("CPU 0/KVM", "S", _USER, "kvm_vcpu_block", 0, "vcpu"),
        ("vhost-4711", "S", _KTHREAD, "vhost_worker", 0, "vcpu"),
        ("qemu", "S", _USER, "kvm_vcpu_halt", 0, "vcpu"),
        ("bpftrace", "S", _USER, "bpf_trampoline_6442489", 0, "tracing"),
        ("sh", "T", _USER, "do_signal_stop", 0, "stopped"),
        ("gdb", "t", _USER, "ptrace_stop", 0, "stopped"),
        ("sh", "D", _USER, "__refrigerator", 0, "stopped"),
        ("sh", "S", _USER, "do_freezer_trap", 0, "stopped"),
    ],
)
def test_class(host: Any, command: str, letter: str, flags: int, top: str, cpu: int, kind: str) -> None:
    base = "/proc/54/task/54"
    host.put(base + "/stat", f"54 ({command}) {letter} 1 54 0 0 -1 {flags}" + " 0" * 29 + f" {cpu} 0 0")
    host.put(base + "/patch_state", "0")
    host.put(base + "/stack", _STACK.format(top) if top else "")
    host.put("/sys/devices/system/cpu/isolated", "2-3,6")
    host.put("/sys/devices/system/cpu/nohz_full", "(null)")
    (one,) = _find(host).first
    assert (one["class"], one["cpu"], one["stack"]) == (kind, cpu, top or None)


def test_thread_ends_while_it_is_read(host: Any) -> None:
    host.put("/proc/54/task/54/patch_state", "0")
    host.put("/proc/55/task/")
    host.put("/proc/56/")
    (one,) = _find(host).first
    assert (one["tid"], one["command"], one["state"], one["class"]) == (54, "", None, "sleeping")


def test_ten_at_most_and_all_are_counted(host: Any) -> None:
    for number in range(100, 125):
        _thread(host, 100, number, "0")
    found = _find(host)
    assert [one["tid"] for one in found.first] == list(range(100, 110))
    assert found.total == 25
    # A user's threads, however many, do not hide one of the kernel's.
    host.put("/proc/999/task/999/stat", f"999 (kworker/1:2) D 2 0 0 0 -1 {_KTHREAD}" + " 0" * 29 + " 0 0 0")
    host.put("/proc/999/task/999/patch_state", "0")
    assert [one["tid"] for one in _find(host).first] == [999, *range(100, 109)]


def test_nothing(host: Any) -> None:
    assert _find(host) == (0, [])


def test_not_root(host: Any, monkeypatch: Any) -> None:
    _thread(host, 10, 10, "0")

    def denied(path: str) -> Any:
        raise Unmeasured(f"cannot read {path}: Permission denied")

    monkeypatch.setattr(host, "read_start", denied)
    with pytest.raises(Unmeasured, match="patch_state: Permission denied"):
        _find(host)
