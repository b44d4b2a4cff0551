# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX runs them: by ansible-runner, each in an empty directory with a fresh copy of the project."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import typing as t
from collections.abc import Mapping
from pathlib import Path

import ansible_runner

PROJECT = Path(__file__).parents[2] / "docs/awx/project"


@dataclasses.dataclass(frozen=True)
class Job:
    """``status`` is AWX's word: successful, failed, canceled, timeout. ``artifacts`` are what the job hands over."""

    status: str
    output: str
    artifacts: Mapping[str, t.Any]
    events: list[Mapping[str, t.Any]]


class Jobs:
    """A control node that is thrown away after each job.

    :param folder: an empty one.
    :param environment: what is built into it: where the collection is, and settings.
    """

    def __init__(self, folder: Path, inventory: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._inventory = inventory
        self._environment = environment
        self._numbers = itertools.count(1)

    def run(self, playbook: str, slice_: tuple[int, int] | None = None, **extra: t.Any) -> Job:
        """:param slice_: of a sliced job the number, from 1, and how many there are."""
        own = self._folder / str(next(self._numbers))
        shutil.copytree(PROJECT, own / "project")
        inventory = self._inventory
        if slice_ is not None:
            inventory = own / "inventory.yml"
            inventory.write_text(json.dumps(_cut(json.loads(self._inventory.read_text()), *slice_)))
        runner = ansible_runner.run(
            private_data_dir=str(own),
            playbook=f"{playbook}.yml",
            inventory=str(inventory),
            extravars=extra,
            envvars={
                **self._environment,
                "ANSIBLE_HOME": str(own / "home"),
                "ANSIBLE_CONFIG": str(own / "project/ansible.cfg"),
            },
            quiet=True,
        )
        events = list(runner.events)
        ended = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
        artifacts = ended[0].get("artifact_data") or {} if ended else {}
        output = runner.stdout.read()
        shutil.rmtree(own)
        return Job(runner.status, output, artifacts, events)


def _cut(inventory: dict[str, t.Any], number: int, count: int) -> dict[str, t.Any]:
    """A slice as AWX cuts it (``Inventory.get_script_data``): sorted by name every n-th host, and all groups."""
    groups = inventory["all"]["children"]
    names = sorted(name for group in groups.values() for name in group["hosts"])
    ours = set(names[number - 1 :: count])
    left = {
        group: {**of_group, "hosts": {name: row for name, row in of_group["hosts"].items() if name in ours}}
        for group, of_group in groups.items()
    }
    return {"all": {**inventory["all"], "children": left}}
