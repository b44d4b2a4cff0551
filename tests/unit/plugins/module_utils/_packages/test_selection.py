# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the truth table of hosts (test_truth.py) does not show."""

import datetime
import time
from typing import Any, Dict, List

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import selection
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.kernel_provenance import Origin
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.module_file import ModuleFile
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.package_contents import PackageContents
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.rpm import Content, Dependency, Package, Signer

_RELEASE = "6.1.0-56-cloud-amd64"
_NAME = "kernel-livepatch-6_1_0-56-cloud-amd64"
_ID = "3b43fad5034874490492495d552c0af6a5fab235"
_ONE, _TWO, _THREE = "1-150400.9.3.1", "2-150400.2.1", "3-150400.2.1"
_LAB = Signer("A" * 40, "the lab's key")
_TRACED = Origin(None, ["the image is the kernel's"], "the lab", _LAB, [])
_UNTRACED = Origin("no RPM package owns the image", [], "the lab")
_TODAY = datetime.date(2026, 11, 24)


def _known(evr: str, tag: Any = "this", **more: Any) -> selection.KnownCandidate:
    candidate = Candidate(_NAME, evr, "x86_64", more.pop("repository", "lab"), more.pop("locked", False))
    return selection.KnownCandidate(candidate, tag, **more)


def _inside(**more: Any) -> PackageContents:
    content = Content(Package(_NAME, _THREE, "x86_64"), "the lab", "RSA", more.pop("requires", []), [], "")
    module = ModuleFile(None, _RELEASE, _RELEASE, True)
    return PackageContents(content, "good", more.pop("signer", _LAB), "/x.ko", module)


def _select(
    offered: List[selection.KnownCandidate], origin: Origin = _TRACED, installed: Any = None, **policy: Any
) -> selection.Selection:
    kernel = selection.Kernel(_RELEASE, "cloud-amd64", "x86_64", _ID, [_NAME], origin)
    return selection.select_kmp(kernel, offered, Policy("never", 600, 60, **policy), _TODAY, installed)


def _offer(*versions: str, name: str = _NAME, repository: str = "lab") -> List[Candidate]:
    return [Candidate(name, evr, "x86_64", repository) for evr in versions]


@pytest.mark.parametrize(
    "version",
    ["9" * 5000 + "-1", "9" * (17 << 20) + "-1", "1", "1-1-1", "1 1-1", "1-1\n", "", "-", "a:1-1", "\x1b[2J-1"],
    ids=range(10),
)
def test_version_that_no_package_has(version: str) -> None:
    """It is taken out before it is compared with another one: that takes minutes for megabytes."""
    offered = [*_offer(_TWO), *_offer(version), *_offer(version, name="kernel-livepatch-other")]
    started = time.monotonic()
    taken = selection.take_in(offered, [_NAME])
    assert [candidate.evr for candidate in taken.candidates] == [_TWO]
    assert [(one["name"], one["code"]) for one in taken.rejected] == [(_NAME, "bad_version")]
    assert len(taken.rejected[0]["evr"]) <= 200
    assert time.monotonic() - started < 1


def test_many_versions_that_no_package_has() -> None:
    offered = _offer(*("9" * 500 + str(number) for number in range(1000)), _TWO)
    taken = selection.take_in(offered, [_NAME])
    assert (len(taken.candidates), len(taken.rejected)) == (1, 21)
    assert taken.rejected[-1]["reason"].endswith("; and 979 more")


def test_many_levels_of_one_repository() -> None:
    """They push out none of another one."""
    many = [f"{number}-1" for number in range(10, 2010)]
    taken = selection.take_in([*_offer(*many, repository="another"), *_offer(_ONE, _TWO)], [_NAME])
    assert [candidate.evr for candidate in taken.candidates if candidate.repository == "lab"] == [_ONE, _TWO]
    own = [candidate.evr for candidate in taken.candidates if candidate.repository == "another"]
    assert own == many[-500:]
    assert [(one["evr"], one["code"]) for one in taken.rejected] == [("1509-1", "older")]
    assert "like 1499 more of the many that another offers" in taken.rejected[0]["reason"]


def test_many_names_and_levels() -> None:
    others = [
        selection.KnownCandidate(*_offer("1-1", name=f"kernel-livepatch-{number}"), None) for number in range(999)
    ]
    chosen = _select([*others, *(_known(f"{number}-1") for number in range(1, 2001))])
    assert chosen.selected is not None
    assert chosen.selected.candidate.evr == "2000-1"
    assert len(chosen.rejected) == 501 + 201
    assert chosen.rejected[500]["reason"] == "older level than 2000-1; and 1498 more"
    assert chosen.rejected[-1]["reason"] == f"for another kernel than {_RELEASE}; and 798 more"


@pytest.mark.parametrize("code", ["stale_repository", "unavailable"])
def test_unusable(code: str) -> None:
    chosen = _select([_known(_THREE, unusable=(code, "why")), _known(_TWO)])
    assert chosen.newest == chosen.selected == _known(_TWO)
    assert chosen.rejected == [{"name": _NAME, "evr": _THREE, "code": code, "reason": "why"}]
    assert code in selection.ALARMS


def _codes(chosen: selection.Selection) -> Dict[str, str]:
    return {one["evr"]: one["code"] for one in chosen.rejected}


def _evr(known: Any) -> Any:
    return known.candidate.evr if known else None


def test_nothing_on_offer() -> None:
    assert _select([]) == (None, None, [], None)


def test_same_package_in_two_repositories() -> None:
    chosen = _select([_known(_TWO, repository="a"), _known(_TWO, repository="b")])
    assert (_evr(chosen.selected), chosen.rejected) == (_TWO, [])


def test_which_repository_does_not_depend_on_hashes() -> None:
    repositories = [f"repository-{number}" for number in range(30)]
    for first in range(30):
        order = repositories[first:] + repositories[:first]
        chosen = _select([_known(_TWO, repository=one) for one in order])
        assert chosen.selected is not None
        assert chosen.selected.candidate.repository == order[0], "the first that the package manager lists"


def test_match_by_tag() -> None:
    kernel = selection.Kernel(_RELEASE, "cloud-amd64", "x86_64", _ID, [_NAME], _UNTRACED)
    found = selection.describe_match(kernel, _known(_TWO))
    assert found.basis == "build_id"
    assert found.witnesses == [
        "name carries the running release 6.1.0-56-cloud-amd64",
        "package is tagged for the running build ID " + _ID,
    ]
    assert len(found.pending) == 1
    seen = selection.describe_match(kernel, _known(_TWO, contents=_inside()))
    assert "module was built for 6.1.0-56-cloud-amd64" in seen.witnesses
    assert seen.pending == []


@pytest.mark.parametrize(
    "origin, inside, basis",
    [(_TRACED, None, "signed_image"), (_TRACED, _inside(), "signed_image"), (_UNTRACED, _inside(), "name")],
    ids=["not seen yet", "seen", "untraced"],
)
def test_match_without_a_tag(origin: Origin, inside: Any, basis: str) -> None:
    kernel = selection.Kernel(_RELEASE, "cloud-amd64", "x86_64", _ID, [_NAME], origin)
    found = selection.describe_match(kernel, _known(_TWO, None, contents=inside))
    assert found.basis == basis
    assert ("the image is the kernel's" in found.witnesses) is (basis == "signed_image")


def test_who_signs_it_must_be_who_signs_the_kernel() -> None:
    other = Signer("B" * 40, "the lab's key")
    for tag in (None, "this"):
        chosen = _select([_known(_THREE, tag, contents=_inside(signer=other))])
        assert _codes(chosen) == {_THREE: "other_signer"}
        assert "signed by the lab's key (BBB" in chosen.rejected[0]["reason"]
        assert "the kernel's package by the lab's key (AAA" in chosen.rejected[0]["reason"]
        assert (
            _evr(_select([_known(_THREE, tag, contents=_inside(signer=other))], builders=("B" * 40,)).selected)
            == _THREE
        )


@pytest.mark.parametrize("evr", ["9" * 5000 + "-1", "9" * 255, "9-1/../../boot", "9 -1", "-", "9-1\u0661", "x:9-1"])
def test_versions_that_no_package_can_have(evr: str) -> None:
    chosen = _select([_known(evr, "this"), _known(_THREE, "this")])
    assert _evr(chosen.selected) == _THREE
    (rejected,) = chosen.rejected
    assert rejected["code"] == "bad_version"
    assert len(rejected["evr"]) <= 200


def test_key_that_was_withdrawn_after_the_installation() -> None:
    chosen = _select([_known(_THREE, None, contents=_inside(signer=None))])
    assert _codes(chosen) == {_THREE: "name_only"}
    assert "signed by an unknown signer, the kernel's package by the lab's key" in chosen.rejected[0]["reason"]


@pytest.mark.parametrize(
    "kernel, package, taken",
    [
        # The release keys of SLE 12 and 15, and the one that replaces it
        ("FEAB502539D846DB2C0961CA70AF9E8139DB7C82", "7F009157B127B994D5CFBE76F74F09BC3FA1D6CE", True),
        # AlmaLinux 8 has two
        ("5E9B8F5617B5066CE92057C3488FCF7C3ABB34F8", "BC5EDDCADF502C077F1582882AE81E8ACED7258B", True),
        # Red Hat's release key 2, and its key for beta versions
        ("567E347AD0044ADE55BA8A5F199E2F91FD431D51", "B08B659EE86AF623BC90E8DB938A80CAF21541EB", False),
        # Red Hat and AlmaLinux
        ("567E347AD0044ADE55BA8A5F199E2F91FD431D51", "5E9B8F5617B5066CE92057C3488FCF7C3ABB34F8", False),
    ],
)
def test_keys_of_one_vendor(kernel: str, package: str, taken: bool) -> None:
    origin = _TRACED._replace(signer=Signer(kernel, "one"))
    chosen = _select([_known(_THREE, None, contents=_inside(signer=Signer(package, "other")))], origin)
    assert (chosen.selected is not None) is taken


def test_builder_needs_no_vendor_by_name() -> None:
    contents = _inside(signer=Signer("B" * 40, "a builder"))
    contents = contents._replace(content=contents.content._replace(vendor="a builder"))
    assert _codes(_select([_known(_THREE, contents=contents)], vendors=("a builder",))) == {_THREE: "other_signer"}
    assert _evr(_select([_known(_THREE, contents=contents)], builders=("B" * 40,)).selected) == _THREE


@pytest.mark.parametrize(
    "requires, provides, code",
    [
        # The kernel's release has one component more than what KMPs ask for
        (
            [("kernel-default", "=", "5-103")],
            [("kernel-default", "=", "5-103"), ("kernel-default", "=", "5-103.1")],
            None,
        ),
        ([("kernel-default", "=", "5-102")], [("kernel-default", "=", "5-103")], "other_requires"),
        ([("kernel-default", "=", "5")], [("kernel-default", "=", "5-103")], None),
        ([("kernel-default", ">=", "6")], [("kernel-default", "=", "5-103")], None),
        ([("kernel-uname-r", "=", "5-103-default")], [("kernel-default", "=", "5-103")], None),
        ([("/bin/sh", "", "")], [("kernel-default", "=", "5-103")], None),
    ],
    ids=["met", "another", "any release", "not just one", "of another package", "no kernel"],
)
def test_requires(requires: Any, provides: Any, code: Any) -> None:
    origin = _TRACED._replace(provides=[Dependency(*one) for one in provides])
    inside = _inside(requires=[Dependency(*one) for one in requires])
    assert _codes(_select([_known(_THREE, contents=inside)], origin)).get(_THREE) == code


def test_newest_whatever_the_policy() -> None:
    chosen = _select([_known(_ONE), _known(_TWO), _known(_THREE)], max_version="2")
    assert (_evr(chosen.selected), _evr(chosen.newest)) == (_TWO, _THREE)
    assert chosen.pinned_by == f"{_NAME}-{_THREE}: newer than max_version, which is 2"


def test_not_pinned_when_the_newest_is_selected() -> None:
    chosen = _select([_known(_TWO), _known(_THREE)], exclude=(_TWO,))
    assert (_evr(chosen.selected), chosen.pinned_by) == (_THREE, None)
    assert _codes(chosen) == {_TWO: "excluded"}


def test_no_way_back() -> None:
    chosen = _select([_known(_ONE), _known(_TWO), _known(_THREE)], installed=_THREE, kmp_version="2")
    assert (_evr(chosen.selected), _evr(chosen.newest)) == (None, _THREE)
    assert _codes(chosen) == {_THREE: "other_version", _TWO: "downgrade", _ONE: "other_version"}


def test_other_kernels_are_told_once_each_and_last() -> None:
    others = [
        _known(evr)._replace(candidate=Candidate(name, evr, "x86_64", "lab"))
        for name in ("kernel-livepatch-6_1_0-55-cloud-amd64", "kernel-livepatch-6_1_0-56-rt-amd64")
        for evr in (_ONE, _THREE)
    ]
    chosen = _select([*others, _known(_TWO)])
    assert _evr(chosen.selected) == _TWO
    assert [(one["name"][-10:], one["evr"], one["code"]) for one in chosen.rejected] == [
        ("loud-amd64", _THREE, "other_kernel"),
        ("6-rt-amd64", _THREE, "other_flavor"),
    ]
