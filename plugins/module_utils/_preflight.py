# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What speaks against live patching a host now, before anything is done to it. PRIVATE to the collection."""

import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set

from ansible_collections.fleet.livepatch.plugins.module_utils import _health
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import log
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import managers
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy

# MiB that must be free where packages are cached, where modules lie, and where the initrd is made
_FREE = {"/var/cache": 64, "/lib/modules": 64, "/boot": 64}
# Programs that patch the kernel in a way of their own
_AGENTS = {
    "KernelCare": ("/usr/bin/kcarectl",),
    "Ksplice": ("/usr/sbin/uptrack-upgrade", "/usr/sbin/ksplice"),
    "Canonical Livepatch": ("/snap/bin/canonical-livepatch",),
}
# Letters of /proc/sys/kernel/tainted after which a kernel is not to be changed any more: it has died, or its
# hardware fails.
_SERIOUS = {"D": "it has had an oops", "M": "a machine check was reported", "B": "it has found a bad page"}
_TRACED = ("/sys/kernel/tracing/enabled_functions", "/sys/kernel/debug/tracing/enabled_functions")
_PROBES = "/sys/kernel/debug/kprobes/list"


# verdict: "pass", "warn" or "fail"
class Check(NamedTuple):
    name: str
    verdict: str
    text: str


def examine(host: Host, policy: Policy, observed: Dict[str, Any]) -> Dict[str, Any]:
    """The block ``preflight`` of a result.

    :param observed: the blocks of ``_observe``.
    """
    livepatch = observed["livepatch"]
    now = _health.now(host, observed["kernel"]["boot_id"])
    checks = [_state(livepatch), _transition(livepatch), *_tolerable(host, policy, observed, now)]
    return {
        "passed": all(one.verdict != "fail" for one in checks),
        "checks": [one._asdict() for one in checks],
        "baseline": _health.baseline(host, now),
    }


def refusals(host: Host, policy: Policy, observed: Dict[str, Any], tolerate: Sequence[str]) -> List[str]:
    """What speaks against a change that is about to be made, in words.

    State and transition are not looked at: whoever makes the change takes up what was interrupted, and judges both.

    :param tolerate: names of checks that may fail; ``disk`` is all of the disk's.
    """
    checks = _tolerable(host, policy, observed, _health.now(host, observed["kernel"]["boot_id"]))
    return [
        f"{one.name}: {one.text}" for one in checks if one.verdict == "fail" and one.name.split()[0] not in tolerate
    ]


def _tolerable(host: Host, policy: Policy, observed: Dict[str, Any], now: _health.Now) -> List[Check]:
    kernel, selected = observed["kernel"], observed["kmp"]["selected"]
    return [
        _lock(host, policy),
        *(_disk(host, path, least) for path, least in _FREE.items()),
        _signature(kernel, selected),
        _ftrace(host),
        _probes(host, selected),
        _agents(host),
        _taint(kernel),
        _trouble(now.records),
        _kdump(host),
    ]


def _state(livepatch: Dict[str, Any]) -> Check:
    bad = livepatch["state"] in ("unknown", "crashed", "conflict", "mismatch", "stalled")
    return Check("state", "fail" if bad else "pass", "{state}: {reason}".format(**livepatch))


def _transition(livepatch: Dict[str, Any]) -> Check:
    patch = livepatch["transition"]["patch"]
    if patch is not None:
        return Check("transition", "fail", f"the transition of {patch} runs")
    return Check("transition", "pass", "none runs")


def _lock(host: Host, policy: Policy) -> Check:
    try:
        holder = managers.find(host, policy).holder()
    except Unmeasured as exc:
        return Check("package_lock", "fail", str(exc))
    if holder is not None:
        return Check("package_lock", "warn", f"the package manager's lock is held by {holder}")
    return Check("package_lock", "pass", "nobody holds the package manager's lock")


def _disk(host: Host, path: str, least: int) -> Check:
    free = host.free(path)
    name = "disk " + path
    if free is None:
        return Check(name, "warn", f"{path} is not there")
    mebibytes = free >> 20
    return Check(name, "fail" if mebibytes < least else "pass", f"{mebibytes} MiB are free, {least} are needed")


def _signature(kernel: Dict[str, Any], selected: Optional[Dict[str, Any]]) -> Check:
    enforced = kernel["module_signature_enforced"] or kernel["lockdown"] not in (None, "none")
    if not enforced:
        return Check("signature", "pass", "the kernel takes modules without a signature")
    if selected is None or selected["module"] is None:
        return Check("signature", "warn", "the kernel takes signed modules only: the KMP is not downloaded yet")
    # One that it would refuse is not selected.
    return Check("signature", "pass", "the kernel takes signed modules only, {module} among them".format(**selected))


def _ftrace(host: Host) -> Check:
    if host.text("/proc/sys/kernel/ftrace_enabled") == "0":
        return Check("ftrace", "fail", "live patches need ftrace: sysctl kernel.ftrace_enabled=1")
    return Check("ftrace", "pass", "kernel.ftrace_enabled is on")


def _probes(host: Host, selected: Optional[Dict[str, Any]]) -> Check:
    """Whoever changes a function first keeps it: a probe with a handler after it, or another's redirection."""
    held = set(re.findall(r"^\S+\s+[kr]\s+([^\s+]+)", host.text(_PROBES) or "", re.MULTILINE))
    for path in _TRACED:
        # "function (1) R I D": I, it may change where the function goes to
        held |= set(re.findall(r"^(\S+) \(\d+\)[^\n]* I\b", host.text(path) or "", re.MULTILINE))
    wanted = _named_in(host, selected, held)
    if wanted is None:
        text = f"{len(held)} functions are held by tracers or patches, none is known to be patched" if held else "none"
        return Check("probes", "warn" if held else "pass", text)
    if wanted:
        return Check("probes", "warn", "{} would be patched, and a tracer holds it".format(", ".join(wanted)))
    return Check("probes", "pass", "nothing holds what would be patched")


def _named_in(host: Host, selected: Optional[Dict[str, Any]], functions: Set[str]) -> Optional[List[str]]:
    """Those of the functions that the module names; None where its file is not on the host."""
    data = host.read(selected["module_path"]) if selected and selected["module_path"] else None
    if data is None:
        return None
    return sorted(name for name in functions if b"\0" + name.encode() + b"\0" in data)


def _agents(host: Host) -> Check:
    found = [name for name, paths in _AGENTS.items() if any(host.modified(path) is not None for path in paths)]
    if found:
        return Check("agents", "fail", "{} patches this kernel: have one of them, not both".format(", ".join(found)))
    return Check("agents", "pass", "no other live patching agent is installed")


def _taint(kernel: Dict[str, Any]) -> Check:
    if kernel["taint"] is None:
        return Check("taint", "warn", kernel["unmeasured"]["taint"])
    flags = kernel["taint"]["flags"]
    serious = [why for letter, why in _SERIOUS.items() if letter in flags]
    if serious:
        return Check("taint", "fail", "the kernel is not sound: {}. Reboot it".format(", ".join(serious)))
    return Check("taint", "pass", "flags: " + (" ".join(flags) or "none"))


def _trouble(records: Sequence[log.Record]) -> Check:
    found = [one.text for one in records if log.trouble(one)]
    if found:
        return Check("log", "warn", f"the kernel has told of trouble before: {found[-1][:120]}")
    return Check("log", "pass", "the kernel's log tells of no trouble")


def _kdump(host: Host) -> Check:
    if host.text("/sys/kernel/kexec_crash_loaded") == "1":
        return Check("kdump", "pass", "a crash would be dumped")
    return Check("kdump", "warn", "kdump is not armed: of a crash nothing would be left to look into")
