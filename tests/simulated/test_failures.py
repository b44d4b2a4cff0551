# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host fails at each phase, under budget and over it, with few forks and with many: who is touched, who is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulated.conftest import command
from tests.simulated.fleet import Fleet
from tests.simulated.host import LOAD, MIGRATED, Host
from tests.support.controller import Controller

_THREE = "3-150400.2.1"
_HOSTS = 6
# A wave of one canary, one of two hosts, one of the rest
_SETTINGS = {"livepatch_waves": ["2"], "livepatch_timeout": 3}
# Holds when it is asked for the first time only
_ONCE = "sh -c 'test ! -e /run/sick || { echo >> /run/asked; test $(wc -l < /run/asked) -lt 2; }'"


def _preflight(host: Host) -> None:
    host.put("/proc/sys/kernel/ftrace_enabled", "0")


def _install(host: Host) -> None:
    host.install_fails = "No space left on device"


def _load(host: Host) -> None:
    host.offer(_THREE, refused="Invalid parameters")


def _migrate(host: Host) -> None:
    host.offer(_THREE, seconds=None)


def _verify(host: Host) -> None:
    """Somebody disables the patch as soon as it is there."""
    module = host.module(_THREE)
    host.on(MIGRATED, lambda one: one.write(f"/sys/kernel/livepatch/{module}/enabled", "0"))


def _probe(host: Host) -> None:
    host.put("/run/sick")


def _lost(host: Host) -> None:
    host.on(LOAD, Host.vanish)


def _crash(host: Host) -> None:
    host.on(LOAD, lambda crashing: crashing.crash(seconds=2))


# What is said of the host, and whether anything was done to it
_PHASES: dict[str, tuple[Callable[[Host], None], str, bool]] = {
    "preflight": (_preflight, "failed: preflight: ftrace", False),
    "install": (_install, "failed: zypper could not install", True),
    "load": (_load, "failed: the kernel refused", True),
    "migrate": (_migrate, "failed: the migration to", True),
    "verify": (_verify, "failed: ", True),
    "probe": (_probe, "rolled_back: during the soak: health_check: ", True),
    "lost": (_lost, "lost: unreachable", True),
    "crash": (_crash, "failed: the host has rebooted since", True),
}


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory, controller: Controller) -> list[list[str]]:
    """Those of the plan of such a fleet: it is the same each time."""
    with Fleet(tmp_path_factory.mktemp("fleet"), _HOSTS) as fleet:
        controller.settings = fleet.environment
        run = controller.run(command(fleet, "--check", "-e", json.dumps(_SETTINGS)))
        assert fleet.touched() == {}
    found = run.batches
    assert [len(wave) for wave in found] == [1, 2, 3]
    return found


@pytest.mark.parametrize(("forks", "budget"), [(5, 1), (5, 0), (1, 0), (50, 0)])
@pytest.mark.parametrize("phase", _PHASES)
def test_who_is_touched(
    controller: Controller,
    waves: list[list[str]],
    tmp_path: Path,
    phase: str,
    forks: int,
    budget: int,
    figures: dict[str, object],
) -> None:
    wrong, told, touches = _PHASES[phase]
    canaries, first, rest = (set(wave) for wave in waves)
    victim = waves[1][0]
    settings = {**_SETTINGS, "livepatch_budget": budget, "livepatch_budget_lost": budget}
    if phase == "probe":
        settings.update(livepatch_soak=1, livepatch_health_checks={"commands": [_ONCE]})
    with Fleet(tmp_path, _HOSTS) as fleet:
        wrong(fleet.hosts[victim])
        controller.settings = fleet.environment
        run = controller.run(command(fleet, "--forks", str(forks), "-e", json.dumps(settings)))
        touched = set(fleet.touched())
        assert fleet.failures == []

    expected = canaries | first
    # A KMP with which a host went down is barred whatever the budget bears.
    if budget and phase != "crash":
        expected |= rest
    assert touched == (expected if touches else expected - {victim}), run.output
    assert f"  {victim}: {told}" in run.output, run.output
    assert run.rc == 2
    # Whoever is well stays patched: to take a fix away from healthy hosts is a person's choice.
    summary = run.output.rpartition(f"{_HOSTS} hosts: ")[2].split("\n")[0]
    counts = {kind: int(count) for count, kind in (one.split() for one in summary.split(", "))}
    assert counts["done"] == len(expected - {victim}), summary
    figures.update({"touched": f"{len(touched)} of {_HOSTS}", "ended": summary})
