# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kernel the next boot starts. PRIVATE to the collection: it may change at any time.

It is the boot loader that decides, so its own files are read: GRUB's environment and the entries of the Boot Loader
Specification (https://uapi-group.org/specifications/specs/boot_loader_specification), else GRUB's menu, else extlinux,
else the link that SUSE's kernels keep in /boot. Without any of them the newest installed kernel is a guess, and told as
one.
"""

import functools
import posixpath
import re
from typing import Callable, Dict, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host


# basis: "bls", "grub", "extlinux", "link" or "newest_installed"
class NextBoot(NamedTuple):
    release: str
    basis: str


# One thing that a boot loader can start. key: by what its environment means it.
class _Entry(NamedTuple):
    keys: List[str]
    release: str


_GRUB = ("/boot/grub2", "/boot/grub", "/boot/efi/EFI/redhat", "/boot/efi/EFI/amzn", "/boot/efi/EFI/sles")
_ENTRIES = "/boot/loader/entries"
_EXTLINUX = ("/boot/extlinux/extlinux.conf", "/boot/extlinux.conf", "/extlinux.conf")
_LINKS = ("/boot/vmlinuz", "/boot/image", "/boot/Image", "/boot/zImage", "/vmlinuz")
_IMAGE = re.compile(r"(?:vmlinuz|vmlinux|image|Image|zImage|linux)-(?P<release>\d[^/\s]*)\Z")


def find(host: Host) -> NextBoot:
    """:raises Unmeasured: nothing on the host tells."""
    if host.text("/sys/kernel/kexec_loaded") == "1":
        raise Unmeasured("a kernel is loaded for kexec, and nothing tells which one a reboot by it starts")
    ways: List[Callable[[Host], Optional[NextBoot]]] = [_by_entries, _by_grub, _by_extlinux, _by_link, _by_newest]
    for way in ways:
        found = way(host)
        if found is not None:
            return found
    raise Unmeasured("no boot loader's configuration is known here, and no kernel is in /boot")


def is_newer(one: str, other: str) -> bool:
    """Whether one release is newer than another, by RPM's order of versions: never by that of their letters."""
    return _evr.compare_part(one, other) > 0


_newest_first = functools.cmp_to_key(lambda one, other: _evr.compare_part(str(other), str(one)))


def _by_entries(host: Host) -> Optional[NextBoot]:
    entries = []
    for file in host.names(_ENTRIES):
        fields = dict(_fields(host.text(f"{_ENTRIES}/{file}") or ""))
        release = _release(fields.get("linux", "")) or fields.get("version", "")
        if file.endswith(".conf") and release:
            entries.append(_Entry([file[: -len(".conf")], fields.get("title", "")], release))
    # As GRUB lists them: the newest is number 0
    entries.sort(key=lambda entry: _newest_first(entry.release))
    return _chosen(entries, _environment(host), "bls")


def _by_grub(host: Host) -> Optional[NextBoot]:
    for folder in _GRUB:
        menu = host.text(folder + "/grub.cfg")
        if menu:
            return _chosen(_menu(menu), _environment(host), "grub")
    return None


def _menu(text: str) -> List[_Entry]:
    """The entries of a grub.cfg, in their order; ``linux`` is the first word of the line that names the kernel."""
    entries: List[_Entry] = []
    keys: List[str] = []
    for line in text.splitlines():
        title = re.match(r"\s*menuentry\s+(?:'([^']*)'|\"([^\"]*)\")", line)
        if title:
            identifier = re.search(r"(?:\$menuentry_id_option|--id)\s+'?([^'\s{]+)", line)
            keys = [title.group(1) or title.group(2) or ""] + ([identifier.group(1)] if identifier else [])
        kernel = re.match(r"\s*linux(?:16|efi)?\s+(\S+)", line)
        release = _release(kernel.group(1)) if kernel else None
        if release and keys:
            entries.append(_Entry(keys, release))
            keys = []
    return entries


def _chosen(entries: List[_Entry], environment: Dict[str, str], basis: str) -> Optional[NextBoot]:
    """The entry that GRUB's environment means: for the next boot only, for each boot, or else the first."""
    if not entries:
        return None
    wanted = environment.get("next_entry") or environment.get("saved_entry") or "0"
    last = wanted.rpartition(">")[2]  # what is before it are submenus
    found = [entry for number, entry in enumerate(entries) if last in (str(number), *entry.keys)]
    if not found:
        raise Unmeasured(f"GRUB is told to start {wanted!r}, which is none of its entries")
    return NextBoot(found[0].release, basis)


def _environment(host: Host) -> Dict[str, str]:
    for folder in _GRUB:
        text = host.text(folder + "/grubenv")
        if text is not None:
            return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {}


def _by_extlinux(host: Host) -> Optional[NextBoot]:
    text = next((text for text in map(host.text, _EXTLINUX) if text), "")
    default, label = "", ""
    kernels: Dict[str, str] = {}
    for key, value in _fields(text):
        if key.lower() == "default":
            default = value
        elif key.lower() == "label":
            label = value
        elif key.lower() in ("linux", "kernel"):
            kernels.setdefault(label, value)
    path = kernels.get(default) or next(iter(kernels.values()), "")
    release = _release(path) or _linked(host, path) or _linked(host, "/boot" + path)
    return NextBoot(release, "extlinux") if release else None


def _by_link(host: Host) -> Optional[NextBoot]:
    found = (_linked(host, path) for path in _LINKS)
    return next((NextBoot(release, "link") for release in found if release), None)


def _by_newest(host: Host) -> Optional[NextBoot]:
    found = [release for release in map(_release, host.names("/boot")) if release]
    return NextBoot(min(found, key=_newest_first), "newest_installed") if found else None


def _fields(text: str) -> List[List[str]]:
    lines = (line.strip() for line in text.splitlines())
    return [words for words in (line.split(None, 1) for line in lines if line[:1] != "#") if len(words) == 2]


def _release(path: str) -> Optional[str]:
    found = _IMAGE.match(posixpath.basename(path))
    return found.group("release") if found else None


def _linked(host: Host, path: str) -> Optional[str]:
    target = host.link(path) if path else None
    return _release(target) if target else None
