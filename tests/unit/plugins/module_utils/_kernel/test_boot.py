# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _kernel_facts
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import boot
from tests.support import factories

_ENTRY = """title Red Hat Enterprise Linux ({0}) 9.4 (Plow)
version {0}
linux /vmlinuz-{0}
initrd /initramfs-{0}.img $tuned_initrd
options root=/dev/mapper/rhel-root ro
id rhel-{0}
"""
_OLD, _NEW = "5.14.0-427.9.1.el9_4.x86_64", "5.14.0-427.13.1.el9_4.x86_64"
_MACHINE = "0a1b2c3d"
_BLS = {
    f"/boot/loader/entries/{_MACHINE}-{_OLD}.conf": _ENTRY.format(_OLD),
    f"/boot/loader/entries/{_MACHINE}-{_NEW}.conf": _ENTRY.format(_NEW),
    "/boot/loader/entries/README": "no entry",
}
_MENU = """
set default="${saved_entry}"
menuentry 'SLES 15-SP4' --class sles --class gnu-linux $menuentry_id_option 'gnulinux-simple-aa11' {
    load_video
    echo 'Loading Linux 5.14.21-150400.24.103-default ...'
    linux   /boot/vmlinuz-5.14.21-150400.24.103-default root=UUID=aa11 splash=silent
    initrd  /boot/initrd-5.14.21-150400.24.103-default
}
submenu 'Advanced options for SLES 15-SP4' --hotkey=1 $menuentry_id_option 'gnulinux-advanced-aa11' {
    menuentry 'SLES 15-SP4, with Linux 5.14.21-150400.24.103-default' $menuentry_id_option 'gnulinux-24.103-aa11' {
        linux   /boot/vmlinuz-5.14.21-150400.24.103-default root=UUID=aa11
    }
    menuentry 'SLES 15-SP4, with Linux 5.14.21-150400.24.97-default' $menuentry_id_option 'gnulinux-24.97-aa11' {
        linux   /boot/vmlinuz-5.14.21-150400.24.97-default root=UUID=aa11
    }
}
"""
_HEADER = "# GRUB Environment Block\n"
_103, _97 = "5.14.21-150400.24.103-default", "5.14.21-150400.24.97-default"
_EXTLINUX = (
    "default l0\nlabel l1\n  linux /boot/vmlinuz-5.10.0-1\nLABEL l0\n  KERNEL /boot/vmlinuz-6.1.0-56-cloud-amd64\n"
)


@pytest.mark.parametrize(
    "files, links, expected",
    [
        pytest.param(_BLS, {}, (_NEW, "bls"), id="BLS, nothing chosen: TRAP: 13 is newer than 9"),
        pytest.param(
            dict(_BLS, **{"/boot/grub2/grubenv": f"{_HEADER}saved_entry={_MACHINE}-{_OLD}\n"}),
            {},
            (_OLD, "bls"),
            id="BLS, chosen",
        ),
        pytest.param(
            dict(_BLS, **{"/boot/grub2/grubenv": f"{_HEADER}saved_entry={_MACHINE}-{_OLD}\nnext_entry=0\n"}),
            {},
            (_NEW, "bls"),
            id="BLS, chosen for once",
        ),
        pytest.param({"/boot/grub2/grub.cfg": _MENU}, {}, (_103, "grub"), id="menu, nothing chosen"),
        pytest.param(
            {"/boot/grub2/grub.cfg": _MENU, "/boot/grub2/grubenv": _HEADER + "saved_entry=SLES 15-SP4\n"},
            {},
            (_103, "grub"),
            id="menu, by title",
        ),
        pytest.param(
            {
                "/boot/grub2/grub.cfg": _MENU,
                "/boot/grub2/grubenv": _HEADER + "saved_entry=gnulinux-advanced-aa11>gnulinux-24.97-aa11\n",
            },
            {},
            (_97, "grub"),
            id="menu, in a submenu, by its name",
        ),
        pytest.param(
            {"/boot/grub2/grub.cfg": _MENU, "/boot/grub2/grubenv": _HEADER + "saved_entry=1>1\n"},
            {},
            (_97, "grub"),
            id="TRAP: menu, in a submenu, by its number there",
        ),
        pytest.param(
            {
                "/boot/grub2/grub.cfg": "menuentry 'Memory test' {\n  linux16 /boot/memtest\n}\n" + _MENU,
                "/boot/grub2/grubenv": _HEADER + "saved_entry=2>gnulinux-24.97-aa11\n",
            },
            {},
            (_97, "grub"),
            id="TRAP: menu, an entry without a kernel counts",
        ),
        pytest.param(
            {"/boot/grub/grub.cfg": _MENU.replace("linux   ", "linuxefi   ")}, {}, (_103, "grub"), id="menu, EFI"
        ),
        pytest.param(
            {"/boot/extlinux/extlinux.conf": _EXTLINUX}, {}, ("6.1.0-56-cloud-amd64", "extlinux"), id="extlinux"
        ),
        pytest.param(
            {"/boot/extlinux/extlinux.conf": "label linux\n linux /vmlinuz\n"},
            {"/boot/vmlinuz": "vmlinuz-6.1.0-56-cloud-amd64"},
            ("6.1.0-56-cloud-amd64", "extlinux"),
            id="extlinux, by link",
        ),
        pytest.param({}, {"/boot/vmlinuz": "vmlinuz-" + _97}, (_97, "link"), id="link"),
        pytest.param({}, {"/boot/image": "image-" + _97}, (_97, "link"), id="link, s390x"),
        pytest.param(
            {"/boot/vmlinuz-" + _97: "", "/boot/vmlinuz-" + _103: "", "/boot/vmlinuz-rescue": "", "/boot/config-9": ""},
            {},
            (_103, "newest_installed"),
            id="TRAP: 103 is newer than 97",
        ),
    ],
)
def test_find(host: Any, files: Any, links: Any, expected: Any) -> None:
    for path, text in files.items():
        host.put(path, text)
    for path, target in links.items():
        os.makedirs(os.path.dirname(host.resolve_path(path)), exist_ok=True)
        os.symlink(target, host.resolve_path(path))
    assert boot.find_next_boot(host) == expected


def test_nothing_is_known(host: Any) -> None:
    with pytest.raises(Unmeasured, match="no known boot loader"):
        boot.find_next_boot(host)


def test_kexec(host: Any) -> None:
    host.put("/boot/vmlinuz-1", "")
    host.put("/sys/kernel/kexec_loaded", "1")
    with pytest.raises(Unmeasured, match="loaded for kexec"):
        boot.find_next_boot(host)


@pytest.mark.parametrize(
    "text",
    ["", "saved_entry", "saved_entry=9\n", "saved_entry=no such\n", "\0\xff=\n", "saved_entry=1>2>\n", "saved_entry=2"],
)
def test_what_cannot_be_meant_is_not_guessed(host: Any, text: str) -> None:
    host.put("/boot/grub2/grub.cfg", _MENU if text.startswith("saved_entry=") else "menuentry 'x' {\n")
    host.put("/boot/grub2/grubenv", text)
    with pytest.raises(Unmeasured):
        boot.find_next_boot(host)


@pytest.mark.parametrize(
    "newest, image, expected",
    [
        ("6.1.0-56-cloud-amd64", True, False),
        ("6.1.0-57-cloud-amd64", True, True),
        ("6.1.0-100-cloud-amd64", True, True),
        ("6.1.0-9-cloud-amd64", True, False),
        ("6.1.0-56-cloud-amd64", False, True),
    ],
)
def test_reboot_pending(machine: Any, newest: str, image: bool, expected: bool) -> None:
    machine.put("/boot/extlinux/extlinux.conf", f"label linux\n linux /boot/vmlinuz-{newest}\n")
    if not image:
        machine.put("/boot/vmlinuz-" + machine.release, factories.vmlinux("7f" * 20))
    kernel = _kernel_facts.gather_kernel(machine)
    assert kernel["next_boot"] == {"release": newest, "basis": "extlinux"}
    assert kernel["reboot_pending"] is expected
