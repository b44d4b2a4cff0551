# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fake hosts: real playbooks, steps, modules and report; only ssh and what the hosts are is fake."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import subprocess
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.controller import Controller, Event, Run
from tests.support.fake_machine import FakeMachine

_FAKES = Path(__file__).parent / "fakes"
_CHECKOUT = Path(__file__).parents[2]
# What is true of a host unless a test says otherwise, see FakeMachine.set_up
_WELL: dict[str, t.Any] = {"build": "a", "offers": ["1-1", "2-1", "3-1"]}
_MODULES = ("livepatch", "livepatch_info", "livepatch_metrics", "livepatch_repository")


@dataclasses.dataclass(frozen=True)
class FakeHost:
    """One host: what differs from one that is well (`FakeMachine.set_up`), and its variables of the inventory.

    :ivar answers: what it tells in the place of modules' results, by the names of the files that the fake ssh reads.
        None: it tells what they return, and nothing of that is kept.
    """

    conditions: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    variables: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    answers: Mapping[str, str] | None = None


class FakeFleet:
    """A control node whose hosts are fake."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self._controller = Controller(folder, bin_)
        self._bin = bin_
        self._plugins = folder / "collections/ansible_collections/fleet/livepatch/plugins"
        modules = self._plugins / "modules"
        self._modules = folder / "modules"
        self._modules.mkdir()
        for name in _MODULES:
            shutil.move(modules / f"{name}.py", self._modules)
            shutil.copy(_FAKES / "module.py", modules / f"{name}.py")
        self._hosts = folder / "hosts"
        self._inventory = folder
        # Where the control node records rollouts unless it is told otherwise
        self.store = folder / "home/fleet.livepatch/rollouts.sqlite3"

    def run(
        self,
        hosts: Mapping[str, FakeHost],
        arguments: Iterable[str],
        settings: Mapping[str, str],
        *,
        common: Mapping[str, t.Any],
        ini: bool = False,
    ) -> Run:
        """Runs ``ansible-playbook`` over new hosts, see ``make``."""
        self.make(hosts, settings, common=common, ini=ini)
        return self.again(arguments)

    def make(
        self,
        hosts: Mapping[str, FakeHost],
        settings: Mapping[str, str],
        *,
        common: Mapping[str, t.Any],
        ini: bool = False,
    ) -> None:
        """New hosts instead of those that there were; each is in a group that its name's first letter names.

        :param settings: of Ansible's, as environment variables.
        :param common: variables of the group all.
        :param ini: the inventory is an INI file, in which what is not a Python literal is text.
        """
        shutil.rmtree(self._hosts, ignore_errors=True)
        # What an earlier fleet's rollouts have recorded is not about this one
        self.store.unlink(missing_ok=True)
        for name, host in hosts.items():
            folder = self._hosts / name
            folder.mkdir(parents=True)
            conditions = {**_WELL, **host.conditions}
            machine = FakeMachine(folder)
            machine.set_conditions(conditions)
            machine.set_up(conditions)
            if conditions.get("gone"):
                (folder / "gone").touch()
            if host.answers is not None:
                (folder / "answers").mkdir()
                for file, text in host.answers.items():
                    (folder / "answers" / file).write_text(text, errors="surrogatepass")
        connection = {
            "ansible_ssh_executable": str(_FAKES / "ssh"),
            "ansible_become": False,
            # Discovery would find the shims of version managers, and the environment's own path may contain blanks
            "ansible_python_interpreter": str((self._bin / "python").resolve()),
            # Others are tried first, which fake hosts do not have
            "ansible_ssh_transfer_method": "piped",
        }
        self._inventory = self._controller.folder / ("inventory.ini" if ini else "inventory.yml")
        self._inventory.write_text((_ini if ini else _yaml)(hosts, {**connection, **common}))
        installed = next((self._bin.parent / "lib").glob("python3*/site-packages"))
        self._controller.settings = {
            "FAKE_HOSTS": str(self._hosts),
            "FAKE_MODULES": str(self._modules),
            "FAKE_PLUGINS": str(self._plugins),
            "FAKE_PYTHONPATH": ":".join(map(str, (_FAKES / "site", _CHECKOUT, installed))),
            "FAKE_PYCACHE": str(_CHECKOUT / ".cache/pycache"),
            **settings,
        }

    @property
    def plugins(self) -> Path:
        """The installed collection's."""
        return self._plugins

    @property
    def inventory(self) -> Path:
        return self._inventory

    def environment(self) -> dict[str, str]:
        """That of the control node, for who runs playbooks by other means."""
        return self._controller.environment()

    def in_terminal(
        self, terminal: int, arguments: Iterable[str]
    ) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
        """Starts it in a terminal, over the hosts that there are."""
        return self._controller.start([*arguments, "-i", str(self._inventory)], terminal=terminal)

    def again(self, arguments: Iterable[str]) -> Run:
        """Runs it over the same hosts, as they are by now."""
        return self._controller.run([*arguments, "-i", str(self._inventory)])

    def typed(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Runs any of Ansible's programs over the same hosts, where the inventory is."""
        return subprocess.run(
            [str(self._bin / command[0]), *command[1:]],
            cwd=self._controller.folder,
            env={**self.environment(), "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    @contextlib.contextmanager
    def started(self, arguments: Iterable[str]) -> Iterator[subprocess.Popen[str]]:
        """The same, and what is done meanwhile is the caller's; at the block's end it is killed."""
        with self._controller.start([*arguments, "-i", str(self._inventory)]) as process:
            yield process

    def events(self) -> list[Event]:
        """What has happened in the last run so far."""
        return self._controller.events()

    def finish(self, process: subprocess.Popen[str]) -> Run:
        return self._controller.finish(process)

    def change(self, name: str, **conditions: t.Any) -> None:
        """Something else becomes true of a host."""
        machine = FakeMachine(self._hosts / name)
        machine.set_conditions({**machine.conditions(), **conditions})
        machine.set_up(conditions)
        (self._hosts / name / "gone").unlink(missing_ok=True)

    def folder(self, name: str) -> Path:
        """Where a host is kept, and its marks are."""
        return self._hosts / name

    def connections(self) -> list[str]:
        """The hosts that were connected to since they were made, once for each connection."""
        log = self._hosts / "connections"
        return log.read_text().split() if log.exists() else []

    def commands(self, name: str) -> list[str]:
        """What a host has run since it was made, in order."""
        log = self._hosts / name / "commands"
        return log.read_text().splitlines() if log.exists() else []

    def told(self, name: str) -> list[str]:
        """What the modules returned on a host with `answers`, in order, whatever it has told."""
        texts = [path.read_text() for path in sorted((self._hosts / name / "answers").glob("*.said"))]
        return [text for text in texts if text.lstrip().startswith('{"')]

    def sent(self) -> int:
        """How many answers of hosts with `answers` have gone over the wire."""
        return sum(len(path.read_text().split()) for path in self._hosts.glob("*/answers/sent"))

    def touched(self) -> dict[str, list[str]]:
        """The KMPs whose modules the kernels were given, taken or not, by host; what hosts went back to is left out."""
        return {mark.parent.name: mark.read_text().split() for mark in self._hosts.glob("*/touched")}


def _yaml(hosts: Mapping[str, FakeHost], common: Mapping[str, t.Any]) -> str:
    groups: dict[str, dict[str, t.Any]] = {}
    for name, host in hosts.items():
        groups.setdefault(name[0], {"hosts": {}})["hosts"][name] = dict(host.variables)
    return json.dumps({"all": {"children": groups, "vars": dict(common)}})


def _ini(hosts: Mapping[str, FakeHost], common: Mapping[str, t.Any]) -> str:
    def words(variables: Mapping[str, t.Any]) -> list[str]:
        return [f"{key}={value}" for key, value in variables.items()]

    lines = [" ".join([name, *words(host.variables)]) for name, host in hosts.items()]
    return "\n".join([*lines, "[all:vars]", *words(common)]) + "\n"
