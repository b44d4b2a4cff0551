# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Canned hosts: they answer what simulated hosts have answered, so that only the controller works.

What a host is asked is a module with its arguments, however it comes there (piped to Python, or put into a file and
called, detached or not), or a plain command of Ansible's. The answer is that of the recorded call that is most like it,
with what names a run or a host (IDs, hashes, names of jobs and of temporary files) put in the place of the recorded.
"""

from __future__ import annotations

import ast
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import typing as t
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tests.bench.cost import Cost, measure
from tests.support.trees import Tree, build_environment, find_program, find_simulation

_HERE = Path(__file__).parent
_DRIVE = _HERE.parent / "support/counting/drive.py"
_PARAMS = b'"ANSIBLE_MODULE_ARGS"'
_PUT = re.compile(r"(?:\bdd of=|\bcat >\s*)(\S+)")
# What names a run, a boot, a plan, a job or a temporary folder
_TOKEN = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32,64}\b|\bj\d+\.\d+\b|\bansible-tmp-[\d.]+-\d+-\d+\b"
)
_BOOT = re.compile(r'"boot_id": "([0-9a-f-]{36})"')
_KERNELS = 2


class Call(t.NamedTuple):
    """What a host is asked.

    :ivar module: '' for a plain command.
    :ivar values: the module's arguments by their paths, or the command.
    """

    module: str
    values: Mapping[str, str]
    arguments: Mapping[str, t.Any]

    @property
    def is_start(self) -> bool:
        """Whether it starts the host's part of a rollout."""
        return self.module.endswith(".livepatch") and bool(self.arguments.get("rollout"))

    @property
    def collects(self) -> bool:
        """Whether it asks for what was started."""
        return self.module.endswith(".livepatch_info") and bool(self.arguments.get("run"))

    @property
    def waits(self) -> float:
        """For how many seconds it waits for that."""
        return float(self.arguments.get("wait") or 0) if self.collects else 0.0


@dataclasses.dataclass(frozen=True)
class Record:
    """A call, and its answer.

    :ivar host: the recorded one, of the kernel with this number.
    :ivar started: the host's part of a rollout was started before.
    :ivar running: it had not ended yet.
    """

    host: str
    kernel: int
    call: Call
    status: int
    output: str
    started: bool
    running: bool


@dataclasses.dataclass
class _State:
    """What a canned host knows.

    :ivar tokens: what is put in the place of what was recorded.
    :ivar host: the recorded one, whose calls it goes by.
    """

    kernel: int
    tokens: dict[str, str] = dataclasses.field(default_factory=dict)
    files: dict[str, tuple[str, dict[str, t.Any]]] = dataclasses.field(default_factory=dict)
    host: str = ""
    started: float = 0.0


#
# Calls
#


def parse_payload(sent: bytes) -> tuple[str, dict[str, t.Any]] | None:
    """The module, by its full name, and its arguments, of what Ansible sends to Python; None if it is another thing."""
    at = sent.find(_PARAMS)
    if at < 0:
        return None
    line = sent[sent.rfind(b"\n", 0, at) + 1 : sent.find(b"\n", at)]
    # NAME = 'JSON', or NAME='JSON',
    literal = ast.literal_eval(line.partition(b"=")[2].decode().strip().rstrip(","))
    arguments = json.loads(literal)["ANSIBLE_MODULE_ARGS"]
    return arguments.get("_ansible_module_name", ""), {
        name: value for name, value in arguments.items() if not name.startswith("_ansible_")
    }


def parse_call(command: str, sent: bytes, files: dict[str, tuple[str, dict[str, t.Any]]]) -> Call | None:
    """What a host is asked; None where it only gets a file with a module, which is kept in ``files``."""
    payload = parse_payload(sent)
    target = _PUT.search(command)
    if target is not None:
        files[target[1].strip("'\"")] = payload or ("", {})
        return None
    if payload is None:
        called = [path for path in files if path in command]
        # The last one is the module that a wrapper is to detach
        called.sort(key=command.rfind)
        modules = [files[path] for path in called if files[path][0]]
        runs = modules and "python" in command and "chmod" not in command
        if not runs:
            return Call("", {"command": command}, {})
        payload = modules[-1]
    module, arguments = payload
    return Call(module, {**dict(_flatten(arguments)), "job": " ".join(_find_jobs(command))}, arguments)


def _find_jobs(command: str) -> list[str]:
    return [token for token in _TOKEN.findall(command) if token.startswith("j")]


def _flatten(value: t.Any, path: str = "") -> t.Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flatten(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flatten(inner, f"{path}.{number}")
    else:
        yield path, str(value)


def _mask(text: str) -> str:
    return _TOKEN.sub("#", text)


def count_differences(ours: Call, theirs: Call) -> int:
    """In how many arguments calls of the same module differ, IDs aside."""
    names = {*ours.values, *theirs.values}
    return sum(_mask(ours.values.get(name, "")) != _mask(theirs.values.get(name, "")) for name in names)


def pair_tokens(recorded: Call, asked: Call) -> dict[str, str]:
    """What names the same thing in a call as in the recorded one."""
    pairs: dict[str, str] = {}
    for path, value in recorded.values.items():
        before, now = _TOKEN.findall(value), _TOKEN.findall(asked.values.get(path, ""))
        if len(before) == len(now):
            pairs.update(zip(before, now, strict=True))
    return pairs


def build_boot_id(host: str) -> str:
    return str(uuid.UUID(hashlib.md5(host.encode(), usedforsecurity=False).hexdigest()))


#
# Records
#


def read_records(folder: Path, kernels: int = _KERNELS) -> list[Record]:
    """What `recording_ssh` has written, the oldest first."""
    files: dict[str, dict[str, tuple[str, dict[str, t.Any]]]] = {}
    started: set[str] = set()
    records = []
    for path in sorted(folder.iterdir(), key=lambda path: float(path.name.partition("-")[0])):
        row = json.loads(path.read_text())
        host, output = row["host"], row["output"].encode("latin-1").decode()
        call = parse_call(row["command"], row["sent"].encode("latin-1"), files.setdefault(host, {}))
        if call is None:
            continue
        running = '"running": true' in output
        kernel = (int(host[1:]) - 1) % kernels
        records.append(Record(host, kernel, call, row["status"], output, host in started, running))
        if call.is_start:
            started.add(host)
    return records


def record(tree: Tree, folder: Path, hosts: int, command: Sequence[str], seconds: float | None = None) -> list[Record]:
    """Runs a command over new simulated hosts, those of the tree, and returns what they have answered.

    :param folder: an empty one.
    :param command: Ansible's, without the inventory.
    :param seconds: how long each migration takes.
    :raises RuntimeError: the command has failed.
    """
    for name in ("fleet", "records"):
        (folder / name).mkdir()
    settings = {"PYTHONPATH": f"{tree.root}:{tree.collections}", "RECORDS": str(folder / "records")}
    drive = [sys.executable, str(_DRIVE), find_simulation(tree.root), str(folder / "fleet")]
    drive += ["--hosts", str(hosts), "--kernels", str(_KERNELS), "--ssh", str(_HERE / "recording_ssh")]
    drive += [] if seconds is None else ["--seconds", str(seconds)]
    measure([*drive, "--", *command], build_environment(tree.collections, folder / "home", settings), folder, (0,))
    return read_records(folder / "records")


#
# Hosts
#


class CannedHosts:
    """Hosts c00001, c00002, ... until `close`.

    :param folder: an empty one.
    :param records: what they answer.
    :param duration: how many seconds a host takes for its part of a rollout, by its number. What is started answers at
        once, and who waits for it waits.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        records: Iterable[Record],
        duration: Callable[[int], float] = lambda _number: 0.0,
    ) -> None:
        self._folder = folder
        self._duration = duration
        self._records: dict[tuple[int, str], list[Record]] = {}
        for row in records:
            self._records.setdefault((row.kernel, row.call.module), []).append(row)
        self._boots = self._find_boots()
        self._numbers = {f"c{number:05}": number for number in range(1, count + 1)}
        self._states = {name: _State((number - 1) % _KERNELS) for name, number in self._numbers.items()}
        self.failures: list[str] = []
        self.requests = 0
        # In the order in which they were
        self.started: list[str] = []
        self._requests = folder / "requests"
        os.mkfifo(self._requests)
        self._pool = concurrent.futures.ThreadPoolExecutor(4)
        # Open for writing too: it has no end between two requests
        self._queue = os.fdopen(os.open(self._requests, os.O_RDWR), "r")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> CannedHosts:
        return self

    def __exit__(self, *_what: object) -> None:
        self._requests.write_text("end\n")
        self._thread.join()
        self._pool.shutdown()
        self._queue.close()

    @property
    def environment(self) -> dict[str, str]:
        """What the controller's environment must have."""
        return {"CANNED": str(self._folder)}

    def write_inventory(self, common: Mapping[str, t.Any], own: Mapping[str, Mapping[str, t.Any]]) -> Path:
        """The inventory of all hosts, in groups by their kernels.

        :param common: variables of all.
        :param own: variables of some, by their names.
        """
        connection = {
            "ansible_ssh_executable": str(_HERE / "canned_ssh"),
            "ansible_ssh_transfer_method": "piped",
            "ansible_become": False,
            "ansible_remote_tmp": "/run/ansible",
            "ansible_async_dir": "/run/ansible/async",
            "ansible_python_interpreter": str(Path(sys.executable).resolve()),
        }
        groups: dict[str, dict[str, t.Any]] = {}
        for name, state in self._states.items():
            groups.setdefault(f"k{state.kernel}", {"hosts": {}})["hosts"][name] = dict(own.get(name, {}))
        path = self._folder / "inventory.yml"
        path.write_text(json.dumps({"all": {"children": groups, "vars": {**connection, **common}}}))
        return path

    def _find_boots(self) -> dict[str, str]:
        """The boot ID of each recorded host."""
        boots: dict[str, str] = {}
        for rows in self._records.values():
            for row in rows:
                match = _BOOT.search(row.output)
                if match is not None:
                    boots.setdefault(row.host, match[1])
        return boots

    def _serve(self) -> None:
        for line in self._queue:
            if line == "end\n":
                return
            self.requests += 1
            self._pool.submit(self._answer, *line.split())

    def _answer(self, number: str, host: str) -> None:
        own = self._folder / number
        status, seconds, output = 255, 0.0, ""
        try:
            command, _end, sent = own.with_suffix(".in").read_bytes().partition(b"\0")
            status, seconds, output = self.answer(host, command.decode(), sent)
        except Exception as exc:  # is shown by `check`: the play goes on without this host
            self.failures.append(f"{host}: {exc!r}")
        # There is a reader, or one comes at once
        with contextlib.suppress(BrokenPipeError), own.with_suffix(".out").open("w") as answer:
            for suffix in (".in", ".out"):
                own.with_suffix(suffix).unlink()
            answer.write(f"{status} {seconds:g}\n{output}")

    def answer(self, host: str, command: str, sent: bytes) -> tuple[int, float, str]:
        """What a host answers: exit status, after how many seconds, and output.

        :raises LookupError: nothing like that was recorded.
        """
        state = self._states[host]
        call = parse_call(command, sent, state.files)
        if call is None:
            return 0, 0.0, ""
        left, wait = 0.0, 0.0
        if state.started:
            left = max(0.0, state.started + self._duration(self._numbers[host]) - time.monotonic())
            wait = min(call.waits, left)
        row = self._select(state, call, running=left > wait)
        state.tokens.update(pair_tokens(row.call, call))
        if row.host in self._boots:
            state.tokens[self._boots[row.host]] = build_boot_id(host)
        if call.is_start:
            state.host, state.started = row.host, time.monotonic()
            self.started.append(host)
        output = _TOKEN.sub(lambda match: state.tokens.get(match[0], match[0]), row.output)
        return row.status, wait, output

    def _select(self, state: _State, call: Call, running: bool) -> Record:
        rows = self._records.get((state.kernel, call.module), [])
        if not call.module:
            masked = _mask(call.values["command"])
            rows = [row for row in rows if _mask(row.call.values["command"]) == masked]
        if not rows:
            raise LookupError(f"no such call was recorded: {call.module or call.values['command']}")
        # Of several calls that were the same the last one: the first may have come too early
        return min(
            reversed(rows),
            key=lambda row: (
                # Of a run that has not ended nothing else is true
                call.collects and row.running != running,
                count_differences(row.call, call),
                row.started != bool(state.started),
                bool(state.host) and row.host != state.host,
            ),
        )

    def check(self) -> None:
        """:raises RuntimeError: a host was asked what was not recorded."""
        if self.failures:
            raise RuntimeError(f"{len(self.failures)} calls of canned hosts have failed, as {self.failures[0]}")


def measure_ssh(folder: Path, records: Sequence[Record]) -> float:
    """Seconds of a processor that one execution of the canned ssh takes: a real one is no part of the controller, and
    costs less.

    :param folder: an empty one.
    """
    count = 100
    name = next(row.call.module for row in records if row.call.module.endswith("ping"))
    module = f"x={json.dumps({'ANSIBLE_MODULE_ARGS': {'_ansible_module_name': name}})!r}\n".encode()
    before = os.times()
    with CannedHosts(folder, 1, records) as hosts:
        environment = {**os.environ, **hosts.environment}
        for _number in range(count):
            command = [str(_HERE / "canned_ssh"), "c00001", "python"]
            subprocess.run(command, input=module, env=environment, stdout=subprocess.DEVNULL, check=False)
        hosts.check()
    after = os.times()
    return (after.children_user - before.children_user + after.children_system - before.children_system) / count


class Bench(t.NamedTuple):
    """Runs Ansible's programs, with the collection of a tree, over canned hosts.

    :ivar ssh: what one execution of their ssh costs, in seconds of a processor.
    """

    tree: Tree
    records: Sequence[Record]
    ssh: float

    def run(
        self,
        folder: Path,
        count: int,
        command: Sequence[str],
        *,
        statuses: t.Collection[int] = (0,),
        duration: Callable[[int], float] = lambda _number: 0.0,
        common: Mapping[str, t.Any] | None = None,
        own: Mapping[str, Mapping[str, t.Any]] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> tuple[Cost, CannedHosts]:
        """Runs a command over new hosts: what it costs the controller, without their ssh.

        :param folder: is made.
        :param statuses: the exit statuses that are right.
        :raises RuntimeError: it has another one, or a host was asked what was not recorded.
        """
        (folder / "hosts").mkdir(parents=True)
        with CannedHosts(folder / "hosts", count, self.records, duration) as hosts:
            inventory = hosts.write_inventory(common or {}, own or {})
            environment = build_environment(
                self.tree.collections, folder / "home", {**hosts.environment, **(settings or {})}
            )
            program, *arguments = command
            cost = measure([find_program(program), *arguments, "-i", str(inventory)], environment, folder, statuses)
        hosts.check()
        return dataclasses.replace(cost, cpu=cost.cpu - hosts.requests * self.ssh), hosts
