# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upstream livepatch: what ``/sys/kernel/livepatch`` shows and takes. PRIVATE to the collection.

Rules: Documentation/ABI/testing/sysfs-kernel-livepatch and Documentation/livepatch/livepatch.rst. Which attributes
exist is found out by reading, never from the kernel's version, since distributions backport.
"""

from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LoadRefused, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import notes

_SYSFS = "/sys/kernel/livepatch"


# name: the module's. enabled: where it is heading, not that it is there. transition: tasks are still moving.
# replace, stack_order: None where this kernel does not have them. functions: per object (vmlinux or a module).
# build_id: of the module in the kernel, None where the kernel does not show it.
class Patch(NamedTuple):
    name: str
    enabled: bool
    transition: bool
    replace: Optional[bool]
    stack_order: Optional[int]
    functions: Dict[str, List[str]]
    build_id: Optional[str]


def supported(host: Host) -> bool:
    """Whether this kernel can be live patched: the directory exists, maybe empty, if and only if it can.

    :raises Unmeasured: there is no sysfs to see it in.
    """
    if host.is_dir(_SYSFS):
        return True
    if not host.names("/sys/kernel"):
        raise Unmeasured("/sys/kernel is empty", "Is sysfs mounted?")
    return False


def patches(host: Host) -> List[Patch]:
    """The patches that the kernel shows, by name; one that goes away while we read is not among them."""
    found = [patch(host, name) for name in host.names(_SYSFS)]
    return [one for one in found if one is not None]


def patch(host: Host, name: str) -> Optional[Patch]:
    """One patch, None where the kernel does not show it (any more)."""
    base = f"{_SYSFS}/{name}"
    enabled, transition = host.text(base + "/enabled"), host.text(base + "/transition")
    if enabled is not None and transition is None and host.is_dir(base):
        raise Unmeasured(
            f"{base}/transition is not there",
            "This kernel is older than Linux 4.12, which the collection does not know",
        )
    if enabled is None or transition is None:
        return None
    replace, stack_order = host.text(base + "/replace"), host.text(base + "/stack_order")
    functions = {}
    for entry in host.names(base):
        if host.is_dir(base + "/" + entry):
            functions[entry] = [
                function.rpartition(",")[0]
                for function in host.names(base + "/" + entry)
                if host.is_dir(f"{base}/{entry}/{function}")
            ]
    return Patch(
        name,
        enabled == "1",
        transition == "1",
        None if replace is None else replace == "1",
        None if stack_order is None else int(stack_order),
        functions,
        _build_id(host, name),
    )


def in_transition(host: Host, name: str) -> Optional[bool]:
    """Whether the patch's transition still runs; None where the kernel does not show the patch. One small read."""
    value = host.text(f"{_SYSFS}/{name}/transition")
    return None if value is None else value == "1"


def loaded(host: Host, name: str) -> bool:
    """Whether the module is in the kernel: true of a replaced or reversed patch as well, so no sign of success."""
    return host.is_dir("/sys/module/" + name)


def references(host: Host, name: str) -> Optional[int]:
    """How often the module is in use; None where it is not loaded."""
    value = host.text(f"/sys/module/{name}/refcnt")
    return None if value is None else int(value)


def load(host: Host, path: str) -> None:
    """Inserts the module, which starts the transition.

    ``insmod`` and not ``modprobe``: livepatch modules have no dependencies, and the path says which one is meant.

    :raises LoadRefused: the kernel said no, with its own words from the kernel log.
    """
    before = _sequence(host)
    answer = host.run(["insmod", path])
    if answer.rc == 0:
        return
    words = [text for sequence, text in _log(host) if sequence > before]
    raise LoadRefused(
        "the kernel refused {}: {}{}".format(
            path,
            answer.err.strip().split(": ")[-1] or f"insmod ended with {answer.rc}",
            " (kernel log: {})".format("; ".join(words[-4:])) if words else "",
        ),
        "Report it to who built the KMP; the host keeps the patch it had",
    )


def unload(host: Host, name: str) -> bool:
    """Removes a module that no longer patches anything; whether that worked."""
    return host.run(["rmmod", name]).rc == 0


def reverse(host: Host, name: str) -> None:
    """Turns a running transition round: the opposite of the current value is written to ``enabled``.

    :raises Unmeasured: the kernel did not take it.
    """
    path = f"{_SYSFS}/{name}/enabled"
    try:
        host.write(path, "0" if host.text(path) == "1" else "1")
    except OSError as exc:
        raise Unmeasured(f"the kernel did not take the reversal of {name}: {exc.strerror}") from exc


def logged_seconds(host: Host, name: str) -> Optional[float]:
    """How long the patch's last migration took, by the kernel's own log; None where the log does not hold it."""
    started: Optional[float] = None
    finished: Optional[float] = None
    for record in host.kernel_log():
        head, _semicolon, text = record.partition(";")
        if f"livepatch: '{name}': starting patching transition" in text:
            started, finished = _microseconds(head), None
        elif f"livepatch: '{name}': patching complete" in text:
            finished = _microseconds(head)
    if started is None or finished is None:
        return None
    return round((finished - started) / 1e6, 3)


def _build_id(host: Host, module: str) -> Optional[str]:
    data = host.read(f"/sys/module/{module}/notes/.note.gnu.build-id")
    return None if data is None else notes.build_id(data, host.byteorder)


def _microseconds(head: str) -> float:
    return float(head.split(",")[2])


def _log(host: Host) -> List[Tuple[int, str]]:
    records = []
    for record in host.kernel_log():
        head, _semicolon, text = record.partition(";")
        records.append((int(head.split(",")[1]), text.splitlines()[0] if text else ""))
    return records


def _sequence(host: Host) -> int:
    records = _log(host)
    return records[-1][0] if records else -1
