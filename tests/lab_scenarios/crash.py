# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMPs that take the kernel down: the host comes up again, says so, and neither crashes again nor tries it again."""

from __future__ import annotations

import time

import pytest

from tests.lab.fleet import Lab
from tests.support.ask import Ask
from tests.support.controller import Controller

# Seconds after a boot in which a patch that crashes 30 s after it was loaded would have crashed it again
WATCHED = 60


@pytest.fixture(scope="module")
def running(lab: Lab) -> Lab:
    lab.up(6, fresh=True)
    return lab


# Each on hosts of its own, of both kernels. The scriptlets of lp3's and lp4's KMPs do not load the module: elsewhere it
# would crash while the same transaction still makes the initrd, which takes longer than 30 s there.
@pytest.mark.parametrize(
    ("repository", "name"),
    [
        ("crashing", "lp1"),
        ("crashing", "lp2"),
        ("crashing-late", "lp3"),
        ("crashing-late", "lp4"),
        ("dying", "lp5"),
        ("dying", "lp6"),
    ],
)
def test_crash(running: Lab, controller: Controller, repository: str, name: str, figures: dict[str, object]) -> None:
    ask = Ask(running, controller, running.host(name))
    ask.host.ssh("rpm -q kernel-livepatch-tools || sudo zypper -n install kernel-livepatch-tools")
    assert ask("livepatch", repair_boot=True, refresh="always")["livepatch"]["persistent"] is True
    boot = ask.host.boot_id()
    ask.add(repository)
    result = ask("livepatch", refresh="always", confirm=False)
    if repository == "crashing-late":
        assert result.get("livepatch"), result
        assert result["livepatch"]["journal"]["phase"] == "soaking"
        assert result["livepatch"]["next_boot"]["held"] is True
    else:
        assert result.get("unreachable") or "livepatch" not in result, "it never answered"
    back = ask.host.wait_for_boot(boot)
    second = ask.host.boot_id()

    told = ask("livepatch_info")
    assert told["livepatch"]["state"] == "crashed", told["livepatch"]["reason"]
    assert "the host went down while" in told["livepatch"]["reason"]
    # What was written last may have been lost with the page cache: then it says what to do.
    damaged = "In addition, " in told["livepatch"]["reason"]
    database = ask.host.ssh("sudo rpm --verifydb && echo well", check=False)
    if "well" not in database:
        assert "rpm --rebuilddb" in told["livepatch"]["reason"]
        ask.host.ssh("sudo rpm --rebuilddb")
    refused = ask("livepatch")
    assert "its state is crashed" in refused["msg"]
    assert not refused["changed"]
    time.sleep(WATCHED)
    assert ask.host.boot_id() == second, "it did not crash again"
    assert "livepatch_4_150400_2_1" not in ask.host.ssh("ls /sys/kernel/livepatch"), "nor is it loaded"

    ask.forget()
    if damaged:
        assert (
            "Reinstall the package" in told["livepatch"]["reason"] or "rpm --rebuilddb" in told["livepatch"]["reason"]
        )
        name = "kernel-livepatch-" + ask.host.kernel.replace(".", "_")
        ask.host.ssh(f"sudo zypper -n remove {name}=4")
    assert ask("livepatch_journal", reason="the lab's own KMP")["changed"]
    mended = ask("livepatch", refresh="always", level=3, allow_downgrade=True)
    assert mended["after"]["level"] == 3, mended
    back_well = ask.livepatch()
    assert (back_well["level"], back_well["state"], back_well["persistent"]) == (3, "patched", True)
    figures.update(
        {
            "kernel": ask.host.kernel,
            "back after s": round(back),
            "state": told["livepatch"]["state"],
            "damaged": damaged,
        }
    )
