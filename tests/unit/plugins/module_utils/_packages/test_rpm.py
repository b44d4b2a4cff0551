# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import hashlib
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
    (found,) = rpm.list_installed(host, package[0])
    assert found.package == package
    assert found.signature is not None
    assert found.signature.startswith("RSA/SHA512, ")
    assert found.vendor == "fleet.livepatch lab"
    version = {"6.1": "6.1.0-56", "6.12": "6.12.117-deb12"}[kernel]
    assert ("kernel-cloud-amd64", "=", version) in found.requires
    assert path in found.files
    assert len(found.files) == 2
    assert found.changelog.count("CVE-") == fixes
    assert host.calls[0][:3] == ["rpm", "-q", "--qf"]
    assert host.calls[0][-1] == package[0]


def test_side_by_side(host: Any, recorded: Any) -> None:
    # In the order in which rpm told them on a lab host
    records = "".join(recorded(f"rpm-6.1-level{level}").out for level in (2, 3, 1))
    host.answers["rpm"] = Completed(0, records, "")
    found = rpm.list_installed(host, _NAME)
    assert [one.package.evr for one in found] == ["2-150400.2.1", "3-150400.2.1", "1-150400.9.3.1"]
    assert [one.changelog.count("CVE-") for one in found] == [1, 2, 0]


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_not_installed(host: Any, recorded: Any, kernel: str) -> None:
    host.answers["rpm"] = recorded(f"rpm-{kernel}-none")
    assert rpm.list_installed(host, _NAME) == []


def test_database_cannot_be_opened(host: Any, recorded: Any) -> None:
    host.answers["rpm"] = recorded("rpm-6.1-no-database")
    with pytest.raises(Unmeasured):
        rpm.list_installed(host, _NAME)


def test_fails_otherwise(host: Any) -> None:
    host.answers["rpm"] = Completed(1, "", "error: rpmdb: BDB0113 Thread/process 1 failed\n")
    with pytest.raises(Unmeasured, match=r"BDB0113.*verifydb"):
        rpm.list_installed(host, _NAME)


def test_no_rpm(host: Any) -> None:
    with pytest.raises(Unmeasured, match="cannot run rpm"):
        rpm.list_installed(host, _NAME)


def test_not_a_record(host: Any) -> None:
    host.answers["rpm"] = Completed(0, "warning\x1e", "")
    with pytest.raises(Unmeasured, match="not a package"):
        rpm.list_installed(host, _NAME)


def test_unsigned_and_epoch(host: Any, recorded: Any) -> None:
    fields = recorded("rpm-6.1-level3").out.split("\x1f")
    fields[1], fields[4] = "1:3-150400.2.1", "(none)"
    host.answers["rpm"] = Completed(0, "\x1f".join(fields), "")
    (found,) = rpm.list_installed(host, _NAME)
    assert (found.package.evr, found.signature) == ("1:3-150400.2.1", None)


def test_epoch_that_is_zero(host: Any, recorded: Any) -> None:
    host.answers["rpm"] = recorded("rpm-6.1-level3")._replace(
        out=recorded("rpm-6.1-level3").out.replace("\x1f3-150400.2.1\x1f", "\x1f0:3-150400.2.1\x1f")
    )
    assert rpm.list_installed(host, _NAME)[0].package.evr == "3-150400.2.1"


@pytest.mark.parametrize(
    "kernel, image, evr, digest",
    [
        ("6.1", "vmlinuz-6.1.0-56-cloud-amd64", "6.1.0-56.1", "51349501a3d1ff83"),
        ("6.12", "vmlinuz-6.12.117+deb12-cloud-amd64", "6.12.117-deb12.1", None),
    ],
)
def test_kernel(host: Any, recorded: Any, kernel: str, image: str, evr: str, digest: Any) -> None:
    host.answers["rpm"] = recorded(f"rpm-{kernel}-kernel")
    found = rpm.find_kernel_package(host, "/boot/" + image)
    assert found is not None
    assert (found.package, found.vendor) == (("kernel-cloud-amd64", evr, "x86_64"), "fleet.livepatch lab")
    assert ("kernel-cloud-amd64", "=", evr.rpartition(".")[0]) in found.provides
    assert ("multiversion(kernel)", "", "") in found.provides
    assert found.algorithm == "sha256"
    assert found.digest is not None
    assert len(found.digest) == 64
    assert digest is None or found.digest.startswith(digest)
    assert rpm.parse_key_id(found.signature) == "d5db9429"
    host.answers["rpm"] = recorded(f"rpm-{kernel}-kernel")
    missing = rpm.find_kernel_package(host, "/boot/other")
    assert missing is not None
    assert missing.digest is None


def test_kernel_of_no_package(host: Any, recorded: Any) -> None:
    host.answers["rpm"] = recorded("rpm-6.1-unowned")
    assert rpm.find_kernel_package(host, "/boot/vmlinuz") is None


@pytest.mark.parametrize(
    "algorithm, content, expected",
    [
        ("sha256", b"kernel", True),
        ("sha256", b"kernel!", False),
        ("no such", b"kernel", None),
    ],
)
def test_is_unchanged(host: Any, algorithm: str, content: bytes, expected: Any) -> None:
    host.put("/boot/vmlinuz", content)
    digest = hashlib.sha256(b"kernel").hexdigest()
    package = rpm.KernelPackage(rpm.Package("k", "1-1", "x86_64"), None, None, [], digest, algorithm)
    assert rpm.is_unchanged(host, "/boot/vmlinuz", package) is expected
    assert rpm.is_unchanged(host, "/boot/vmlinuz", package._replace(digest=None)) is None


@pytest.mark.parametrize("case, expected", [("good", "good"), ("unsigned", "unsigned"), ("missigned", "unknown_key")])
def test_check(host: Any, recorded: Any, case: str, expected: str) -> None:
    host.answers["rpm"] = recorded("rpm-6.1-check-" + case)
    assert rpm.check_signature(host, "/x.rpm") == expected


@pytest.mark.parametrize(
    "rc, out, expected",
    [
        pytest.param(1, None, "bad", id="damaged"),
        pytest.param(0, "", "bad", id="nothing was checked"),
        pytest.param(1, "error: /x.rpm: not an rpm package\n", "bad", id="no package"),
        # TRAP: an exit code of 0 is no signature
        pytest.param(0, "/x.rpm:\n    Header SHA1 digest: OK\n    MD5 digest: OK\n", "unsigned", id="4.14, unsigned"),
        pytest.param(
            0,
            "/x.rpm:\n    Header V3 RSA/SHA256 Signature, key ID 39db7c82: OK\n    Header SHA1 digest: OK\n"
            "    V3 RSA/SHA256 Signature, key ID 39db7c82: OK\n    MD5 digest: OK\n",
            "good",
            id="4.14, signed",
        ),
        pytest.param(
            1,
            "/x.rpm:\n    Header V3 RSA/SHA256 Signature, key ID 39db7c82: BAD\n    Header SHA1 digest: OK\n",
            "bad",
            id="bad signature",
        ),
        pytest.param(1, "/x.rpm:\n    Header V3 RSA/SHA256 Signature, key ID 1: OK\n", "bad", id="something else"),
    ],
)
def test_check_of_other_rpms(host: Any, recorded: Any, rc: int, out: Any, expected: str) -> None:
    host.answers["rpm"] = recorded("rpm-6.1-check-damaged") if out is None else Completed(rc, out, "")
    assert rpm.check_signature(host, "/x.rpm") == expected


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_keys(host: Any, recorded: Any, kernel: str) -> None:
    host.answers["rpm"] = recorded(f"rpm-{kernel}-keys")
    assert rpm.list_keys(host) == {"d5db9429": "fleet.livepatch lab"}


def test_no_keys(host: Any) -> None:
    host.answers["rpm"] = Completed(1, "package gpg-pubkey is not installed\n", "")
    assert rpm.list_keys(host) == {}


@pytest.mark.parametrize(
    "signature, expected",
    [
        ("RSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID 6a262477b1d712c8", "b1d712c8"),
        ("DSA/SHA1, Thu 12 Jan 2012 12:00:00 PM UTC, Key ID 219180CDDB42A60E", "db42a60e"),
        ("(none)", None),
        (None, None),
    ],
)
def test_key_id(signature: Any, expected: Any) -> None:
    assert rpm.parse_key_id(signature) == expected


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_in_file(host: Any, recorded: Any, kernel: str) -> None:
    host.answers["rpm"] = recorded(f"rpm-{kernel}-file")
    found = rpm.read_package_file(host, "/x.rpm")
    assert found.package.evr == "2-150400.2.1"
    assert len(found.files) == 2
    assert "CVE-2099-0002" in found.changelog


def test_in_file_that_is_none(host: Any) -> None:
    host.answers["rpm"] = Completed(1, "", "error: open of /x.rpm failed: No such file or directory\n")
    with pytest.raises(Unmeasured, match="not a readable package: error: open of"):
        rpm.read_package_file(host, "/x.rpm")


def test_owner(host: Any) -> None:
    # As rpm 4.18 prints the lab's package
    host.answers["rpm"] = Completed(0, "kernel-cloud-amd64\x1f6.12.117-deb12.1\x1fx86_64\x1e", "")
    assert rpm.find_owner(host, "/boot/vmlinuz") == ("kernel-cloud-amd64", "6.12.117-deb12.1", "x86_64")
    assert host.calls[0][:2] == ["rpm", "-qf"]
    assert host.calls[0][-1] == "/boot/vmlinuz"


@pytest.mark.parametrize("answer", ["rpm-6.1-unowned", "rpm-6.1-missing"])
def test_no_owner(host: Any, recorded: Any, answer: str) -> None:
    host.answers["rpm"] = recorded(answer)
    assert rpm.find_owner(host, "/etc/fstab") is None
