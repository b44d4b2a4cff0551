# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A patch on real kernels: level by level up, down again, out; and what the kernel refuses or never finishes."""

from __future__ import annotations

import json

import pytest

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.ask import JOURNAL, Ask
from tests.support.controller import Controller

# Seconds that a migration may take where it never ends
LIMIT = 8


@pytest.fixture(scope="module")
def running(lab: Lab) -> Lab:
    lab.up(3, fresh=True)
    return lab


# lp2 runs 6.12 and its KMPs' scriptlets load the module; lp3 runs 6.1 and its scriptlets do not.
@pytest.fixture(params=["lp2", "lp3"])
def ask(request: pytest.FixtureRequest, running: Lab, controller: Controller) -> Ask:
    return Ask(running, controller, running.host(request.param))


def _behaviour(ask: Ask) -> int:
    """The level that the patched function of the kernel itself shows; level 1 patches nothing."""
    shown = ask.host.ssh("cat /proc/execdomains").split("livepatch level")
    return int(shown[1]) if len(shown) > 1 else 0


def test_levels(ask: Ask, figures: dict[str, object]) -> None:
    assert ask.livepatch()["state"] == "unpatched"
    steps = [(1, "outdated", 0), (2, "outdated", 2), (3, "patched", 3), (2, "outdated", 2), (1, "outdated", 0)]
    unchanged = 0
    for level, state, behaviour in steps:
        options = {"level": level, "allow_downgrade": True}
        would = _checked(ask, options)
        done = ask("livepatch", **options)
        assert would == {"changed": True, "before": done["before"], "after": done["after"]}, "check mode is true"
        assert done["after"]["state"] == done["livepatch"]["state"] == state, done
        assert (done["after"]["level"], _behaviour(ask)) == (level, behaviour)
        assert ask.host.ssh("ls /sys/kernel/livepatch").split() == done["after"]["patches"]
        assert ask.host.ssh("lsmod | grep -o '^livepatch_[0-9_]*'").split() == done["after"]["patches"]
        assert done["livepatch"]["evidence"]["threads_left"] == 0
        again = ask("livepatch", **options)
        assert not again["changed"]
        unchanged += 1
    assert ask.host.ssh("rpm -qa 'kernel-livepatch-*' --qf '%{VERSION}\\n'").split() == ["1"]
    told = ask("livepatch", state="absent")
    assert "marks SUSE's kernels as unsupported" in told["msg"]
    assert _checked(ask, {"state": "absent", "allow_unsupported": True})["after"]["state"] == "unpatched"
    gone = ask("livepatch", state="absent", allow_unsupported=True)
    assert gone["after"] == {"state": "unpatched", "level": None, "patches": [], "kmp": None}
    assert (
        ask.host.ssh("ls /sys/kernel/livepatch; lsmod | grep ^livepatch; rpm -qa 'kernel-livepatch-*'", check=False)
        == ""
    )
    assert not ask("livepatch", state="absent", allow_unsupported=True)["changed"]
    figures.update({"kernel": ask.host.kernel, "steps": len(steps) + 1, "second runs unchanged": unchanged + 1})


def _checked(ask: Ask, options: dict[str, object]) -> dict[str, object]:
    """What check mode with --diff says would happen."""
    told = ask.controller.module(
        "livepatch", ask.lab.inventory, ask.host.name, options, arguments=("--check", "--diff")
    )[ask.host.name]
    return {key: told[key] for key in ("changed", "before", "after")}


def test_previous(ask: Ask, figures: dict[str, object]) -> None:
    ask("livepatch", level=2)
    ask("livepatch")
    back = ask("livepatch", state="previous")
    assert (back["before"]["level"], back["after"]["level"], _behaviour(ask)) == (3, 2, 2)
    figures.update({"from": 3, "to": 2})
    assert ask("livepatch")["after"]["level"] == 3


def test_downgrade_that_the_kernel_refuses(ask: Ask, figures: dict[str, object]) -> None:
    ask("livepatch")
    ask.add("stateful")
    try:
        up = ask("livepatch", refresh="always")
        assert up["after"]["level"] == 4
        told = ask("livepatch", level=3, allow_downgrade=True)
        assert "changed the system in a way that this one does not support" in told["msg"]
        assert told["after"] == told["before"]
        assert ask.livepatch()["state"] == "patched"
        assert ask.host.ssh("ls /sys/kernel/livepatch").split() == ["livepatch_4_150400_2_1"]
    finally:
        ask("livepatch", state="absent", allow_unsupported=True)
        ask.forget()
    figures.update({"refused": True, "level": 4})


@pytest.mark.parametrize("on_stall", ["reverse", "leave"])
def test_stalls(ask: Ask, on_stall: str, figures: dict[str, object]) -> None:
    ask("livepatch", refresh="always")
    before = canary.snapshot(ask.host)
    ask.add("stalling")
    try:
        told = ask("livepatch", refresh="always", timeout=LIMIT, on_stall=on_stall)
        assert f"did not complete within {LIMIT} s" in told["msg"]
        (blocker,) = told["livepatch"]["blockers"]
        assert (blocker["command"], blocker["class"]) == ("oom_reaper", "kernel_thread")
        assert ask.host.ssh(f"sudo cat /proc/{blocker['tid']}/comm").strip() == "oom_reaper"
        stalled = _stalled_after(ask, on_stall)
        assert stalled <= LIMIT + 1
        if on_stall == "reverse":
            assert "and was reversed" in told["msg"]
            assert told["after"] == told["before"]
            assert canary.untouched(ask.host, before)
        else:
            assert told["livepatch"]["state"] == "stalled"
            assert ask.livepatch()["state"] == "stalled"
            # The next run takes it up, as an operator's who has changed his mind.
            again = ask("livepatch", timeout=LIMIT)
            assert "and was reversed" in again["msg"]
    finally:
        ask.forget()
        ask.host.ssh("sudo rpm -e $(rpm -q kernel-livepatch-$(uname -r | tr . _) | grep -- -4-)", check=False)
    figures.update(
        {"limit in s": LIMIT, "told after s": round(stalled, 2), "blocker": f"{blocker['command']}/{blocker['class']}"}
    )


def _stalled_after(ask: Ask, on_stall: str) -> float:
    """Seconds from the kernel's line that the migration starts to its line that it is turned round, or to the journal's
    record of what became of it.
    """
    ask.host.ssh("echo lab: it is $(date +%s.%N) | sudo tee /dev/kmsg")
    lines = [line.strip("[ ").split("] ", 1) for line in ask.host.ssh("sudo dmesg").splitlines()]
    log = [(float(moment), said) for moment, said in lines]
    started = next(moment for moment, said in reversed(log) if "150400_2_1': starting patching transition" in said)
    if on_stall == "reverse":
        return next(moment for moment, said in log if moment > started and "starting unpatching" in said) - started
    mark, said = next(one for one in reversed(log) if "lab: it is " in one[1])
    ahead = float(said.split()[-1]) - mark
    steps = dict(json.loads(ask.host.ssh(f"sudo cat {JOURNAL}"))["steps"])
    return float(steps["stalled"]) - ahead - started
