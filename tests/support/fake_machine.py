# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module of the collection, unchanged, on a fake host: a `Machine` that is kept on disk between two runs.

What a test wants to be true of a host is in its ``conditions.json``: see `FakeMachine.set_up`.
The host's time runs faster than ours, so that nothing waits for long.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pickle
import time
import typing as t
import uuid
from collections.abc import Iterator
from pathlib import Path

from ansible.module_utils import basic

from ansible_collections.fleet.livepatch.plugins.module_utils import (
    _detached,
    _errors,
    _host,
    _journal,
    _module,
    _run_result,
)
from tests.support.locks import locked
from tests.support.machine import Machine

# How many of its seconds pass in one of ours
_SPEED = 5.0
# What of a machine is not kept
_OF_THE_PROCESS = (
    "_root",
    "_own_locks",
    "_folder",
    "_skipped",
    "phase",
    "filters",
    "calls",
    "environments",
    "answers",
)


class FakeMachine(Machine):
    """In phase ``ask``, ``download``, ``apply``, ``verify`` or ``back``: what the module was started for."""

    # The thread that migrations wait for
    holder = "oom_reaper"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._skipped = 0.0
        self.phase = ""
        loaded = (folder / "machine").exists()
        super().__init__(str(folder / "root"), loaded)
        if loaded:
            self._load()
            return
        self.put("/proc/sys/kernel/ftrace_enabled", "1")
        self.put("/var/lib/fleet.livepatch/")
        self.levels.clear()
        self._boot()
        self._save()

    # Kept on disk: several processes may work on it at once

    def _load(self) -> None:
        self.__dict__.update(pickle.loads((self._folder / "machine").read_bytes()))

    def _save(self) -> None:
        kept = {name: value for name, value in vars(self).items() if name not in _OF_THE_PROCESS}
        (self._folder / "machine.new").write_bytes(pickle.dumps(kept, protocol=4))
        (self._folder / "machine.new").rename(self._folder / "machine")

    @contextlib.contextmanager
    def _shared(self) -> Iterator[None]:
        with locked(self._folder / "machine.lock"):
            self._load()
            yield
            self._save()

    def conditions(self) -> dict[str, t.Any]:
        conditions: dict[str, t.Any] = json.loads((self._folder / "conditions.json").read_text())
        return conditions

    def set_conditions(self, conditions: dict[str, t.Any]) -> None:
        (self._folder / "conditions.new").write_text(json.dumps(conditions))
        (self._folder / "conditions.new").rename(self._folder / "conditions.json")

    def enter(self, phase: str) -> None:
        """What the test wants to happen from this phase on."""
        self.phase = phase
        conditions = self.conditions()
        happens = conditions.get("from", {}).pop(phase, None)
        if happens is not None:
            self.set_conditions({**conditions, **happens})
            self.set_up(happens)

    def set_up(self, conditions: dict[str, t.Any]) -> None:
        """Makes true what a test wants: the methods below by their names, and these, true as long as they are set.

        gone: nobody reaches it any more; when it is patched, from the moment on in which the kernel has the module.
        slow: how often its transition still runs when it is asked what became of it.
        no_way_back: why it cannot go back to what it had before. busy: another process has the package manager when it
        is to go back. from: what becomes true when a phase begins, by phase.
        """
        with self._shared():
            for name, value in conditions.items():
                if name not in ("from", "gone", "slow", "no_way_back", "busy"):
                    getattr(self, "_" + name)(value)
        if conditions.get("gone") and self.phase in ("ask", "verify", "back"):
            self.vanish()

    def vanish(self) -> t.NoReturn:
        """Nobody reaches it any more, and what ran on it has ended."""
        (self._folder / "gone").touch()
        os._exit(1)

    # What a test may want

    def _newest(self, evr: str) -> None:
        """This one is on offer, too."""
        self._offer(evr)

    def _offer(self, evr: str) -> None:
        self.offer(evr, seconds=0.5, back=0.5)

    def _build(self, digits: str) -> None:
        """It runs this kernel; what is on offer is for the one before."""
        self.become(self.release, (digits * 40)[:40])

    def _offers(self, evrs: list[str]) -> None:
        """These KMPs are on offer for the kernel that runs, the newest last."""
        self.levels.clear()
        for evr in evrs:
            self._offer(evr)

    def _untagged(self, _yes: bool) -> None:
        """Nothing but its name tells for which kernel a KMP was built: no package owns the kernel either."""
        self.package = None
        for level in self.levels.values():
            level["tag"] = None

    def _active(self, evr: str | None) -> None:
        for name in self.active():
            self.drop("/sys/kernel/livepatch/" + name)
            self.drop("/sys/module/" + name)
        if evr is not None:
            if evr not in self.installed:
                self.have(evr)
            self.have_active(evr)

    def _refusal(self, text: str) -> None:
        """The kernel refuses the newest KMP's module with these words."""
        self.levels[max(self.levels)]["refused"] = text

    def _stalls(self, thread: str) -> None:
        """The migration to the newest KMP waits for this thread for ever: oom_reaper of the kernel, or sshd."""
        self.levels[max(self.levels)]["seconds"] = None
        self.holder = thread

    def _states(self, sshd: str) -> None:
        super()._states(sshd)
        if self.holder == "sshd":
            self.put("/proc/99/task/99/patch_state", sshd)
            self.put("/proc/54/task/54/patch_state", {"0": "1", "1": "0", "-1": "-1"}[sshd])

    def _ftrace(self, text: str) -> None:
        """An operator has switched it on or off."""
        self.put("/proc/sys/kernel/ftrace_enabled", text)

    def _download_fails(self, yes: bool) -> None:
        self.cuts_off = yes

    def _refresh_fails(self, text: str) -> None:
        """A repository does not answer, and zypper says this."""
        self.refresh_error = text

    def _says(self, text: str) -> None:
        """The kernel says this in its log."""
        self._say(text)

    def _forgets(self, count: int) -> None:
        """The kernel has overwritten the oldest records of its log, and as many that nobody has seen."""
        number = int(self.log[-1].split(",")[1]) + count + 1
        self.log = [f"5,{number},{int(self.clock() * 1e6)},-;systemd: hello\n"]

    def _boot_id(self, text: str) -> None:
        """It has booted, and nothing is active.

        :param text: tells this boot from others; the boot ID is made of it.
        """
        self._active(None)
        self.log.clear()
        self._boot()
        self.put("/proc/sys/kernel/random/boot_id", str(uuid.uuid5(uuid.NAMESPACE_DNS, text)))

    def _boot(self) -> None:
        self._say(f"Linux version {self.release}")

    def _rollout(self, rollout: str) -> None:
        """A run of this rollout has begun its work here, and has died before it came to anything."""
        change = _journal.Change(run="0" * 32, rollout=rollout, plan=None, kmp=None, previous=None)
        boot_id = self.read_text("/proc/sys/kernel/random/boot_id")
        _journal.Journal(self).begin(change, boot_id, _journal.UNFINISHED[0], None, None)

    # In its own time

    def clock(self) -> float:
        return time.monotonic() * _SPEED + self._skipped

    def wall_clock(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        if self.conditions().get("slow") and self.phase == "verify":
            self._skipped += seconds
            return
        time.sleep(seconds / _SPEED)
        with self._shared():
            self.advance()

    def advance(self) -> None:
        if not self.conditions().get("slow"):
            super().advance()

    # What else happens when it is used

    def read_kernel_log(self) -> t.Any:
        self._load()
        return super().read_kernel_log()

    def write(self, path: str, text: str) -> None:
        with self._shared():
            super().write(path, text)

    def run(self, argv: t.Any, environment: t.Any = None, seconds: t.Any = None) -> _host.Completed:
        with (self._folder / "commands").open("a") as log:
            log.write(json.dumps(list(argv)) + "\n")
        conditions = self.conditions()
        if self.phase == "back" and conditions.get("no_way_back"):
            raise _errors.NoWayBack(conditions["no_way_back"])
        with self._shared():
            self.locked = self.phase == "back" and bool(conditions.get("busy"))
            return super().run(argv, environment, seconds)

    def _insmod(self, path: str) -> _host.Completed:
        if self.phase == "apply":
            with (self._folder / "touched").open("a") as file:
                file.write(next(evr for evr in self.levels if self.file(evr) == path) + "\n")
        if self.conditions().get("gone"):
            self.vanish()
        return super()._insmod(path)


def run() -> None:
    """The module's own ``main``, with the fake host in the place of the real one."""
    host = FakeMachine(Path(os.environ["FAKE_HOST"]))
    _module.Host = lambda: host  # type: ignore[assignment,attr-defined,misc]
    params = json.loads(basic._ANSIBLE_ARGS)["ANSIBLE_MODULE_ARGS"]
    name = params["_ansible_module_name"].rpartition(".")[2]
    if name == "livepatch_info":
        _look(host, params)
    elif name != "livepatch":
        host.phase = ""
    elif params.get("detach") and not params.get("_ansible_check_mode"):
        _enter_detached(params)
    else:
        _enter_change(host, params)
    spec = importlib.util.spec_from_file_location(name, Path(os.environ["FAKE_MODULES"]) / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        module.main()
    finally:
        if host.phase == "verify" and (left := host.conditions().get("slow")):
            host.set_conditions({**host.conditions(), "slow": left - 1})


def _enter_change(host: FakeMachine, params: dict[str, t.Any]) -> None:
    if params.get("state") == "previous":
        host.enter("back")
    elif params.get("download_only"):
        host.enter("download")
    elif params.get("state") != "present":
        host.enter("apply")


def _enter_detached(params: dict[str, t.Any]) -> None:
    """What happens to a host that works by itself happens after its answer."""
    start = _detached.start_detached

    def start_fake(host: FakeMachine, run: str, work: _detached.Work) -> None:
        def enter_and_work(host_of_work: _host.Host) -> dict[str, t.Any]:
            _enter_change(host, params)
            return work(host_of_work)

        start(host, run, enter_and_work)

    _detached.start_detached = start_fake  # type: ignore[assignment]


def _look(host: FakeMachine, params: dict[str, t.Any]) -> None:
    """What is to happen when it is verified happens once the run that is waited for has ended."""
    if not params.get("run"):
        host.enter("ask")
        return
    host.phase = "verify"
    conditions = host.conditions()
    if conditions.get("slow"):
        # As the module finds it, with time to spare
        return
    _run_result.wait_for_result(host, params["run"], 30 * _SPEED)
    host.enter("verify")
