# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulated hosts do what hosts do: the collection's playbooks over them, and what goes wrong on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.simulated.conftest import command
from tests.simulated.fleet import Fleet
from tests.simulated.host import LOAD, MIGRATED, Host
from tests.support.controller import Controller, Run

_ONE, _TWO, _THREE = "1-150400.9.3.1", "2-150400.2.1", "3-150400.2.1"


@pytest.fixture
def fleet(tmp_path: Path, controller: Controller) -> Iterator[Fleet]:
    with Fleet(tmp_path, 6, kernels=2) as hosts:
        controller.settings = hosts.environment
        yield hosts
        assert hosts.failures == []


def _rollout(controller: Controller, fleet: Fleet, *arguments: str) -> Run:
    return controller.run(command(fleet, "-e", "livepatch_unreachable_timeout=10", *arguments))


def test_rollout_and_again(controller: Controller, fleet: Fleet) -> None:
    first = _rollout(controller, fleet)
    assert first.rc == 0, first.output
    assert fleet.touched() == {name: [_THREE] for name in fleet.hosts}
    second = _rollout(controller, fleet)
    assert (second.rc, second.changed) == (0, 0), second.output
    assert fleet.touched() == {name: [_THREE] for name in fleet.hosts}, "none was applied twice"


def _refused(host: Host) -> None:
    host.offer(_THREE, refused="Invalid parameters")


def _cannot_install(host: Host) -> None:
    host.install_fails = "No space left on device"


def _stalls(host: Host) -> None:
    host.offer(_THREE, seconds=None)


def _lost(host: Host) -> None:
    host.on(LOAD, Host.vanish)


def _crashes(host: Host) -> None:
    host.on(LOAD, lambda crashing: crashing.crash(seconds=2))


def _disabled_after(host: Host) -> None:
    """Somebody disables the patch as soon as it is there."""
    module = host.module(_THREE)
    host.on(MIGRATED, lambda one: one.write(f"/sys/kernel/livepatch/{module}/enabled", "0"))


@pytest.mark.parametrize(
    ("wrong", "outcome", "applied"),
    [
        (_cannot_install, "failed: zypper could not install", []),
        (_refused, "failed: the kernel refused", [_THREE]),
        (_stalls, "failed: the migration to", [_THREE]),
        (_disabled_after, "failed: ", [_THREE]),
        (_lost, "lost: unreachable", [_THREE]),
        (_crashes, "failed: the host has rebooted since the rollout began", [_THREE]),
    ],
)
def test_canaries_halt(
    controller: Controller, fleet: Fleet, wrong: Callable[[Host], None], outcome: str, applied: list[str]
) -> None:
    for host in fleet.hosts.values():
        wrong(host)
    run = _rollout(controller, fleet, "-e", "livepatch_timeout=3")
    assert run.rc != 0, run.output
    assert "Gate after canaries: fail" in run.output
    touched = fleet.touched()
    assert list(touched.values()) == [applied, applied], "a canary for each kernel, and nobody else"
    assert {fleet.hosts[name].release for name in touched} == {host.release for host in fleet.hosts.values()}
    for name in touched:
        assert f"  {name}: {outcome}" in run.output, run.output
    # The night after: what went wrong is barred, and nobody is touched.
    night = _rollout(controller, fleet)
    assert "quarantine: " in night.output or "lost: " in run.output, night.output
    assert fleet.touched() == touched
