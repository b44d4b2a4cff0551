# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what the next boot starts with. PRIVATE to the collection: it may change at any time.

On SUSE's systems the module is in the initrd, where a module of dracut puts it and loads it; on Red Hat's a service
loads it (kpatch.service).
"""

from typing import Any, Dict, List, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import initrd
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm

# What keeps live patches out of the initrd, and marks that this collection has disabled the service
HOLD = "/etc/dracut.conf.d/99-fleet-livepatch-hold.conf"
SERVICE_HELD = "/var/lib/fleet.livepatch/service-held"
# Marks that the hold on the initrd has ended, and that no initrd was made since
TO_MAKE = "/var/lib/fleet.livepatch/initrd-to-make"
SERVICE = "kpatch.service"
_WANTS = "/etc/systemd/system/{}.wants/" + SERVICE
_TARGETS = ("multi-user.target", "sysinit.target", "basic.target", "network-pre.target", "graphical.target")
_DRACUT_MODULES = "/usr/lib/dracut/modules.d"


def read_next_boot(host: Host, kernel: Dict[str, Any], installed: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    """Read the block ``next_boot`` of a result: what the next boot starts with, and what is ``missing`` for it to keep
    the patch.

    :param installed: the newest KMP for the running kernel that is installed.
    :raises Unmeasured: it is unknown.
    """
    if kernel["next_boot"] is None:
        raise Unmeasured(kernel["unmeasured"]["next_boot"])
    release = kernel["next_boot"]["release"]
    missing: List[str] = []
    kmp = installed if release == kernel["release"] else _find_installed(host, release)
    next_boot: Dict[str, Any] = {
        "release": release,
        "kmp": kmp["evr"] if kmp else None,
        "level": kmp["level"] if kmp else None,
        "loaded_by": None,
        "held": is_held(host),
        "missing": missing,
    }
    if kmp is None or kmp["module_path"] is None:
        missing.append(f"no KMP is installed for {release}, which the next boot starts: install one before the reboot")
        return next_boot
    if installed is not None and kmp is not installed:
        missing += _warn_of_older(host, kmp, installed)
    if "/kpatch/" in kmp["module_path"]:
        next_boot["loaded_by"] = "service"
        if not is_service_enabled(host):
            missing.append(_explain_hold_or(next_boot, f"{SERVICE} is not enabled: systemctl enable {SERVICE}"))
        return next_boot
    next_boot["loaded_by"] = "initrd"
    path = initrd.find_initrd(host, release)
    file = kmp["module_path"].rpartition("/")[2]
    if not has_dracut_module(host):
        missing.append("nothing puts the module into the initrd: install kernel-livepatch-tools")
    elif path is None:
        missing.append(f"no initrd of {release} is in /boot: make one with dracut --force")
    elif file not in initrd.list_modules(host, path):
        problem = "{} does not hold {name}-{evr}: add it with dracut --force {} {}".format(path, path, release, **kmp)
        missing.append(_explain_hold_or(next_boot, problem))
    return next_boot


def _explain_hold_or(next_boot: Dict[str, Any], problem: str) -> str:
    held = "{kmp} is kept out of the next boot until it is confirmed (module livepatch, confirm: true)"
    return held.format(**next_boot) if next_boot["held"] else problem


def is_held(host: Host) -> bool:
    return any(host.read_text(path) is not None for path in (HOLD, SERVICE_HELD, TO_MAKE))


def has_dracut_module(host: Host) -> bool:
    return any(name[2:] in ("kernel-livepatch", "kgraft") for name in host.list_names(_DRACUT_MODULES))


def is_service_enabled(host: Host) -> bool:
    return any(host.read_link(_WANTS.format(target)) is not None for target in _TARGETS)


def _find_installed(host: Host, release: str) -> Optional[Dict[str, Any]]:
    """Find the newest installed KMP for another kernel than the running one."""
    kmps: List[Dict[str, Any]] = []
    for name in (
        _kmp_names.format_suse_name(release),
        _kmp_names.format_kgraft_name(release),
        _kmp_names.format_kpatch_name(release),
        _kmp_names.format_amazon_name(release),
    ):
        kmps += packages.list_installed(host, name)
    return max(kmps, key=lambda kmp: _evr.sort_key(kmp["evr"]), default=None)


def _warn_of_older(host: Host, kmp: Dict[str, Any], installed: Dict[str, Any]) -> List[str]:
    """Warn of an older KMP. Levels of different kernels cannot be compared, the days on which they were built can."""
    next_time, installed_time = (
        rpm.read_build_time(host, package["name"], package["evr"]) for package in (kmp, installed)
    )
    if next_time is None or installed_time is None or next_time >= installed_time:
        return []
    return [
        "{}-{}, which the next boot starts with, was built before {}-{}: what the latter fixes may be open again. "
        "Install a newer KMP for that kernel".format(kmp["name"], kmp["evr"], installed["name"], installed["evr"])
    ]
