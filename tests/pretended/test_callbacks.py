# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What who watches a rollout sees; the hosts are pretended."""

from __future__ import annotations

import pytest

from tests.support import cores
from tests.support.pretended import Pretence, Pretended

ROLLOUT = ["fleet.livepatch.rollout", "-e", "livepatch_halt_scope=cohort"]
REFUSED = "the kernel refused it"


@pytest.fixture(scope="module", params=cores.EACH)
def pretence(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pretence:
    return Pretence(tmp_path_factory.mktemp("pretence"), cores.environment(request.param))


def _run(pretence: Pretence, arguments: tuple[str, ...], **settings: str) -> str:
    hosts = {name: Pretended() for name in ("a1", "a2", "a3")}
    hosts["b1"] = Pretended({"build_id": "bbbb", "refusal": REFUSED})
    hosts["c1"] = Pretended({"gone": True})
    settings = {f"ANSIBLE_{name.upper()}": value for name, value in settings.items()}
    return pretence.run(hosts, [*ROLLOUT, *arguments], settings, common={}).output


def _insist_on_events(output: str) -> None:
    assert output.count(f" The only ones of their kind: b1: {REFUSED}\n") == 1, output
    assert " Canaries: 1 host start: " in output, output
    assert output.count(": patched, migrated in 0.1 s") == 3, output


def test_a_rollout_is_told_wave_by_wave(pretence: Pretence) -> None:
    output = _run(pretence, (), stdout_callback="fleet.livepatch.progress")
    _insist_on_events(output)
    for noise in ("PLAY [", "TASK [", "ok: [", "FAILED!", "PLAY RECAP"):
        assert noise not in output, output
    assert output.count(REFUSED) == 2, "as it happens, and among the problems at the end"
    assert "Gate after canaries: pass" in output
    assert output.rstrip().splitlines()[-1].startswith("Show the outcome: 1 host did not get their patch (b1); ")


def test_verbosity_shows_all(pretence: Pretence) -> None:
    output = _run(pretence, ("-v",), stdout_callback="fleet.livepatch.progress")
    _insist_on_events(output)
    for detail in ("PLAY [", "TASK [", "ok: [", "PLAY RECAP"):
        assert detail in output, output


def test_events_are_told_beside_another_callback(pretence: Pretence) -> None:
    output = _run(pretence, (), callbacks_enabled="recorder,fleet.livepatch.events")
    _insist_on_events(output)
    assert "PLAY RECAP" in output
