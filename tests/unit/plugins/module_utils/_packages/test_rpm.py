# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm

_NAME = "kernel-livepatch-6_1_0-56-cloud-amd64"


@pytest.mark.parametrize(
    "kernel, level, package, path, fixes",
    [
        (
            "6.1",
            1,
            (_NAME, "1-150400.9.3.1", "x86_64"),
            "/lib/modules/6.1.0-56-cloud-amd64/livepatch/livepatch-1-150400_9_3_1.ko",
            0,
        ),
        (
            "6.1",
            3,
            (_NAME, "3-150400.2.1", "x86_64"),
            "/lib/modules/6.1.0-56-cloud-amd64/livepatch/livepatch-3-150400_2_1.ko",
            2,
        ),
        (
            "6.12",
            2,
            ("kernel-livepatch-6_12_117+deb12-cloud-amd64", "2-150400.2.1", "x86_64"),
            "/lib/modules/6.12.117+deb12-cloud-amd64/livepatch/livepatch-2-150400_2_1.ko",
            1,
        ),
    ],
)
def test_installed(host: Any, recorded: Any, kernel: str, level: int, package: Any, path: str, fixes: int) -> None:
    host.answers["rpm"] = recorded(f"rpm-{kernel}-level{level}")
    (found,) = rpm.installed(host, package[0])
    assert found.package == package
    assert found.signature is not None
    assert found.signature.startswith("RSA/SHA512, ")
    assert path in found.files
    assert len(found.files) == 2
    assert found.changelog.count("CVE-") == fixes
    assert host.calls[0][:3] == ["rpm", "-q", "--qf"]
    assert host.calls[0][-1] == package[0]


def test_side_by_side(host: Any, recorded: Any) -> None:
    # In the order in which rpm told them on a lab host
    records = "".join(recorded(f"rpm-6.1-level{level}").out for level in (2, 3, 1))
    host.answers["rpm"] = Completed(0, records, "")
    found = rpm.installed(host, _NAME)
    assert [one.package.evr for one in found] == ["2-150400.2.1", "3-150400.2.1", "1-150400.9.3.1"]
    assert [one.changelog.count("CVE-") for one in found] == [1, 2, 0]


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_not_installed(host: Any, recorded: Any, kernel: str) -> None:
    host.answers["rpm"] = recorded(f"rpm-{kernel}-none")
    assert rpm.installed(host, _NAME) == []


def test_database_cannot_be_opened(host: Any, recorded: Any) -> None:
    host.answers["rpm"] = recorded("rpm-6.1-no-database")
    with pytest.raises(Unmeasured):
        rpm.installed(host, _NAME)


def test_fails_otherwise(host: Any) -> None:
    host.answers["rpm"] = Completed(1, "", "error: rpmdb: BDB0113 Thread/process 1 failed\n")
    with pytest.raises(Unmeasured, match=r"BDB0113.*verifydb"):
        rpm.installed(host, _NAME)


def test_no_rpm(host: Any) -> None:
    with pytest.raises(Unmeasured, match="cannot run rpm"):
        rpm.installed(host, _NAME)


def test_not_a_record(host: Any) -> None:
    host.answers["rpm"] = Completed(0, "warning\x1e", "")
    with pytest.raises(Unmeasured, match="not a package"):
        rpm.installed(host, _NAME)


def test_unsigned_and_epoch(host: Any, recorded: Any) -> None:
    fields = recorded("rpm-6.1-level3").out.split("\x1f")
    fields[1], fields[3] = "1:3-150400.2.1", "(none)"
    host.answers["rpm"] = Completed(0, "\x1f".join(fields), "")
    (found,) = rpm.installed(host, _NAME)
    assert (found.package.evr, found.signature) == ("1:3-150400.2.1", None)


def test_epoch_that_is_zero(host: Any, recorded: Any) -> None:
    host.answers["rpm"] = recorded("rpm-6.1-level3")._replace(
        out=recorded("rpm-6.1-level3").out.replace("\x1f3-150400.2.1\x1f", "\x1f0:3-150400.2.1\x1f")
    )
    assert rpm.installed(host, _NAME)[0].package.evr == "3-150400.2.1"


def test_owner(host: Any) -> None:
    # As rpm 4.18 prints the lab's package
    host.answers["rpm"] = Completed(0, "kernel-cloud-amd64\x1f6.12.117-deb12.1\x1fx86_64\x1e", "")
    assert rpm.owner(host, "/boot/vmlinuz") == ("kernel-cloud-amd64", "6.12.117-deb12.1", "x86_64")
    assert host.calls[0][:2] == ["rpm", "-qf"]
    assert host.calls[0][-1] == "/boot/vmlinuz"


@pytest.mark.parametrize("answer", ["rpm-6.1-unowned", "rpm-6.1-missing"])
def test_no_owner(host: Any, recorded: Any, answer: str) -> None:
    host.answers["rpm"] = recorded(answer)
    assert rpm.owner(host, "/etc/fstab") is None
