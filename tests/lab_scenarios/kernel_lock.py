# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No kernel comes in and none goes away while its package is locked; whose lock it is, is not forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import apt
from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support import canary
from tests.support.ask import Ask
from tests.support.controller import Controller


@pytest.fixture(scope="module")
def zypper(lab: Lab, controller: Controller) -> Ask:
    """A host whose repositories offer a newer kernel."""
    lab.up(1, fresh=True)
    lab.extras()
    ask = Ask(lab, controller, lab.host("lp1"))
    ask.add("pullskernel")
    return ask


@pytest.fixture(scope="module")
def dnf(lab: Lab, controller: Controller) -> Ask:
    lab.extras()
    return Ask(lab, controller, lab.start_dnf("locked", "kpatch"))


def _add_plugin(host: Host, folder: Path) -> None:
    """The plugin versionlock: only its files, since Debian's package cannot be installed beside zypper."""
    ((name, version),) = apt.offered("dnf-plugins-core")
    apt.unpack(name, version, folder)
    for pattern in (
        "etc/dnf/plugins/versionlock.*",
        "usr/lib/python3/*/dnfpluginscore/*.py",
        "usr/lib/**/versionlock.py",
    ):
        for path in folder.glob(pattern):
            host.write(f"/{path.relative_to(folder)}", path.read_text())


def _locks(ask: Ask) -> list[str]:
    return [
        line.split("|")[1].strip() for line in ask.host.ssh("sudo zypper -n locks").splitlines() if line[:1].isdigit()
    ]


def test_lock(zypper: Ask, figures: dict[str, object]) -> None:
    package = zypper("livepatch_info")["kernel"]["package"]["name"]
    update = f"sudo zypper -n --no-gpg-checks update --dry-run {package}"
    assert "99-1.1" in zypper.host.ssh(update), "there is something to keep out"
    assert zypper("livepatch", level=2, kernel_lock=True)["livepatch"]["state"] == "outdated"
    assert _locks(zypper) == [package]
    assert not zypper("livepatch", level=2, kernel_lock=True)["changed"]
    before = canary.snapshot(zypper.host)
    zypper.host.ssh(update.replace(" --dry-run", ""), check=False)
    assert canary.untouched(zypper.host, before), "no newer kernel came in"
    # Live patches still come in; level 4 requires the newer kernel.
    assert zypper("livepatch", level=3)["changed"]
    assert zypper("livepatch", level=3, kernel_lock=False)["changed"]
    assert _locks(zypper) == []
    again = zypper("livepatch", level=3, kernel_lock=False)
    assert (again["changed"], again["after"]["level"]) == (False, 3)
    assert "99-1.1" in zypper.host.ssh(update)
    figures.update({"package": package, "kept out": "99-1.1"})


def test_lock_of_an_administrator(zypper: Ask, figures: dict[str, object]) -> None:
    package = zypper("livepatch_info")["kernel"]["package"]["name"]
    assert zypper("livepatch", level=3)["after"]["level"] == 3
    zypper.host.ssh(f"sudo zypper -n addlock {package}")
    for wanted in (True, False):
        result = zypper("livepatch", level=3, kernel_lock=wanted)
        assert (result["changed"], result["after"]["level"]) == (False, 3), result
        assert _locks(zypper) == [package]
    zypper.host.ssh(f"sudo zypper -n removelock {package}")
    figures.update({"left alone": package})


def test_dnf(dnf: Ask, tmp_path: Path, figures: dict[str, object]) -> None:
    package = dnf("livepatch_info", refresh="always")["kernel"]["package"]["name"]
    without = dnf("livepatch", kernel_lock=True)
    assert "Install its plugin (python3-dnf-plugin-versionlock)" in without["msg"]
    assert without["livepatch"]["state"] == "patched", "and it says what was done nevertheless"
    _add_plugin(dnf.host, tmp_path)
    assert dnf("livepatch", kernel_lock=True)["livepatch"]["state"] == "patched"
    assert package in dnf.host.ssh("sudo dnf -q versionlock list")
    assert not dnf("livepatch", kernel_lock=True)["changed"]
    assert dnf("livepatch", kernel_lock=False)["changed"]
    assert package not in dnf.host.ssh("sudo dnf -q versionlock list")
    figures.update({"package": package})
