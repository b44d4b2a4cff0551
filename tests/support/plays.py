# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small plays, without the collection, over hosts that are pretended; and in short what ran where.

Hosts are written by their names, with what becomes of them behind: ``a1 a2! a3?`` are one that is well, one on which
what it is to do fails, and one that does not answer any more from then on. Results are written in the same way, with
``a4-`` for a host that skipped a task; a bar is between two batches.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.controller import Event

_HERE = Path(__file__).parent
_DOES = {"!": "exit 3", "?": 'touch "$PRETENDED_HOST/gone"'}
_ENDS = {"ok": "", "failed": "!", "unreachable": "?", "skipped": "-"}
_COUNTS = ("unreachable", "failures", "rescued", "ignored")

Play = dict[str, t.Any]
Task = dict[str, t.Any]

# What a host does in the middle of a play, and what becomes of it then
WORK: Task = {"name": "work", "ansible.builtin.raw": "{{ does }}"}


def play(*tasks: Task, hosts: t.Any = "all", **keywords: t.Any) -> Play:
    return {"hosts": hosts, "gather_facts": False, "tasks": list(tasks), **keywords}


def say(name: str, what: str = "", **keywords: t.Any) -> Task:
    return {"name": name, "ansible.builtin.debug": {"msg": what}, **keywords}


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
        """The texts of what was only said, by task; the last host's."""
        return {event.task: event.result["msg"] for event in self.events if event.kind == "end" and event.action[-5:] == "debug"}

    @property
    def recap(self) -> str:
        stats = next((event.hosts for event in self.events if event.kind == "stats"), {})
        told = {host: [f"{name}={counts[name]}" for name in _COUNTS if counts.get(name)] for host, counts in stats.items()}
        return ", ".join(" ".join([host, *told[host]]) for host in sorted(told) if told[host])


class Stage:
    """Where plays of one ansible-core are run."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self._folder = folder
        self._program = bin_ / "ansible-playbook"
        self._runs = 0

    def run(
        self,
        hosts: str,
        plays: Sequence[Play],
        arguments: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
        interrupted: str = "",
    ) -> Trace:
        """
        :param settings: of Ansible's, as environment variables.
        :param interrupted: a file of the first host's; once it is there, the run gets SIGTERM.
        """
        self._runs += 1
        folder = self._folder / str(self._runs)
        inventory = {}
        for name in hosts.split():
            inventory[name.rstrip("!?")] = {"does": _DOES.get(name[-1], "exit 0")}
        for name in inventory:
            (folder / "hosts" / name).mkdir(parents=True)
        common = {
            "ansible_ssh_executable": str(_HERE / "fakes/ssh"),
            "ansible_async_dir": str(folder / "async"),
            # Discovery would find the shims of version managers, and the environment's own path may contain blanks
            "ansible_python_interpreter": str(Path(sys.executable).resolve()),
        }
        (folder / "inventory.yml").write_text(json.dumps({"all": {"hosts": inventory, "vars": common}}))
        (folder / "play.yml").write_text(json.dumps(plays))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
        environment = {
            **inherited,
            "ANSIBLE_HOME": str(self._folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORKS": "10",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
            "ANSIBLE_CALLBACK_PLUGINS": str(_HERE / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "RECORDER_FILE": str(folder / "events.jsonl"),
            "PRETENDED_HOSTS": str(folder / "hosts"),
            **(settings or {}),
        }
        with (folder / "output.txt").open("w") as output:
            process = subprocess.Popen(
                [self._program, "play.yml", "-i", "inventory.yml", *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            if interrupted:
                mark = folder / "hosts" / next(iter(inventory)) / interrupted
                deadline = time.monotonic() + 30
                while not mark.exists() and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.05)
                process.send_signal(signal.SIGTERM)
            rc = process.wait(timeout=120)
        events = folder / "events.jsonl"
        lines = events.read_text().splitlines() if events.exists() else []
        return Trace(rc, (folder / "output.txt").read_text(), [Event(**json.loads(line)) for line in lines])
