# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX runs them: by ansible-runner, each in an empty directory with a fresh copy of the project."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import pwd
import shutil
import subprocess
import sys
import typing as t
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import ansible_runner

PROJECT = Path(__file__).parents[2] / "docs/awx/project"
_BIN = Path(sys.executable).parent
# As ansible-runner has it: event, event_data, stdout and others
Event = Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Job:
    """``status`` is AWX's word: successful, failed, canceled, timeout. ``artifacts`` are what the job hands over."""

    status: str
    output: str
    artifacts: Mapping[str, t.Any]
    events: list[Event]


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

    def run(
        self,
        playbook: str,
        slice_: tuple[int, int] | None = None,
        until: Callable[[Event], bool] | None = None,
        user: str | None = None,
        **extra: t.Any,
    ) -> Job:
        """The control node transmits the job, a worker that has nothing else runs it, the events come back.

        :param slice_: of a sliced job the number, from 1, and how many there are.
        :param user: who launches it; a schedule does by default.
        :param until: cancels the job, as AWX does (SIGTERM), at the first event of which it is true.
        """
        number = next(self._numbers)
        own = self._folder / str(number)
        sent, work = own / "sent", own / "work"
        shutil.copytree(PROJECT, sent / "project")
        inventory = self._inventory
        if slice_ is not None:
            inventory = sent / "inventory.yml"
            inventory.write_text(json.dumps(_cut(json.loads(self._inventory.read_text()), *slice_)))
        with (own / "stream").open("wb") as stream:
            ansible_runner.run(
                streamer="transmit",
                _output=stream,
                private_data_dir=str(sent),
                playbook=f"{playbook}.yml",
                inventory=str(inventory),
                extravars={**extra, **_build_meta(number, user)},
                envvars={
                    **self._environment,
                    "JOB_ID": str(number),
                    "AWX_PRIVATE_DATA_DIR": str(work),
                    "ANSIBLE_HOME": str(work / "home"),
                    "ANSIBLE_CONFIG": str(work / "project/ansible.cfg"),
                },
            )
        events: list[Event] = []
        with self._worker(own / "stream", work) as worker:

            def hear(event: Event) -> bool:
                events.append(event)
                if until is not None and until(event):
                    worker.terminate()
                return False

            heard = ansible_runner.run(
                streamer="process", _input=worker.stdout, private_data_dir=str(own), event_handler=hear, quiet=True
            )
        ended = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
        artifacts = ended[0].get("artifact_data") or {} if ended else {}
        shutil.rmtree(own)
        return Job(heard.status, "\n".join(event.get("stdout", "") for event in events), artifacts, events)

    @contextlib.contextmanager
    def _worker(self, stream: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
        command = [str(_BIN / "ansible-runner"), "worker", "--private-data-dir", str(folder)]
        with stream.open("rb") as input_, subprocess.Popen(command, stdin=input_, stdout=subprocess.PIPE) as worker:
            try:
                yield worker
            finally:
                worker.terminate()


def name_launcher(user: str) -> str:
    """Who has launched a job, as the collection knows it: in a login, which AWX has none of, it is that one."""
    login = int(Path("/proc/self/loginuid").read_text())
    return user if login == 0xFFFFFFFF else pwd.getpwuid(login).pw_name


def _build_meta(number: int, user: str | None) -> dict[str, t.Any]:
    """What AWX writes over the extra variables of users (``awx_meta_vars`` in awx/main/models/unified_jobs.py)."""
    known = {"job_id": number, "job_launch_type": "manual" if user else "scheduled"}
    if user:
        known |= {"user_id": 7, "user_name": user, "user_email": "", "user_first_name": "", "user_last_name": ""}
    return {f"{prefix}_{key}": value for prefix in ("awx", "tower") for key, value in known.items()}


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
