# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whoever works on a host goes away in the middle: nothing is half done and unreported, and the next run ends well."""

from __future__ import annotations

import json
import time
import typing as t
from pathlib import Path

import pytest

from tests.lab.fleet import Lab
from tests.support import canary
from tests.support.ask import JOURNAL, Ask
from tests.support.controller import Controller

_MODULE = "livepatch_4_150400_2_1"
_SECONDS = 300


@pytest.fixture(scope="module")
def running(lab: Lab) -> Lab:
    lab.up(3, fresh=True)
    canary.add_repository(lab, "slow", lab.hosts)  # its migration takes 20 s
    return lab


# On lp2 (6.12) the package's script loads the module, on lp3 (6.1) ours does: only there the phase loading takes time.
@pytest.fixture(params=["lp2", "lp3"])
def ask(request: pytest.FixtureRequest, running: Lab, controller: Controller) -> t.Iterator[Ask]:
    """A host with level 3."""
    ask = Ask(running, controller, running.host(request.param))
    controller.forget()  # a rollout that the test before has left open is not this one's
    assert ask("livepatch", level=3, refresh="always")["after"]["level"] == 3
    yield ask
    back = ask("livepatch", level=3, allow_downgrade=True, timeout=60)
    assert back["after"]["level"] == 3, back


def _phase(ask: Ask) -> str:
    text = ask.host.ssh(f"sudo cat {JOURNAL}", check=False)
    return str(json.loads(text)["phase"]) if text.startswith("{") else ""


def _migrations(ask: Ask) -> int:
    """How many have begun since the host was made, by the kernel's own words on its console.

    The journal says so only when the package manager has ended, which may be too late on lp2; and an emulated host that
    is asked again and again by ssh does little else.
    """
    return ask.host.console.read_text(errors="replace").count(f"'{_MODULE}': starting patching transition")


def _wait_until(happened: t.Callable[[], bool], step: float) -> None:
    deadline = time.monotonic() + _SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not get that far"
        time.sleep(step)


def _ends_well(ask: Ask) -> t.Mapping[str, t.Any]:
    """The next run: afterwards level 4 is active, the journal is closed, and one more run changes nothing."""
    done = ask("livepatch", timeout=60)
    assert (done["after"]["state"], done["after"]["level"]) == ("patched", 4), done
    assert done["livepatch"]["journal"]["phase"] == "done"
    assert done["livepatch"]["journal"]["interrupted"] is False
    assert ask.host.ssh("ls /sys/kernel/livepatch").split() == [_MODULE]
    assert not ask("livepatch")["changed"]
    return done


# The module stops itself when it gets there, so that it is killed in just that phase.
_STOP = """\
sudo sh -c 'cat >/root/kill-in.py' <<'EOF'
import json, os, re, sys, time
deadline = time.time() + 200
while time.time() < deadline:
    try:
        phase = json.load(open("JOURNAL"))["phase"]
    except (OSError, ValueError):
        phase = ""
    if phase == sys.argv[1]:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                held = [os.readlink("/proc/%s/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%s/fd" % pid)]
            except OSError:
                continue
            if "/run/fleet.livepatch.lock" in held:
                os.kill(int(pid), 9)
                sys.exit(0)
    time.sleep(0.005)
sys.exit(1)
EOF
sudo systemd-run --quiet --unit=kill-in --remain-after-exit python3 /root/kill-in.py PHASE"""


@pytest.mark.parametrize("phase", ["installing", "loading", "migrating", "verifying"])
def test_module_is_killed(ask: Ask, phase: str, figures: dict[str, object]) -> None:
    ask.host.ssh(_STOP.replace("JOURNAL", JOURNAL).replace("PHASE", phase))
    try:
        # The phase loading is gone in a moment where the package's script has loaded the module already.
        result = ask("livepatch", refresh="always", timeout=60)
        killed = ask.host.ssh("systemctl show -p ExecMainStatus --value kill-in; systemctl is-active kill-in").split()
        if "livepatch" in result:
            pytest.skip(f"it was through {phase} before it could be killed: {killed}")
        told = ask.livepatch()
        assert told["journal"]["phase"] == phase
        assert told["journal"]["interrupted"] is True
        _ends_well(ask)
        figures.update({"kernel": ask.host.kernel, "killed in": phase, "state then": told["state"]})
    finally:
        ask.host.ssh("sudo systemctl stop kill-in; sudo systemctl reset-failed kill-in", check=False)


def test_connection_is_cut(ask: Ask, figures: dict[str, object]) -> None:
    before = _migrations(ask)
    inventory = ask.lab.inventory
    arguments = ["fleet.livepatch.rollout", "-i", str(inventory), "--limit", ask.host.name, *canary.ASK]
    with ask.controller.start(arguments) as process:
        _wait_until(lambda: _migrations(ask) > before, 0.1)
        # All of sshd's children but the one that this command itself runs in.
        ask.host.ssh("sudo pkill -9 -f 'sshd: ops' || :", check=False)
        run = ask.controller.finish(process)
    # It went on by itself, and whoever answers again in time was not lost.
    assert run.rc == 0, run.output
    assert f"{ask.host.name}: " not in run.output.partition("Problems:")[2], run.output
    told = _collected(ask)
    assert (told["state"], told["journal"]["phase"]) == ("patched", "done")
    _ends_well(ask)
    figures.update({"kernel": ask.host.kernel, "state after": told["state"]})


def test_controller_is_killed(ask: Ask, figures: dict[str, object]) -> None:
    before = _migrations(ask)
    arguments = ["fleet.livepatch.rollout", "-i", str(ask.lab.inventory), "--limit", ask.host.name, *canary.ASK]
    with ask.controller.start(arguments):
        _wait_until(lambda: _migrations(ask) > before, 0.1)
    told = _collected(ask)
    assert told["state"] == "patched"
    assert told["journal"]["phase"] == "soaking", "nobody has confirmed the canary"
    again = ask.controller.run(arguments)
    assert again.rc == 0, again.output
    assert ask.livepatch()["journal"]["phase"] == "done", "it has come to its gate"
    _ends_well(ask)
    figures.update({"kernel": ask.host.kernel, "state after": told["state"], "rc of the next": again.rc})


def _collected(ask: Ask) -> t.Mapping[str, t.Any]:
    deadline = time.monotonic() + _SECONDS
    while True:
        told = ask.livepatch()
        if not told["journal"]["running"] or time.monotonic() > deadline:
            return told
        time.sleep(1)


def test_two_controllers_at_once(ask: Ask, tmp_path: Path, figures: dict[str, object]) -> None:
    arguments = ["fleet.livepatch.rollout", "-i", str(ask.lab.inventory), "--limit", ask.host.name, *canary.ASK]
    other = Controller(tmp_path)
    with ask.controller.start(arguments) as first:
        # In the middle of it, wherever that is: a host that is asked again and again answers late.
        _wait_until(lambda: _phase(ask) not in ("", "done"), 1)
        with other.start(arguments) as second:
            runs = [ask.controller.finish(first), other.finish(second)]
    outcomes = [
        word
        for run in runs
        for line in run.report.partition("PLAY RECAP")[0].splitlines()
        if line.startswith(ask.host.name + " ")
        for word in line.split()[1:2]
    ]
    # The second waits for the first, and finds nothing left to do; or it sees a migration that it did not plan for.
    # Each has a store of its own: if it comes to the host before the first has seen to the next boot, the host refuses
    # that to the first, which says so, and the second does it.
    if "has taken over this host" in runs[0].output:
        assert (outcomes, [run.rc for run in runs]) == (["failed", "unchanged"], [2, 0]), runs[1].output
        assert "is active on build ID" in runs[0].output
        assert ask.livepatch()["next_boot"]["held"] is False
    else:
        assert (outcomes[0], runs[0].rc) == ("done", 0), runs[0].output
        assert outcomes[1] in ("unchanged", "skipped"), runs[1].output
    starts = ask.host.ssh("sudo dmesg | grep -c \"livepatch: '" + _MODULE + "': starting patching\"").strip()
    figures.update({"kernel": ask.host.kernel, "outcomes": "/".join(outcomes), "migrations in this boot": starts})
    _ends_well(ask)
