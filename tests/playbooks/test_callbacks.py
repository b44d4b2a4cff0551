# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What who watches a rollout sees; the hosts are fake."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios

import pyte
import pytest

from tests.support import cores
from tests.support.fake_fleet import FakeFleet, FakeHost

ROLLOUT = ["fleet.livepatch.rollout", "-e", "livepatch_halt_scope=cohort"]
REFUSED = "Invalid parameters"
PATCHED = r": patched, migrated in \d+(?:\.\d+)? s"


@pytest.fixture(scope="module", params=cores.EACH)
def fake_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(request.param))


def _run(fake_fleet: FakeFleet, arguments: tuple[str, ...], **settings: str) -> str:
    hosts = {name: FakeHost() for name in ("a1", "a2", "a3")}
    hosts["b1"] = FakeHost({"build": "b", "refusal": REFUSED})
    hosts["c1"] = FakeHost({"gone": True})
    settings = {f"ANSIBLE_{name.upper()}": value for name, value in settings.items()}
    return fake_fleet.run(hosts, [*ROLLOUT, *arguments], settings, common={}).output


def _insist_on_events(output: str) -> None:
    assert len(re.findall(rf" Single hosts: b1: the kernel refused \S+: {REFUSED}", output)) == 1, output
    assert " Canaries: starting 1 host: " in output, output
    assert len(re.findall(PATCHED, output)) == 3, output


def test_a_rollout_is_told_wave_by_wave(fake_fleet: FakeFleet) -> None:
    output = _run(fake_fleet, (), stdout_callback="fleet.livepatch.progress")
    _insist_on_events(output)
    for noise in ("PLAY [", "TASK [", "ok: [", "FAILED!", "PLAY RECAP"):
        assert noise not in output, output
    assert output.count(REFUSED) == 2, "as it happens, and among the problems at the end"
    assert "Gate after canaries: pass" in output
    _task, _colon, problem = output.rstrip().splitlines()[-1].partition(": ")
    assert problem.startswith("1 host failed (b1); ")


def test_verbosity_shows_all(fake_fleet: FakeFleet) -> None:
    output = _run(fake_fleet, ("-v",), stdout_callback="fleet.livepatch.progress")
    _insist_on_events(output)
    for detail in ("PLAY [", "TASK [", "ok: [", "PLAY RECAP"):
        assert detail in output, output


def test_events_are_told_beside_another_callback(fake_fleet: FakeFleet) -> None:
    output = _run(fake_fleet, (), callbacks_enabled="recorder,fleet.livepatch.events")
    _insist_on_events(output)
    assert "PLAY RECAP" in output


class Screen:
    """A terminal in which a playbook runs to its end: each state of its screen, and what is left of it."""

    def __init__(self, fake_fleet: FakeFleet, arguments: list[str]) -> None:
        columns, lines = 120, 60
        self._screen = pyte.Screen(columns, lines)
        stream = pyte.ByteStream(self._screen)
        self.seen: list[list[str]] = []
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        try:
            with fake_fleet.in_terminal(theirs, arguments) as process:
                os.close(theirs)
                while some := self._read(ours):
                    stream.feed(some)
                    self.seen.append(self.lines())
                self.rc = process.wait()
        finally:
            os.close(ours)

    @staticmethod
    def _read(terminal: int) -> bytes:
        try:
            return os.read(terminal, 4096)
        except OSError:  # nobody has it open any more
            return b""

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display if line.strip()]


def test_in_a_terminal_what_runs_is_drawn_anew(fake_fleet: FakeFleet) -> None:
    hosts = {"a1": FakeHost({"slow": 2}), "b1": FakeHost({"build": "b", "refusal": REFUSED})}
    settings = {"ANSIBLE_STDOUT_CALLBACK": "fleet.livepatch.progress", "TERM": "xterm"}
    fake_fleet.make(hosts, settings, common={})
    screen = Screen(fake_fleet, ROLLOUT)
    assert screen.rc == 2
    held = "  a1: still migrating after "
    drawn = [state for state in screen.seen if any(line.startswith(held) for line in state)]
    assert drawn, screen.seen[-1]
    for state in drawn:
        assert sum(line.startswith(held) for line in state) == 1, "it is drawn over, not written again"
        assert state[-1].startswith(held) and state[-1].endswith("blocked by kworker/1:2+events (kernel_thread)")
    left = "\n".join(screen.lines())
    assert "still migrating" not in left and "running" not in left, "nothing of it is left"
    assert re.search(PATCHED, left)
    assert "Gate after" in left
