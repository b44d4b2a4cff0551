# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import hashlib
import re
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import ImportFailed, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm
from tests.support import factories
from tests.support.machine import rpm_identity, rpm_record

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
    host.answers["rpm"] = Completed(0, "warning", "")
    with pytest.raises(Unmeasured, match="not a package"):
        rpm.list_installed(host, _NAME)


def test_unsigned_and_epoch(host: Any, recorded: Any) -> None:
    text = recorded("rpm-6.1-level3").out.replace("<epoch>0<", "<epoch>1<")
    text = re.sub("<signature>.*?</signature>", "<signature>(none)</signature>", text)
    host.answers["rpm"] = Completed(0, text, "")
    (found,) = rpm.list_installed(host, _NAME)
    assert (found.package.evr, found.signature) == ("1:3-150400.2.1", None)


def test_epoch_that_is_zero(host: Any, recorded: Any) -> None:
    host.answers["rpm"] = recorded("rpm-6.1-level3")._replace(
        out=recorded("rpm-6.1-level3").out.replace("<epoch></epoch>", "<epoch>0</epoch>")
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
    assert str(found.signature).endswith("Key ID e408b279d5db9429")
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


# As gpg printed them of the same keys
_LAB = "36E1ED760D381F22E4DF0F9B8A1B1E536414FB23"
_ED25519 = "2E92639825C2722C4516D5C000AD48220952F174"


def test_keys(host: Any, recorded: Any) -> None:
    """Recorded with rpm 4.18: an RSA key, and an Ed25519 one with a subkey, which counts for it."""
    host.answers["rpm"] = recorded("rpm-keys")
    lab = rpm.Signer(_LAB, "fleet.livepatch lab")
    other = rpm.Signer(_ED25519, "With a subkey <subkey@example.com>")
    assert rpm.list_keys(host) == {"8a1b1e536414fb23": lab, "00ad48220952f174": other, "65a4f8eed404ef83": other}
    assert str(lab) == f"fleet.livepatch lab ({_LAB})"


def test_keys_that_cannot_be_told_apart(host: Any) -> None:
    """A subkey that two keys claim says nothing of who signed; a damaged key counts as one that is not there."""
    texts = [
        factories.public_key("a", "A", "shared"),
        factories.public_key("b", "B", "shared"),
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense\n-----END PGP PUBLIC KEY BLOCK-----",
    ]
    host.answers["rpm"] = Completed(0, "".join(rpm_record({"key": text}) for text in texts), "")
    assert set(rpm.list_keys(host)) == {factories.key_id("a"), factories.key_id("b")}


def test_keys_in_files(host: Any) -> None:
    """rpm 6: not in the database."""
    host.answers["rpm"] = Completed(1, "package gpg-pubkey is not installed\n", "")
    text = factories.public_key("a", "A") + "\n" + factories.public_key("b", "B")
    host.answers["rpmkeys|--export"] = Completed(0, text, "")
    assert {signer.owner for signer in rpm.list_keys(host).values()} == {"A", "B"}


def test_import(host: Any) -> None:
    host.answers["rpm|--import"] = Completed(0, "", "")
    rpm.import_keys(host, "/keys")
    assert host.calls == [["rpm", "--import", "/keys"]]
    # Of rpm 4.18, for a file without a key
    host.answers["rpm|--import"] = Completed(1, "", "error: /keys: key 1 not an armored public key.\n")
    with pytest.raises(ImportFailed, match=r"does not import /keys: error: /keys: key 1 not an armored.*rpm --import"):
        rpm.import_keys(host, "/keys")


@pytest.mark.parametrize("seed", ["a", "a1"])
def test_removal(machine: Any, seed: str) -> None:
    machine.imported = [factories.public_key("a", "A", "a1"), factories.public_key("b", "B")]
    assert rpm.remove_key(machine, factories.fingerprint(seed))
    assert machine.ran("rpm")[-2] == [
        "rpm",
        "-e",
        "gpg-pubkey-" + factories.fingerprint("a")[-8:].lower() + "-65000000",
    ]
    assert machine.imported == [factories.public_key("b", "B")]


def test_removal_that_does_not_work(host: Any) -> None:
    """rpm 6, where the key is in a file."""
    host.answers["rpm"] = Completed(1, "package gpg-pubkey is not installed\n", "")
    host.answers["rpmkeys|--export"] = Completed(0, factories.public_key("a", "A"), "")
    host.answers["rpmkeys|--delete"] = Completed(1, "", "error: key not found\n")
    assert not rpm.remove_key(host, factories.fingerprint("a"))
    assert ["rpmkeys", "--delete", factories.fingerprint("a")] in host.calls


def test_no_keys(host: Any) -> None:
    host.answers["rpm"] = Completed(1, "package gpg-pubkey is not installed\n", "")
    assert rpm.list_keys(host) == {}


@pytest.mark.parametrize(
    "signature, signer",
    [
        ("RSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID 8a1b1e536414fb23", _LAB),
        ("DSA/SHA1, Thu 12 Jan 2012 12:00:00 PM UTC, Key ID 8A1B1E536414FB23", _LAB),
        ("EdDSA/SHA512, Mon Nov 23 17:58:31 2026, Key Fingerprint: 2e92639825c2722c4516d5c000ad48220952f174", _ED25519),
        ("RSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID 65a4f8eed404ef83", _ED25519),
        ("RSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID 6414fb23", None),
        ("RSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID 008a1b1e536414fb23", None),
        ("RSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID 8a1b1e536414fb2300", None),
        ("(none)", None),
        (None, None),
    ],
)
def test_signer(host: Any, recorded: Any, signature: Any, signer: Any) -> None:
    host.answers["rpm"] = recorded("rpm-keys")
    found = rpm.find_signer(signature, rpm.list_keys(host))
    assert (found.fingerprint if found else None) == signer


def test_content(host: Any, recorded: Any) -> None:
    """Recorded with rpm 4.18 of a KMP of the lab."""
    host.answers["rpm"] = recorded("rpm-content")
    found = rpm.read_package_file(host, "/x.rpm")
    name = "kernel-livepatch-6_1_0-57-cloud-amd64"
    assert found.package == (name, "2-150400.2.1", "x86_64")
    assert found.signature == "RSA/SHA512, Mon Nov 30 15:17:19 2026, Key ID f8f37644c654fc24"
    assert ("livepatch-target(build-id)", "=", "01d2640d3a13145ee314eb05b155f141b7b7058b") in found.provides
    assert ("rpmlib(FileDigests)", "<=", "4.6.0-1") in found.requires
    assert found.files[1] == "/lib/modules/6.1.0-57-cloud-amd64/livepatch/livepatch-2-150400_2_1.ko"
    assert found.digests[:3] == (
        "82bcba04c084907d31004235df20ab79850332318d7ac41309c97823c98ed99c",
        "473c4f1c25cdf2b202ae32dc535ca5195b2a62b2",
        "b6Y5XeAaBQ8z/JNM3WnvYQ==",
    )
    assert len(found.digests[3]) > 500


def test_vendor_that_pretends_to_be_the_next_fields(host: Any) -> None:
    forged = "SUSE LLC\x1fRSA/SHA512, Mon Nov 23 2026, Key ID 8a1b1e536414fb23\x1f</vendor><signature>x\x1e"
    fields = rpm_identity(_NAME, "3-1", "x86_64")
    fields.update(vendor=forged, signature="(none)", requires=[], provides=[], files=[], changelog=[], digests=("a",))
    host.answers["rpm"] = Completed(0, rpm_record(fields), "")
    (found,) = rpm.list_installed(host, _NAME)
    assert found.signature is None
    assert found.vendor == forged.replace("\x1f", "\ufffd").replace("\x1e", "\ufffd")


def test_rpm_that_knows_no_digest_of_256_bits(host: Any, monkeypatch: Any, recorded: Any) -> None:
    """rpm up to 4.13. The message is that of rpm 4.18 for a tag that it does not know."""
    forms = []

    def run(argv: Any, environment: Any = None, seconds: Any = None) -> Any:
        forms.append(argv[argv.index("--qf") + 1])
        if "SHA256HEADER" in forms[-1]:
            return Completed(1, "", 'error: incorrect format: unknown tag: "SHA256HEADER"\n')
        return recorded("rpm-6.1-level3")

    monkeypatch.setattr(host, "run", run)
    assert len(rpm.list_installed(host, _NAME)) == 1
    assert len(forms) == 2


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
    identity = rpm_identity("kernel-cloud-amd64", "6.12.117-deb12.1", "x86_64")
    host.answers["rpm"] = Completed(0, rpm_record(identity), "")
    assert rpm.find_owner(host, "/boot/vmlinuz") == ("kernel-cloud-amd64", "6.12.117-deb12.1", "x86_64")
    assert host.calls[0][:2] == ["rpm", "-qf"]
    assert host.calls[0][-1] == "/boot/vmlinuz"


@pytest.mark.parametrize("answer", ["rpm-6.1-unowned", "rpm-6.1-missing"])
def test_no_owner(host: Any, recorded: Any, answer: str) -> None:
    host.answers["rpm"] = recorded(answer)
    assert rpm.find_owner(host, "/etc/fstab") is None


_LINE = "RSA/SHA512, Mon Nov 30 16:26:11 2026, Key ID {}\n"
_EMPTY = {"vendor": (), "requires": [], "provides": [], "files": [], "changelog": [], "digests": ()}  # type: Any
_CHECK = "    {}V4 RSA/SHA512 Signature, key ID {}: OK\n"


@pytest.mark.parametrize(
    ("signatures", "checked", "found"),
    [
        # Of the header, and of all that follows it too
        (["a"], ["Header a"], "a"),
        (["a", "legacy a"], ["Header a", "a"], "a"),
        (["a", "legacy a"], ["Header a"], "a"),
        (["legacy a"], ["a"], "a"),
        # Of version 6, which makes that of version 4 unneeded
        (["openpgp a"], ["Header a"], "a"),
        (["openpgp a", "a"], ["Header a"], "a"),
        # Of two keys
        (["a", "legacy b"], ["Header a", "b"], "unknown_key"),
        (["a", "b"], ["Header a", "Header b"], "unknown_key"),
        (["openpgp a", "b"], ["Header a"], "unknown_key"),
        # Of a key that the host does not have
        (["c"], ["Header c"], "unknown_key"),
        # One that rpm skips, and says nothing of
        (["a"], [], "bad"),
        (["a", "legacy b"], ["b"], "bad"),
        (["a", "b"], ["Header b"], "bad"),
        (["legacy a"], [], "bad"),
        (["openpgp a", "openpgp b"], ["Header b"], "bad"),
    ],
)
def test_all_signatures_count(signatures: Any, checked: Any, found: str) -> None:
    """Who makes a package can put the vendor's signature beside his own, damaged so that rpm skips it."""
    trusted = {letter * 16: rpm.Signer(letter * 40, letter) for letter in "ab"}
    text = "".join(
        f"{kind}{space}{_LINE.format(key * 16)}" for kind, space, key in (s.rpartition(" ") for s in signatures)
    )
    lines = "".join(_CHECK.format(kind + space, key * 8) for kind, space, key in (c.rpartition(" ") for c in checked))
    record = rpm_record({**rpm_identity("x", "1-1", "noarch"), **_EMPTY, "signature": text})

    class _Rpm(Host):
        def run(self, argv: Any, environment: Any = None, seconds: Any = None) -> Completed:
            out = "/x.rpm:\n    Header SHA256 digest: OK\n" + lines if "-Kv" in argv else record
            return Completed(0, out, "")

    verified = rpm.verify_file(_Rpm(), "/x.rpm", trusted, allow_unsigned=True)
    assert (verified.signer.owner if verified.signer else verified.signature) == found
