# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import re
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    InstallFailed,
    PackageManagerLocked,
    PackageManagerMissing,
    RepositoryDown,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import managers, port, rpm
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.zypper import Zypper

_NAMES = {"6.1": "kernel-livepatch-6_1_0-56-cloud-amd64", "6.12": "kernel-livepatch-6_12_117+deb12-cloud-amd64"}
_RELEASES = {"6.1": "6.1.0-56-cloud-amd64", "6.12": "6.12.117+deb12-cloud-amd64"}
_IDS = {"6.1": "3b43fad5034874490492495d552c0af6a5fab235", "6.12": "7f76f39faf07f34cfa9fadd801e131bfa8cb6dc3"}
_EVRS = ["3-150400.2.1", "2-150400.2.1", "1-150400.9.3.1"]


def _kmp(evr: str, repository: str = "lab") -> port.Candidate:
    return port.Candidate(_NAMES["6.1"], evr, "x86_64", repository)


@pytest.fixture
def zypper(host: Any) -> Zypper:
    return Zypper(host, 42)


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
@pytest.mark.parametrize("case", ["nothing", "level2", "level3", "level321"])
def test_offered(host: Any, zypper: Zypper, recorded: Any, kernel: str, case: str) -> None:
    host.answers["zypper"] = recorded(f"zypper-{kernel}-offered-{case}")
    found = zypper.list_offered(_RELEASES[kernel])
    assert sorted(found) == sorted((name, evr, "x86_64", "lab", False) for name in _NAMES.values() for evr in _EVRS)
    assert host.calls[:1] == [
        [
            "zypper",
            "--non-interactive",
            "--xmlout",
            "--no-refresh",
            "search",
            "--details",
            "--type",
            "package",
            "kernel-livepatch-*",
            "kgraft-patch-*",
        ]
    ]
    assert host.environments[:1] == [{"ZYPP_LOCK_TIMEOUT": "42"}]


@pytest.mark.parametrize(
    "name",
    [
        "kernel-livepatch-tools",
        "kernel-livepatch-tools-devel",
        "kernel-livepatch-SLE15-SP4_Update_22-debugsource",
        "kernel-livepatch-6_1_0-56-cloud-amd64-debuginfo",
    ],
)
def test_not_a_kmp(host: Any, zypper: Zypper, recorded: Any, name: str) -> None:
    answer = recorded("zypper-6.1-offered-nothing")
    host.answers["zypper"] = answer._replace(out=answer.out.replace(_NAMES["6.1"], name))
    assert {one.name for one in zypper.list_offered(_RELEASES["6.1"])} == {_NAMES["6.12"]}


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_locked_by_the_administrator(host: Any, zypper: Zypper, recorded: Any, kernel: str) -> None:
    # zypper addlock 'kernel-livepatch-... > 2'
    host.put("/etc/zypp/locks", "type: package")
    host.answers["zypper|search"] = recorded(f"zypper-{kernel}-offered-nothing")
    host.answers["zypper|locks"] = recorded(f"zypper-{kernel}-locks")
    host.answers["zypper|repos"] = Completed(0, "<stream/>", "")
    locked = [(one.name, one.evr) for one in zypper.list_offered(_RELEASES[kernel]) if one.locked]
    assert locked == [(_NAMES[kernel], _EVRS[0])]


def test_installed_that_no_repository_offers(host: Any, zypper: Zypper, recorded: Any) -> None:
    answer = recorded("zypper-6.1-offered-level3")
    host.answers["zypper"] = answer._replace(
        out=answer.out.replace('repository="lab"', 'repository="(System Packages)"')
    )
    assert {one.repository for one in zypper.list_offered(_RELEASES["6.1"])} == {None}


def test_names(zypper: Zypper) -> None:
    assert zypper.list_kmp_names(_RELEASES["6.1"]) == [_NAMES["6.1"], "kgraft-patch-6_1_0-56-cloud-amd64"]


@pytest.mark.parametrize(
    "case, besides",
    [
        ("preview", []),
        ("preview-pullskernel", [("install", "kernel-cloud-amd64", "99-1.1", "x86_64")]),
        ("preview-removes", [("remove", "lab-tool", "1-1", "noarch")]),
    ],
)
def test_preview(host: Any, zypper: Zypper, recorded: Any, case: str, besides: Any) -> None:
    evr = "2-150400.2.1" if case == "preview" else "4-150400.2.1"
    host.answers["zypper"] = recorded("zypper-6.1-" + case)
    steps = zypper.preview(_kmp(evr))
    assert sorted(steps) == sorted([("install", _NAMES["6.1"], evr, "x86_64"), *besides])
    spec = f"{_NAMES['6.1']}.x86_64={evr}"
    assert host.calls[0][-6:] == ["install", "--dry-run", "--no-recommends", "--from", "lab", spec]


def test_preview_in_parts(host: Any, zypper: Zypper) -> None:
    """What is in a second summary would be done as well."""
    group = "<install-summary><to-{0}><solvable name='{1}' edition='1-1' arch='noarch'/></to-{0}></install-summary>"
    both = group.format("install", "a") + group.format("remove", "b")
    host.answers["zypper"] = Completed(0, f"<stream>{both}</stream>", "")
    assert zypper.preview(_kmp(_EVRS[0])) == [("install", "a", "1-1", "noarch"), ("remove", "b", "1-1", "noarch")]


def test_preview_of_nothing(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(0, "<stream><message type='info'>Nothing to do.</message></stream>", "")
    assert zypper.preview(_kmp(_EVRS[0])) == []


def test_preview_that_the_solver_refuses(host: Any, zypper: Zypper) -> None:
    # As zypper 1.14 asks about a locked package
    text = "Problem: conflicting requests\n Solution 1: remove lock to allow installation"
    host.answers["zypper"] = Completed(4, f"<stream><prompt><description>{text}</description></prompt></stream>", "")
    with pytest.raises(InstallFailed, match=r"exit code 4.*conflicting requests Solution 1: remove lock"):
        zypper.preview(_kmp(_EVRS[0]))


def test_transactional_system(host: Any, zypper: Zypper, recorded: Any) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-preview")
    host.put("/usr/sbin/transactional-update")
    os.chmod(host.resolve_path("/usr/sbin/transactional-update"), 0o755)
    host.put("/proc/mounts", "/dev/sda2 / btrfs rw,relatime 0 0\n/dev/sda2 /.snapshots btrfs ro 0 0")
    zypper.preview(_kmp("2-150400.2.1"))
    host.put("/proc/mounts", "rootfs / rootfs rw 0 0\n/dev/sda2 / btrfs ro,relatime 0 0")
    with pytest.raises(InstallFailed, match=r"transactional system.*only be installed after the next boot"):
        zypper.preview(_kmp("2-150400.2.1"))


@pytest.mark.parametrize("case", ["download", "download-unsigned", "download-missigned", "download-damaged"])
def test_download(host: Any, zypper: Zypper, recorded: Any, case: str) -> None:
    # TRAP: zypper downloads what is not signed, not trusted, or damaged, and says nothing
    answer = recorded("zypper-6.1-" + case)
    host.answers["zypper"] = answer
    path = re.search('localfile path="([^"]+)"', answer.out).group(1)
    evr = re.search("-([0-9]-[0-9.]+)[.]x86_64", path).group(1)
    host.answers["rpm"] = recorded("rpm-6.1-check-good")
    host.put(path, "packed")
    assert zypper.download(_kmp(evr, "lab" if "/lab/" in path else "odd")) == path
    assert host.ran("zypper")[0][-4:-2] == ["download", "--from"]
    assert host.ran("zypper")[0][-1] == f"{_NAMES['6.1']}.x86_64={evr}"


def test_download_fails(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(0, "<stream><message type='error'>File not found.</message></stream>", "")
    with pytest.raises(RepositoryDown, match=r"cannot be fetched: File not found.*refresh: always"):
        zypper.download(_kmp(_EVRS[0]))


def test_repository_that_has_a_name(host: Any, zypper: Zypper) -> None:
    """TRAP: zypper lists packages under the names of repositories, and takes their aliases."""
    row = f"<solvable name={_NAMES['6.1']!r} edition='3-1' arch='x86_64' repository='Live Patching'/>"
    host.answers["zypper|search"] = Completed(0, f"<stream>{row}</stream>", "")
    repositories = "<repo alias='scc:lp' name='Live Patching'/><repo alias='Live Patching' name='other'/>"
    host.answers["zypper|repos"] = Completed(0, f"<stream><repo-list>{repositories}</repo-list></stream>", "")
    assert [candidate.repository for candidate in zypper.list_offered(_RELEASES["6.1"])] == ["scc:lp"]
    assert {key[3] for key in zypper.list_targeting(None)} == {"scc:lp"}
    assert len([call for call in host.calls if "repos" in call]) == 1


def test_repository_whose_name_is_in_brackets(host: Any, zypper: Zypper) -> None:
    rows = "".join(
        f"<solvable name={_NAMES['6.1']!r} edition='{evr}' arch='x86_64' repository='{label}'/>"
        for evr, label in (("1-1", "(System Packages)"), ("3-1", "(x) Live Patching"))
    )
    host.answers["zypper|search"] = Completed(0, f"<stream>{rows}</stream>", "")
    repositories = "<repo alias='lp' name='(x) Live Patching'/>"
    host.answers["zypper|repos"] = Completed(0, f"<stream><repo-list>{repositories}</repo-list></stream>", "")
    offered = zypper.list_offered(_RELEASES["6.1"])
    assert [(candidate.evr, candidate.repository) for candidate in offered] == [("1-1", None), ("3-1", "lp")]


def test_cached(host: Any, zypper: Zypper) -> None:
    assert zypper.find_cached(_kmp("1:" + _EVRS[0])) is None
    path = f"/var/cache/zypp/packages/lab/x86_64/{_NAMES['6.1']}-{_EVRS[0]}.x86_64.rpm"
    host.put(path, "x")
    host.put(path.replace(_EVRS[0], _EVRS[1]), "x")
    # The epoch is not in a file's name
    assert zypper.find_cached(_kmp("1:" + _EVRS[0])) == path
    assert zypper.find_cached(_kmp(_EVRS[0])._replace(arch="s390x")) is None
    assert zypper.find_cached(_kmp(_EVRS[0], "another")) is None


@pytest.mark.parametrize(
    "kernel, build_id, case, expected",
    [
        ("6.1", _IDS["6.1"], "targeting", [("6.1", evr) for evr in _EVRS]),
        ("6.12", _IDS["6.12"], "targeting", [("6.12", evr) for evr in _EVRS]),
        ("6.1", None, "targeting-any", [(kernel, evr) for kernel in ("6.1", "6.12") for evr in _EVRS]),
        ("6.1", "0" * 40, "targeting-none", []),
    ],
    ids=["6.1", "6.12", "any", "none"],
)
def test_targeting(
    host: Any, zypper: Zypper, recorded: Any, kernel: str, build_id: Any, case: str, expected: Any
) -> None:
    host.answers["zypper"] = recorded(f"zypper-{kernel}-{case}")
    assert zypper.list_targeting(build_id) == {(_NAMES[kernel], evr, "x86_64", "lab") for kernel, evr in expected}
    asked = "livepatch-target(build-id)" + (" = " + build_id if build_id else "")
    assert host.calls[0][-3:] == ["--provides", "--match-exact", asked]


_ALL_WORK = ["offered", "targeting", "refresh", "preview", "download", "install", "preview_removal", "remove", "lock"]


def _work(zypper: Zypper, what: str) -> Any:
    return {
        "offered": lambda: zypper.list_offered(_RELEASES["6.1"]),
        "preview": lambda: zypper.preview(_kmp(_EVRS[0])),
        "download": lambda: zypper.download(_kmp(_EVRS[0])),
        "targeting": lambda: zypper.list_targeting(None),
        "refresh": zypper.refresh,
        "install": lambda: zypper.install_files(["/x.rpm"]),
        "preview_removal": lambda: zypper.preview_removal(_kmp(_EVRS[0]).package),
        "remove": lambda: zypper.remove(_kmp(_EVRS[0]).package),
        "lock": lambda: zypper.lock("kernel-default"),
    }[what]


@pytest.mark.parametrize("what", _ALL_WORK)
@pytest.mark.parametrize("case", ["offered-locked", "install-locked"])
def test_locked(host: Any, zypper: Zypper, recorded: Any, what: str, case: str) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-" + case)
    with pytest.raises(
        PackageManagerLocked, match=r"waited 42 s: .*locked by the application with pid 1864 \(zypper\)"
    ):
        _work(zypper, what)()


@pytest.mark.parametrize("what", _ALL_WORK)
def test_not_root(host: Any, zypper: Zypper, what: str) -> None:
    host.answers["zypper"] = Completed(
        5, "<stream><message type='error'>Root privileges are required.</message></stream>", ""
    )
    with pytest.raises(Unmeasured, match="needs root: Root privileges are required"):
        _work(zypper, what)()


def test_refresh(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(0, "<stream><message type='info'>All repositories</message></stream>", "")
    zypper.refresh()
    assert host.calls == [["zypper", "--non-interactive", "--xmlout", "refresh"]]


def test_refresh_one_repository(host: Any, zypper: Zypper, recorded: Any) -> None:
    host.answers["zypper"] = Completed(0, "<stream/>", "")
    zypper.refresh_repository("lab")
    assert host.calls == [["zypper", "--non-interactive", "--xmlout", "refresh", "lab"]]
    down = recorded("zypper-6.1-refresh-down")
    for answer in (down, down._replace(rc=0)):
        host.answers["zypper"] = answer
        with pytest.raises(RepositoryDown, match=r"Problem retrieving files from 'lab'.*port 33097") as error:
            zypper.refresh_repository("lab")
        assert "refresh: never" not in str(error.value), "the advice for all repositories does not fit"


@pytest.mark.parametrize(
    ("case", "kmps"), [("level3", 6), ("no-cache", RepositoryDown), ("locked", PackageManagerLocked)]
)
def test_search(host: Any, zypper: Zypper, recorded: Any, case: str, kmps: Any) -> None:
    host.answers["zypper"] = recorded(f"zypper-6.1-offered-{case}")
    if isinstance(kmps, int):
        assert len(zypper.search_kmps()) == kmps
        assert "--no-refresh" not in host.calls[0]
        return
    with pytest.raises(kmps):
        zypper.search_kmps()


def test_search_finds_what_a_repository_offers(host: Any, zypper: Zypper, recorded: Any) -> None:
    """A KMP that is only installed, and tools with a KMP's name, are offered by none."""
    answer = recorded("zypper-6.1-offered-nothing")
    installed = answer.out.replace('repository="lab"', 'repository="(System Packages)"')
    host.answers["zypper"] = answer._replace(out=installed)
    assert zypper.search_kmps() == []
    tools = re.sub('name="[^"]*"', 'name="kernel-livepatch-tools"', answer.out)
    host.answers["zypper"] = answer._replace(out=tools)
    assert zypper.search_kmps() == []


def test_refresh_repository_down(host: Any, zypper: Zypper, recorded: Any) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-refresh-down")
    with pytest.raises(RepositoryDown, match=r"repository lab does not answer: .*Couldn't connect to server"):
        zypper.refresh()


def test_refresh_one_of_several_down(host: Any, zypper: Zypper, recorded: Any) -> None:
    # An exit code of 0 does not say that every repository answered
    host.answers["zypper"] = recorded("zypper-6.1-refresh-down")._replace(rc=0)
    with pytest.raises(RepositoryDown, match="repository lab does not answer"):
        zypper.refresh()


def test_no_secret_of_an_address_is_told(host: Any, zypper: Zypper) -> None:
    words = "Timeout exceeded when accessing 'https://me:secret@host/main/repodata/repomd.xml?token'."
    host.answers["zypper"] = Completed(4, f"<stream><message type='error'>{words}</message></stream>", "")
    with pytest.raises(RepositoryDown, match=r"accessing 'https://host/main/repodata/repomd\.xml\?$"):
        zypper.refresh()


def test_refresh_fails_otherwise(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(6, "<stream><message type='error'>No repositories.</message></stream>", "")
    with pytest.raises(RepositoryDown, match="exited with 6: No repositories"):
        zypper.refresh()


def test_search_while_down_takes_what_is_cached(host: Any, zypper: Zypper, recorded: Any) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-offered-down")
    assert len(zypper.list_offered(_RELEASES["6.1"])) == 3


def test_search_without_a_cache(host: Any, zypper: Zypper, recorded: Any) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-offered-no-cache")
    with pytest.raises(Unmeasured):
        zypper.list_offered(_RELEASES["6.1"])


@pytest.mark.parametrize("rc", [1, 4, 8, 106])
def test_search_fails(host: Any, zypper: Zypper, rc: int) -> None:
    host.answers["zypper"] = Completed(rc, "<stream><message type='error'>So it\n goes.</message></stream>", "")
    with pytest.raises(Unmeasured, match=f"exited with {rc}: So it goes"):
        zypper.list_offered(_RELEASES["6.1"])


def test_no_xml(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(0, "Loading repository data...", "")
    with pytest.raises(Unmeasured, match="XML that cannot be read"):
        zypper.list_offered(_RELEASES["6.1"])


@pytest.mark.parametrize("rc", [0, 102, 103, 107])
def test_install(host: Any, zypper: Zypper, recorded: Any, rc: int) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-install-2")._replace(rc=rc)
    zypper.install_files(["/x.rpm"])
    assert host.calls[0][-3:] == ["install", "--no-recommends", "/x.rpm"]
    assert "--no-refresh" in host.calls[0]


@pytest.mark.parametrize(
    "case, words",
    [
        ("install-unknown-version", r"exit code 104.*No provider of 'kernel-livepatch-6_1_0-56-cloud-amd64=9' found"),
        ("install-down", r"exit code 8.*Couldn't connect to server"),
    ],
)
def test_install_fails(host: Any, zypper: Zypper, recorded: Any, case: str, words: str) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-" + case)
    with pytest.raises(InstallFailed, match=words):
        zypper.install_files(["/x.rpm"])


def test_install_fails_without_words(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(4, "", "")
    with pytest.raises(InstallFailed, match="no output"):
        zypper.install_files(["/x.rpm"])


def _repository(host: Any, alias: str, enabled: str, age: Any, index: str = "repodata/repomd.xml") -> None:
    host.put(f"/etc/zypp/repos.d/{alias}.repo", f"[{alias}]\nname={alias} 100%\n{enabled}")
    if age is not None:
        path = f"/var/cache/zypp/raw/{alias}/{index}"
        host.put(path)
        os.utime(host.resolve_path(path), (host.wall_clock() - age, host.wall_clock() - age))


@pytest.mark.parametrize(
    "repositories, expected",
    [
        pytest.param([], None, id="none"),
        pytest.param([("a", "enabled=1", 100)], 100, id="one"),
        pytest.param([("a", "enabled=1", 100), ("b", "enabled=1", 7000)], 7000, id="the oldest counts"),
        pytest.param([("a", "enabled=1", 100), ("b", "enabled=0", 7000)], 100, id="disabled"),
        pytest.param([("a", "enabled=1", 100), ("b", "enabled=1", None)], None, id="one was never refreshed"),
        pytest.param([("a", "enabled=1", 100), ("b", "enabled=0", None)], 100, id="disabled and never refreshed"),
        pytest.param([("a", "autorefresh=1", 100)], 100, id="enabled if not said"),
        pytest.param([("a", "enabled=1", 100, "cookie")], 100, id="plain directory"),
        pytest.param([("a", "enabled=1", -50)], 0, id="clock went back"),
        pytest.param([("a", "enabled=1", -400)], None, id="dated in the future"),
        pytest.param(
            [("a", "enabled=1", 100), ("b", "enabled=false", None)],
            100,
            id="disabled in words",
        ),
    ],
)
def test_metadata_age(host: Any, zypper: Zypper, repositories: Any, expected: Any) -> None:
    for repository in repositories:
        _repository(host, *repository)
    assert zypper.compute_metadata_age() == expected


def test_metadata_age_of_a_broken_file(host: Any, zypper: Zypper) -> None:
    host.put("/etc/zypp/repos.d/x.repo", "no section\n")
    with pytest.raises(Unmeasured, match=r"/etc/zypp/repos.d/x.repo cannot be read"):
        zypper.compute_metadata_age()


def test_found_where_it_is(host: Any) -> None:
    with pytest.raises(PackageManagerMissing, match="neither zypper nor dnf"):
        managers.find_manager(host, 60)
    host.put("/usr/bin/zypper")
    os.chmod(host.resolve_path("/usr/bin/zypper"), 0o755)
    assert isinstance(managers.find_manager(host, 60), Zypper)


def test_older(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(0, "<stream/>", "")
    zypper.install_files(["/x.rpm"], older=True)
    zypper.preview_files(["/x.rpm"], older=True)
    assert [call[-3:] for call in host.calls] == [["--no-recommends", "--oldpackage", "/x.rpm"]] * 2


def test_unsigned(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(0, "<stream/>", "")
    for unsigned in (False, True):
        zypper.install_files(["/x.rpm", "/y.rpm"], unsigned=unsigned)
    assert ["--allow-unsigned-rpm" in call for call in host.calls] == [False, True]
    assert not any("gpg" in word for call in host.calls for word in call)


def test_preview_of_a_removal(host: Any, zypper: Zypper) -> None:
    row = "<solvable type='package' name='a' edition='1-1' arch='x86_64'/>"
    host.answers["zypper"] = Completed(
        0, f"<stream><install-summary><to-remove>{row}</to-remove></install-summary></stream>", ""
    )
    assert zypper.preview_removal(rpm.Package("a", "1-1", "x86_64")) == [("remove", "a", "1-1", "x86_64")]
    assert host.calls[0][-3:] == ["remove", "--dry-run", "a.x86_64=1-1"]


@pytest.mark.parametrize("what", ["preview_removal", "remove", "lock"])
def test_what_zypper_refuses(host: Any, zypper: Zypper, what: str) -> None:
    host.answers["zypper"] = Completed(4, "<stream><message type='error'>No, not that.</message></stream>", "")
    with pytest.raises(InstallFailed, match="No, not that"):
        _work(zypper, what)()


def test_locked_names(host: Any, zypper: Zypper) -> None:
    assert zypper.list_locked() == set(), "nobody is asked where there are no locks"
    host.put("/etc/zypp/locks", "type: package")
    host.answers["zypper"] = Completed(
        0, "<stream><locks size='1'><lock number='1'><name>kernel-default</name></lock></locks></stream>", ""
    )
    assert zypper.list_locked() == {"kernel-default"}


def test_holder(host: Any, zypper: Zypper) -> None:
    assert zypper.find_lock_holder() is None
    host.put("/run/zypp.pid", "1864")
    assert zypper.find_lock_holder() is None, "it is left over"
    host.put("/proc/1864/comm", "zypper")
    assert zypper.find_lock_holder() == "process 1864 (zypper)"
