# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the next boot keeps the live patch, and how a new one is kept out of it. PRIVATE to the collection.

On SUSE's systems the module lies in the initrd, where a module of dracut puts it and loads it; on Red Hat's a service
loads it (kpatch.service). Until a new level is confirmed it is kept out of both, so that a crash minutes after it was
loaded does not become a crash at every boot.
"""

from typing import Any, Dict, List, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import NextBootFailed, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import initrd
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm

_DRACUT_MODULES = "/usr/lib/dracut/modules.d"
# The last word: dracut reads these files in order of their names (dracut.conf(5)).
_HOLD = "/etc/dracut.conf.d/99-fleet-livepatch-hold.conf"
_HOLD_TEXT = (
    "# Written by fleet.livepatch: a live patch that is not yet confirmed is kept out of the initrd.\n"
    "# It is removed when the patch is confirmed (module livepatch, confirm: true).\n"
    'omit_dracutmodules+=" kernel-livepatch kgraft "\n'
)
_SERVICE = "kpatch.service"
_WANTS = "/etc/systemd/system/{}.wants/" + _SERVICE
_TARGETS = ("multi-user.target", "sysinit.target", "basic.target", "network-pre.target", "graphical.target")
# That it was us who disabled the service
_SERVICE_HELD = "/var/lib/fleet.livepatch/service-held"
# That the hold on the initrd has ended, and no initrd was made since
_TO_MAKE = "/var/lib/fleet.livepatch/initrd-to-make"


def find(host: Host, kernel: Dict[str, Any], installed: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    """The block ``next_boot`` of a result: what the next boot starts with, and what is ``missing`` for it to keep
    the patch.

    :param installed: the newest KMP for the running kernel that is installed.
    :raises Unmeasured: it cannot be told.
    """
    if kernel["next_boot"] is None:
        raise Unmeasured(kernel["unmeasured"]["next_boot"])
    release = kernel["next_boot"]["release"]
    missing: List[str] = []
    kmp = installed if release == kernel["release"] else _for_release(host, release)
    found: Dict[str, Any] = {
        "release": release,
        "kmp": kmp["evr"] if kmp else None,
        "level": kmp["level"] if kmp else None,
        "loaded_by": None,
        "held": is_held(host),
        "missing": missing,
    }
    if kmp is None or kmp["module_path"] is None:
        missing.append(f"no KMP for {release} is installed, which the next boot starts: install one before the reboot")
        return found
    if installed is not None and kmp is not installed:
        missing += _older(host, kmp, installed)
    if "/kpatch/" in kmp["module_path"]:
        found["loaded_by"] = "service"
        if not _service_enabled(host):
            missing.append(_held_or(found, f"{_SERVICE} is not enabled: systemctl enable {_SERVICE}"))
        return found
    found["loaded_by"] = "initrd"
    path = initrd.find(host, release)
    file = kmp["module_path"].rpartition("/")[2]
    if not _has_dracut_module(host):
        missing.append("nothing puts the module into the initrd: kernel-livepatch-tools is not installed")
    elif path is None:
        missing.append(f"no initrd of {release} is in /boot: dracut --force makes one")
    elif file not in initrd.modules(host, path):
        problem = "{} does not hold {name}-{evr}: dracut --force {} {} puts it in".format(path, path, release, **kmp)
        missing.append(_held_or(found, problem))
    return found


def _held_or(found: Dict[str, Any], problem: str) -> str:
    held = "{kmp} is kept out of the next boot until it is confirmed (module livepatch, confirm: true)"
    return held.format(**found) if found["held"] else problem


def is_held(host: Host) -> bool:
    return any(host.text(path) is not None for path in (_HOLD, _SERVICE_HELD, _TO_MAKE))


def hold(host: Host) -> None:
    """Keeps live patches out of each initrd that is made from now on, and out of the service at boot."""
    if _has_dracut_module(host):
        host.save(_HOLD, _HOLD_TEXT)
    if _service_enabled(host):
        host.save(_SERVICE_HELD, "1\n")
        _systemctl(host, "disable")


def keep_out(host: Host, release: str, module_path: str) -> Optional[str]:
    """Takes a module out of the initrd that an installation has put in nevertheless.

    :returns: what a person has to know: that it is still in there.
    """
    path = initrd.find(host, release)
    try:
        if path is None or module_path.rpartition("/")[2] not in initrd.modules(host, path):
            return None
        _make_initrd(host, path, release)
        if module_path.rpartition("/")[2] not in initrd.modules(host, path):
            return None
    except (Unmeasured, NextBootFailed) as exc:
        return f"whether {path} holds the new level, which is not yet confirmed, is not known: {exc}"
    return f"{path} holds the new level, which is not yet confirmed: a crash now would come back at the next boot"


def confirm(host: Host, release: str) -> bool:
    """Ends the hold, and has the initrd made anew; whether there was anything to do.

    :raises NextBootFailed: the next boot would not have the module.
    """
    changed = False
    if host.text(_SERVICE_HELD) is not None:
        _systemctl(host, "enable")
        host.unlink(_SERVICE_HELD)
        changed = True
    if host.text(_HOLD) is not None or host.text(_TO_MAKE) is not None:
        # dracut takes its time, and may fail: until it has succeeded it is for the next run to make it.
        host.save(_TO_MAKE, "1\n")
        host.unlink(_HOLD)
        mend(host, release)
        host.unlink(_TO_MAKE)
        changed = True
    return changed


def release_hold(host: Host) -> None:
    """Ends the hold without having anything made anew: nothing is left that would have to be kept out."""
    if host.text(_SERVICE_HELD) is not None:
        _systemctl(host, "enable")
        host.unlink(_SERVICE_HELD)
    host.unlink(_HOLD)
    host.unlink(_TO_MAKE)


def mend(host: Host, release: str) -> None:
    """Has what loads the module at boot put in order: the service enabled, the initrd made anew.

    :raises NextBootFailed: it cannot be.
    """
    if host.modified("/usr/lib/systemd/system/" + _SERVICE) is not None:
        _systemctl(host, "enable")
    if _has_dracut_module(host):
        path = initrd.find(host, release)
        if path is None:
            raise NextBootFailed(f"no initrd of {release} is in /boot", "Make one (dracut --force)")
        _make_initrd(host, path, release)


def _make_initrd(host: Host, path: str, release: str) -> None:
    answer = host.run(["dracut", "--force", path, release])
    if answer.rc != 0:
        raise NextBootFailed(
            f"dracut could not make {path} (exit code {answer.rc}): {_last(answer.err)}",
            f"Try it by hand: dracut --force {path} {release}",
        )


def _systemctl(host: Host, verb: str) -> None:
    answer = host.run(["systemctl", verb, _SERVICE])
    if answer.rc != 0:
        raise NextBootFailed(f"systemctl {verb} {_SERVICE} failed: {_last(answer.err)}", "Try it by hand")


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _has_dracut_module(host: Host) -> bool:
    return any(name[2:] in ("kernel-livepatch", "kgraft") for name in host.names(_DRACUT_MODULES))


def _service_enabled(host: Host) -> bool:
    return any(host.link(_WANTS.format(target)) is not None for target in _TARGETS)


def _for_release(host: Host, release: str) -> Optional[Dict[str, Any]]:
    """The newest installed KMP for another kernel than the one that runs."""
    found: List[Dict[str, Any]] = []
    for name in (
        _kmp_names.suse(release),
        _kmp_names.kgraft(release),
        _kmp_names.kpatch(release),
        _kmp_names.amazon(release),
    ):
        found += packages.installed(host, name)
    return max(found, key=lambda one: _evr.key(one["evr"]), default=None)


def _older(host: Host, kmp: Dict[str, Any], installed: Dict[str, Any]) -> List[str]:
    """Levels of different kernels cannot be compared, the days on which they were built can."""
    theirs, ours = (rpm.built(host, one["name"], one["evr"]) for one in (kmp, installed))
    if theirs is None or ours is None or theirs >= ours:
        return []
    return [
        "{}-{}, which the next boot starts with, was built before {}-{}: what the latter fixes may be open again. "
        "Install a newer KMP for that kernel".format(kmp["name"], kmp["evr"], installed["name"], installed["evr"])
    ]
