# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollouts that are killed at random moments and run again; two at once."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.simulated.conftest import command
from tests.simulated.fleet import Fleet
from tests.simulated.host import INSTALL, LOAD, Host
from tests.support.controller import Controller, starts

_THREE = "3-150400.2.1"
_SEED = 20261125
_KILLS = 50
_HOSTS = 8


def _slow(fleet: Fleet) -> None:
    for host in fleet.hosts.values():
        host.offer(_THREE, seconds=2.0)


def _done_once(host: Host) -> bool:
    """Installed and loaded once, and all of it ended."""
    done = [(one.what, one.kmp) for one in host.touched]
    journal = host.journal()
    return done == [(INSTALL, _THREE), (LOAD, _THREE)] and (journal["phase"], journal["kmp"][-12:]) == ("done", _THREE)


def test_killed_at_random_and_run_again(controller: Controller, tmp_path: Path, figures: dict[str, object]) -> None:
    """However often: ends as if nothing had been."""
    moments = random.Random(_SEED)
    kills = rollouts = 0
    while kills < _KILLS:
        rollouts += 1
        (folder := tmp_path / str(rollouts)).mkdir()
        with Fleet(folder, _HOSTS, kernels=2) as fleet:
            _slow(fleet)
            controller.settings = fleet.environment
            rollout = command(fleet, "-e", json.dumps({"livepatch_max_in_flight": 2, "livepatch_soak": 1}))
            while True:
                ends = time.monotonic() + moments.uniform(3, 25)
                with controller.start(rollout) as running:
                    while running.poll() is None and time.monotonic() < ends and kills < _KILLS:
                        time.sleep(0.05)
                    if running.poll() is None and kills < _KILLS:
                        kills += 1
                        # Alone, so that its workers go on for a while, or with them, at the block's end
                        if moments.random() < 0.5:
                            running.send_signal(moments.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
                            with contextlib.suppress(subprocess.TimeoutExpired):
                                running.wait(5)
                        continue
                    run = controller.finish(running)
                break
            assert fleet.failures == []
            wrong = {name: (host.touched, host.journal()) for name, host in fleet.hosts.items() if not _done_once(host)}
            assert wrong == {}, (rollouts, kills, run.output)
            assert run.rc == 0, run.output
    figures.update(
        {"seed": _SEED, "kills": kills, "rollouts": rollouts, "hosts": rollouts * _HOSTS, "applied twice": 0}
    )


def test_two_at_once(controller: Controller, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Controller(tmp_path / "other")
    (folder := tmp_path / "fleet").mkdir()
    with Fleet(folder, _HOSTS, kernels=2) as fleet:
        _slow(fleet)
        controller.settings = other.settings = fleet.environment
        with controller.start(command(fleet)) as running:
            controller.wait_for(running, starts("rollout_admit"))
            second = other.run(command(fleet))
            first = controller.finish(running)
        assert "another rollout of the scope default is running" in second.output, second.output
        assert second.rc == 2
        assert second.started("livepatch") == {}
        assert first.rc == 0, first.output
        assert all(map(_done_once, fleet.hosts.values()))
        assert fleet.failures == []
