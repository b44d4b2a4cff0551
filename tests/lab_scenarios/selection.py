# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMPs that must be refused, on real kernels: each before anything is loaded, each for its own reason."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

import pytest

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.ask import Ask
from tests.support.controller import Controller

_BAD = "4-150400.2.1"


@pytest.fixture(scope="module")
def extended(lab: Lab) -> Lab:
    """Hosts, and what only these scenarios need."""
    lab.up(3, fresh=True)
    lab.extras()
    return lab


@pytest.fixture(scope="module")
def first(extended: Lab, controller: Controller) -> Ask:
    """A host that is up to date."""
    ask = Ask(extended, controller, extended.host("lp1"))
    assert ask("livepatch")["livepatch"]["state"] == "patched"
    ask.host.ssh("sudo zypper -n install lab-tool")
    return ask


@pytest.fixture
def odd(first: Ask) -> Iterator[Ask]:
    yield first
    first.forget()


def _refusals(result: Mapping[str, t.Any]) -> dict[str, str]:
    return {one["evr"]: one["code"] for one in result["kmp"]["rejected"]}


@pytest.mark.parametrize(
    "repository, code",
    [
        ("unsigned", "unsigned"),
        ("missigned", "unknown_key"),
        ("damaged", "bad_signature"),
        ("wrongkernel", "wrong_kernel"),
        ("otherbuild", "other_build"),
        ("retracted", "retracted"),
        ("othervendor", "other_vendor"),
    ],
)
def test_refused(odd: Ask, repository: str, code: str, figures: dict[str, object]) -> None:
    before = canary.snapshot(odd.host)
    odd.add(repository)
    result = odd("livepatch", refresh="always")
    assert not result["changed"], "level 3 stays, which is the newest that may be taken"
    assert result["livepatch"]["state"] == "patched"
    assert _refusals(result)[_BAD] == code
    assert canary.untouched(odd.host, before)
    # What was seen once is known from then on: the file is still there. A damaged one may be so since then.
    assert _refusals(odd("kmp_info")).get(_BAD) == (None if code == "bad_signature" else code)
    figures.update({"refused as": code, "loaded": 0})


@pytest.mark.parametrize(
    "repository, words",
    [("pullskernel", "install kernel-cloud-amd64-99-1.1.x86_64"), ("removes", "remove lab-tool-1-1.noarch")],
)
def test_transaction(odd: Ask, repository: str, words: str, figures: dict[str, object]) -> None:
    before = canary.snapshot(odd.host)
    odd.add(repository)
    result = odd("livepatch", refresh="always")
    assert f"would also {words}" in result["msg"]
    assert words in result["transaction"]
    assert canary.untouched(odd.host, before)
    figures.update({"refused": words})


def test_advisories(first: Ask, figures: dict[str, object]) -> None:
    asked = first("kmp_info", refresh="always")["kmp"]
    told = {key: asked["selected"][key] for key in ("cves", "severity", "issued")}
    assert told == {"cves": ["CVE-2099-0002", "CVE-2099-0003"], "severity": "important", "issued": "2026-05-12"}
    assert asked["kernel_fixed"] == ["CVE-2099-0004"]
    compliance = first("livepatch_info")["livepatch"]["compliance"]
    assert compliance["cves_fixed"] == told["cves"]
    assert (compliance["cves_open"], compliance["kernel_fixed"], compliance["up_to_date"]) == ([], 1, True)
    figures.update({"fixed": 2, "fixed only by a newer kernel": 1})


def test_damaged_metadata(first: Ask, extended: Lab, figures: dict[str, object]) -> None:
    """Cut off in the middle on the host: that a KMP was retracted might be in the other half."""
    first.host.ssh(
        "cd /var/cache/zypp/raw/lab/repodata && sudo cp *updateinfo* /tmp/ && sudo truncate -s 200 *updateinfo*"
    )
    result = first("livepatch", refresh="never")
    assert "the advisories of repository lab cannot be read" in result["msg"]
    assert result["livepatch"]["state"] == "unknown"
    first.host.ssh("sudo cp /tmp/*updateinfo* /var/cache/zypp/raw/lab/repodata/")
    assert first("livepatch_info", refresh="never")["livepatch"]["state"] == "patched"
    figures.update({"state": "unknown"})


def test_locked(first: Ask, figures: dict[str, object]) -> None:
    """Another program holds zypper's lock for longer than we wait: it is named."""
    first.host.ssh("sudo systemd-run --unit=holder python3 -c 'import time; time.sleep(300)'")
    pid = first.host.ssh("systemctl show --property=MainPID --value holder").strip()
    first.host.ssh(f"echo {pid} | sudo tee /run/zypp.pid")
    result = first("livepatch_info", lock_timeout=3)
    first.host.ssh("sudo systemctl stop holder; sudo rm -f /run/zypp.pid")
    assert result["livepatch"]["state"] == "unknown"
    assert f"locked by the application with pid {pid}" in result["livepatch"]["reason"]
    figures.update({"state": "unknown"})


def test_another_vendor_is_shown_with_its_transaction(odd: Ask) -> None:
    odd.add("othervendor")
    result = odd("livepatch", refresh="always")
    assert result["transaction"] == [f"install {result['kmp']['name']}-{_BAD}.x86_64"]
    (reason,) = [one["reason"] for one in result["kmp"]["rejected"] if one["evr"] == _BAD]
    assert reason.startswith("its vendor is Somebody Else, the kernel's is fleet.livepatch lab")


@pytest.mark.parametrize(
    "setting, words",
    [
        ("echo 1 | sudo tee /sys/module/module/parameters/sig_enforce", "sig_enforce"),
        ("echo integrity | sudo tee /sys/kernel/security/lockdown", "lockdown: integrity"),
    ],
    ids=["sig_enforce", "lockdown"],
)
def test_what_the_kernel_would_not_take(
    extended: Lab, controller: Controller, setting: str, words: str, figures: dict[str, object]
) -> None:
    """The lab's modules are not signed. The kernel's own word for it is seen as well: it is no guess."""
    ask = Ask(extended, controller, extended.host("lp2" if "lockdown" in words else "lp3"))
    ask.host.ssh(setting)
    before = canary.snapshot(ask.host)
    result = ask("livepatch")
    assert set(_refusals(result).values()) == {"unloadable"}
    assert f"({words})" in result["msg"]
    assert canary.untouched(ask.host, before)
    ask.host.ssh(f"sudo zypper -n download {result['kmp']['name']}")
    said = ask.host.ssh(
        "cd /tmp && rpm2cpio $(ls -v /var/cache/zypp/packages/lab/*.rpm | tail -1) | cpio -id --quiet;"
        " sudo insmod $(find /tmp/lib -name '*.ko')",
        check=False,
    )
    assert "Key was rejected by service" in said or "Operation not permitted" in said, said
    figures.update({"refused by": words})


def test_near_miss(extended: Lab, controller: Controller, figures: dict[str, object]) -> None:
    """The kernel before it: its name differs in one digit, and its KMPs are none for it."""
    ask = Ask(extended, controller, extended.start_older("old1"))
    right = ask("livepatch_info")
    assert right["kmp"]["selected"]["name"].endswith(ask.host.kernel.replace(".", "_"))
    ask.host.ssh(f"sudo sed -i 's|^baseurl=.*|baseurl={extended.repository.url('main')}|' /etc/zypp/repos.d/lab.repo")
    before = canary.snapshot(ask.host)
    result = ask("livepatch", refresh="always")
    assert "cannot live patch this host" in result["msg"]
    assert result["livepatch"]["state"] == "not_covered"
    codes = {one["name"]: one["code"] for one in ask("kmp_info")["kmp"]["rejected"]}
    assert set(codes.values()) == {"other_kernel"}
    assert len(codes) == 2
    assert canary.untouched(ask.host, before)
    figures.update({"state": "not_covered", "near misses": len(codes)})


def test_without_a_tag_the_chain_decides(odd: Ask, extended: Lab, figures: dict[str, object]) -> None:
    """As vendors' KMPs are: taken when the running kernel is traced to its signed package, and else refused."""
    odd.add("untagged")
    result = odd("livepatch", refresh="always")
    assert result["changed"], result
    assert (result["livepatch"]["state"], result["livepatch"]["level"]) == ("patched", 4)
    assert result["livepatch"]["evidence"]["match"] == "signed_image"

    # The kernel's package is rebuilt and updated, and nobody reboots.
    (rebuilt,) = extended.repository.path("rebuilt").glob("*.rpm")
    url = f"{extended.repository.url('rebuilt')}/{rebuilt.name}"
    odd.host.ssh(
        f'python3 -c \'import urllib.request; urllib.request.urlretrieve("{url}", "/tmp/rebuilt.rpm")\''
        " && sudo rpm -U --force --nodeps /tmp/rebuilt.rpm"
    )
    mismatch = odd("livepatch_info")
    assert mismatch["livepatch"]["state"] == "mismatch", mismatch["livepatch"]["reason"]
    assert mismatch["kernel"]["image"]["matches_running"] is False
    refused = [one for one in odd("kmp_info")["kmp"]["rejected"] if one["evr"] == _BAD]
    assert refused, "nothing ties it to the build any more"
    assert refused[0]["code"] == "name_only"
    assert "is not the running kernel" in refused[0]["reason"]
    figures.update({"before": "signed_image", "after the rebuild": "mismatch"})
