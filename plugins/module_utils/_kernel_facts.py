# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathers which kernel runs on the host. PRIVATE to the collection: it may change at any time."""

import re
from typing import Any, Dict, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import boot, container, elf_notes, release, taint
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import image as image_file
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import mechanisms
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm

# Where distributions put the image of the kernel with release {0}, most usual place first.
_IMAGES = (
    "/boot/vmlinuz-{0}",
    "/boot/image-{0}",
    "/boot/Image-{0}",
    "/boot/vmlinux-{0}",
    "/usr/lib/modules/{0}/vmlinuz",
    "/usr/lib/modules/{0}/image",
    "/usr/lib/modules/{0}/Image",
    "/lib/modules/{0}/vmlinuz",
)
# The same kernel as SUSE ships it besides, for debuggers: an ELF file that Python can unpack by itself.
_BESIDE = ("/boot/vmlinux-{0}", "/usr/lib/modules/{0}/vmlinux", "/lib/modules/{0}/vmlinux")
_BESIDE_GZIP = tuple(place + ".gz" for place in _BESIDE)
# It takes four times as long as gzip, and so only comes where the image cannot be read.
_BESIDE_XZ = tuple(place + ".xz" for place in _BESIDE)


def gather_kernel(host: Host) -> Dict[str, Any]:
    """The ``kernel`` block of a result.

    What could not be measured is None, and ``unmeasured`` says why, key by key.
    """
    unmeasured: Dict[str, str] = {}

    name = host.text("/proc/sys/kernel/osrelease")
    if not name:
        raise Unmeasured("/proc/sys/kernel/osrelease is not there", "Is /proc mounted?")
    parsed = release.parse(name, host.machine)
    mechanism = mechanisms.find(host)
    image = _first(host, _IMAGES, name)

    kernel: Dict[str, Any] = {
        "release": name,
        "version": parsed.version,
        "arch": host.machine,
        "flavor": parsed.flavor,
        "build_id": None,
        "package": None,
        "image": {"path": image, "build_id": None, "version": None, "matches_running": None, "basis": None},
        "proc_version": host.text("/proc/version"),
        "confinement": container.find(host, name),
        "boot_id": host.text("/proc/sys/kernel/random/boot_id"),
        "livepatch_supported": mechanism is not None,
        "mechanism": mechanism.name if mechanism else None,
        "taint": None,
        "lockdown": None,
        "module_signature_enforced": None,
        "next_boot": None,
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
        _read_image(host, kernel, _first(host, _BESIDE_GZIP, name), _first(host, _BESIDE_XZ, name))
    _look_ahead(host, kernel)

    value = taint.read(host)
    if value is None:
        unmeasured["taint"] = "/proc/sys/kernel/tainted is not there"
    else:
        kernel["taint"] = {"value": value, "flags": taint.letters(value)}

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


def _first(host: Host, places: Sequence[str], name: str) -> Optional[str]:
    return next((path.format(name) for path in places if host.modified(path.format(name)) is not None), None)


def _read_image(host: Host, kernel: Dict[str, Any], quicker: Optional[str], slower: Optional[str]) -> None:
    """What the installed image says of itself, and whether it is the kernel that runs.

    :param quicker: a file of the same package that holds the same kernel, and is read with less effort.
    :param slower: one that is read with more.
    """
    found, unmeasured = kernel["image"], kernel["unmeasured"]
    for path in (quicker, found["path"], slower):
        # What boots has the last word when the file beside it is not what runs.
        known = found["build_id"] is not None
        if path is None or (known and (found["build_id"] == kernel["build_id"] or path == slower)):
            continue
        try:
            found["build_id"] = image_file.build_id(host, path, kernel["build_id"])
        except Unmeasured as exc:
            unmeasured["image.build_id"] = str(exc)
    if found["build_id"] is not None:
        unmeasured.pop("image.build_id", None)
    try:
        found["version"] = image_file.version(host, found["path"])
    except Unmeasured as exc:
        unmeasured["image.version"] = str(exc)

    running = host.text("/proc/version")
    same_id = same_version = None
    if None not in (found["build_id"], kernel["build_id"]):
        same_id = found["build_id"] == kernel["build_id"]
    if running and found["version"]:
        same_version = image_file.is_version(found["version"], running)
    if same_id and same_version is False:
        # The build ID may be that of a file beside the image.
        unmeasured["image.matches_running"] = (
            "the build ID of {} is the running one, and its version ({}) is not that of /proc/version".format(
                found["path"], found["version"]
            )
        )
    elif same_id is not None:
        found["matches_running"], found["basis"] = same_id, "build_id"
    elif same_version is not None:
        found["matches_running"], found["basis"] = same_version, "version"
    else:
        unmeasured["image.matches_running"] = "neither build IDs nor versions can be compared: {}".format(
            unmeasured.get("image.build_id") or unmeasured.get("build_id")
        )
    if found["basis"] is None:
        unmeasured["image.basis"] = unmeasured["image.matches_running"]


def _look_ahead(host: Host, kernel: Dict[str, Any]) -> None:
    """Which kernel the next boot starts, and whether that would be another one."""
    unmeasured = kernel["unmeasured"]
    try:
        found = boot.find(host)
    except Unmeasured as exc:
        unmeasured["next_boot"] = unmeasured["reboot_pending"] = str(exc)
        return
    kernel["next_boot"] = found._asdict()
    matches = kernel["image"]["matches_running"]
    if boot.is_newer(found.release, kernel["release"]):
        kernel["reboot_pending"] = True
    elif found.release != kernel["release"]:
        kernel["reboot_pending"] = False
    elif matches is None:
        unmeasured["reboot_pending"] = f"it starts {found.release}, and whether that is the kernel that runs is unknown"
    else:
        kernel["reboot_pending"] = not matches


def build_id(host: Host) -> str:
    """The running kernel's build ID, from the notes that it shows (Documentation/ABI/stable/sysfs-kernel-notes).

    :raises Unmeasured: the notes are not there, are cut off, or hold no build ID.
    """
    data = host.read("/sys/kernel/notes")
    if data is None:
        raise Unmeasured("/sys/kernel/notes is not there")
    return elf_notes.build_id(data, host.byteorder)


def _package(host: Host, image: Optional[str]) -> Dict[str, str]:
    if image is None:
        raise Unmeasured("no kernel image found whose package could be asked for")
    owner = rpm.owner(host, image)
    if owner is None:
        raise Unmeasured(f"no RPM package owns {image}")
    return owner._asdict()
