# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often ssh is run for a module: what pipelining saves, and what the README says of that."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest

from tests.support import cores
from tests.support.fake_fleet import FakeFleet, FakeHost

_README = Path(__file__).parents[2] / "README.md"
_RUN = "the-run"
_START = {"fleet.livepatch.livepatch": {"detach": True, "run": _RUN}}
_GATHER: dict[str, t.Any] = {"fleet.livepatch.livepatch_info": None}
_COLLECT = {
    "fleet.livepatch.livepatch_info": {"run": _RUN, "wait": 30},
    "register": "ended",
    "failed_when": "ended.livepatch.job.failed | default(true)",
}


@pytest.fixture(scope="module", params=cores.EACH)
def fake_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(request.param))


@pytest.fixture(scope="module", params=[True, False], ids=["pipelining", "no pipelining"])
def counts(request: pytest.FixtureRequest, fake_fleet: FakeFleet) -> tuple[bool, dict[str, int]]:
    """How often ssh is run for each task."""
    folder = fake_fleet.plugins.parents[3]
    common = {"ansible_remote_tmp": str(folder / "remote_tmp"), "ansible_pipelining": request.param}
    fake_fleet.make({"a1": FakeHost()}, {}, common=common)
    counts = {}
    before = 0
    for name, task in {"start": _START, "collect": _COLLECT, "gather": _GATHER}.items():
        playbook = folder / f"{name}.yml"
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
        run = fake_fleet.again([str(playbook)])
        assert run.rc == 0, run.output
        counts[name] = len(fake_fleet.connections()) - before
        before += counts[name]
    assert fake_fleet.touched() == {"a1": ["3-1"]}
    return request.param, counts


def test_ssh_is_run_as_often_as_the_readme_says(counts: tuple[bool, dict[str, int]]) -> None:
    with_pipelining, seen = counts
    said = re.search(r"`ssh`\s+(\d+) times\s+for\s+each\s+module,\s+otherwise\s+once", _README.read_text())
    assert said is not None
    assert seen == dict.fromkeys(("start", "collect", "gather"), 1 if with_pipelining else int(said[1]))
