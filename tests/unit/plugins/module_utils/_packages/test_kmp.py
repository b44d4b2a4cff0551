# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import re
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _kernel_facts
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy
from tests.support import factories

_ONE, _TWO, _THREE = "1-150400.9.3.1", "2-150400.2.1", "3-150400.2.1"


def _policy(refresh: str = "never", max_age: int = 600, by_name: bool = False) -> Policy:
    return Policy(refresh, max_age, 60, by_name)


def _block(machine: Any, policy: Policy) -> Any:
    kernel = _kernel_facts.gather_kernel(machine)
    return kmp.build_block(machine, kernel, kmp.query_offer(machine, kernel, policy), policy)


@pytest.mark.parametrize(
    "refresh, age, asks, told",
    [
        ("never", 5000, False, 5000),
        ("always", 5, True, 0),
        ("if_older_than", 599, False, 599),
        ("if_older_than", 600, False, 600),
        ("if_older_than", 601, True, 0),
    ],
)
def test_refresh(machine: Any, refresh: str, age: int, asks: bool, told: int) -> None:
    machine.now += age
    assert _block(machine, _policy(refresh))["metadata_age"] == told
    assert bool(machine.ran("refresh")) is asks


def test_refresh_where_nothing_is_known(machine: Any) -> None:
    machine.drop("/var/cache/zypp")
    assert _block(machine, _policy("if_older_than"))["selected"]["evr"] == _THREE
    assert machine.ran("refresh")


@pytest.mark.parametrize("ahead, asks, told", [(50, False, 0), (300, False, 0), (301, True, 0), (10**8, True, 0)])
def test_metadata_of_a_clock_that_was_ahead(machine: Any, ahead: int, asks: bool, told: int) -> None:
    """They would never count as old."""
    machine.now -= ahead
    assert _block(machine, _policy("if_older_than"))["metadata_age"] == told
    assert bool(machine.ran("refresh")) is asks


def test_metadata_of_a_clock_that_was_ahead_and_no_refresh(machine: Any) -> None:
    machine.now -= 10**8
    block = _block(machine, _policy("never"))
    assert (block["metadata_age"], block["selected"]) == (None, None)
    assert "no metadata of these repositories: lab. " in block["unmeasured"]["candidates"]
    assert "dated in the future count as missing" in block["unmeasured"]["candidates"]
    assert "dated in the future" in block["unmeasured"]["metadata_age"]
    assert not machine.ran("refresh")


def test_never_refreshed(machine: Any) -> None:
    machine.drop("/var/cache/zypp")
    block = _block(machine, _policy("never"))
    assert (block["selected"], block["metadata_age"]) == (None, None)
    assert "no metadata of these repositories: lab. " in block["unmeasured"]["candidates"]
    assert not machine.ran("search")


@pytest.mark.parametrize(
    "change, key, words",
    [
        (lambda one: setattr(one, "locked", True), "candidates", "locked by the application"),
        (lambda one: one.drop("/usr/bin"), "candidates", "neither zypper nor dnf"),
        (lambda one: one.put("/sys/kernel/notes", b""), "candidates", "build ID is unknown"),
        (lambda one: one.put(one.file(_TWO), b"broken"), "installed", "not a kernel module"),
        (lambda one: one.remove(one.file(_TWO)), "installed", "is not there"),
    ],
    ids=["locked", "no zypper", "no build ID", "module broken", "module gone"],
)
def test_unmeasured(machine: Any, change: Any, key: str, words: str) -> None:
    machine.have(_TWO)
    change(machine)
    block = _block(machine, _policy())
    assert words in block["unmeasured"][key]
    assert block["selected" if key == "candidates" else "installed"] is None


def test_unpatched(machine: Any) -> None:
    block = _block(machine, _policy())
    assert block["name"] == machine.kmp
    assert block["installed"] is None
    assert block["selected"]["evr"] == _THREE
    assert block["selected"]["level"] == 3
    assert block["selected"]["repository"] == "lab"
    assert block["selected"]["target_release"] is None
    assert block["match"]["basis"] == "build_id"
    assert [one["level"] for one in block["candidates"]] == [1, 2, 3]
    assert [one["evr"] for one in block["rejected"]] == [_TWO, _ONE]
    assert "candidates" not in block["unmeasured"]
    assert "installed" not in block["unmeasured"]


def test_installed(machine: Any) -> None:
    machine.have(_THREE)
    block = _block(machine, _policy())
    assert block["installed"] == {
        "name": machine.kmp,
        "evr": _THREE,
        "arch": "x86_64",
        "level": 3,
        "module": "livepatch_3_150400_2_1",
        "module_path": machine.file(_THREE),
        "module_build_id": "3" * 40,
        "module_signer": None,
        "vermagic": machine.release + " SMP preempt mod_unload modversions ",
        "cves": ["CVE-2099-0002", "CVE-2099-0003"],
        "severity": None,
        "issued": None,
        "repository": None,
        "signed": "RSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID " + factories.key_id("lab"),
        "vendor": "the lab",
        "target_release": machine.release,
        "downloaded": True,
        "installed_at": 1800001000,
    }
    assert block["selected"] == dict(block["installed"], repository="lab")


def test_side_by_side(machine: Any) -> None:
    for evr in (_TWO, _THREE, _ONE):
        machine.have(evr)
    assert _block(machine, _policy())["installed"]["evr"] == _THREE


@pytest.mark.parametrize(
    "files, count", [(["/lib/modules/x/livepatch"], 0), (["/a/livepatch/a.ko", "/a/livepatch/b.ko"], 2)]
)
def test_package_without_its_one_module(machine: Any, files: Any, count: int, monkeypatch: Any) -> None:
    machine.have(_THREE)
    before, _files, after = re.split("<files>|</files>", machine._record(_THREE))
    rows = "".join(f"<row><string>{file}</string></row>" for file in files)
    monkeypatch.setattr(machine, "_record", lambda evr: f"{before}<files>{rows}</files>{after}")
    with pytest.raises(Unmeasured, match=f"holds {count} livepatch modules"):
        kmp.list_installed(machine, machine.kmp)


@pytest.mark.parametrize(
    "tag, by_name, selected, basis, reason",
    [
        ("f" * 40, False, _TWO, "build_id", "built for another build"),
        ("f" * 40, True, _TWO, "build_id", "built for another build"),
        (None, False, _THREE, "signed_image", None),
    ],
    ids=["other build", "other build by name", "no tag"],
)
def test_tags(machine: Any, tag: Any, by_name: bool, selected: str, basis: str, reason: Any) -> None:
    machine.offer(_THREE, tag=tag)
    block = _block(machine, _policy(by_name=by_name))
    assert (block["selected"]["evr"], block["match"]["basis"]) == (selected, basis)
    told = {one["evr"]: one["reason"] for one in block["rejected"]}
    assert reason is None or told[_THREE].startswith(reason)


def test_nothing_on_offer(machine: Any) -> None:
    machine.levels = {}
    block = _block(machine, _policy())
    assert (block["selected"], block["match"], block["candidates"], block["rejected"]) == (None, None, [], [])
    assert "candidates" not in block["unmeasured"]
    # Tags are asked for where there is something that could carry them
    assert len(machine.ran("search")) == 1
    assert not machine.ran("rpm2cpio")


def test_installed_and_offered_by_no_repository(machine: Any, monkeypatch: Any) -> None:
    machine.have(_THREE)
    policy = _policy()
    offer = kmp.query_offer(machine, _kernel_facts.gather_kernel(machine), policy)
    alone = [one._replace(repository=None) for one in offer.candidates if one.evr == _THREE]
    block = kmp.build_block(machine, _kernel_facts.gather_kernel(machine), offer._replace(candidates=alone), policy)
    assert block["selected"] is None
    assert "whether there is a newer level is unknown" in block["unmeasured"]["candidates"]
