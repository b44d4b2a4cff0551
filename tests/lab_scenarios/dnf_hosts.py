# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts with dnf, and KMPs under Red Hat's and Amazon's names: to the newest level, and what must not be."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

import pytest

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.controller import Controller


@pytest.mark.parametrize(
    ("repository", "name", "first", "second"),
    [
        ("kpatch", "kpatch-patch-", "1-1", "1-2"),
        ("amazon", "kernel-livepatch-", "1.0-1", "1.0-2"),
    ],
)
def test_from_nothing_to_the_newest(
    lab: Lab, controller: Controller, repository: str, name: str, first: str, second: str, figures: dict[str, object]
) -> None:
    host = lab.start_dnf(f"dnf-{repository}", repository)

    def ask(module: str, **options: t.Any) -> Mapping[str, t.Any]:
        return controller.module(module, lab.inventory, host.name, options)[host.name]

    before = ask("kmp_info", refresh="always")["kmp"]
    assert before["name"].startswith(name), before
    assert before["selected"]["evr"] == second
    assert before["match"]["basis"] == "build_id"
    assert {one["evr"]: one["code"] for one in before["rejected"]}[first] == "older"

    pinned = ask("livepatch", policy={"kmp_version": first})
    assert (pinned["livepatch"]["state"], pinned["livepatch"]["level"]) == ("outdated", 1)
    patched = ask("livepatch")
    assert (patched["livepatch"]["state"], patched["livepatch"]["level"]) == ("patched", 2)
    assert patched["transaction"] == [f"upgrade {patched['kmp']['name']}-{second}.x86_64"]
    assert "livepatch level 2" in host.ssh("cat /proc/execdomains")
    assert not ask("livepatch")["changed"]

    snapshot = canary.snapshot(host)
    back = ask("livepatch", policy={"kmp_version": first})
    assert f"older than {second}, which is installed" in str(back["msg"])
    assert canary.untouched(host, snapshot)
    figures.update({"KMP": patched["kmp"]["name"], "level": 2})


def test_a_lock_and_a_mirror_that_is_down(lab: Lab, controller: Controller, figures: dict[str, object]) -> None:
    host = lab.start_dnf("dnf-held", "kpatch")
    host.ssh("sudo dnf -q makecache; sudo sh -c 'echo excludepkgs=kpatch-patch-*-1-2* >>/etc/dnf/dnf.conf'")
    held = controller.module("kmp_info", lab.inventory, host.name)[host.name]["kmp"]
    assert held["selected"]["evr"] == "1-1"
    assert {one["evr"]: one["code"] for one in held["rejected"]}["1-2"] == "locked"

    host.ssh("sudo sed -i 's,^baseurl=.*,baseurl=http://10.0.2.2:1/x,' /etc/yum.repos.d/lab.repo")
    down = controller.module("livepatch_info", lab.inventory, host.name, {"refresh": "always"})[host.name]
    assert down["livepatch"]["state"] == "unknown"
    assert "lab" in down["livepatch"]["reason"]
    figures.update({"held": "1-2", "mirror down": "unknown"})
