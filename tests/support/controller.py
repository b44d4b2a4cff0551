# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control node as a user has it: the collection is installed from its artifact, the checkout is out of sight."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from tests.support.locks import locked

_CHECKOUT = Path(__file__).parent.parent.parent
_STAGE = _CHECKOUT / ".cache/stage/ansible_collections/fleet/livepatch"
# The files of the stage, with what is in them
_LISTED = _CHECKOUT / ".cache/stage.list"
_CALLBACKS = Path(__file__).parent / "callbacks"
_BIN = Path(sys.executable).parent

_CONFIG = """\
[defaults]
forks = 10
# An emulated processor that serves many at once takes its time for sudo
timeout = 60
callbacks_enabled = recorder
[connection]
pipelining = true
[ssh_connection]
ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=5 -o ServerAliveCountMax=3
"""


@dataclasses.dataclass(frozen=True)
class Event:
    """One thing that happened: ``kind`` is play (for each batch), start, end, skip or stats; the time is in seconds
    since the epoch."""

    kind: str
    time: float
    host: str = ""
    action: str = ""
    role: str = ""
    task: str = ""
    outcome: str = ""
    result: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    hosts: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)


def starts(action: str) -> Callable[[Event], bool]:
    """What `Controller.wait_for` waits for: that a module of the collection is started."""
    return lambda event: (event.kind, event.action) == ("start", f"fleet.livepatch.{action}")


@dataclasses.dataclass(frozen=True)
class Run:
    """A playbook's run that has ended."""

    rc: int
    output: str
    events: list[Event]

    def ended(self, action: str) -> dict[str, Event]:
        """The results of a module, by host; the last one where it ran more than once."""
        name = f"fleet.livepatch.{action}"
        return {event.host: event for event in self.events if event.kind == "end" and event.action == name}

    @property
    def batches(self) -> list[list[str]]:
        """The hosts of each batch of a rollout, as it was begun: its waves, if none has more than may be in flight."""
        (begun,) = self.ended("rollout_begin").values()
        hosts = iter(begun.result["hosts"])
        return [list(itertools.islice(hosts, size)) for size in begun.result["sizes"]]

    def jobs(self) -> dict[str, Mapping[str, t.Any]]:
        """What became of the detached runs of livepatch, by host."""
        blocks = {host: event.result.get("livepatch") for host, event in self.ended("livepatch_info").items()}
        return {host: block["job"] for host, block in blocks.items() if block and block["job"] is not None}

    def gathered(self) -> dict[str, Event]:
        """The results of livepatch_info before anything is done, by host."""
        first: dict[str, Event] = {}
        for event in self.events:
            if event.kind == "end" and event.action == "fleet.livepatch.livepatch_info":
                first.setdefault(event.host, event)
        return first

    def started(self, action: str) -> dict[str, float]:
        """When a module was first started, by host."""
        name = f"fleet.livepatch.{action}"
        times: dict[str, float] = {}
        for event in self.events:
            if event.kind == "start" and event.action == name:
                times.setdefault(event.host, event.time)
        return times

    @property
    def report(self) -> str:
        """What was printed from the task that reports the results on."""
        actions = ("fleet.livepatch.livepatch_report", "fleet.livepatch.rollout_finish")
        task = next((event.task for event in self.events if event.action in actions), None)
        assert task is not None, self.output
        return self.output.partition(f"{task}]")[2]

    @property
    def stats(self) -> Mapping[str, Mapping[str, int]]:
        """Ansible's own counts by host; empty where the run did not get that far."""
        return next((event.hosts for event in self.events if event.kind == "stats"), {})

    @property
    def changed(self) -> int:
        return sum(counts["changed"] for counts in self.stats.values())


def end(process: subprocess.Popen[str]) -> None:
    """Ends a process and all that it has started, in other sessions too, where newer ansible-cores have workers."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGSTOP)  # so that it starts no others meanwhile
    for pid in [*_below(process.pid), process.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _below(pid: int) -> list[int]:
    """A process's children, and theirs."""
    found: list[int] = []
    for threads in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it has just ended
            for child in map(int, threads.read_text().split()):
                found += [child, *_below(child)]
    return found


class Controller:
    """Runs playbooks of the collection.

    :param folder: an empty one, for everything the control node has and does.
    :param bin_: where ansible-playbook is: the directory of this Python unless another version is to be tried.
    """

    def __init__(self, folder: Path, bin_: Path = _BIN) -> None:
        self.folder = folder
        self._bin = bin_
        self._runs = 0
        # Settings of Ansible's that a test wants, as environment variables
        self.settings: dict[str, str] = {}
        (folder / "ansible.cfg").write_text(_CONFIG)
        shutil.copytree(self._installed(), folder, dirs_exist_ok=True)

    def _installed(self) -> Path:
        """The artifact and what was installed from it: made once for all tests of this collection and this Ansible."""
        made_of = hashlib.sha256(_LISTED.read_bytes() + str(self._bin.resolve()).encode()).hexdigest()
        folder = _CHECKOUT / ".cache/installed" / made_of[:16]
        with locked(folder.with_suffix(".lock")):
            if not folder.exists():
                making = folder.with_suffix(".new")
                shutil.rmtree(making, ignore_errors=True)
                self._galaxy("build", str(_STAGE), "--output-path", str(making / "artifact"))
                (packed,) = (making / "artifact").glob("fleet-livepatch-*.tar.gz")
                self._galaxy("install", str(packed), "--offline", "-p", str(making / "collections"))
                making.rename(folder)
                for other in folder.parent.iterdir():
                    if other.is_dir() and other.stat().st_mtime < time.time() - 3600:
                        shutil.rmtree(other, ignore_errors=True)
        return folder

    def _galaxy(self, *arguments: str) -> None:
        command = [str(self._bin / "ansible-galaxy"), "collection", *arguments]
        subprocess.run(command, check=True, env=self.environment(), cwd=self.folder, stdout=subprocess.DEVNULL)

    def environment(self) -> dict[str, str]:
        """The environment of a run: nothing of it leads back to the checkout but the recorder.

        Nor does it tell the size of the terminal that the tests run in, which is not that of the run's.
        """
        not_ours = ("ANSIBLE_", "PYTHON", "COLUMNS", "LINES")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(not_ours)}
        return {
            **inherited,
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_CALLBACK_PLUGINS": str(_CALLBACKS),
            **self.settings,
            "RECORDER_FILE": str(self.folder / f"events-{self._runs}.jsonl"),
        }

    def forget(self) -> None:
        """Removes what rollouts have left on the control node: plans, leases, the quarantine."""
        shutil.rmtree(self.folder / "home" / "fleet.livepatch", ignore_errors=True)

    @contextlib.contextmanager
    def start(
        self, arguments: Iterable[str], *, show: bool = False, terminal: int | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """A run of ``ansible-playbook``; its output goes to a file, or is shown to who runs us, or goes to a terminal.

        It is over at the block's end, whatever happens there: what is left running would go on changing hosts that the
        next test takes for its own.
        """
        process = self._spawn(arguments, show, terminal)
        try:
            yield process
        finally:
            end(process)

    def _spawn(self, arguments: Iterable[str], show: bool, terminal: int | None) -> subprocess.Popen[str]:
        self._runs += 1
        environment = self.environment()
        command = [str(self._bin / "ansible-playbook"), *arguments]
        if show:
            return subprocess.Popen(command, cwd=self.folder, env=environment, text=True)
        if terminal is not None:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                text=True,
            )
        with self._output.open("w") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={**environment, "ANSIBLE_NOCOLOR": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def finish(self, process: subprocess.Popen[str], patience: float = 900) -> Run:
        """Waits for the last run to end."""
        rc = process.wait(timeout=patience)
        return Run(rc, self.output(), self.events())

    def events(self) -> list[Event]:
        """What has happened in the last run so far."""
        path = self.folder / f"events-{self._runs}.jsonl"
        # The last line may be only half written
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [Event(**json.loads(line)) for line in lines if line.endswith("\n")]

    def wait_for(self, process: subprocess.Popen[str], happens: Callable[[Event], bool], patience: float = 300) -> None:
        """Waits until something has happened in the last run."""
        deadline = time.monotonic() + patience
        while not any(map(happens, self.events())):
            assert process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.1)

    def output(self) -> str:
        """What the last run has said so far."""
        return self._output.read_text() if self._output.exists() else ""

    @property
    def _output(self) -> Path:
        return self.folder / f"output-{self._runs}.txt"

    def playbook(self, name: str, inventory: Path, *arguments: str, show: bool = False) -> Run:
        """Runs a playbook of the collection to its end."""
        return self.run([f"fleet.livepatch.{name}", "-i", str(inventory), *arguments], show=show)

    def run(self, arguments: Iterable[str], *, show: bool = False, patience: float = 900) -> Run:
        """Runs ``ansible-playbook`` to its end."""
        with self.start(arguments, show=show) as process:
            return self.finish(process, patience)

    def module(
        self,
        name: str,
        inventory: Path,
        pattern: str = "all",
        options: Mapping[str, t.Any] | None = None,
        arguments: Iterable[str] = (),
    ) -> dict[str, Mapping[str, t.Any]]:
        """Runs a module of the collection on hosts, as root; the results by host, those of failures too."""
        play = [
            {
                "hosts": pattern,
                "gather_facts": False,
                "become": True,
                "tasks": [{f"fleet.livepatch.{name}": dict(options or {})}],
            }
        ]
        path = self.folder / "module.yml"
        path.write_text(json.dumps(play))
        run = self.run([str(path), "-i", str(inventory), *arguments])
        ended = run.ended(name)
        assert ended, run.output
        return {host: event.result for host, event in ended.items()}
