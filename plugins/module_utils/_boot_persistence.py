# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep live patches in the next boot, or out of it. PRIVATE to the collection: it may change at any time.

Until a new level is confirmed it is kept out of the initrd and of the service, so that a crash minutes after it was
loaded does not become a crash at every boot.
"""

from typing import Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _next_boot
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import NextBootFailed, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import initrd

# dracut reads these files by their names, the last in order counts (dracut.conf(5)).
_HOLD_TEXT = (
    "# Written by fleet.livepatch: a live patch that is not yet confirmed is kept out of the initrd.\n"
    "# It is removed when the patch is confirmed (module livepatch, confirm: true).\n"
    'omit_dracutmodules+=" kernel-livepatch kgraft "\n'
)


def hold_patches(host: Host) -> None:
    """Keep live patches out of each initrd that is made from now on, and out of the service at boot."""
    if _next_boot.has_dracut_module(host):
        host.save(_next_boot.HOLD, _HOLD_TEXT)
    if _next_boot.is_service_enabled(host):
        host.save(_next_boot.SERVICE_HELD, "1\n")
        _systemctl(host, "disable")


def keep_out(host: Host, release: str, module_path: str) -> Optional[str]:
    """Remove a module from the initrd that an installation has put there nevertheless.

    :returns: a warning, where it is still there.
    """
    path = initrd.find_initrd(host, release)
    try:
        if path is None or module_path.rpartition("/")[2] not in initrd.list_modules(host, path):
            return None
        _make_initrd(host, path, release)
        if module_path.rpartition("/")[2] not in initrd.list_modules(host, path):
            return None
    except (Unmeasured, NextBootFailed) as exc:
        return f"it is unknown whether {path} holds the new level, which is not yet confirmed: {exc}"
    return f"{path} holds the new level, which is not yet confirmed: a crash now would repeat at the next boot"


def end_hold(host: Host, release: str) -> bool:
    """End the hold, and rebuild the initrd; whether there was anything to do.

    :raises NextBootFailed: the next boot would not have the module.
    """
    changed = False
    if host.read_text(_next_boot.SERVICE_HELD) is not None:
        _systemctl(host, "enable")
        host.unlink(_next_boot.SERVICE_HELD)
        changed = True
    if host.read_text(_next_boot.HOLD) is not None or host.read_text(_next_boot.TO_MAKE) is not None:
        # dracut takes its time, and may fail: until it has succeeded the next run makes it.
        host.save(_next_boot.TO_MAKE, "1\n")
        host.unlink(_next_boot.HOLD)
        repair_boot(host, release)
        host.unlink(_next_boot.TO_MAKE)
        changed = True
    return changed


def release_hold(host: Host) -> None:
    """End the hold without rebuilding anything: nothing is left that would have to be kept out."""
    if host.read_text(_next_boot.SERVICE_HELD) is not None:
        _systemctl(host, "enable")
        host.unlink(_next_boot.SERVICE_HELD)
    host.unlink(_next_boot.HOLD)
    host.unlink(_next_boot.TO_MAKE)


def repair_boot(host: Host, release: str) -> None:
    """Repair what loads the module at boot: enable the service, rebuild the initrd.

    :raises NextBootFailed: that failed.
    """
    if host.get_mtime("/usr/lib/systemd/system/" + _next_boot.SERVICE) is not None:
        _systemctl(host, "enable")
    if _next_boot.has_dracut_module(host):
        path = initrd.find_initrd(host, release)
        if path is None:
            raise NextBootFailed(f"no initrd of {release} is in /boot", "Make one (dracut --force)")
        _make_initrd(host, path, release)


def _make_initrd(host: Host, path: str, release: str) -> None:
    answer = host.run(["dracut", "--force", path, release])
    if answer.rc != 0:
        raise NextBootFailed(
            f"dracut could not make {path} (exit code {answer.rc}): {_find_last_line(answer.err)}",
            f"Try it by hand: dracut --force {path} {release}",
        )


def _systemctl(host: Host, verb: str) -> None:
    answer = host.run(["systemctl", verb, _next_boot.SERVICE])
    if answer.rc != 0:
        raise NextBootFailed(
            f"systemctl {verb} {_next_boot.SERVICE} failed: {_find_last_line(answer.err)}", "Try it by hand"
        )


def _find_last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
