# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _host_facts, _preflight
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy

_POLICY = Policy("if_older_than", 600, 60)
_THREE = "3-150400.2.1"


def _examine(machine: Any) -> Any:
    for path in ("/var/cache/", "/lib/modules/", "/boot/"):
        machine.put(path)
    return _preflight.run_checks(machine, _POLICY, _host_facts.gather_facts(machine, _POLICY))


def _verdicts(found: Any) -> Any:
    return {one["name"]: one["verdict"] for one in found["checks"] if one["verdict"] != "pass"}


def test_nothing_speaks_against_it(machine: Any) -> None:
    machine.put("/sys/kernel/kexec_crash_loaded", "1")
    machine.put("/proc/sys/kernel/ftrace_enabled", "1")
    machine.log = ["6,611,5000000,-;all is well\n"]
    found = _examine(machine)
    assert found["passed"] is True
    assert _verdicts(found) == {}
    assert found["baseline"] == {
        "boot_id": "5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11",
        "taint": 0,
        "log": 611,
        "at": 1800001000.0,
    }


@pytest.mark.parametrize(
    "path, text, name, verdict, words",
    [
        ("/proc/sys/kernel/ftrace_enabled", "0", "ftrace", "fail", "sysctl kernel.ftrace_enabled=1"),
        ("/proc/sys/kernel/tainted", "128", "taint", "fail", "it has had an oops"),
        ("/proc/sys/kernel/tainted", "16", "taint", "fail", "machine check"),
        ("/usr/bin/kcarectl", "", "agents", "fail", "KernelCare is installed and patches this kernel"),
        ("/snap/bin/canonical-livepatch", "", "agents", "fail", "Canonical Livepatch"),
        ("/var/lib/fleet.livepatch/journal.json", "{", "state", "fail", "journal"),
        (
            "/sys/kernel/security/lockdown",
            "none [integrity]",
            "signature",
            "warn",
            "only signed modules",
        ),
        ("/sys/kernel/debug/kprobes/list", "c015d71a  k  vfs_read+0x0", "tracers", "warn", "hold 1 functions"),
        (
            "/sys/kernel/tracing/enabled_functions",
            "vfs_read (1) R I \ttramp: 0x1",
            "tracers",
            "warn",
            "hold 1 functions",
        ),
        ("/run/zypp.pid", "99", "package_lock", "warn", "held by process 99 (zypper)"),
    ],
)
def test_speaks_against_it(machine: Any, path: str, text: str, name: str, verdict: str, words: str) -> None:
    machine.put("/sys/kernel/kexec_crash_loaded", "1")
    machine.put("/proc/99/comm", "zypper")
    machine.put(path, text)
    found = _examine(machine)
    assert _verdicts(found) == {name: verdict}
    assert words in next(one["text"] for one in found["checks"] if one["name"] == name)
    assert found["passed"] is (verdict != "fail")


def test_tracer_of_a_function_that_is_not_redirected(machine: Any) -> None:
    machine.put("/sys/kernel/tracing/enabled_functions", "vfs_read (1) R   \ttramp: 0x1")
    assert "tracers" not in _verdicts(_examine(machine))


@pytest.mark.parametrize("function, verdicts", [("vfs_read", {"tracers": "warn"}), ("vfs_write", {})])
def test_tracer_of_what_would_be_patched(machine: Any, function: str, verdicts: Any) -> None:
    machine.put("/sys/kernel/kexec_crash_loaded", "1")
    machine.have(_THREE)
    path = machine.file(_THREE)
    machine.put(path, machine.read_bytes(path) + b"\0" + function.encode() + b"\0")
    machine.put("/sys/kernel/debug/kprobes/list", "c015d71a  k  vfs_read+0x0")
    assert _verdicts(_examine(machine)) == verdicts


def test_transition_runs(machine: Any) -> None:
    machine.have(_THREE)
    machine.start(_THREE)
    assert _verdicts(_examine(machine))["transition"] == "fail"


def test_no_room(machine: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(machine, "get_free_space", lambda path: None if path == "/boot" else 1 << 20)
    found = _verdicts(_examine(machine))
    assert found == {"disk /var/cache": "fail", "disk /lib/modules": "fail", "disk /boot": "warn", "kdump": "warn"}


def test_trouble(machine: Any) -> None:
    machine.log = ["4,7,1,-;WARNING: CPU: 0 PID: 1 at kernel/x.c:1 x+0x1/0x2\n SUBSYSTEM=x\n"]
    assert _verdicts(_examine(machine))["log"] == "warn"
