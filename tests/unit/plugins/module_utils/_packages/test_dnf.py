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
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp_lock, managers
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.dnf import Dnf
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.rpm import Package

_NAME = "kpatch-patch-6_1_0-56"
_KMP = Candidate(_NAME, "1-2", "x86_64", "lab")
_OLDER = Package(_NAME, "1-1", "x86_64")
_RELEASE = "6.1.0-56-cloud-amd64"
_ID = "3b43fad5034874490492495d552c0af6a5fab235"
_CACHE = "/var/cache/dnf/lab-3979fcb1c805b6d3"


@pytest.fixture
def dnf(host: Any) -> Dnf:
    host.answers["rpm"] = Completed(1, f"package {_NAME} is not installed\n", "")
    return Dnf(host, 42)


def test_offered(host: Any, dnf: Dnf, recorded: Any) -> None:
    host.answers["dnf"] = recorded("dnf-kpatch-query")
    expected = [(_NAME, evr, "x86_64", "lab", False) for evr in ("0-0", "1-1", "1-2")]
    assert dnf.list_offered(_RELEASE) == expected
    (asked,) = [call for call in host.calls if call[0] == "dnf"]
    assert "--cacheonly" in asked
    assert asked[-2:] == ["kpatch-patch-*", "kernel-livepatch-*"]


def test_tags_come_with_the_same_answer(host: Any, dnf: Dnf, recorded: Any) -> None:
    host.answers["dnf"] = recorded("dnf-kpatch-query")
    dnf.list_offered(_RELEASE)
    everything = {(_NAME, evr, "x86_64", "lab") for evr in ("0-0", "1-1", "1-2")}
    assert dnf.list_targeting(_ID) == everything
    assert dnf.list_targeting(None) == everything
    assert dnf.list_targeting("0" * 40) == set()
    assert len(host.ran("dnf")) == 1
    assert Dnf(host, 42).list_targeting(_ID) == everything, "asks by itself where nobody has"


def test_held(host: Any, dnf: Dnf, recorded: Any) -> None:
    host.put("/etc/dnf/dnf.conf", "[main]\nexcludepkgs=kpatch-patch-*-1-2\n")
    host.answers["dnf"] = recorded("dnf-kpatch-query-excluded")
    host.answers["dnf|--disableexcludes=all"] = recorded("dnf-kpatch-query")
    assert [one.evr for one in dnf.list_offered(_RELEASE) if one.locked] == ["1-2"]


def test_installed_that_no_repository_offers(host: Any, dnf: Dnf, recorded: Any) -> None:
    host.answers["dnf"] = Completed(0, "", "")
    name = "kernel-livepatch-6_1_0-56-cloud-amd64"
    record = (
        recorded("rpm-6.1-level3")
        .out.replace(name, _NAME)
        .replace("<string>3</string>", "<string>1</string>")
        .replace("<string>150400.2.1</string>", "<string>3</string>")
    )
    host.answers["rpm|" + _NAME] = Completed(0, record, "")
    assert dnf.list_offered(_RELEASE) == [(_NAME, "1-3", "x86_64", None, False)]


def test_epoch_and_hostile_words(host: Any, dnf: Dnf) -> None:
    record = "\x1f".join(("kernel-livepatch-6.1.0-56", "1", "1.0-2", "x86_64", "lab", "a = 1\nb\n\nc"))
    records = record + "\x1e\n" + record.replace("kernel-livepatch-6", "kernel-livepatch-x") + "\x1e\n"
    for before in ("", "Updating Subscription Management repositories.\n\n"):
        host.answers["dnf"] = Completed(0, before + records, "")
        assert dnf.list_offered(_RELEASE) == [("kernel-livepatch-6.1.0-56", "1:1.0-2", "x86_64", "lab", False)]
    for damaged in ("Last metadata expiration check\x1e", records + record, records + "Error", "\x1e" + records):
        host.answers["dnf"] = Completed(0, damaged, "")
        with pytest.raises(Unmeasured, match="not a package"):
            dnf.list_offered(_RELEASE)


def test_names(dnf: Dnf) -> None:
    assert dnf.list_kmp_names(_RELEASE) == [_NAME, "kernel-livepatch-6.1.0-56"]
    assert dnf.list_kmp_names("6.12.94-123.174.amzn2023.x86_64")[0] == "kernel-livepatch-6.12.94-123.174"


def test_preview(host: Any, dnf: Dnf, recorded: Any) -> None:
    host.answers["dnf"] = recorded("dnf-kpatch-preview")
    assert dnf.preview(_KMP) == [("install", _NAME, "1-2", "x86_64")]
    assert "--assumeno" in host.calls[0]
    assert host.calls[0][-1] == _NAME + "-1-2.x86_64"
    assert "--setopt=lab.priority=-1000000" in host.calls[0]


_TABLE = """\
Dependencies resolved.
================================================================================
 Package                    Arch    Version          Repository            Size
================================================================================
Installing:
 kpatch-patch-4_18_0-305_25_1_el8_with_a_long_name
                            x86_64  1-2.el8          rhel-8-for-x86_64-baseos-rpms
                                                                           93 k
     replacing  lab-tool.noarch 1-1
Upgrading:
 kpatch                     noarch  0.9.7-2.el8      baseos                17 k
Installing dependencies:
 kernel                     x86_64  4.18.0-513.el8   baseos               9.9 M
Removing dependent packages:
 vital                      x86_64  1:1-1            @System               1 k
Something new:
 other                      x86_64  1-1              baseos                1 k

Transaction Summary
================================================================================
Install  2 Packages
"""


def test_preview_of_much(host: Any, dnf: Dnf) -> None:
    host.answers["dnf"] = Completed(1, _TABLE, "Operation aborted.")
    steps = dnf.preview(_KMP)
    assert ("install", "kpatch-patch-4_18_0-305_25_1_el8_with_a_long_name", "1-2.el8", "x86_64") in steps
    assert ("remove", "lab-tool", "1-1", "noarch") in steps
    assert ("upgrade", "kpatch", "0.9.7-2.el8", "noarch") in steps
    assert ("install", "kernel", "4.18.0-513.el8", "x86_64") in steps
    assert ("remove", "vital", "1:1-1", "x86_64") in steps
    assert ("something new", "other", "1-1", "x86_64") in steps


def test_preview_of_nothing(host: Any, dnf: Dnf) -> None:
    host.answers["dnf"] = Completed(0, "Dependencies resolved.\nNothing to do.\nComplete!\n", "")
    assert dnf.preview(_KMP) == []


@pytest.mark.parametrize("case", ["preview-unknown", "preview-excluded"])
def test_preview_that_dnf_refuses(host: Any, dnf: Dnf, recorded: Any, case: str) -> None:
    host.answers["dnf"] = recorded("dnf-kpatch-" + case)
    with pytest.raises(InstallFailed, match=r"exit code 1.*Unable to find a match: kpatch-patch-6_1_0-56"):
        dnf.preview(_KMP)


def test_download(host: Any, dnf: Dnf, recorded: Any) -> None:
    host.answers["dnf"] = recorded("dnf-kpatch-download")
    with pytest.raises(RepositoryDown, match="cannot be fetched"):
        dnf.download(_KMP)
    host.answers["rpm"] = recorded("rpm-6.1-check-good")
    host.put(f"{_CACHE}/packages/{_NAME}-1-2.x86_64.rpm", "x")
    assert dnf.download(_KMP) == f"{_CACHE}/packages/{_NAME}-1-2.x86_64.rpm"
    assert dnf.find_cached(_KMP._replace(evr="5:1-2")) is not None
    assert dnf.find_cached(_KMP._replace(arch="s390x")) is None
    assert dnf.find_cached(_KMP._replace(repository="another")) is None
    assert "--downloadonly" in host.calls[0]
    assert "--setopt=*.metadata_expire=-1" in host.calls[0]


def test_download_that_is_cut_off(host: Any, dnf: Dnf, recorded: Any, monkeypatch: Any) -> None:
    file = f"{_CACHE}/packages/{_NAME}-1-2.x86_64.rpm"

    def run(argv: Any, environment: Any = None, seconds: Any = None) -> Any:
        if argv[0] == "rpm":
            return recorded("rpm-6.1-check-damaged")
        assert host.read_bytes(file) is None, "what was cut off before is out of its way"
        host.put(file, "pack")
        return Completed(1, "", "Curl error (23): Failed writing received data to disk/application")

    monkeypatch.setattr(host, "run", run)
    host.put(file, "pa")
    with pytest.raises(RepositoryDown, match=r"cannot be fetched: Curl error .23.: Failed writing"):
        dnf.download(_KMP)
    assert host.read_bytes(file) is None


def test_refresh_one_repository(host: Any, dnf: Dnf, recorded: Any) -> None:
    host.answers["dnf"] = Completed(0, "", "")
    dnf.refresh_repository("lab")
    assert host.calls[-1][-5:] == ["--assumeyes", "--disablerepo=*", "--enablerepo=lab", "--refresh", "makecache"]
    assert "--setopt=*.skip_if_unavailable=False" in host.calls[-1]
    host.answers["dnf"] = recorded("dnf-kpatch-refresh-down")
    with pytest.raises(RepositoryDown, match="Failed to download metadata for repo 'lab'") as error:
        dnf.refresh_repository("lab")
    assert "refresh: never" not in str(error.value), "the advice for all repositories does not fit"


def test_search(host: Any, dnf: Dnf, recorded: Any) -> None:
    host.answers["dnf"] = recorded("dnf-kpatch-query")
    assert {kmp.name for kmp in dnf.search_kmps()} == {_NAME}
    assert "--cacheonly" not in host.calls[-1]
    host.answers["dnf"] = recorded("dnf-kpatch-query-no-cache")
    with pytest.raises(RepositoryDown) as error:
        dnf.search_kmps()
    assert "refresh: always" not in str(error.value)


@pytest.mark.parametrize("case", ["refresh-down"])
def test_repository_down(host: Any, dnf: Dnf, recorded: Any, case: str) -> None:
    host.answers["dnf"] = recorded("dnf-kpatch-" + case)
    with pytest.raises(RepositoryDown, match="Failed to download metadata for repo 'lab'"):
        dnf.refresh()
    assert "--setopt=*.skip_if_unavailable=False" in host.calls[0]


def test_no_cache(host: Any, dnf: Dnf, recorded: Any) -> None:
    host.answers["dnf"] = recorded("dnf-kpatch-query-no-cache")
    with pytest.raises(RepositoryDown, match=r"no cache for 'lab'.*refresh: always"):
        dnf.list_offered(_RELEASE)


def test_install(host: Any, dnf: Dnf) -> None:
    host.answers["dnf"] = Completed(0, "", "")
    dnf.install_files(["/x.rpm"])
    assert host.calls[0][-2:] == ["install", "/x.rpm"]
    assert "--setopt=localpkg_gpgcheck=1" in host.calls[0], "TRAP: dnf does not check files by itself"
    assert "--cacheonly" in host.calls[0]
    dnf.install_files(["/x.rpm"], unsigned=True)
    assert "--setopt=localpkg_gpgcheck=0" in host.calls[1]
    host.answers["dnf"] = Completed(1, "", "Error: GPG check FAILED\n")
    with pytest.raises(InstallFailed, match="GPG check FAILED"):
        dnf.install_files(["/x.rpm"])


def test_locked(host: Any, dnf: Dnf) -> None:
    """dnf would wait for ever; who holds the lock is in the file."""
    host.answers["dnf"] = Completed(200, "", "Failed to obtain the transaction lock")
    host.put("/var/cache/dnf/metadata_lock.pid", "1864")
    host.put("/proc/1864/comm", "dnf-automatic")
    with pytest.raises(PackageManagerLocked, match=r"waited 42 s: its lock is held by process 1864 \(dnf-automatic\)"):
        dnf.refresh()
    assert 42 <= host.slept < 46
    host.drop("/proc/1864")
    with pytest.raises(PackageManagerLocked, match="Failed to obtain the transaction lock"):
        dnf.refresh()


def test_not_root(host: Any, dnf: Dnf) -> None:
    words = "Error: This command has to be run with superuser privileges (under the root user on most systems)."
    host.answers["dnf"] = Completed(1, "", words)
    with pytest.raises(Unmeasured, match="needs root"):
        dnf.install_files(["/x.rpm"])


def _repository(host: Any, name: str, age: Any, enabled: str = "enabled=1", folder: str = "0123456789abcdef") -> None:
    host.put(f"/etc/yum.repos.d/{name}.repo", f"[{name}]\nname={name}\n{enabled}")
    if age is not None:
        for file, older in (("repomd.xml", 5000), ("abc-primary.xml.gz", 0)):
            path = f"/var/cache/dnf/{name}-{folder}/repodata/{file}"
            host.put(path)
            os.utime(host.resolve_path(path), (host.wall_clock() - age - older, host.wall_clock() - age - older))


@pytest.mark.parametrize(
    "repositories, expected, without",
    [
        pytest.param([], None, [], id="none"),
        pytest.param([("a", 100)], 100, [], id="TRAP: repomd.xml is as old as its content"),
        pytest.param([("a", 100), ("b", 7000)], 7000, [], id="the oldest counts"),
        pytest.param([("a", 100), ("b", None)], None, ["b"], id="one was never refreshed"),
        pytest.param([("a", 100), ("b", None, "enabled=0")], 100, [], id="disabled"),
        pytest.param([("a", 9000, "", "f" * 16), ("a", 100)], 100, [], id="two folders of one"),
        pytest.param([("a", 100), ("a-b", None)], None, ["a-b"], id="names that begin alike"),
        pytest.param([("a", -50)], 0, [], id="clock went back"),
        pytest.param([("a", -9000)], None, ["a"], id="dated in the future"),
        pytest.param([("a", -1000)], 4000, [], id="TRAP: what has no news keeps a date in the future"),
        pytest.param([("a", -9000, "", "f" * 16), ("a", 100)], 100, [], id="two folders, one dated in the future"),
    ],
)
def test_metadata(host: Any, dnf: Dnf, repositories: Any, expected: Any, without: Any) -> None:
    for repository in repositories:
        _repository(host, *repository)
    assert dnf.compute_metadata_age() == expected
    assert dnf.list_without_metadata() == without


def test_where_metadata_are(host: Any, dnf: Dnf) -> None:
    host.put("/etc/dnf/dnf.conf", "[main]\ncachedir=/srv/dnf\n")
    _repository(host, "a", None)
    assert dnf.list_metadata() == []
    host.put("/srv/dnf/a-0123456789abcdef/repodata/repomd.xml")
    assert dnf.list_metadata() == [("a", "/srv/dnf/a-0123456789abcdef", False)]


def test_no_secret_of_an_address_is_told(host: Any, dnf: Dnf) -> None:
    words = "Curl error (22): The requested URL returned error: 403 for https://me:secret@host/repomd.xml?token []"
    host.answers["dnf"] = Completed(1, "", words)
    with pytest.raises(RepositoryDown, match=r"403 for https://host/repomd.xml\?\.\.\. \[\]"):
        dnf.refresh()


def test_broken_file(host: Any, dnf: Dnf) -> None:
    host.put("/etc/yum.repos.d/x.repo", "no section\n")
    with pytest.raises(Unmeasured, match=r"/etc/yum.repos.d/x.repo cannot be read"):
        dnf.compute_metadata_age()


def _tool(host: Any, name: str) -> None:
    host.put("/usr/bin/" + name)
    os.chmod(host.resolve_path("/usr/bin/" + name), 0o755)


def test_found_where_it_is(host: Any) -> None:
    _tool(host, "dnf-3")
    os.symlink("dnf-3", host.resolve_path("/usr/bin/dnf"))
    assert isinstance(managers.find_manager(host, 60), Dnf)
    host.put("/run/ostree-booted")
    with pytest.raises(PackageManagerMissing, match="image-based system"):
        managers.find_manager(host, 60)


def test_dnf5_is_another_one(host: Any) -> None:
    _tool(host, "dnf5")
    os.symlink("dnf5", host.resolve_path("/usr/bin/dnf"))
    with pytest.raises(PackageManagerMissing, match="dnf 5"):
        managers.find_manager(host, 60)


def test_older_and_removal(host: Any, dnf: Dnf) -> None:
    host.answers["dnf"] = Completed(0, "", "")
    dnf.install_files(["/x.rpm"], older=True)
    dnf.remove(_OLDER)
    assert [call[-2:] for call in host.calls] == [["downgrade", "/x.rpm"], ["remove", _NAME + "-1-1.x86_64"]]
    assert "--noautoremove" in host.calls[1], "what came with it stays"


_REMOVAL = """\
Dependencies resolved.
================================================================================
 Package         Architecture     Version          Repository              Size
================================================================================
Removing:
 {name}
                 x86_64           1-1              @lab                   255 k

Transaction Summary
================================================================================
"""


def test_preview_of_a_removal(host: Any, dnf: Dnf) -> None:
    host.answers["dnf"] = Completed(1, _REMOVAL.format(name=_NAME), "Operation aborted.")
    assert dnf.preview_removal(_OLDER) == [("remove", _NAME, "1-1", "x86_64")]


@pytest.mark.parametrize("verb", ["remove", "lock", "unlock"])
def test_what_dnf_refuses(host: Any, dnf: Dnf, verb: str) -> None:
    host.answers["dnf"] = Completed(1, "", "Error: not that")
    with pytest.raises(InstallFailed, match="not that"):
        getattr(dnf, verb)(*([_OLDER] if verb == "remove" else ["kernel"]))


_OWN = "# fleet.livepatch holds KMPs between rollouts (livepatch_lock)"
_HELD = "kpatch-patch-[0-9]*,kernel-livepatch-[0-9]*"


@pytest.mark.parametrize(
    ("text", "held", "passed"),
    [
        ("[main]\ngpgcheck=1", f"[main]\n{_OWN}\nexcludepkgs={_HELD}\ngpgcheck=1", ["--setopt=excludepkgs="]),
        (None, f"\n[main]\n{_OWN}\nexcludepkgs={_HELD}", ["--setopt=excludepkgs="]),
        (
            "# mine\n[main]\nexcludepkgs=vim*, bash\n  zsh\n[x]\nexclude=y",
            f"# mine\n[main]\n{_OWN}\nexclude={_HELD}\nexcludepkgs=vim*, bash\n  zsh\n[x]\nexclude=y",
            ["--setopt=excludepkgs=", "--setopt=excludepkgs=vim*,bash,zsh"],
        ),
    ],
)
def test_lock_on_kmps(host: Any, dnf: Dnf, text: Any, held: str, passed: Any) -> None:
    if text is not None:
        host.put("/etc/dnf/dnf.conf", text)
    before = host.read_text("/etc/dnf/dnf.conf")
    kmp_lock.apply_lock(host, dnf, True)
    assert host.read_text("/etc/dnf/dnf.conf") == held.strip()
    assert (kmp_lock.describe_lock(host, dnf), kmp_lock.is_different(host, dnf, True)) == ("own", False)
    host.put("/etc/dnf/dnf.conf", before or "")
    assert kmp_lock.is_different(host, dnf, True), "somebody has written the file anew"
    kmp_lock.apply_lock(host, dnf, True)
    host.answers["dnf"] = Completed(0, "", "")
    dnf.install_files(["/tmp/kmp.rpm"])
    assert [word for word in host.calls[-1] if word.startswith("--setopt=excludepkgs")] == passed
    kmp_lock.apply_lock(host, dnf, False)
    assert host.read_text("/etc/dnf/dnf.conf") == (before or "[main]")
    assert (kmp_lock.describe_lock(host, dnf), kmp_lock.is_different(host, dnf, False)) == ("none", False)
    dnf.install_files(["/tmp/kmp.rpm"])
    assert not [word for word in host.calls[-1] if "excludepkgs" in word]


def test_no_room_for_the_lock_on_kmps(host: Any, dnf: Dnf) -> None:
    text = "[main]\nexclude=a\nexcludepkgs=b"
    host.put("/etc/dnf/dnf.conf", text)
    with pytest.raises(InstallFailed, match=r"has both excludepkgs and exclude.*Join them into one line"):
        kmp_lock.apply_lock(host, dnf, True)
    assert host.read_text("/etc/dnf/dnf.conf") == text


def test_locked_names(host: Any, dnf: Dnf) -> None:
    assert dnf.list_locked() == set()
    host.put("/etc/dnf/plugins/versionlock.list", "# its own\nkernel-core-0:5.14.0-1.el9.*\n!vim-2-1\nbash-5.1-1.el9.*")
    assert dnf.list_locked() == {"kernel-core", "bash"}
