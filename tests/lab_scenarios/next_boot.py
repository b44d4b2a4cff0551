# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reboots: with what loads the patch in order it is active afterwards, and without it that was said before."""

from __future__ import annotations

import pytest

from tests.lab.fleet import Lab
from tests.support.ask import Ask
from tests.support.controller import Controller


@pytest.fixture(scope="module")
def running(lab: Lab) -> Lab:
    lab.up(2, fresh=True)
    return lab


@pytest.fixture(params=["lp1", "lp2"])
def ask(request: pytest.FixtureRequest, running: Lab, controller: Controller) -> Ask:
    return Ask(running, controller, running.host(request.param))


def _reboot(ask: Ask) -> float:
    before = ask.host.boot_id()
    ask.host.ssh("sudo systemctl reboot", check=False)
    return ask.host.wait_for_boot(before)


def test_initrd(ask: Ask, figures: dict[str, object]) -> None:
    told = ask("livepatch")["livepatch"]
    assert (told["state"], told["persistent"]) == ("patched", False)
    assert "install kernel-livepatch-tools" in told["next_boot"]["missing"][0]
    _reboot(ask)
    assert ask.livepatch()["state"] == "installed", "as next_boot had said"

    ask.host.ssh("sudo zypper -n install kernel-livepatch-tools")
    told = ask("livepatch")["livepatch"]
    assert (told["state"], told["persistent"]) == ("patched", False)
    assert "dracut --force" in told["next_boot"]["missing"][0]
    told = ask("livepatch", repair_boot=True)["livepatch"]
    assert (told["persistent"], told["next_boot"]["loaded_by"], told["next_boot"]["missing"]) == (True, "initrd", [])
    assert not ask("livepatch", repair_boot=True)["changed"]
    seconds = _reboot(ask)
    told = ask.livepatch()
    assert (told["state"], told["level"], told["persistent"]) == ("patched", 3, True)
    assert "livepatch level 3" in ask.host.ssh("cat /proc/execdomains")
    figures.update({"kernel": ask.host.kernel, "boot in s": round(seconds)})

    # A level that is not confirmed stays out of it, whatever the package's script does.
    assert ask("livepatch", level=2, allow_downgrade=True)["livepatch"]["persistent"] is True
    held = ask("livepatch", confirm=False)["livepatch"]
    assert (held["state"], held["persistent"], held["next_boot"]["held"]) == ("patched", False, True)
    assert held["journal"]["phase"] == "soaking"
    assert "livepatch" not in ask.host.ssh("sudo lsinitrd /boot/initrd-$(uname -r) | grep '[.]ko' || :")
    confirmed = ask("livepatch", confirm=True)
    assert (confirmed["changed"], confirmed["livepatch"]["persistent"]) == (True, True)
    assert confirmed["livepatch"]["journal"]["phase"] == "done"
    assert "livepatch-3-" in ask.host.ssh("sudo lsinitrd /boot/initrd-$(uname -r) | grep '[.]ko'")


def test_service(running: Lab, controller: Controller, figures: dict[str, object]) -> None:
    running.extras()
    ask = Ask(running, controller, running.start_dnf("el1", "kpatch"))
    told = ask("livepatch", refresh="always")["livepatch"]
    assert (told["state"], told["persistent"]) == ("patched", False)
    assert told["next_boot"]["missing"] == ["kpatch.service is not enabled: systemctl enable kpatch.service"]
    tools = f"--repofrompath=tools,{running.repository.url('main')} --repo=tools --nogpgcheck"
    ask.host.ssh(f"sudo dnf -y {tools} install kpatch")
    told = ask("livepatch", repair_boot=True)["livepatch"]
    assert (told["persistent"], told["next_boot"]["loaded_by"]) == (True, "service")
    seconds = _reboot(ask)
    assert ask.livepatch()["state"] == "patched"
    back = ask("livepatch", level=1, allow_downgrade=True)
    assert (back["after"]["level"], back["after"]["state"]) == (1, "outdated")
    held = ask("livepatch", confirm=False)["livepatch"]
    assert (held["state"], held["persistent"], held["next_boot"]["held"]) == ("patched", False, True)
    assert ask("livepatch", confirm=True)["livepatch"]["persistent"] is True
    figures.update({"kernel": ask.host.kernel, "boot in s": round(seconds)})
