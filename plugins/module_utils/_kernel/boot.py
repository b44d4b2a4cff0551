# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find which kernel the next boot starts. PRIVATE to the collection: it may change at any time.

It is the boot loader that decides, so its own files are read: GRUB's environment and the entries of the Boot Loader
Specification (https://uapi-group.org/specifications/specs/boot_loader_specification), else GRUB's menu, else extlinux,
else the link that SUSE's kernels keep in /boot. Without any of them the newest installed kernel is a guess, and
reported as one.
"""

import functools
import posixpath
import re
from typing import Callable, Dict, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host


class NextBoot(NamedTuple):
    release: str
    # "bls", "grub", "extlinux", "link" or "newest_installed"
    basis: str


class _Entry(NamedTuple):
    """A kernel that a boot loader can start."""

    # By what its environment names it, and before it the menus that it is in: number, title and identifier
    path: List[List[str]]
    release: str


_GRUB = ("/boot/grub2", "/boot/grub", "/boot/efi/EFI/redhat", "/boot/efi/EFI/amzn", "/boot/efi/EFI/sles")
_ENTRIES = "/boot/loader/entries"
_EXTLINUX = ("/boot/extlinux/extlinux.conf", "/boot/extlinux.conf", "/extlinux.conf")
_LINKS = ("/boot/vmlinuz", "/boot/image", "/boot/Image", "/boot/zImage", "/vmlinuz")
_IMAGE = re.compile(r"(?:vmlinuz|vmlinux|image|Image|zImage|linux)-(?P<release>\d[^/\s]*)\Z")


def find_next_boot(host: Host) -> NextBoot:
    """:raises Unmeasured: nothing on the host shows it."""
    if host.read_text("/sys/kernel/kexec_loaded") == "1":
        raise Unmeasured("a kernel is loaded for kexec, and it is unknown which one a reboot through it starts")
    ways: List[Callable[[Host], Optional[NextBoot]]] = [
        _find_by_entries,
        _find_by_grub,
        _find_by_extlinux,
        _find_by_link,
        _find_by_newest,
    ]
    for find_next in ways:
        next_boot = find_next(host)
        if next_boot is not None:
            return next_boot
    raise Unmeasured("no known boot loader is configured here, and no kernel is in /boot")


def is_newer(release: str, other: str) -> bool:
    """Whether one release is newer than another, by RPM's order of versions, not by that of their characters."""
    return _evr.compare_part(release, other) > 0


_newest_first = functools.cmp_to_key(lambda left, right: _evr.compare_part(str(right), str(left)))


def _find_by_entries(host: Host) -> Optional[NextBoot]:
    entries = []
    for file in host.list_names(_ENTRIES):
        fields = dict(_split_fields(host.read_text(f"{_ENTRIES}/{file}") or ""))
        release = _parse_release(fields.get("linux", "")) or fields.get("version", "")
        if file.endswith(".conf") and release:
            entries.append(_Entry([[file[: -len(".conf")], fields.get("title", "")]], release))
    # As GRUB lists them: the newest is number 0
    entries.sort(key=lambda entry: _newest_first(entry.release))
    for number, entry in enumerate(entries):
        entry.path[0].append(str(number))
    return _choose_entry(entries, _read_environment(host), "bls")


def _find_by_grub(host: Host) -> Optional[NextBoot]:
    for folder in _GRUB:
        menu = host.read_text(folder + "/grub.cfg")
        if menu:
            return _choose_entry(_parse_menu(menu), _read_environment(host), "grub")
    return None


def _parse_menu(text: str) -> List[_Entry]:
    """Parse a grub.cfg into its entries; ``linux`` is the first word of the line that names the kernel."""
    entries: List[_Entry] = []
    # The names of each block that is open, none for what is neither menu nor entry, and the numbers of the next entries
    blocks: List[List[str]] = []
    numbers = [0]
    for line in text.split("\n"):
        heading = re.match(r"\s*(menuentry|submenu)\s+(?:'([^']*)'|\"([^\"]*)\")", line)
        kernel = re.match(r"\s*linux(?:16|efi)?\s+(\S+)", line)
        if heading:
            identifier = re.search(r"(?:\$menuentry_id_option|--id)\s+'?([^'\s{]+)", line)
            names = [str(numbers[-1]), heading.group(2) or heading.group(3) or ""]
            numbers[-1] += 1
            if not line.rstrip().endswith("}"):
                blocks.append(names + ([identifier.group(1)] if identifier else []))
                numbers.append(0)
        elif line.rstrip().endswith("{"):
            blocks.append([])
            numbers.append(0)
        elif line.strip() == "}" and blocks:
            blocks.pop()
            numbers.pop()
        elif kernel:
            release = _parse_release(kernel.group(1))
            path = [names for names in blocks if names]
            if release and path and (not entries or entries[-1].path != path):
                entries.append(_Entry(path, release))
    return entries


def _choose_entry(entries: List[_Entry], environment: Dict[str, str], basis: str) -> Optional[NextBoot]:
    """Choose the entry that GRUB's environment names: for the next boot only, for each boot, or else the first."""
    if not entries:
        return None
    wanted = environment.get("next_entry") or environment.get("saved_entry")
    if not wanted:
        return NextBoot(entries[0].release, basis)
    words = wanted.split(">")
    for entry in entries:
        if len(words) == len(entry.path) and all(word in names for word, names in zip(words, entry.path)):
            return NextBoot(entry.release, basis)
    raise Unmeasured(f"GRUB is set to start {wanted!r}, which is not one of its entries")


def _read_environment(host: Host) -> Dict[str, str]:
    for folder in _GRUB:
        text = host.read_text(folder + "/grubenv")
        if text is not None:
            return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {}


def _find_by_extlinux(host: Host) -> Optional[NextBoot]:
    text = next((text for text in map(host.read_text, _EXTLINUX) if text), "")
    default, label = "", ""
    kernels: Dict[str, str] = {}
    for key, value in _split_fields(text):
        if key.lower() == "default":
            default = value
        elif key.lower() == "label":
            label = value
        elif key.lower() in ("linux", "kernel"):
            kernels.setdefault(label, value)
    path = kernels.get(default) or next(iter(kernels.values()), "")
    release = _parse_release(path) or _read_linked_release(host, path) or _read_linked_release(host, "/boot" + path)
    return NextBoot(release, "extlinux") if release else None


def _find_by_link(host: Host) -> Optional[NextBoot]:
    releases = (_read_linked_release(host, path) for path in _LINKS)
    return next((NextBoot(release, "link") for release in releases if release), None)


def _find_by_newest(host: Host) -> Optional[NextBoot]:
    releases = [release for release in map(_parse_release, host.list_names("/boot")) if release]
    return NextBoot(min(releases, key=_newest_first), "newest_installed") if releases else None


def _split_fields(text: str) -> List[List[str]]:
    lines = (line.strip() for line in text.splitlines())
    return [words for words in (line.split(None, 1) for line in lines if line[:1] != "#") if len(words) == 2]


def _parse_release(path: str) -> Optional[str]:
    match = _IMAGE.match(posixpath.basename(path))
    return match.group("release") if match else None


def _read_linked_release(host: Host, path: str) -> Optional[str]:
    target = host.read_link(path) if path else None
    return _parse_release(target) if target else None
