# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small plays, without the collection, over fake hosts; and in short what ran where.

Hosts are written by their names, with what becomes of them behind: ``a1 a2! a3?`` are one that is well, one on which
what it is to do fails, and one that does not answer any more from then on. Results are written in the same way, with
``a4-`` for a host that skipped a task; a bar is between two batches.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.support import cores
from tests.support.controller import Event

_HERE = Path(__file__).parent
_DOES = {"!": "exit 3", "?": 'touch "$FAKE_HOST/gone"'}
_ENDS = {"ok": "", "failed": "!", "unreachable": "?", "skipped": "-"}
_COUNTS = ("unreachable", "failures", "rescued", "ignored")

VERSIONS = (*cores.VERSIONS, cores.NEWEST)

Play = dict[str, t.Any]
Task = dict[str, t.Any]

# What a host does in the middle of a play, and what becomes of it then
WORK: Task = {"name": "work", "ansible.builtin.raw": "{{ does }}"}


def play(*tasks: Task, hosts: t.Any = "all", **keywords: t.Any) -> Play:
    return {"hosts": hosts, "gather_facts": False, "tasks": list(tasks), **keywords}


def raw(name: str, what: str = "true", **keywords: t.Any) -> Task:
    return {"name": name, "ansible.builtin.raw": what, **keywords}


def fail(name: str, **keywords: t.Any) -> Task:
    return {"name": name, "ansible.builtin.fail": {"msg": "on purpose"}, **keywords}


def keep(name: str, **facts: t.Any) -> Task:
    """As plans and what follows from them are kept: facts of localhost."""
    once = {"run_once": True, "delegate_to": "localhost", "delegate_facts": True}
    return {"name": name, "ansible.builtin.set_fact": facts, **once}


def say(name: str, what: str = "", **keywords: t.Any) -> Task:
    return {"name": name, "ansible.builtin.debug": {"msg": what}, **keywords}


@dataclasses.dataclass(frozen=True)
class Case:
    """Plays, and what is true of their run.

    :ivar ran: where each task ran; a task that is not named ran nowhere.
    :ivar said: of what was said, as much as is asked for.
    :ivar versions: of ansible-core, of which this is true.
    """

    hosts: str
    plays: Sequence[Play]
    ran: Mapping[str, str]
    rc: int = 0
    recap: str = ""
    said: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    arguments: Sequence[str] = ()
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    files: Mapping[str, Sequence[Task]] = dataclasses.field(default_factory=dict)
    variables: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    versions: Sequence[str] = VERSIONS


def together(*cases: Case) -> Case:
    """Cases in which all goes well, in one run: starting it takes the most time. No two of their tasks share a name."""
    ran: dict[str, str] = {}
    said: dict[str, t.Any] = {}
    for case in cases:
        assert not set(ran) & set(case.ran)
        ran.update(case.ran)
        said.update(case.said)
    plays = [one for case in cases for one in case.plays]
    return dataclasses.replace(cases[0], plays=plays, ran=ran, said=said)


def rows(cases: Mapping[str, Case]) -> list[tuple[str, str]]:
    """Version and name of each case; all of a version together, so that its environment is made once it is needed."""
    return [(version, name) for version in VERSIONS for name, case in cases.items() if version in case.versions]


@dataclasses.dataclass(frozen=True)
class Trace:
    """A run that has ended.

    :ivar recap: hosts with what Ansible counts of them beyond tasks that were well.
    """

    rc: int
    output: str
    events: Sequence[Event]

    @property
    def ran(self) -> dict[str, str]:
        """Where each task ran, and how it ended."""
        batches: dict[str, dict[int, list[str]]] = {}
        number = 0
        for event in self.events:
            number += event.kind == "play"
            if event.kind in ("end", "skip") and event.task:
                where = batches.setdefault(event.task, {}).setdefault(number, [])
                where.append(event.host + _ENDS[event.outcome])
        return {task: " | ".join(" ".join(sorted(some)) for some in of.values()) for task, of in batches.items()}

    @property
    def said(self) -> dict[str, t.Any]:
        """What debug tasks said: a text, or one for each host where they differ."""
        told: dict[str, dict[str, t.Any]] = {}
        for event in self.events:
            if event.kind == "end" and event.action == "ansible.builtin.debug":
                told.setdefault(event.task, {})[event.host] = event.result["msg"]
        return {
            task: some if any(one != next(iter(some.values())) for one in some.values()) else next(iter(some.values()))
            for task, some in told.items()
        }

    @property
    def recap(self) -> str:
        stats = next((event.hosts for event in self.events if event.kind == "stats"), {})
        told = {
            host: [f"{name}={counts[name]}" for name in _COUNTS if counts.get(name)] for host, counts in stats.items()
        }
        return ", ".join(" ".join([host, *told[host]]) for host in sorted(told) if told[host])


class Stage:
    """Where plays of one ansible-core are run."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self._folder = folder
        self._program = bin_ / "ansible-playbook"
        self._runs = 0

    def run(self, case: Case, interrupted: bool = False) -> Trace:
        """
        :param interrupted: the run gets SIGTERM once the first host has a file `started`.
        """
        self._runs += 1
        folder = self._folder / str(self._runs)
        inventory = {}
        for name in case.hosts.split():
            inventory[name.rstrip("!?")] = {"does": _DOES.get(name[-1], "exit 0")}
        (folder / "hosts").mkdir(parents=True)
        for name in inventory:
            (folder / "hosts" / name).mkdir()
        common = {
            **case.variables,
            "ansible_ssh_executable": str(_HERE / "fakes/ssh"),
            # Discovery would find the shims of version managers, and the environment's own path may contain blanks
            "ansible_python_interpreter": str(Path(sys.executable).resolve()),
        }
        (folder / "inventory.yml").write_text(json.dumps({"all": {"hosts": inventory, "vars": common}}))
        for path, tasks in case.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(json.dumps(tasks))
        (folder / "play.yml").write_text(json.dumps(case.plays))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
        environment = {
            **inherited,
            "ANSIBLE_HOME": str(self._folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORKS": "10",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_SSH_TRANSFER_METHOD": "piped",  # the fake ssh is no sftp
            "ANSIBLE_CALLBACK_PLUGINS": str(_HERE / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "RECORDER_FILE": str(folder / "events.jsonl"),
            "FAKE_HOSTS": str(folder / "hosts"),
            **case.settings,
        }
        with (folder / "output.txt").open("w") as output:
            process = subprocess.Popen(
                [self._program, "play.yml", "-i", "inventory.yml", *case.arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            if interrupted:
                mark = folder / "hosts" / next(iter(inventory)) / "started"
                deadline = time.monotonic() + 30
                while not mark.exists() and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.05)
                process.send_signal(signal.SIGTERM)
            rc = process.wait(timeout=120)
        events = folder / "events.jsonl"
        lines = events.read_text().splitlines() if events.exists() else []
        return Trace(rc, (folder / "output.txt").read_text(), [Event(**json.loads(line)) for line in lines])

    def check(self, case: Case) -> None:
        trace = self.run(case)
        # One comparison: a surprise shows all that was surprising.
        said = {task: trace.said.get(task) for task in case.said}
        found = {"ran": trace.ran, "rc": trace.rc, "recap": trace.recap, "said": said}
        expected = {"ran": dict(case.ran), "rc": case.rc, "recap": case.recap, "said": dict(case.said)}
        assert found == expected, f"{trace.output}\nfound:    {found}\nexpected: {expected}"


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str], Stage]:
    """Where plays of a version of ansible-core are run."""

    @functools.cache
    def stage(version: str) -> Stage:
        return Stage(tmp_path_factory.mktemp("plays"), cores.environment(version))

    return stage
