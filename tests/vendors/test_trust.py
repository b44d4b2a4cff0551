# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hostile repository or a stranger's key can do to a host with real package tools.

In each case the vendor's own KMPs are offered as well, and they are what must be installed.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _ensure
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import AcceptedRevision, Policy
from tests.support import factories
from tests.vendors.host import Repositories, VendorHost, prepare
from tests.vendors.packages import RED_HAT_NAME, SUSE_NAME, VENDOR, Builder, Keyring, Kmp, forge_signature
from tests.vendors.root import Root

# What a package's script leaves where it ran
_OWNED = "/run/owned"
_OWN = f"touch {_OWNED}"


@dataclasses.dataclass
class Case:
    """A host, what is offered to it, and what has become of it."""

    host: VendorHost
    repositories: Repositories
    builder: Builder
    keys: Keyring
    name: str

    def kmp(self, level: int = 3, **what: t.Any) -> Path:
        return self.builder.build_kmp(Kmp(level=level, name=self.name, **what))

    def offer(self, *levels: int, **what: t.Any) -> None:
        """The vendor's repository, which is signed and checked."""
        self.repositories.add("updates", [self.kmp(level, **what) for level in levels or (1, 2, 3)])

    def apply(self, **policy: t.Any) -> str:
        """Bring the host to the newest level that it takes; what happened, in a line."""
        self.host.calls.clear()
        request = Request(Policy("always", 600, 10, **policy), 60, "reverse", False)
        try:
            result = _ensure.ensure_state(self.host, request)
            happened = "{state} at level {level}".format(**result["after"])
            warnings = result.get("warnings", [])
        except LivepatchError as exc:
            happened, warnings = f"error: {exc}", []
        owned = "; a script of the other package ran as root" if self.owned else ""
        return "; ".join([happened, *warnings]) + owned

    @property
    def owned(self) -> bool:
        return (self.host.root.folder / _OWNED.lstrip("/")).exists()

    def installed(self) -> list[str]:
        """Signer and level of the installed KMPs."""
        form = "%{VERSION}-%{RELEASE} %{RSAHEADER:pgpsig}\n"
        listed = self.host.run(["rpm", "-q", "--qf", form, self.name]).out.splitlines()
        signers = {self.keys.fingerprint(key)[-16:].lower(): key for key in ("vendor", "twin", "stranger")}
        return sorted(
            f"{line.split()[0]} {signers.get(line.split()[-1], 'unsigned')}" for line in listed if line[0].isdigit()
        )

    def evr(self, level: int) -> str:
        return Kmp(level=level, name=self.name).evr


@pytest.fixture(params=["zypper", "dnf"])
def case(request: pytest.FixtureRequest, root: Root, keys: Keyring, builder: Builder, served: tuple[Path, str]) -> Case:
    trusted = [keys.public(name) for name in ("vendor", "twin", "stranger")]
    host = prepare(root, request.param, builder, trusted)
    shutil.rmtree(served[0])
    served[0].mkdir()
    name = SUSE_NAME if request.param == "zypper" else RED_HAT_NAME
    return Case(host, Repositories(served[0], served[1], keys, host), builder, keys, name)


@pytest.fixture
def show(request: pytest.FixtureRequest, case: Case, table: list[tuple[str, ...]]) -> Callable[[str, str], None]:
    title = request.node.originalname.removeprefix("test_").replace("_", " ")

    def row(happened: str, expected: str) -> None:
        table.append((title, case.host.tool, happened[:150].replace(case.name, "KMP"), expected))

    return row


Show = Callable[[str, str], None]


def test_honest(case: Case, show: Show) -> None:
    case.offer()
    show(case.apply(), "level 3 is active")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert len(case.host.inserted) == 1
    assert not case.owned


@pytest.mark.parametrize("cached", [False, True], ids=["", "cached"])
def test_twin_of_an_unchecked_repository(case: Case, show: Show, cached: bool) -> None:
    case.offer()
    case.repositories.add("another", [case.kmp(key=None, script=_OWN)], checked=False)
    case.repositories.add("zz", [case.kmp(key=None, script=_OWN)], checked=False)
    if cached:
        spec = f"{case.name}={case.evr(3)}" if case.host.tool == "zypper" else f"{case.name}-{case.evr(3)}"
        words = {"zypper": ["-n", "download", "--all-matches"], "dnf": ["-y", "install", "--downloadonly"]}
        case.host.run([case.host.tool, *words[case.host.tool], spec])
    show(case.apply(), "the vendor's level 3 is active, the twin is refused and named")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert not case.owned


def test_twin_for_another_architecture(case: Case, show: Show) -> None:
    case.offer()
    case.repositories.add("another", [case.kmp(key=None, script=_OWN, arch="noarch")], checked=False)
    show(case.apply(), "the vendor's level 3 is active")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert not case.owned


def test_twin_of_what_the_kmp_needs(case: Case, show: Show) -> None:
    case.offer(3, extra="Requires: kernel-livepatch-tools")
    tools = [case.builder.build_plain("kernel-livepatch-tools", "1", "vendor")]
    case.repositories.add("updates", [case.kmp(extra="Requires: kernel-livepatch-tools"), *tools])
    twin = case.builder.build_plain("kernel-livepatch-tools", "1", None, script=_OWN)
    case.repositories.add("another", [twin], checked=False)
    show(case.apply(), "the vendor's level 3 and the vendor's tools are installed")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert not case.owned


def test_stranger_has_what_the_kmp_needs(case: Case, show: Show) -> None:
    case.offer(3, extra="Requires: kernel-livepatch-tools")
    case.repositories.add(
        "another", [case.builder.build_plain("kernel-livepatch-tools", "1", "stranger", script=_OWN)], checked=False
    )
    happened = case.apply()
    assert "no repository has it from the kernel's signer" in happened
    assert case.installed() == []
    assert not case.owned
    happened += "; with builders: " + case.apply(builders=(case.keys.fingerprint("stranger"),))
    show(happened, "refused, until the policy names the builder")
    assert case.installed() == [f"{case.evr(3)} vendor"]


def test_file_replaced_after_its_examination(case: Case, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another program that runs as root, or on a cache that is shared."""
    case.offer()
    twin = case.kmp(key="stranger", script=_OWN)
    run = case.host.run

    def replace(argv: t.Any, environment: t.Any = None, seconds: t.Any = None) -> t.Any:
        if "install" in argv and argv[-1].endswith(".rpm") and "--dry-run" not in argv and "--assumeno" not in argv:
            shutil.copy(twin, case.host.resolve_path(argv[-1]))
        return run(argv, environment, seconds)

    monkeypatch.setattr(case.host, "run", replace)
    happened = case.apply()
    show(happened, "an error, nothing is loaded, the package is removed")
    assert "is not the one that was examined" in happened
    assert case.installed() == []
    assert case.host.inserted == []


def test_forged_vendor(case: Case, show: Show) -> None:
    """Of rpm's fields, separated by a control character, the next one would be the vendor's signature."""
    case.offer()
    key_id = case.keys.fingerprint("vendor")[-16:].lower()
    vendor = f"{VENDOR}\x1fRSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID {key_id}\x1f"
    announced, forged = (case.kmp(99, key="stranger", vendor=name, script=_OWN) for name in ("x" * len(vendor), vendor))
    case.repositories.add("another", [announced], key="stranger", instead=forged)
    show(case.apply(), "the vendor's level 3 is active, the forged one is refused and named")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert not case.owned


@pytest.mark.parametrize("signer", ["stranger", None])
def test_signature_of_the_vendor_that_rpm_skips(case: Case, show: Show, tmp_path: Path, signer: str | None) -> None:
    """Beside one that is right, of a key that the host trusts as well, or beside none."""
    case.offer()
    other = case.kmp(99, key=None, script=_OWN)
    copy, forged = tmp_path / other.name, tmp_path / "forged" / other.name
    forged.parent.mkdir()
    shutil.copy(other, copy)
    if signer is not None:
        # Of the header and all that follows it: the only one that the package has
        case.keys.sign_package(copy, signer, "--rpmv3")
    forge_signature(copy, case.kmp(3), forged)
    case.repositories.add("another", [forged], key="stranger", checked=signer is not None)
    happened = case.apply(allow_unsigned=(case.name,))
    show(happened, "the vendor's level 3 is active, the forged one is refused and named")
    assert f"{case.evr(99)} is refused: its file or a signature in it is damaged" in happened
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert not case.owned


def test_keys_that_a_repository_names(case: Case, show: Show) -> None:
    """The tools would import them for its packages, once they are told to assume yes. zypper goes by the metadata's."""
    for key in ("twin", "stranger"):
        case.host.root.run("rpm", "-e", f"gpg-pubkey-{case.keys.fingerprint(key)[-8:].lower()}")
    case.offer()
    # dnf asks for keys of metadata in a place of its own.
    case.repositories.add("another", [case.kmp(99, key="stranger", script=_OWN)], key="stranger", metadata=False)
    before = case.host.run(["rpm", "-q", "gpg-pubkey"]).out
    happened = case.apply()
    show(happened, "no key is imported; dnf: the vendor's level 3 is active; zypper: the repository is invalid")
    assert case.host.run(["rpm", "-q", "gpg-pubkey"]).out == before
    if case.host.tool == "zypper":
        assert "Repository 'Packages of another' is invalid" in happened
    else:
        assert case.installed() == [f"{case.evr(3)} vendor"]
    assert not case.owned


def test_twin_key_with_the_same_user_id(case: Case, show: Show) -> None:
    case.offer()
    case.repositories.add("another", [case.kmp(99, key="twin", script=_OWN)], key="twin")
    show(case.apply(), "the vendor's level 3 is active, the twin's is refused and named")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert not case.owned


def test_tagged_kmp_of_a_stranger(case: Case, show: Show) -> None:
    case.offer(1, 2, 3, tag=factories.BUILD_ID)
    case.repositories.add(
        "another", [case.kmp(99, key="stranger", tag=factories.BUILD_ID, script=_OWN)], key="stranger"
    )
    show(case.apply(), "the vendor's level 3 is active, the stranger's is refused and named")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert not case.owned


def test_tagged_kmp_of_a_builder(case: Case, show: Show) -> None:
    """The honest twin of the stranger: the operator's policy names its key."""
    case.offer(1, 2, 3, tag=factories.BUILD_ID)
    case.repositories.add(
        "another", [case.kmp(99, key="stranger", vendor="Third party", tag=factories.BUILD_ID)], key="stranger"
    )
    show(case.apply(builders=(case.keys.fingerprint("stranger"),)), "the builder's level 99 is active")
    assert case.installed() == [f"{case.evr(99)} stranger"]


def test_unsigned_by_policy(case: Case, show: Show) -> None:
    case.repositories.add("another", [case.kmp(key=None, tag=factories.BUILD_ID)], checked=False)
    assert "is not signed" in case.apply()
    show(case.apply(allow_unsigned=(case.name,)), "level 3 is active: allow_unsigned names it")
    assert case.installed() == [f"{case.evr(3)} unsigned"]


def test_back_to_an_older_level(case: Case, show: Show) -> None:
    case.offer()
    case.repositories.add("another", [case.kmp(level, key=None, script=_OWN) for level in (1, 2, 3)], checked=False)
    case.apply()
    assert case.installed() == [f"{case.evr(3)} vendor"]
    show(case.apply(level=2, allow_downgrade=True), "the vendor's level 2 is active")
    assert case.installed() == [f"{case.evr(2)} vendor"]
    assert not case.owned


def test_refused_by_the_kernel(case: Case, show: Show) -> None:
    case.offer()
    case.repositories.add("another", [case.kmp(level, key=None, script=_OWN) for level in (1, 2, 3)], checked=False)
    case.apply(level=2)
    assert case.installed() == [f"{case.evr(2)} vendor"]
    case.host.levels[case.evr(3)]["refused"] = "Invalid parameters"
    show(case.apply(), "an error, and the vendor's level 2 is installed again")
    assert case.installed() == [f"{case.evr(2)} vendor"]
    assert not case.owned


def test_metadata_replayed(case: Case, show: Show) -> None:
    """Signed metadata of 90 days ago: the newest level is one that was known to be outdated."""
    now = int(case.host.wall_clock())
    case.repositories.add("updates", [case.kmp(level) for level in (1, 2)], revision=now - 90 * 86400)
    case.repositories.add("updates", [case.kmp(level) for level in (1, 2, 3)], revision=now - 1000)
    case.apply(level=2)
    assert case.installed() == [f"{case.evr(2)} vendor"]
    case.repositories.add("updates", [case.kmp(level) for level in (1, 2)], revision=now - 90 * 86400)
    happened = case.apply()
    assert "its state is unknown" in happened
    assert "repository updates has gone back from revision" in happened
    accepted = AcceptedRevision("updates", str(now - 90 * 86400), "level 3 was withdrawn")
    happened += "; accepted: " + case.apply(accept_revision=(accepted,))
    show(happened, "unknown, with the repository's name, until an operator accepts the revision")
    assert happened.endswith("patched at level 2")


_RETRACTION = (
    "<updates><update status='retracted' type='security'><id>ANOTHER-1</id><issued date='2026-01-01'/><pkglist>"
    "<collection><package name='{name}' version='{version}' release='{release}' arch='x86_64'/></collection></pkglist>"
    "</update></updates>"
)


def test_another_repository_retracts_the_vendors(case: Case, show: Show) -> None:
    case.offer()
    version, release = case.evr(3).split("-")
    updates = _RETRACTION.format(name=case.name, version=version, release=release)
    case.repositories.add(
        "another", [case.builder.build_plain("something", "1", None)], checked=False, advisories=updates
    )
    show(case.apply(), "the vendor's level 3 is active")
    assert case.installed() == [f"{case.evr(3)} vendor"]


def test_the_vendor_retracts_its_own(case: Case, show: Show) -> None:
    """The honest twin of the other repository's."""
    version, release = case.evr(3).split("-")
    updates = _RETRACTION.format(name=case.name, version=version, release=release)
    case.repositories.add("updates", [case.kmp(level) for level in (1, 2, 3)], advisories=updates)
    show(case.apply(), "the vendor's level 2 is active")
    assert case.installed() == [f"{case.evr(2)} vendor"]


def test_advisories_of_an_unchecked_repository_are_damaged(case: Case, show: Show) -> None:
    case.offer()
    updates = f"<updates><update><id>x</id><pkglist><collection><package name='{case.name}'/></collection></pkglist>"
    updates += "</update></updates>"
    case.repositories.add("another", [case.kmp(99, key=None)], checked=False, advisories=updates)
    happened = case.apply()
    show(happened, "the vendor's level 3 is active, the other one is refused and named")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert "the advisories of repository another cannot be read" in happened


def test_needs_what_is_nowhere(case: Case, show: Show) -> None:
    case.offer()
    case.repositories.add("another", [case.kmp(99, key=None, extra="Requires: no-such-thing")], checked=False)
    show(case.apply(), "the vendor's level 3 is active, the other one is refused and named")
    assert case.installed() == [f"{case.evr(3)} vendor"]


def test_replaces_another_package(case: Case, show: Show) -> None:
    case.offer()
    case.repositories.add("another", [case.kmp(99, key=None, extra="Obsoletes: vendors-base")], checked=False)
    show(case.apply(), "the vendor's level 3 is active, the other one is refused and named")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert case.host.run(["rpm", "-q", "vendors-base"]).rc == 0


def test_has_not_what_it_offers(case: Case, show: Show) -> None:
    case.offer()
    case.repositories.add("another", [case.kmp(99, key=None)], checked=False)
    for file in (case.repositories.folder / "another").glob("*.rpm"):
        file.unlink()
    happened = case.apply()
    show(happened, "the vendor's level 3 is active, the other one is refused and named")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert "of repository another cannot be fetched" in happened


def test_unchecked_repository_goes_back(case: Case, show: Show) -> None:
    now = int(case.host.wall_clock())
    case.offer()
    case.repositories.add("another", [case.kmp(99, key=None)], checked=False, revision=now)
    case.apply(level=2)
    assert case.installed() == [f"{case.evr(2)} vendor"]
    case.repositories.add("another", [case.kmp(98, key=None)], checked=False, revision=now + 1)
    happened = case.apply()
    show(happened, "the vendor's level 3 is active, the other one is refused and named")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert f"repository another has offered {case.name}-{case.evr(99)}, and now offers" in happened


def test_version_of_5000_digits(case: Case, show: Show) -> None:
    case.offer()
    case.repositories.add("another", [case.kmp(version="9" * 5000, key=None)], checked=False)
    show(case.apply(), "the vendor's level 3 is active, the other one is refused and named")
    assert case.installed() == [f"{case.evr(3)} vendor"]


@pytest.mark.parametrize("bomb", [{"ballast": 1200}, {"packed": 4096}], ids=["payload", "module"])
def test_bomb_that_the_vendor_has_signed(case: Case, show: Show, bomb: dict[str, int]) -> None:
    """Of a stranger it would not even be opened."""
    case.repositories.add("updates", [*map(case.kmp, (1, 2, 3)), case.kmp(99, **bomb)])
    Path("/proc/self/clear_refs").write_text("5")  # what the process has taken at the most begins anew
    happened = case.apply()
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    show(f"{int(peak) >> 10} MiB: {happened}", "level 3 is active, the bomb is refused and named, below 300 MiB")
    assert case.installed() == [f"{case.evr(3)} vendor"]
    assert int(peak) < 300 << 10
