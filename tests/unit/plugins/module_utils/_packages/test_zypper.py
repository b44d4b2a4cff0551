# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
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
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import managers
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.zypper import Zypper

_NAMES = {"6.1": "kernel-livepatch-6_1_0-56-cloud-amd64", "6.12": "kernel-livepatch-6_12_117+deb12-cloud-amd64"}
_IDS = {"6.1": "3b43fad5034874490492495d552c0af6a5fab235", "6.12": "7f76f39faf07f34cfa9fadd801e131bfa8cb6dc3"}
_EVRS = ["3-150400.2.1", "2-150400.2.1", "1-150400.9.3.1"]


@pytest.fixture
def zypper(host: Any) -> Zypper:
    return Zypper(host, 42)


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
@pytest.mark.parametrize("case", ["nothing", "level2", "level3", "level321"])
def test_named(host: Any, zypper: Zypper, recorded: Any, kernel: str, case: str) -> None:
    host.answers["zypper"] = recorded(f"zypper-{kernel}-named-{case}")
    assert zypper.named(_NAMES[kernel]) == [(_NAMES[kernel], evr, "x86_64", "lab") for evr in _EVRS]
    assert host.calls == [
        [
            "zypper",
            "--non-interactive",
            "--xmlout",
            "--no-refresh",
            "search",
            "--details",
            "--type",
            "package",
            "--match-exact",
            _NAMES[kernel],
        ]
    ]
    assert host.environments == [{"ZYPP_LOCK_TIMEOUT": "42"}]


def test_named_like_another(host: Any, zypper: Zypper, recorded: Any) -> None:
    # zypper's search does not mind upper and lower case
    host.answers["zypper"] = recorded("zypper-6.1-named-nothing")
    assert zypper.named(_NAMES["6.1"].upper()) == []


def test_installed_that_no_repository_offers(host: Any, zypper: Zypper, recorded: Any) -> None:
    answer = recorded("zypper-6.1-named-level3")
    host.answers["zypper"] = answer._replace(
        out=answer.out.replace('repository="lab"', 'repository="(System Packages)"')
    )
    assert [one.repository for one in zypper.named(_NAMES["6.1"])] == [None, None, None]


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
    assert zypper.targeting(build_id) == {_NAMES[kernel] + "-" + evr for kernel, evr in expected}
    asked = "livepatch-target(build-id)" + (" = " + build_id if build_id else "")
    assert host.calls[0][-3:] == ["--provides", "--match-exact", asked]


def _work(zypper: Zypper, what: str) -> Any:
    return {
        "named": lambda: zypper.named(_NAMES["6.1"]),
        "targeting": lambda: zypper.targeting(None),
        "refresh": zypper.refresh,
        "install": lambda: zypper.install(_NAMES["6.1"], _EVRS[0]),
    }[what]


@pytest.mark.parametrize("what", ["named", "targeting", "refresh", "install"])
@pytest.mark.parametrize("case", ["named-locked", "install-locked"])
def test_locked(host: Any, zypper: Zypper, recorded: Any, what: str, case: str) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-" + case)
    with pytest.raises(
        PackageManagerLocked, match=r"waited 42 s: .*locked by the application with pid 1864 \(zypper\)"
    ):
        _work(zypper, what)()


@pytest.mark.parametrize("what", ["named", "targeting", "refresh", "install"])
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


def test_refresh_repository_down(host: Any, zypper: Zypper, recorded: Any) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-refresh-down")
    with pytest.raises(RepositoryDown, match=r"repository lab does not answer: .*Couldn't connect to server"):
        zypper.refresh()


def test_refresh_one_of_several_down(host: Any, zypper: Zypper, recorded: Any) -> None:
    # An exit code of 0 does not say that every repository answered
    host.answers["zypper"] = recorded("zypper-6.1-refresh-down")._replace(rc=0)
    with pytest.raises(RepositoryDown, match="repository lab does not answer"):
        zypper.refresh()


def test_refresh_fails_otherwise(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(6, "<stream><message type='error'>No repositories.</message></stream>", "")
    with pytest.raises(RepositoryDown, match="ended with 6: No repositories"):
        zypper.refresh()


def test_search_while_down_takes_what_is_cached(host: Any, zypper: Zypper, recorded: Any) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-named-down")
    assert len(zypper.named(_NAMES["6.1"])) == 3


def test_search_without_a_cache(host: Any, zypper: Zypper, recorded: Any) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-named-no-cache")
    with pytest.raises(Unmeasured):
        zypper.named(_NAMES["6.1"])


@pytest.mark.parametrize("rc", [1, 4, 8, 106])
def test_search_fails(host: Any, zypper: Zypper, rc: int) -> None:
    host.answers["zypper"] = Completed(rc, "<stream><message type='error'>So it\n goes.</message></stream>", "")
    with pytest.raises(Unmeasured, match=f"ended with {rc}: So it goes"):
        zypper.named(_NAMES["6.1"])


def test_no_xml(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(0, "Loading repository data...", "")
    with pytest.raises(Unmeasured, match="XML that cannot be read"):
        zypper.named(_NAMES["6.1"])


@pytest.mark.parametrize("rc", [0, 102, 103, 107])
def test_install(host: Any, zypper: Zypper, recorded: Any, rc: int) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-install-2")._replace(rc=rc)
    zypper.install(_NAMES["6.1"], "2-150400.2.1")
    assert host.calls[0][-3:] == ["install", "--no-recommends", _NAMES["6.1"] + "=2-150400.2.1"]
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
        zypper.install(_NAMES["6.1"], _EVRS[0])


def test_install_fails_without_words(host: Any, zypper: Zypper) -> None:
    host.answers["zypper"] = Completed(4, "", "")
    with pytest.raises(InstallFailed, match="it said nothing"):
        zypper.install(_NAMES["6.1"], _EVRS[0])


def _repository(host: Any, alias: str, enabled: str, age: Any, index: str = "repodata/repomd.xml") -> None:
    host.put(f"/etc/zypp/repos.d/{alias}.repo", f"[{alias}]\nname={alias} 100%\n{enabled}")
    if age is not None:
        path = f"/var/cache/zypp/raw/{alias}/{index}"
        host.put(path)
        os.utime(host.path(path), (host.wall_clock() - age, host.wall_clock() - age))


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
    assert zypper.metadata_age() == expected


def test_metadata_age_of_a_broken_file(host: Any, zypper: Zypper) -> None:
    host.put("/etc/zypp/repos.d/x.repo", "no section\n")
    with pytest.raises(Unmeasured, match=r"/etc/zypp/repos.d/x.repo cannot be read"):
        zypper.metadata_age()


def test_found_where_it_is(host: Any) -> None:
    with pytest.raises(PackageManagerMissing, match="no zypper"):
        managers.find(host, 60)
    host.put("/usr/bin/zypper")
    os.chmod(host.path("/usr/bin/zypper"), 0o755)
    assert isinstance(managers.find(host, 60), Zypper)
