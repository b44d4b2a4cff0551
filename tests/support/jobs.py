# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX runs them: by ansible-runner, each in an empty directory with a fresh copy of the project."""

from __future__ import annotations

import dataclasses
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
        self._number = 0

    def run(self, playbook: str, **extra: t.Any) -> Job:
        self._number += 1
        own = self._folder / str(self._number)
        shutil.copytree(PROJECT, own / "project")
        runner = ansible_runner.run(
            private_data_dir=str(own),
            playbook=f"{playbook}.yml",
            inventory=str(self._inventory),
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
