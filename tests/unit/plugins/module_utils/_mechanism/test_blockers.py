# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers

_KTHREAD, _USER = 0x00208040, 0x00400100


def _thread(
    host: Any, pid: int, tid: int, state: Any, command: str = "sh", letter: str = "S", flags: int = _USER
) -> None:
    base = f"/proc/{pid}/task/{tid}"
    host.put(base + "/stat", f"{tid} ({command}) {letter} 1 {pid} 0 0 -1 {flags} 0 0 0")
    if state is not None:
        host.put(base + "/patch_state", state)


@pytest.mark.parametrize("target, expected", [(1, [11, 54]), (0, [10, 12])], ids=["to the patch", "from the patch"])
def test_target(host: Any, target: int, expected: Any) -> None:
    _thread(host, 10, 10, "1")
    _thread(host, 10, 11, "0")
    _thread(host, 12, 12, "1")
    _thread(host, 54, 54, "0")
    _thread(host, 60, 60, "-1")
    _thread(host, 61, 61, None)
    host.put("/proc/sys/kernel/task/1/patch_state", "0")
    host.put("/proc/self/task/1/patch_state", "0")
    assert [one["tid"] for one in blockers.find(host, target)] == expected


@pytest.mark.parametrize(
    "command, letter, flags, kernel_thread",
    [
        ("kworker/1:2+events", "D", _KTHREAD, True),
        ("sshd", "S", _USER, False),
        ("a (b) c)", "R", _USER, False),
        (") D 2 0 0 0 -1 2129984 (", "R", _USER, False),
    ],
)
def test_thread(host: Any, command: str, letter: str, flags: int, kernel_thread: bool) -> None:
    _thread(host, 54, 55, "0", command, letter, flags)
    assert blockers.find(host, 1) == [{"tid": 55, "command": command, "kernel_thread": kernel_thread, "state": letter}]


def test_thread_ends_while_it_is_read(host: Any) -> None:
    host.put("/proc/54/task/54/patch_state", "0")
    host.put("/proc/55/task/")
    host.put("/proc/56/")
    assert blockers.find(host, 1) == [{"tid": 54, "command": "", "kernel_thread": False, "state": None}]


def test_ten_at_most(host: Any) -> None:
    for number in range(100, 125):
        _thread(host, 100, number, "0")
    assert [one["tid"] for one in blockers.find(host, 1)] == list(range(100, 110))


def test_nothing(host: Any) -> None:
    assert blockers.find(host, 1) == []


def test_not_root(host: Any, monkeypatch: Any) -> None:
    _thread(host, 10, 10, "0")

    def denied(path: str) -> Any:
        raise Unmeasured(f"cannot read {path}: Permission denied")

    monkeypatch.setattr(host, "read", denied)
    with pytest.raises(Unmeasured, match="patch_state: Permission denied"):
        blockers.find(host, 1)
