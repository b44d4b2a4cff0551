# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that are pretended: real playbooks, gate and report, over ssh and modules that only answer from files."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import subprocess
import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.controller import Controller, Run

_FAKES = Path(__file__).parent / "fakes"
# What is true of a host unless a test says otherwise. The state is what livepatch_info would conclude.
_WELL: dict[str, t.Any] = {
    "release": "6.4.0-150600.23.7-default",
    "build_id": "aaaa",
    "arch": "x86_64",
    "flavor": "default",
    "boot_id": "first",
    "state": "unpatched",
    "level": None,
    "installed": None,
    "kmp": "3-1",
    "rejected": [],
    "problems": [],  # of its health: {what, text}
    "downloaded": False,  # the KMP's file is on the host
    "unfetched": "",  # why it cannot be downloaded
    "blind": None,  # why its health cannot be told
    "refusal": "",  # what the kernel says when the module is applied
    "stays": "",  # why the host does not go back to what it had before
    "stuck": "",  # the same, and it may be tried again
    "rollout": "",  # the one by which something was last begun on it
    "slow": 0,  # how often it is still migrating when it is asked what became of its run
    "gone": False,  # the host does not answer any more
    "from": {},  # what becomes true when it is asked, applied to or verified: facts by "ask", "apply", "verify"
}


@dataclasses.dataclass(frozen=True)
class FakeHost:
    """One host: what differs from one that is well, and its variables of the inventory."""

    facts: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    variables: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


class FakeFleet:
    """A control node whose hosts are pretended."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self._controller = Controller(folder, bin_)
        self._bin = bin_
        modules = folder / "collections/ansible_collections/fleet/livepatch/plugins/modules"
        for name in ("livepatch", "livepatch_info"):
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
            (folder / "facts.json").write_text(json.dumps({**_WELL, **host.facts}))
        connection = {
            "ansible_ssh_executable": str(_FAKES / "ssh"),
            "ansible_become": False,
            "ansible_async_dir": str(self._controller.folder / "async"),
            # Discovery would find the shims of version managers, and the environment's own path may contain blanks
            "ansible_python_interpreter": str((self._bin / "python").resolve()),
            # Others are tried first, which pretended hosts do not have
            "ansible_ssh_transfer_method": "piped",
        }
        self._inventory = self._controller.folder / ("inventory.ini" if ini else "inventory.yml")
        self._inventory.write_text((_ini if ini else _yaml)(hosts, {**connection, **common}))
        installed = next((self._bin.parent / "lib").glob("python3*/site-packages"))
        self._controller.settings = {
            "PRETENDED_HOSTS": str(self._hosts),
            "PRETENDED_PYTHONPATH": f"{_FAKES / 'site'}:{installed}",
            **settings,
        }

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

    def finish(self, process: subprocess.Popen[str]) -> Run:
        return self._controller.finish(process)

    def change(self, name: str, **facts: t.Any) -> None:
        """Something else becomes true of a host."""
        path = self._hosts / name / "facts.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
        (self._hosts / name / "gone").unlink(missing_ok=True)

    def folder(self, name: str) -> Path:
        """Where a host's facts and marks are."""
        return self._hosts / name

    def connections(self) -> list[str]:
        """The hosts that were connected to since they were made, once for each connection."""
        log = self._hosts / "connections"
        return log.read_text().split() if log.exists() else []

    def touched(self) -> dict[str, list[str]]:
        """The KMPs that were applied in the last run, successfully or not, by host."""
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
