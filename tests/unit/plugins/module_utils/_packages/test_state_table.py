# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The truth table: for each host which KMP is selected, on what basis, and why each of the others is not.

A host here is a directory, and tools that answer in the words of the real ones (see tests/unit/conftest.py). Those of
the table that can be had on a real kernel are tried on one, too: tests/lab_scenarios/selection.py.
"""

import gzip
import hashlib
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _host_facts, _kernel_facts
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import examination, kmp
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy, QuarantineEntry
from tests.support import factories

_ONE, _TWO, _THREE, _FOURTEEN = "1-150400.9.3.1", "2-150400.2.1", "3-150400.2.1", "14-150400.2.1"
_OLD = {_TWO: "older", _ONE: "older"}
_UPDATE = (
    "<update from='lab' status='{status}' type='security'><id>LAB-{level}</id><title>t</title>"
    "<severity>{severity}</severity><issued date='{issued}'/><references>"
    "<reference type='cve' id='CVE-2099-000{level}'/></references><pkglist><collection>"
    "<package name='{name}' epoch='0' version='{level}' release='150400.2.1' arch='x86_64'/>"
    "</collection></pkglist></update>"
)


# selected: its EVR. codes: of each candidate that was refused, by EVR, or by name where that is another's.
# look: what was downloaded before, by EVR. examined: whether what is to be installed has been looked into.
class Row(NamedTuple):
    name: str
    host: Callable[[Any], Any]
    selected: Optional[str]
    basis: Optional[str]
    codes: Dict[str, str]
    policy: Dict[str, Any] = {}
    look: Tuple[str, ...] = ()
    examined: bool = False
    state: str = "unpatched"
    unknown: str = ""


def _nothing(machine: Any) -> None:
    """As the machine is: unpatched, with levels 1, 2 and 3 on offer, tagged for the running kernel."""


def _all(**what: Any) -> Callable[[Any], None]:
    """All levels are like that."""

    def change(machine: Any) -> None:
        for evr in list(machine.levels):
            machine.offer(evr, **what)

    return change


def _third(**what: Any) -> Callable[[Any], None]:
    return lambda machine: machine.offer(_THREE, **what)


def _both(*changes: Callable[[Any], Any]) -> Callable[[Any], None]:
    def change(machine: Any) -> None:
        for each in changes:
            each(machine)

    return change


def _untagged(*changes: Callable[[Any], Any]) -> Callable[[Any], None]:
    """As vendors' KMPs are."""
    return _both(_all(tag=None), *changes)


def _package(**what: Any) -> Callable[[Any], None]:
    return lambda machine: machine.package.update(what)


def _active(evr: str) -> Callable[[Any], None]:
    return _both(lambda machine: machine.have(evr), lambda machine: machine.have_active(evr))


def _advised(**what: Any) -> Callable[[Any], None]:
    """There are advisories of levels 2 and 3; ``what`` changes that of level 3."""

    def change(machine: Any) -> None:
        two = {"status": "stable", "severity": "important", "issued": "2026-03-10 08:00:00", "level": 2}
        three = dict(two, level=3, severity="moderate", issued="1794700800", **what)
        updates = [_UPDATE.format(name=machine.kmp, **each) for each in (two, three)]
        machine.advise("<?xml version='1.0'?><updates>{}</updates>".format("".join(updates)))

    return change


def _other(name: str) -> Callable[[Any], None]:
    """Level 3 is not called as the KMPs of this kernel are."""
    return _third(name=name)


def _rebuilt(machine: Any) -> None:
    """The kernel's package was rebuilt and updated, without a reboot."""
    image = factories.bzimage(gzip.compress(factories.vmlinux("7f" * 20)), factories.VERSION.replace("#1", "#2"))
    machine.put("/boot/vmlinuz-" + machine.release, image)
    machine.package.update(evr="6.1.0-56.2", digest=hashlib.sha256(image).hexdigest())


ROWS = (
    # What belongs to this kernel
    Row("tagged", _nothing, _THREE, "build_id", _OLD),
    Row("version before release", _third(), _THREE, "build_id", _OLD),
    Row(
        "14 is newer than 3",
        lambda machine: machine.offer(_FOURTEEN),
        _FOURTEEN,
        "build_id",
        dict(_OLD, **{_THREE: "older"}),
    ),
    Row("newest is for another build", _third(tag="f" * 40), _TWO, "build_id", {_THREE: "other_build", _ONE: "older"}),
    Row(
        "all are for another build",
        _all(tag="f" * 40),
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "other_build"),
        state="not_covered",
    ),
    Row(
        "another build is none by its name either",
        _all(tag="f" * 40),
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "other_build"),
        {"allow_name_match": True},
        state="not_covered",
    ),
    Row("other architecture", _third(arch="s390x"), _TWO, "build_id", {_THREE: "other_arch", _ONE: "older"}),
    Row(
        "near miss of the name",
        _other("kernel-livepatch-6_1_0-55-cloud-amd64"),
        _TWO,
        "build_id",
        {_ONE: "older", "kernel-livepatch-6_1_0-55-cloud-amd64": "other_kernel"},
    ),
    Row(
        "other flavor",
        _other("kernel-livepatch-6_1_0-56-rt-amd64"),
        _TWO,
        "build_id",
        {_ONE: "older", "kernel-livepatch-6_1_0-56-rt-amd64": "other_flavor"},
    ),
    Row(
        "only for other kernels",
        _all(name="kernel-livepatch-6_1_0-5-cloud-amd64"),
        None,
        None,
        {"kernel-livepatch-6_1_0-5-cloud-amd64": "other_kernel"},
        state="not_covered",
    ),
    Row("nothing on offer", lambda machine: machine.levels.clear(), None, None, {}, state="not_covered"),
    # Vendors' KMPs, which the chain must carry
    Row("chain holds", _untagged(), _THREE, "signed_image", _OLD),
    Row("chain holds, seen inside", _untagged(), _THREE, "signed_image", _OLD, look=(_THREE,)),
    Row(
        "kernel is of no package",
        _untagged(lambda machine: setattr(machine, "package", None)),
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "name_only"),
        state="not_covered",
    ),
    Row(
        "kernel is of no package, names allowed",
        _untagged(lambda machine: setattr(machine, "package", None)),
        _THREE,
        "name",
        _OLD,
        {"allow_name_match": True},
    ),
    Row(
        "image is not as its package holds it",
        _untagged(_package(digest="00" * 32)),
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "name_only"),
        state="not_covered",
    ),
    Row(
        "image has no digest",
        _untagged(_package(digest="")),
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "name_only"),
        state="not_covered",
    ),
    Row(
        "kernel is not signed",
        _untagged(_package(signature="(none)")),
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "name_only"),
        state="not_covered",
    ),
    Row(
        "kernel is signed with a key that is not trusted",
        _untagged(lambda machine: machine.keys.clear()),
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "name_only"),
        state="not_covered",
    ),
    Row(
        "kernel was rebuilt",
        _untagged(_rebuilt),
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "name_only"),
        state="mismatch",
    ),
    Row("tagged, and the kernel was rebuilt", _rebuilt, _THREE, "build_id", _OLD, state="mismatch"),
    Row(
        "image is not there",
        _untagged(lambda machine: machine.remove("/boot/vmlinuz-" + machine.release)),
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "name_only"),
        state="not_covered",
    ),
    Row(
        "KMP is signed by another one",
        _untagged(
            _third(tag=None, key="somebody else"),
            lambda machine: machine.keys.update({"somebody else": "somebody else"}),
        ),
        _TWO,
        "signed_image",
        {_THREE: "other_signer", _ONE: "older"},
        look=(_THREE,),
    ),
    Row(
        "one with a tag before a newer one without, where the chain fails",
        _both(_third(tag=None), lambda machine: setattr(machine, "package", None)),
        _TWO,
        "build_id",
        {_THREE: "name_only", _ONE: "older"},
        {"vendors": ("the lab",)},
    ),
    # What is seen inside
    Row(
        "unsigned", _third(signature="unsigned"), _TWO, "build_id", {_THREE: "unsigned", _ONE: "older"}, look=(_THREE,)
    ),
    Row(
        "unsigned, allowed by name",
        _third(signature="unsigned"),
        _THREE,
        "build_id",
        _OLD,
        {"allow_unsigned": ("kernel-livepatch-6_1_0-56-*",)},
        (_THREE,),
    ),
    Row(
        "unsigned, another one allowed",
        _third(signature="unsigned"),
        _TWO,
        "build_id",
        {_THREE: "unsigned", _ONE: "older"},
        {"allow_unsigned": ("kernel-livepatch-6_1_0-5-*",)},
        (_THREE,),
    ),
    Row(
        "signed by a stranger",
        _third(signature="missigned"),
        _TWO,
        "build_id",
        {_THREE: "unknown_key", _ONE: "older"},
        look=(_THREE,),
    ),
    Row(
        "damaged",
        _third(signature="bad"),
        _TWO,
        "build_id",
        {_THREE: "bad_signature", _ONE: "older"},
        look=(_THREE,),
        examined=True,
    ),
    Row("damaged before it was asked for", _third(signature="bad"), _THREE, "build_id", _OLD, look=(_THREE,)),
    Row(
        "TRAP: module of another kernel under the right name and tag",
        _third(target="6.1.0-55-cloud-amd64"),
        _TWO,
        "build_id",
        {_THREE: "wrong_kernel", _ONE: "older"},
        look=(_THREE,),
    ),
    Row(
        "requires another kernel",
        _third(requires=[("kernel-cloud-amd64", "=", "6.1.0-55")]),
        _TWO,
        "build_id",
        {_THREE: "other_requires", _ONE: "older"},
        look=(_THREE,),
    ),
    Row(
        "another vendor",
        _third(vendor="Somebody"),
        _TWO,
        "build_id",
        {_THREE: "other_vendor", _ONE: "older"},
        look=(_THREE,),
    ),
    Row("another vendor, allowed", _third(vendor="Us"), _THREE, "build_id", _OLD, {"vendors": ("Us",)}, (_THREE,)),
    Row(
        "kernel takes only signed modules",
        _both(_third(), lambda machine: machine.put("/sys/module/module/parameters/sig_enforce", "Y")),
        _TWO,
        "build_id",
        {_THREE: "unloadable", _ONE: "older"},
        look=(_THREE,),
    ),
    Row(
        "kernel is locked down",
        lambda machine: machine.put("/sys/kernel/security/lockdown", "none [integrity] confidentiality"),
        _TWO,
        "build_id",
        {_THREE: "unloadable", _ONE: "older"},
        look=(_THREE,),
    ),
    Row(
        "module is signed with a key that the kernel knows",
        _both(
            _third(signer="Vendor Signkey"),
            lambda machine: machine.put("/sys/module/module/parameters/sig_enforce", "1"),
            lambda machine: machine.put(
                "/proc/keys",
                "13eb6369 I------     1 perm 1f030000     0     0 asymmetri Vendor Signkey: 3fb0: X509.rsa 3fb077 []",
            ),
        ),
        _THREE,
        "build_id",
        _OLD,
        look=(_THREE,),
    ),
    Row(
        "module is signed with a key that the kernel does not know",
        _both(
            _third(signer="A stranger"),
            lambda machine: machine.put("/sys/module/module/parameters/sig_enforce", "1"),
            lambda machine: machine.put(
                "/proc/keys",
                "13eb6369 I------     1 perm 1f030000     0     0 asymmetri Vendor Signkey: 3fb0: X509.rsa 3fb077 []",
            ),
        ),
        _TWO,
        "build_id",
        {_THREE: "unloadable", _ONE: "older"},
        look=(_THREE,),
    ),
    Row(
        "all speak against themselves",
        _all(signature="unsigned"),
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "unsigned"),
        look=(_ONE, _TWO, _THREE),
        state="not_covered",
    ),
    # What the vendor and the operator say
    Row("retracted", _advised(status="retracted"), _TWO, "build_id", {_THREE: "retracted", _ONE: "older"}),
    Row(
        "retracted after it was applied",
        _both(_advised(status="retracted"), _active(_THREE)),
        None,
        None,
        {_THREE: "retracted", _TWO: "downgrade", _ONE: "downgrade"},
        state="unknown",
    ),
    Row("held by a lock", _third(locked=True), _TWO, "build_id", {_THREE: "locked", _ONE: "older"}),
    Row(
        "in quarantine",
        _nothing,
        _TWO,
        "build_id",
        {_THREE: "quarantined", _ONE: "older"},
        {"quarantine": (QuarantineEntry(_THREE, "web1 crashed"),)},
    ),
    Row("excluded", _nothing, _TWO, "build_id", {_THREE: "excluded", _ONE: "older"}, {"exclude": ("3-*",)}),
    Row(
        "just one version",
        _nothing,
        _TWO,
        "build_id",
        {_THREE: "other_version", _ONE: "other_version"},
        {"kmp_version": "2"},
    ),
    Row(
        "a version that there is not",
        _nothing,
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "other_version"),
        {"kmp_version": "2-150400.2.2"},
    ),
    Row("none newer", _nothing, _TWO, "build_id", {_THREE: "cut_off", _ONE: "older"}, {"max_version": "2"}),
    Row(
        "issued up to a day",
        _advised(),
        _TWO,
        "build_id",
        {_THREE: "cut_off", _ONE: "cut_off"},
        {"issued_before": "2026-05-31"},
    ),
    Row(
        "issued nobody knows when",
        _nothing,
        None,
        None,
        dict.fromkeys((_ONE, _TWO, _THREE), "cut_off"),
        {"issued_before": "2026-05-31"},
    ),
    Row("old enough", _advised(), _TWO, "build_id", {_THREE: "too_young", _ONE: "too_young"}, {"min_age": 120}),
    Row(
        "named CVE",
        _advised(),
        _TWO,
        "build_id",
        {_THREE: "not_admitted", _ONE: "not_admitted"},
        {"cves": ("CVE-2099-0002",)},
    ),
    Row(
        "severe enough",
        _advised(),
        _TWO,
        "build_id",
        {_THREE: "not_admitted", _ONE: "not_admitted"},
        {"severity": "important"},
    ),
    # What is installed
    Row("up to date", _active(_THREE), _THREE, "build_id", _OLD, state="patched"),
    Row("one behind", _active(_TWO), _THREE, "build_id", _OLD, state="outdated"),
    Row(
        "pinned below what is active",
        _active(_THREE),
        None,
        None,
        {_THREE: "cut_off", _TWO: "downgrade", _ONE: "downgrade"},
        {"max_version": "2"},
        state="patched",
    ),
    Row(
        "a lock does not change what is there",
        _both(_third(locked=True), _active(_THREE)),
        _THREE,
        "build_id",
        _OLD,
        state="patched",
    ),
    Row(
        "advisories of a repository that has nothing to do with it are damaged",
        _both(_advised(status="retracted"), lambda machine: machine.advise("<updates><update>", "epel")),
        _TWO,
        "build_id",
        {_THREE: "retracted", _ONE: "older"},
    ),
    # Hostile words
    Row(
        "words that mean something to a shell, to XML and to rpm",
        _third(vendor="$(reboot) <b>&amp; %{VENDOR} \x1b[2J"),
        _TWO,
        "build_id",
        {_THREE: "other_vendor", _ONE: "older"},
        look=(_THREE,),
    ),
    # What cannot be known
    Row(
        "repositories are down",
        lambda machine: machine.drop("/var/cache/zypp"),
        None,
        None,
        {},
        state="unknown",
        unknown="this host has no metadata of these repositories: lab",
    ),
    Row(
        "package manager is locked",
        lambda machine: setattr(machine, "locked", True),
        None,
        None,
        {},
        state="unknown",
        unknown="locked by the application with pid 1864 (zypper)",
    ),
    Row(
        "advisories are cut off",
        lambda machine: machine.advise("<updates><update><id>LAB-3</id>"),
        None,
        None,
        {},
        state="unknown",
        unknown="the advisories of repository lab cannot be read",
    ),
    Row(
        "advisories with a bomb in them",
        lambda machine: machine.advise("<!DOCTYPE x [<!ENTITY a 'aa'>]><updates>&a;</updates>"),
        None,
        None,
        {},
        state="unknown",
        unknown="it declares a document type or entities",
    ),
    Row(
        "no build ID",
        lambda machine: machine.put("/sys/kernel/notes", b""),
        None,
        None,
        {},
        state="unknown",
        unknown="build ID is unknown",
    ),
    Row(
        "in a container",
        lambda machine: machine.put("/run/systemd/container", "podman"),
        _THREE,
        "build_id",
        _OLD,
        state="not_covered",
    ),
)


def _judge(machine: Any, row: Row) -> Tuple[Any, Any]:
    row.host(machine)
    for evr in row.look:
        machine._download(f"{machine.levels[evr]['name']}={evr}")
    policy = Policy("never", 600, 60, **row.policy)
    kernel = _kernel_facts.gather_kernel(machine)
    offer = kmp.query_offer(machine, kernel, policy)
    if row.examined:
        offer = examination.examine_selected(machine, kernel, offer, policy)
    return kmp.build_block(machine, kernel, offer, policy), _host_facts.assess_host(machine, kernel, offer, policy)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_truth(machine: Any, row: Row) -> None:
    block, observed = _judge(machine, row)
    assert (block["selected"]["evr"] if block["selected"] else None) == row.selected
    assert (block["match"]["basis"] if block["match"] else None) == row.basis
    told = {one["evr"] if one["name"] == machine.kmp else one["name"]: one["code"] for one in block["rejected"]}
    assert told == row.codes
    assert all(one["reason"] for one in block["rejected"])
    assert row.unknown in block["unmeasured"].get("candidates", "")
    assert bool(row.unknown) is ("candidates" in block["unmeasured"])
    assert observed["livepatch"]["state"] == row.state, observed["livepatch"]["reason"]
    installs = [call for call in machine.ran("install") if "--dry-run" not in call]
    assert machine.ran("insmod") == installs == [], "who only asks changes nothing"


def test_count(capsys: Any) -> None:
    """How many hosts the table has: said aloud, since a table that has shrunk proves less."""
    assert len({row.name for row in ROWS}) == len(ROWS) >= 40
    with capsys.disabled():
        print(f" [truth table: {len(ROWS)} hosts]", end=" ")
