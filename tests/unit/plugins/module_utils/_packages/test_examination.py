# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One repository that anybody can write, beside the lab's."""

from typing import Any, Callable, Dict, List, Set, Tuple

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _ensure, _kernel_facts
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    InstallFailed,
    PackageManagerLocked,
    RepositoryDown,
    TransactionRefused,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import examination, kmp
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.zypper import Zypper

_ONE, _TWO, _THREE = "1-150400.9.3.1", "2-150400.2.1", "3-150400.2.1"
_RAW = "/var/cache/zypp/raw/another"
_POLICY = Policy("never", 600, 60)


class Zoo:
    """What the machine's zypper shows besides: what another repository offers."""

    def __init__(self, machine: Any, monkeypatch: Any, checked: bool = False) -> None:
        self.machine = machine
        self.offered: List[Candidate] = []
        # What only that repository has
        self.own: Set[str] = set()
        # Called instead of a download, an examination or a preview of what is of that repository
        self.download: Callable[[Candidate], None] = lambda candidate: None
        self.previews: List[str] = []
        machine.put("/etc/zypp/repos.d/another.repo", f"[another]\nname=another\ngpgcheck={int(checked)}")
        self.index("1")
        offer, preview, download = Zypper.list_offered, Zypper.preview, Zypper.download

        def fetch(zypper: Any, candidate: Candidate, older: bool = False) -> str:
            if candidate.repository == "another":
                self.download(candidate)
            return download(zypper, candidate, older)

        def look(zypper: Any, candidate: Candidate, older: bool = False) -> Any:
            self.previews.append(candidate.evr)
            return preview(zypper, candidate, older)

        def find(zypper: Any, release: str) -> List[Candidate]:
            return [each for each in offer(zypper, release) if each.evr not in self.own] + self.offered

        monkeypatch.setattr(Zypper, "list_offered", find)
        monkeypatch.setattr(Zypper, "download", fetch)
        monkeypatch.setattr(Zypper, "preview", look)
        monkeypatch.setattr(Zypper, "list_targeting", lambda zypper, build: {each.key for each in self._targeting()})
        # Each repository has its own folder.
        monkeypatch.setattr(Zypper, "_list_download_folders", lambda zypper, name: ["/var/cache/zypp/packages/lab"])

    def _targeting(self) -> List[Candidate]:
        lab = [Candidate(self.machine.kmp, evr, "x86_64", "lab") for evr in self.machine.levels]
        return lab + self.offered

    def index(self, revision: str) -> None:
        self.machine.put(_RAW + "/repodata/repomd.xml", f"<repomd><revision>{revision}</revision></repomd>")

    def offer(self, evr: str, **what: Any) -> None:
        """Offer this level too, or as the only one that has it."""
        if what:
            self.machine.offer(evr, **what)
            self.own.add(evr)
        self.offered.append(Candidate(self.machine.kmp, evr, "x86_64", "another"))

    def query(self) -> Tuple[Dict[str, Any], kmp.Offer]:
        kernel = _kernel_facts.gather_kernel(self.machine)
        return kernel, kmp.query_offer(self.machine, kernel, _POLICY)

    def block(self) -> Any:
        kernel, offer = self.query()
        return kmp.build_block(self.machine, kernel, offer, _POLICY)

    def examine(self) -> Tuple[kmp.Offer, Any]:
        kernel, offer = self.query()
        offer = examination.examine_selected(self.machine, kernel, offer, _POLICY)
        return offer, kmp.build_block(self.machine, kernel, offer, _POLICY)


@pytest.fixture
def zoo(machine: Any, monkeypatch: Any) -> Zoo:
    return Zoo(machine, monkeypatch)


def _codes(block: Any) -> Any:
    return {one["evr"]: one["code"] for one in block["rejected"]}


_UPDATE = (
    "<updates><update status='retracted'><id>X-1</id><pkglist><package name='{}' version='3' release='150400.2.1'/>"
    "</pkglist></update></updates>"
)


@pytest.mark.parametrize("offers", [False, True])
@pytest.mark.parametrize("installed", [False, True])
def test_advisory_of_another_repository(machine: Any, zoo: Zoo, offers: bool, installed: bool) -> None:
    if offers:
        zoo.offer(_THREE)
    if installed:
        machine.have(_THREE)
    updates = _UPDATE.format(machine.kmp)
    machine.put(_RAW + "/repodata/u.xml", updates)
    index = "<repomd><data type='updateinfo'><location href='repodata/u.xml'/></data></repomd>"
    machine.put(_RAW + "/repodata/repomd.xml", index)
    block = zoo.block()
    assert (block["selected"]["evr"], block["selected"]["repository"]) == (_THREE, "lab")
    assert block["newest"]["evr"] == _THREE
    assert [one["code"] for one in block["rejected"] if one["evr"] == _THREE] == (["retracted"] if offers else [])
    machine.advise(updates)
    assert _codes(zoo.block())[_THREE] == "retracted"


def _go_back(machine: Any, zoo: Zoo) -> None:
    zoo.index("0")


def _break_index(machine: Any, zoo: Zoo) -> None:
    zoo.index("<")


def _break_advisories(machine: Any, zoo: Zoo) -> None:
    machine.put(_RAW + "/repodata/u.xml", "<updates>")
    index = "<repomd><revision>2</revision><data type='updateinfo'><location href='repodata/u.xml'/></data></repomd>"
    machine.put(_RAW + "/repodata/repomd.xml", index)


_WAYS = pytest.mark.parametrize(
    "change, words",
    [
        (_go_back, "repository another has gone back from revision 1 to 0"),
        (_break_index, "the index of repository another cannot be read"),
        (_break_advisories, "the advisories of repository another cannot be read"),
    ],
)


@_WAYS
@pytest.mark.parametrize("checked", [False, True])
def test_stale(machine: Any, monkeypatch: Any, checked: bool, change: Any, words: str) -> None:
    zoo = Zoo(machine, monkeypatch, checked)
    zoo.offer("9-1", tag=machine.build_id)
    assert zoo.block()["selected"]["evr"] == "9-1"
    change(machine, zoo)
    block = zoo.block()
    if checked:
        assert words in block["unmeasured"]["candidates"]
        return
    assert "candidates" not in block["unmeasured"]
    assert block["selected"]["evr"] == block["newest"]["evr"] == _THREE
    assert _codes(block) == {"9-1": "stale_repository", _TWO: "older", _ONE: "older"}
    assert words in block["rejected"][0]["reason"]


@_WAYS
@pytest.mark.parametrize("installed", [False, True])
def test_stale_and_nothing_else(machine: Any, zoo: Zoo, installed: bool, change: Any, words: str) -> None:
    """Whether there is a newer level is unknown then."""
    zoo.offer(_THREE)
    if installed:
        machine.have(_THREE)
    machine.levels = {_THREE: machine.levels[_THREE]}
    search = machine._search
    machine._search = lambda argv: search(argv)._replace(out="<stream/>")
    assert zoo.block()["selected"]["evr"] == _THREE
    change(machine, zoo)
    block = zoo.block()
    assert words in block["unmeasured"]["candidates"]
    assert block["selected"] is None


def test_stale_and_installed(machine: Any, zoo: Zoo) -> None:
    """Where it was from changes nothing about what is installed."""
    zoo.offer("9-1", tag=machine.build_id)
    machine.have("9-1")
    zoo.block()
    zoo.index("0")
    block = zoo.block()
    assert (block["selected"]["evr"], block["installed"]["evr"]) == ("9-1", "9-1")


def test_refused_before_its_transaction(machine: Any, zoo: Zoo) -> None:
    """What a stranger's package replaces, or needs, keeps no other one from being installed."""
    machine.offer("9-1", signature="unsigned", besides=[("remove", "vital", "1-1", "noarch")])
    offer, block = zoo.examine()
    assert zoo.previews == [_THREE]
    assert offer.transaction == [f"install {machine.kmp}-{_THREE}.x86_64"]
    assert [file.package.evr for file in offer.examined] == [_THREE]
    assert (block["selected"]["evr"], _codes(block)["9-1"]) == (_THREE, "unsigned")


def test_all_are_refused(machine: Any, zoo: Zoo) -> None:
    for evr in (_ONE, _TWO, _THREE):
        machine.offer(evr, signature="unsigned")
    offer, block = zoo.examine()
    assert (offer.transaction, offer.examined, block["selected"], zoo.previews) == ([], [], None, [])
    assert set(_codes(block).values()) == {"unsigned"}


def _raise(problem: Exception) -> Callable[[Candidate], None]:
    def download(candidate: Candidate) -> None:
        raise problem

    return download


def test_unavailable(machine: Any, zoo: Zoo) -> None:
    zoo.offer("9-1", tag=machine.build_id)
    zoo.download = _raise(RepositoryDown("9-1 cannot be fetched: nothing provides it"))
    offer, block = zoo.examine()
    assert [file.package.evr for file in offer.examined] == [_THREE]
    assert (block["rejected"][0]["code"], block["rejected"][0]["reason"]) == (
        "unavailable",
        "9-1 cannot be fetched: nothing provides it",
    )


@pytest.mark.parametrize("cached", [False, True])
def test_unreadable(machine: Any, zoo: Zoo, monkeypatch: Any, cached: bool) -> None:
    zoo.offer("9-1", tag=machine.build_id)
    if cached:
        machine._download(f"{machine.kmp}=9-1")
    read = machine._record

    def record(evr: str) -> str:
        if evr == "9-1":
            raise Unmeasured("rpm printed something else")
        return str(read(evr))

    monkeypatch.setattr(machine, "_record", record)
    _offer, block = zoo.examine()
    assert (block["rejected"][0]["code"], block["rejected"][0]["reason"]) == (
        "unavailable",
        "rpm printed something else",
    )
    assert block["selected"]["evr"] == _THREE


@pytest.mark.parametrize("checked", [False, True])
def test_lock_is_no_fault_of_a_repository(machine: Any, monkeypatch: Any, checked: bool) -> None:
    zoo = Zoo(machine, monkeypatch, checked)
    zoo.offer("9-1", tag=machine.build_id)
    zoo.download = _raise(PackageManagerLocked("zypper waited 60 s"))
    with pytest.raises(PackageManagerLocked):
        zoo.examine()


@pytest.mark.parametrize("problem", [None, InstallFailed("nothing provides it")])
def test_unavailable_in_a_checked_repository(machine: Any, monkeypatch: Any, problem: Any) -> None:
    zoo = Zoo(machine, monkeypatch, checked=True)
    zoo.offer("9-1", tag=machine.build_id)
    zoo.download = _raise(RepositoryDown("9-1 cannot be fetched"))

    def preview(*_arguments: Any) -> Any:
        if problem is not None:
            raise problem
        return []

    monkeypatch.setattr(Zypper, "preview", preview)
    with pytest.raises(type(problem) if problem else RepositoryDown):
        zoo.examine()


@pytest.mark.parametrize("checked", [False, True])
def test_many_that_are_refused(machine: Any, monkeypatch: Any, checked: bool) -> None:
    zoo = Zoo(machine, monkeypatch, checked)
    fetched = []
    for number in range(10, 60):
        zoo.offer(f"{number}-1", signature="unsigned")
    zoo.download = lambda candidate: fetched.append(candidate.evr)
    if checked:
        with pytest.raises(Unmeasured, match="20 KMPs of repository another were examined, and all of them were ref"):
            zoo.examine()
    else:
        offer, block = zoo.examine()
        assert [file.package.evr for file in offer.examined] == [_THREE]
        assert block["selected"]["evr"] == _THREE
        assert set(_codes(block).values()) == {"stale_repository", "older"}
    assert fetched == [f"{number}-1" for number in range(59, 39, -1)]


def test_transaction_that_does_more(machine: Any, zoo: Zoo) -> None:
    machine.offer(_THREE, besides=[("remove", "vital", "1-1", "noarch")])
    with pytest.raises(TransactionRefused, match="would also remove vital") as caught:
        zoo.examine()
    assert "remove vital-1-1.noarch" in caught.value.result["transaction"]


def test_only_some_warnings(machine: Any, zoo: Zoo) -> None:
    zoo.index("2")
    zoo.block()
    for number in range(10, 60):
        zoo.offer(f"{number}-1")
    zoo.block()
    zoo.index("1")
    result = _ensure.ensure_state(machine, Request(_POLICY, 60, "reverse", False))
    assert result["after"]["level"] == 3
    assert len(result["warnings"]) == 21
    assert result["warnings"][-1] == "and 30 more are refused"


def test_many_candidates(machine: Any, zoo: Zoo) -> None:
    """The answer stays within what the control node takes, and nothing of the lab's is lost."""
    monkey = [Candidate(f"kernel-livepatch-{number}-default", "1-1", "x86_64", "another") for number in range(3000)]
    own = [Candidate(machine.kmp, f"{number}-1", "x86_64", "another") for number in range(10, 2010)]
    bad = [Candidate(machine.kmp, "9" * 5000 + f"{number}-1", "x86_64", "another") for number in range(100)]
    zoo.offered = [*monkey, *own, *bad]
    block = zoo.block()
    assert block["selected"]["evr"] == "2009-1"
    assert (len(block["candidates"]), len(block["rejected"])) == (500, 501 + 22 + 201)
    assert [one["code"] for one in block["rejected"][501:523]] == ["bad_version"] * 21 + ["older"]
    assert max(len(one["evr"]) for one in block["rejected"] + block["candidates"]) <= 200
