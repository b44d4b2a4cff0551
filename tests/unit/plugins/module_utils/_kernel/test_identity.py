# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import identity


def test_all(machine: Any) -> None:
    machine.put("/proc/sys/kernel/tainted", "45056")
    machine.put("/sys/module/module/parameters/sig_enforce", "N")
    kernel = identity.read(machine)
    unmeasured = kernel.pop("unmeasured")
    assert kernel == {
        "release": "6.1.0-56-cloud-amd64",
        "version": "6.1.0",
        "arch": "x86_64",
        "flavor": "cloud-amd64",
        "build_id": "3b43fad5034874490492495d552c0af6a5fab235",
        "package": {"name": "kernel-cloud-amd64", "evr": "6.1.0-56.1", "arch": "x86_64"},
        "image": {"path": "/boot/vmlinuz-6.1.0-56-cloud-amd64", "build_id": None, "matches_running": None},
        "boot_id": "5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11",
        "livepatch_supported": True,
        "mechanism": "klp",
        "taint": {"value": 45056, "flags": ["O", "E", "K"]},
        "lockdown": "none",
        "module_signature_enforced": False,
        "reboot_pending": None,
    }
    assert sorted(unmeasured) == ["image.build_id", "image.matches_running", "reboot_pending"]


@pytest.mark.parametrize(
    "gone, key, empty",
    [
        ("/sys/kernel/notes", "build_id", None),
        ("/proc/sys/kernel/tainted", "taint", None),
        ("/sys/kernel/security/lockdown", "lockdown", None),
        ("/boot/vmlinuz-6.1.0-56-cloud-amd64", "package", None),
        ("/boot/vmlinuz-6.1.0-56-cloud-amd64", "image", {"path": None, "build_id": None, "matches_running": None}),
    ],
)
def test_what_is_missing_is_told(machine: Any, gone: str, key: str, empty: Any) -> None:
    machine.remove(gone)
    kernel = identity.read(machine)
    assert kernel[key] == empty
    assert kernel["unmeasured"][key]


def test_notes_cut_off(machine: Any) -> None:
    machine.put("/sys/kernel/notes", machine.read("/sys/kernel/notes")[:100])
    kernel = identity.read(machine)
    assert kernel["build_id"] is None
    assert "cut off" in kernel["unmeasured"]["build_id"]


def test_byte_order_is_the_hosts(machine: Any) -> None:
    machine.byteorder = "big"
    assert identity.read(machine)["build_id"] is None


@pytest.mark.parametrize(
    "text, mode", [("[none] integrity confidentiality", "none"), ("none [integrity] confidentiality", "integrity")]
)
def test_lockdown(machine: Any, text: str, mode: str) -> None:
    machine.put("/sys/kernel/security/lockdown", text)
    assert identity.read(machine)["lockdown"] == mode


@pytest.mark.parametrize("text, enforced", [("Y", True), ("1", True), ("N", False), ("0", False)])
def test_signatures(machine: Any, text: str, enforced: bool) -> None:
    machine.put("/sys/module/module/parameters/sig_enforce", text)
    assert identity.read(machine)["module_signature_enforced"] is enforced


def test_kernel_without_livepatch(machine: Any) -> None:
    machine.drop("/sys/kernel/livepatch")
    kernel = identity.read(machine)
    assert (kernel["livepatch_supported"], kernel["mechanism"]) == (False, None)


def test_no_proc(host: Any) -> None:
    with pytest.raises(Unmeasured, match="Is /proc mounted"):
        identity.read(host)


def test_image_that_no_package_owns(host: Any, recorded: Any) -> None:
    host.put("/proc/sys/kernel/osrelease", "6.18.44")
    host.put("/sys/kernel/notes")
    host.put("/boot/vmlinuz-6.18.44")
    host.answers["rpm"] = recorded("rpm-6.1-unowned")
    kernel = identity.read(host)
    assert kernel["package"] is None
    assert kernel["unmeasured"]["package"] == "no RPM package owns /boot/vmlinuz-6.18.44"
    assert "flavor" in kernel["unmeasured"]
