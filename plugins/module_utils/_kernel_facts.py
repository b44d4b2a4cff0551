# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gather which kernel runs on the host. PRIVATE to the collection: it may change at any time."""

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
# The same kernel as SUSE ships it for debuggers as well: an ELF file that Python can unpack itself.
_BESIDE = ("/boot/vmlinux-{0}", "/usr/lib/modules/{0}/vmlinux", "/lib/modules/{0}/vmlinux")
_BESIDE_GZIP = tuple(place + ".gz" for place in _BESIDE)
# It takes four times as long as gzip, and so is only read where the image cannot be.
_BESIDE_XZ = tuple(place + ".xz" for place in _BESIDE)


def gather_kernel(host: Host) -> Dict[str, Any]:
    """Gather the block ``kernel`` of a result.

    What could not be measured is None, and ``unmeasured`` says why, key by key.
    """
    unmeasured: Dict[str, str] = {}

    name = host.read_text("/proc/sys/kernel/osrelease")
    if not name:
        raise Unmeasured("/proc/sys/kernel/osrelease is not there", "Is /proc mounted?")
    parsed = release.parse_release(name, host.machine)
    mechanism = mechanisms.find_mechanism(host)
    image = _find_first(host, _IMAGES, name)

    kernel: Dict[str, Any] = {
        "release": name,
        "version": parsed.version,
        "arch": host.machine,
        "flavor": parsed.flavor,
        "build_id": None,
        "package": None,
        "image": {"path": image, "build_id": None, "version": None, "matches_running": None, "basis": None},
        "proc_version": host.read_text("/proc/version"),
        "confinement": container.detect_container(host, name),
        "boot_id": host.read_text("/proc/sys/kernel/random/boot_id"),
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
        kernel["build_id"] = read_build_id(host)
    except Unmeasured as exc:
        unmeasured["build_id"] = str(exc)
    try:
        kernel["package"] = _find_package(host, image)
    except Unmeasured as exc:
        unmeasured["package"] = str(exc)
    if image is None:
        unmeasured["image"] = f"no image of {name} found under /boot or /lib/modules"
    else:
        _read_image(host, kernel, _find_first(host, _BESIDE_GZIP, name), _find_first(host, _BESIDE_XZ, name))
    _read_next_boot(host, kernel)

    try:
        value = taint.read_taint(host)
        if value is None:
            raise Unmeasured("/proc/sys/kernel/tainted is not there")
        kernel["taint"] = {"value": value, "flags": taint.list_letters(value)}
    except Unmeasured as exc:
        unmeasured["taint"] = str(exc)

    lockdown = host.read_text("/sys/kernel/security/lockdown")
    chosen = re.search(r"\[(\w+)\]", lockdown or "")
    if chosen:
        kernel["lockdown"] = chosen.group(1)
    else:
        unmeasured["lockdown"] = "/sys/kernel/security/lockdown is not there"

    enforced = host.read_text("/sys/module/module/parameters/sig_enforce")
    if enforced is None:
        unmeasured["module_signature_enforced"] = "/sys/module/module/parameters/sig_enforce is not there"
    else:
        kernel["module_signature_enforced"] = enforced in ("Y", "1")
    return kernel


def _find_first(host: Host, places: Sequence[str], name: str) -> Optional[str]:
    return next((path.format(name) for path in places if host.get_mtime(path.format(name)) is not None), None)


def _read_image(host: Host, kernel: Dict[str, Any], quicker: Optional[str], slower: Optional[str]) -> None:
    """Read the build ID and version of the installed image, and whether it is the running kernel.

    :param quicker: a file of the same package that holds the same kernel, and takes less time to read.
    :param slower: one that takes more.
    """
    image, unmeasured = kernel["image"], kernel["unmeasured"]
    for path in (quicker, image["path"], slower):
        # The file that boots decides when the one beside it is not what runs.
        known = image["build_id"] is not None
        if path is None or (known and (image["build_id"] == kernel["build_id"] or path == slower)):
            continue
        try:
            image["build_id"] = image_file.read_build_id(host, path, kernel["build_id"])
        except Unmeasured as exc:
            unmeasured["image.build_id"] = str(exc)
    if image["build_id"] is not None:
        unmeasured.pop("image.build_id", None)
    try:
        image["version"] = image_file.read_version(host, image["path"])
    except Unmeasured as exc:
        unmeasured["image.version"] = str(exc)

    running = host.read_text("/proc/version")
    same_id = same_version = None
    if None not in (image["build_id"], kernel["build_id"]):
        same_id = image["build_id"] == kernel["build_id"]
    if running and image["version"]:
        same_version = image_file.is_same_version(image["version"], running)
    if same_id and same_version is False:
        # The build ID may be that of a file beside the image.
        unmeasured["image.matches_running"] = (
            "{} has the running build ID, but its version ({}) is not that of /proc/version".format(
                image["path"], image["version"]
            )
        )
    elif same_id is not None:
        image["matches_running"], image["basis"] = same_id, "build_id"
    elif same_version is not None:
        image["matches_running"], image["basis"] = same_version, "version"
    else:
        unmeasured["image.matches_running"] = "neither build IDs nor versions can be compared: {}".format(
            unmeasured.get("image.build_id") or unmeasured.get("build_id")
        )
    if image["basis"] is None:
        unmeasured["image.basis"] = unmeasured["image.matches_running"]


def _read_next_boot(host: Host, kernel: Dict[str, Any]) -> None:
    """Read which kernel the next boot starts, and whether that is another one."""
    unmeasured = kernel["unmeasured"]
    try:
        next_boot = boot.find_next_boot(host)
    except Unmeasured as exc:
        unmeasured["next_boot"] = unmeasured["reboot_pending"] = str(exc)
        return
    kernel["next_boot"] = next_boot._asdict()
    matches = kernel["image"]["matches_running"]
    if boot.is_newer(next_boot.release, kernel["release"]):
        kernel["reboot_pending"] = True
    elif next_boot.release != kernel["release"]:
        kernel["reboot_pending"] = False
    elif matches is None:
        unmeasured["reboot_pending"] = (
            f"it starts {next_boot.release}, and it is unknown whether that is the running kernel"
        )
    else:
        kernel["reboot_pending"] = not matches


def read_build_id(host: Host) -> str:
    """Read the running kernel's build ID from its notes (Documentation/ABI/stable/sysfs-kernel-notes).

    :raises Unmeasured: the notes are missing or truncated, or hold no build ID.
    """
    data = host.read_bytes("/sys/kernel/notes")
    if data is None:
        raise Unmeasured("/sys/kernel/notes is not there")
    return elf_notes.parse_build_id(data, host.byteorder)


def _find_package(host: Host, image: Optional[str]) -> Dict[str, str]:
    if image is None:
        raise Unmeasured("no kernel image was found, so that its package is unknown")
    owner = rpm.find_owner(host, image)
    if owner is None:
        raise Unmeasured(f"no RPM package owns {image}")
    return owner._asdict()
