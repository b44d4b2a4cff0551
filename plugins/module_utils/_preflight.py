# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Preflight checks, before a host is live patched. PRIVATE to the collection."""

import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set

from ansible_collections.fleet.livepatch.plugins.module_utils import _health
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import log
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import managers
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy

# MiB that must be free where packages are cached, where modules lie, and where the initrd is made
_MIN_FREE = {"/var/cache": 64, "/lib/modules": 64, "/boot": 64}
# Other live patching agents
_AGENTS = {
    "KernelCare": ("/usr/bin/kcarectl",),
    "Ksplice": ("/usr/sbin/uptrack-upgrade", "/usr/sbin/ksplice"),
    "Canonical Livepatch": ("/snap/bin/canonical-livepatch",),
}
# Letters of /proc/sys/kernel/tainted after which a kernel must not be changed any more: it has crashed, or its
# hardware fails.
_SERIOUS = {"D": "it has had an oops", "M": "a machine check was reported", "B": "it has found a bad page"}
_TRACED = ("/sys/kernel/tracing/enabled_functions", "/sys/kernel/debug/tracing/enabled_functions")
_KPROBES = "/sys/kernel/debug/kprobes/list"


class Check(NamedTuple):
    name: str
    # "pass", "warn" or "fail"
    verdict: str
    text: str


def run_checks(host: Host, policy: Policy, observed: Dict[str, Any]) -> Dict[str, Any]:
    """Run all checks, and build the block ``preflight`` of a result.

    :param observed: the blocks of ``_host_facts.gather_facts``.
    """
    livepatch = observed["livepatch"]
    now = _health.read_now(host, observed["kernel"]["boot_id"])
    checks = [_check_state(livepatch), _check_transition(livepatch), *_run_tolerable(host, policy, observed, now)]
    return {
        "passed": all(check.verdict != "fail" for check in checks),
        "checks": [check._asdict() for check in checks],
        "baseline": _health.build_baseline(host, now),
    }


def list_refusals(host: Host, policy: Policy, observed: Dict[str, Any], tolerate: Sequence[str]) -> List[str]:
    """List the failed checks that refuse a change.

    State and transition are not checked: the change takes up what was interrupted, and assesses both itself.

    :param tolerate: names of checks that may fail; ``disk`` is all of the disk's.
    """
    checks = _run_tolerable(host, policy, observed, _health.read_now(host, observed["kernel"]["boot_id"]))
    return [
        f"{check.name}: {check.text}"
        for check in checks
        if check.verdict == "fail" and check.name.split()[0] not in tolerate
    ]


def _run_tolerable(host: Host, policy: Policy, observed: Dict[str, Any], now: _health.Now) -> List[Check]:
    kernel, selected = observed["kernel"], observed["kmp"]["selected"]
    return [
        _check_lock(host, policy),
        *(_check_disk(host, path, least) for path, least in _MIN_FREE.items()),
        _check_signature(kernel, selected),
        _check_ftrace(host),
        _check_tracers(host, selected),
        _check_agents(host),
        _check_taint(kernel),
        _check_log(now.records),
        _check_kdump(host),
    ]


def _check_state(livepatch: Dict[str, Any]) -> Check:
    bad = livepatch["state"] in ("unknown", "crashed", "conflict", "mismatch", "stalled")
    return Check("state", "fail" if bad else "pass", "{state}: {reason}".format(**livepatch))


def _check_transition(livepatch: Dict[str, Any]) -> Check:
    patch = livepatch["transition"]["patch"]
    if patch is not None:
        return Check("transition", "fail", f"the transition of {patch} runs")
    return Check("transition", "pass", "none runs")


def _check_lock(host: Host, policy: Policy) -> Check:
    try:
        holder = managers.find_manager(host, policy.lock_timeout).find_lock_holder()
    except Unmeasured as exc:
        return Check("package_lock", "fail", str(exc))
    if holder is not None:
        return Check("package_lock", "warn", f"the package manager's lock is held by {holder}")
    return Check("package_lock", "pass", "the package manager's lock is free")


def _check_disk(host: Host, path: str, least: int) -> Check:
    free = host.get_free_space(path)
    name = "disk " + path
    if free is None:
        return Check(name, "warn", f"{path} is not there")
    mebibytes = free >> 20
    return Check(name, "fail" if mebibytes < least else "pass", f"{mebibytes} MiB are free, {least} are needed")


def _check_signature(kernel: Dict[str, Any], selected: Optional[Dict[str, Any]]) -> Check:
    enforced = kernel["module_signature_enforced"] or kernel["lockdown"] not in (None, "none")
    if not enforced:
        return Check("signature", "pass", "the kernel loads modules without a signature")
    if selected is None or selected["module"] is None:
        return Check("signature", "warn", "the kernel loads only signed modules, and the KMP is not downloaded yet")
    # One that it would refuse is not selected.
    return Check("signature", "pass", "the kernel loads only signed modules, and {module} is signed".format(**selected))


def _check_ftrace(host: Host) -> Check:
    if host.read_text("/proc/sys/kernel/ftrace_enabled") == "0":
        return Check("ftrace", "fail", "live patches need ftrace: sysctl kernel.ftrace_enabled=1")
    return Check("ftrace", "pass", "kernel.ftrace_enabled is on")


def _check_tracers(host: Host, selected: Optional[Dict[str, Any]]) -> Check:
    """A tracer that changes a function keeps it from being patched: a kprobe with a post handler, or a redirection."""
    held = set(re.findall(r"^\S+\s+[kr]\s+([^\s+]+)", host.read_text(_KPROBES) or "", re.MULTILINE))
    for path in _TRACED:
        # "function (1) R I D": I, it may change where the function goes to
        held |= set(re.findall(r"^(\S+) \(\d+\)[^\n]* I\b", host.read_text(path) or "", re.MULTILINE))
    wanted = _list_named(host, selected, held)
    if wanted is None:
        text = (
            f"tracers or patches hold {len(held)} functions; which ones the KMP would patch is unknown"
            if held
            else "none"
        )
        return Check("tracers", "warn" if held else "pass", text)
    if wanted:
        return Check("tracers", "warn", "a tracer holds functions that would be patched: {}".format(", ".join(wanted)))
    return Check("tracers", "pass", "no tracer holds a function that would be patched")


def _list_named(host: Host, selected: Optional[Dict[str, Any]], functions: Set[str]) -> Optional[List[str]]:
    """List those of the functions that the module names; None where its file is not on the host."""
    data = host.read_bytes(selected["module_path"]) if selected and selected["module_path"] else None
    if data is None:
        return None
    return sorted(name for name in functions if b"\0" + name.encode() + b"\0" in data)


def _check_agents(host: Host) -> Check:
    agents = [name for name, paths in _AGENTS.items() if any(host.get_mtime(path) is not None for path in paths)]
    if agents:
        return Check(
            "agents",
            "fail",
            "{} is installed and patches this kernel as well: keep only one of them".format(", ".join(agents)),
        )
    return Check("agents", "pass", "no other live patching agent is installed")


def _check_taint(kernel: Dict[str, Any]) -> Check:
    if kernel["taint"] is None:
        return Check("taint", "warn", kernel["unmeasured"]["taint"])
    flags = kernel["taint"]["flags"]
    serious = [why for letter, why in _SERIOUS.items() if letter in flags]
    if serious:
        return Check("taint", "fail", "the kernel is damaged: {}. Reboot the host".format(", ".join(serious)))
    return Check("taint", "pass", "flags: " + (" ".join(flags) or "none"))


def _check_log(records: Sequence[log.Record]) -> Check:
    messages = [record.text for record in records if log.classify_record(record)]
    if messages:
        return Check("log", "warn", f"the kernel has logged trouble before: {messages[-1][:120]}")
    return Check("log", "pass", "the kernel's log has no trouble")


def _check_kdump(host: Host) -> Check:
    if host.read_text("/sys/kernel/kexec_crash_loaded") == "1":
        return Check("kdump", "pass", "kdump would record a crash")
    return Check("kdump", "warn", "kdump is not armed: a crash would leave nothing to analyse")
