# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kernel runs on the host. PRIVATE to the collection: it may change at any time."""

import re
from typing import Any, Dict, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import notes, release, taint
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import klp
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm

# Where distributions put the image of the kernel with release {0}, most usual place first.
_IMAGES = (
    "/boot/vmlinuz-{0}",
    "/boot/image-{0}",
    "/boot/vmlinux-{0}",
    "/usr/lib/modules/{0}/vmlinuz",
    "/lib/modules/{0}/vmlinuz",
)


def read(host: Host) -> Dict[str, Any]:
    """The ``kernel`` block of a result.

    What could not be measured is None, and ``unmeasured`` says why, key by key.
    """
    unmeasured: Dict[str, str] = {}

    name = host.text("/proc/sys/kernel/osrelease")
    if not name:
        raise Unmeasured("/proc/sys/kernel/osrelease is not there", "Is /proc mounted?")
    parsed = release.parse(name, host.machine)
    supported = klp.supported(host)
    image = next((path.format(name) for path in _IMAGES if host.modified(path.format(name)) is not None), None)

    kernel: Dict[str, Any] = {
        "release": name,
        "version": parsed.version,
        "arch": host.machine,
        "flavor": parsed.flavor,
        "build_id": None,
        "package": None,
        "image": {"path": image, "build_id": None, "matches_running": None},
        "boot_id": host.text("/proc/sys/kernel/random/boot_id"),
        "livepatch_supported": supported,
        "mechanism": "klp" if supported else None,
        "taint": None,
        "lockdown": None,
        "module_signature_enforced": None,
        "reboot_pending": None,
        "unmeasured": unmeasured,
    }

    if parsed.flavor is None:
        unmeasured["flavor"] = f"the release {name} names no flavor"
    try:
        kernel["build_id"] = build_id(host)
    except Unmeasured as exc:
        unmeasured["build_id"] = str(exc)
    try:
        kernel["package"] = _package(host, image)
    except Unmeasured as exc:
        unmeasured["package"] = str(exc)
    if image is None:
        unmeasured["image"] = f"no image of {name} found under /boot or /lib/modules"
    else:
        unmeasured["image.build_id"] = "this version does not read the image's build ID"
        unmeasured["image.matches_running"] = unmeasured["image.build_id"]
    unmeasured["reboot_pending"] = "this version does not find out which kernel the next boot starts"

    value = host.text("/proc/sys/kernel/tainted")
    if value is None:
        unmeasured["taint"] = "/proc/sys/kernel/tainted is not there"
    else:
        kernel["taint"] = {"value": int(value), "flags": taint.letters(int(value))}

    lockdown = host.text("/sys/kernel/security/lockdown")
    chosen = re.search(r"\[(\w+)\]", lockdown or "")
    if chosen:
        kernel["lockdown"] = chosen.group(1)
    else:
        unmeasured["lockdown"] = "/sys/kernel/security/lockdown is not there"

    enforced = host.text("/sys/module/module/parameters/sig_enforce")
    if enforced is None:
        unmeasured["module_signature_enforced"] = "/sys/module/module/parameters/sig_enforce is not there"
    else:
        kernel["module_signature_enforced"] = enforced in ("Y", "1")
    return kernel


def build_id(host: Host) -> str:
    """The running kernel's build ID, from the notes that it shows (Documentation/ABI/stable/sysfs-kernel-notes).

    :raises Unmeasured: the notes are not there, are cut off, or hold no build ID.
    """
    data = host.read("/sys/kernel/notes")
    if data is None:
        raise Unmeasured("/sys/kernel/notes is not there")
    return notes.build_id(data, host.byteorder)


def _package(host: Host, image: Optional[str]) -> Dict[str, str]:
    if image is None:
        raise Unmeasured("no kernel image found whose package could be asked for")
    owner = rpm.owner(host, image)
    if owner is None:
        raise Unmeasured(f"no RPM package owns {image}")
    return owner._asdict()
