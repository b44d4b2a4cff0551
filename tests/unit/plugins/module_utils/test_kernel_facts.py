# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import gzip
import lzma
import zlib
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _kernel_facts
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import container
from tests.support import factories

_IMAGE = "/boot/vmlinuz-" + factories.RELEASE
_OTHER = "cd" * 20
_ALWAYS = {"module_signature_enforced"}
_REBUILT = factories.VERSION.replace("6.1.192-2", "6.1.192-3")


def test_no_taint_is_told_as_such(machine: Any) -> None:
    machine.put("/proc/sys/kernel/tainted", "0x200")
    kernel = _kernel_facts.gather_kernel(machine)
    assert kernel["taint"] is None
    assert kernel["unmeasured"]["taint"] == "/proc/sys/kernel/tainted holds '0x200', which is not a number"


def test_all(machine: Any) -> None:
    machine.put("/proc/sys/kernel/tainted", "45056")
    machine.put("/sys/module/module/parameters/sig_enforce", "N")
    kernel = _kernel_facts.gather_kernel(machine)
    unmeasured = kernel.pop("unmeasured")
    assert kernel == {
        "release": "6.1.0-56-cloud-amd64",
        "version": "6.1.0",
        "arch": "x86_64",
        "flavor": "cloud-amd64",
        "proc_version": factories.PROC_VERSION,
        "confinement": None,
        "build_id": "3b43fad5034874490492495d552c0af6a5fab235",
        "package": {"name": "kernel-cloud-amd64", "evr": "6.1.0-56.1", "arch": "x86_64"},
        "image": {
            "path": _IMAGE,
            "build_id": factories.BUILD_ID,
            "version": factories.VERSION,
            "matches_running": True,
            "basis": "build_id",
        },
        "boot_id": "5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11",
        "livepatch_supported": True,
        "mechanism": "klp",
        "taint": {"value": 45056, "flags": ["O", "E", "K"]},
        "lockdown": "none",
        "module_signature_enforced": False,
        "next_boot": {"release": "6.1.0-56-cloud-amd64", "basis": "newest_installed"},
        "reboot_pending": False,
    }
    assert unmeasured == {}


@pytest.mark.parametrize(
    "files, release, expected",
    [
        ({}, "5.14.21-150400.24.103-default", None),
        ({}, "5.15.153.1-microsoft-standard-WSL2", "wsl"),
        ({"/run/systemd/container": "podman"}, "5.14.21-default", "container:podman"),
        ({"/.dockerenv": ""}, "5.14.21-default", "container:docker"),
        ({"/run/.containerenv": ""}, "5.14.21-default", "container:podman"),
        ({"/proc/1/environ": b"PATH=/bin\0container=lxc\0HOME=/"}, "5.14.21-default", "container:lxc"),
        ({"/proc/1/environ": b"mycontainer=lxc\0"}, "5.14.21-default", None),
    ],
    ids=["bare", "WSL", "systemd", "docker", "podman", "lxc", "another variable"],
)
def test_confinement(host: Any, files: Any, release: str, expected: Any) -> None:
    for path, content in files.items():
        host.put(path, content)
    assert container.detect_container(host, release) == expected


@pytest.mark.parametrize(
    "gone, key, empty",
    [
        ("/sys/kernel/notes", "build_id", None),
        ("/proc/sys/kernel/tainted", "taint", None),
        ("/sys/kernel/security/lockdown", "lockdown", None),
        (_IMAGE, "package", None),
        (_IMAGE, "image", dict.fromkeys(("path", "build_id", "version", "matches_running", "basis"))),
    ],
)
def test_what_is_missing_is_told(machine: Any, gone: str, key: str, empty: Any) -> None:
    machine.remove(gone)
    kernel = _kernel_facts.gather_kernel(machine)
    assert kernel[key] == empty
    assert kernel["unmeasured"][key]


def test_notes_cut_off(machine: Any) -> None:
    machine.put("/sys/kernel/notes", machine.read_bytes("/sys/kernel/notes")[:100])
    kernel = _kernel_facts.gather_kernel(machine)
    assert kernel["build_id"] is None
    assert "truncated" in kernel["unmeasured"]["build_id"]


def test_byte_order_is_the_hosts(machine: Any) -> None:
    machine.byteorder = "big"
    assert _kernel_facts.gather_kernel(machine)["build_id"] is None


@pytest.mark.parametrize(
    "text, mode", [("[none] integrity confidentiality", "none"), ("none [integrity] confidentiality", "integrity")]
)
def test_lockdown(machine: Any, text: str, mode: str) -> None:
    machine.put("/sys/kernel/security/lockdown", text)
    assert _kernel_facts.gather_kernel(machine)["lockdown"] == mode


@pytest.mark.parametrize("text, enforced", [("Y", True), ("1", True), ("N", False), ("0", False)])
def test_signatures(machine: Any, text: str, enforced: bool) -> None:
    machine.put("/sys/module/module/parameters/sig_enforce", text)
    assert _kernel_facts.gather_kernel(machine)["module_signature_enforced"] is enforced


def test_kernel_without_livepatch(machine: Any) -> None:
    machine.drop("/sys/kernel/livepatch")
    kernel = _kernel_facts.gather_kernel(machine)
    assert (kernel["livepatch_supported"], kernel["mechanism"]) == (False, None)


def test_no_proc(host: Any) -> None:
    with pytest.raises(Unmeasured, match="Is /proc mounted"):
        _kernel_facts.gather_kernel(host)


def test_image_that_no_package_owns(host: Any, recorded: Any) -> None:
    host.put("/proc/sys/kernel/osrelease", "6.18.44")
    host.put("/sys/kernel/notes")
    host.put("/boot/vmlinuz-6.18.44")
    host.answers["rpm"] = recorded("rpm-6.1-unowned")
    kernel = _kernel_facts.gather_kernel(host)
    assert kernel["package"] is None
    assert kernel["unmeasured"]["package"] == "no RPM package owns /boot/vmlinuz-6.18.44"
    assert "flavor" in kernel["unmeasured"]


def _zstd(data: bytes) -> bytes:
    return b"\x28\xb5\x2f\xfd" + zlib.compress(data) + b"size"


@pytest.mark.parametrize(
    "image, running, build_id, matches, basis, unmeasured",
    [
        pytest.param(
            factories.bzimage(gzip.compress(factories.vmlinux(_OTHER))),
            "",
            _OTHER,
            False,
            "build_id",
            [],
            id="another build",
        ),
        pytest.param(
            factories.bzimage(gzip.compress(factories.vmlinux(_OTHER)), version=_REBUILT),
            "",
            _OTHER,
            False,
            "build_id",
            [],
            id="another build that says so",
        ),
        pytest.param(
            factories.bzimage(_zstd(factories.vmlinux())),
            "",
            None,
            True,
            "version",
            ["image.build_id"],
            id="no zstd: the version",
        ),
        pytest.param(
            factories.bzimage(_zstd(factories.vmlinux()), version=_REBUILT),
            "",
            None,
            False,
            "version",
            ["image.build_id"],
            id="no zstd: another version",
        ),
        pytest.param(
            factories.bzimage(_zstd(factories.vmlinux()), version=None),
            "",
            None,
            None,
            None,
            ["image.basis", "image.build_id", "image.matches_running", "image.version"],
            id="neither",
        ),
        pytest.param(
            factories.bzimage(gzip.compress(factories.vmlinux()), version=_REBUILT),
            "",
            factories.BUILD_ID,
            None,
            None,
            ["image.basis", "image.matches_running"],
            id="the witnesses disagree",
        ),
        pytest.param(
            factories.bzimage(gzip.compress(factories.vmlinux())),
            "/proc/version",
            factories.BUILD_ID,
            True,
            "build_id",
            [],
            id="no proc",
        ),
        pytest.param(
            factories.bzimage(_zstd(factories.vmlinux())),
            "/proc/version",
            None,
            None,
            None,
            ["image.basis", "image.build_id", "image.matches_running"],
            id="no zstd, no proc",
        ),
        pytest.param(
            factories.bzimage(gzip.compress(factories.vmlinux())),
            "/sys/kernel/notes",
            factories.BUILD_ID,
            True,
            "version",
            ["build_id"],
            id="the running build ID is unknown",
        ),
        pytest.param(
            factories.vmlinux(), "", factories.BUILD_ID, True, "build_id", ["image.version"], id="ppc64le: ELF"
        ),
    ],
)
def test_image(
    machine: Any, image: bytes, running: str, build_id: Any, matches: Any, basis: Any, unmeasured: Any
) -> None:
    machine.put(_IMAGE, image)
    if running:
        machine.remove(running)
    kernel = _kernel_facts.gather_kernel(machine)
    told = kernel["image"]
    assert (told["build_id"], told["matches_running"], told["basis"]) == (build_id, matches, basis)
    assert sorted(set(kernel["unmeasured"]) - _ALWAYS - {"reboot_pending"}) == unmeasured
    assert ("reboot_pending" in kernel["unmeasured"]) is (matches is None)
    assert all(kernel["unmeasured"].values())
    if "image.build_id" in unmeasured:
        assert "this host has no zstd to unpack it. Install zstd" in kernel["unmeasured"]["image.build_id"]


@pytest.mark.parametrize(
    "beside, content, image_id, build_id, matches",
    [
        ("/boot/vmlinux-{}.gz", gzip.compress(factories.vmlinux()), None, factories.BUILD_ID, True),
        ("/boot/vmlinux-{}.xz", lzma.compress(factories.vmlinux()), None, factories.BUILD_ID, True),
        ("/usr/lib/modules/{}/vmlinux.xz", lzma.compress(factories.vmlinux()), None, factories.BUILD_ID, True),
        ("/boot/vmlinux-{}.gz", gzip.compress(factories.vmlinux(_OTHER)), None, _OTHER, False),
        # What is beside it was left from another build: what boots decides
        ("/boot/vmlinux-{}.gz", gzip.compress(factories.vmlinux(_OTHER)), factories.BUILD_ID, factories.BUILD_ID, True),
        ("/boot/vmlinux-{}.xz", lzma.compress(factories.vmlinux()), _OTHER, _OTHER, False),
        ("/boot/vmlinux-{}.xz", b"\xfd7zXZ\0 never read", factories.BUILD_ID, factories.BUILD_ID, True),
        ("/boot/vmlinux-{}.gz", b"\x1f\x8b\x08 damaged", factories.BUILD_ID, factories.BUILD_ID, True),
        ("/boot/vmlinux-{}.gz", b"\x1f\x8b\x08 damaged", _OTHER, _OTHER, False),
    ],
)
def test_vmlinux_beside_the_image(
    machine: Any, beside: str, content: bytes, image_id: Any, build_id: str, matches: bool
) -> None:
    """SUSE ships it; the image itself needs a tool that the host has not got, where no ID is named."""
    packed = _zstd(factories.vmlinux()) if image_id is None else gzip.compress(factories.vmlinux(image_id))
    machine.put(_IMAGE, factories.bzimage(packed))
    machine.put(beside.format(factories.RELEASE), content)
    kernel = _kernel_facts.gather_kernel(machine)
    assert kernel["image"]["path"] == _IMAGE
    assert (kernel["image"]["build_id"], kernel["image"]["matches_running"]) == (build_id, matches)
    assert set(kernel["unmeasured"]) == _ALWAYS
