# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One simulated host: the unit tests' models of a kernel and of package tools, in real time and behind real files."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import time
import typing as t
import uuid
from collections.abc import Callable
from pathlib import Path

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from tests.support import factories, kernel_model
from tests.support.machine import Machine

JOURNAL = "/var/lib/fleet.livepatch/journal.json"
# What happens on a host, in this order, and a test may hook into
INSTALL, LOAD, MIGRATED = "install", "load", "migrated"
_TAINT = 1 << 12 | 1 << 15  # a module from outside of the tree, and a live patch


@dataclasses.dataclass(frozen=True)
class Touch:
    """Something was done to a host: ``what`` is install or load, whether it succeeded or not; by which run."""

    what: str
    kmp: str
    at: float
    run: str | None
    rollout: str | None


class Kernel(kernel_model.Model):
    """The model whose rules are checked against a real kernel, with what else the collection looks at."""

    def __init__(self, root: str, notes: bytes, module_id: Callable[[str], str]) -> None:
        self._module_id = module_id
        self._notes = notes
        super().__init__(root)
        self._show()

    def _show(self) -> None:
        super()._show()
        self._put("/sys/module/module/parameters/sig_enforce", "N")
        self._bytes("/sys/kernel/notes", self._notes)
        for module in self.modules:
            note = factories.note(b"GNU\0", 3, bytes.fromhex(self._module_id(module)))
            self._bytes(f"/sys/module/{module}/notes/.note.gnu.build-id", note)

    def _bytes(self, path: str, data: bytes) -> None:
        target = Path(self._path(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


class Host(Machine):
    """A host that behaves, unless a test says otherwise: unpatched, with levels 1, 2 and 3 on offer.

    What a KMP is and does is said by `offer`: ``refused`` is what the kernel says to its module, ``seconds`` how long
    its migration takes (None: for ever). `on` has things happen when it gets as far as that. All of it runs in the
    fleet's thread; a test prepares hosts before it runs a playbook.

    :param later: has something done after this many seconds.
    """

    def __init__(self, folder: Path, release: str, later: Callable[[float, Callable[[], None]], None]) -> None:
        self.name = folder.name
        self.folder = folder
        self.release = release
        self.kmp = "kernel-livepatch-" + release.replace(".", "_")
        self._later = later
        self._moves = 0
        self._reactions: dict[str, Callable[[Host], None]] = {}
        self.touched: list[Touch] = []
        # What zypper says when it is to install something; nothing: it does it
        self.install_fails = ""
        super().__init__(str(folder / "root"))
        self._prepare()
        self.kernel = Kernel(str(folder / "root"), factories.kernel_notes(self.build_id), self._module_id)
        self._booted()

    def _prepare(self) -> None:
        """A kernel of its own: the same release is the same build on all hosts."""
        self.become(self.release, hashlib.sha1(self.release.encode()).hexdigest())
        self.put("/proc/sys/kernel/random/boot_id", str(uuid.uuid4()))
        self.put("/proc/sys/kernel/ftrace_enabled", "1")
        for evr in list(self.levels):
            self.offer(evr)
        for place in ("/dev/kmsg", "/sys/.tool", "/var/lib/fleet.livepatch/", "/etc/dracut.conf.d/", "/lib/modules/"):
            self.put(place)

    # What a test says

    def on(self, event: str, reaction: Callable[[Host], None]) -> None:
        """Has something happen once, when the host gets as far as this."""
        self._reactions[event] = reaction

    def vanish(self) -> None:
        """Nobody reaches it any more; what runs on it goes on."""
        (self.folder / "gone").touch()
        for connection in list((self.folder / "connections").iterdir()):
            _signal(int(connection.name), 15)

    def answer(self) -> None:
        (self.folder / "gone").unlink(missing_ok=True)

    def crash(self, seconds: float | None = None) -> None:
        """The kernel dies with all that runs on it; it is back after this many seconds, in another boot."""
        self.vanish()
        own = os.stat(self.folder / "namespace").st_ino
        for pid in processes_in({own}):
            _signal(pid, 9)
        self.reboot()
        if seconds is not None:
            self._later(seconds, self.answer)

    def reboot(self) -> None:
        self._moves += 1
        self.kernel.boot()
        self.log.clear()
        self._booted()
        self.put("/proc/sys/kernel/tainted", "0")
        self.put("/proc/sys/kernel/random/boot_id", str(uuid.uuid4()))

    def _booted(self) -> None:
        self._say(f"Linux version {self.release}")

    def say(self, text: str) -> None:
        """The kernel says something in its log."""
        self._say(text)

    def journal(self) -> dict[str, t.Any]:
        """What the host recorded itself; nothing if it did not."""
        text = self.read_text(JOURNAL)
        entry: dict[str, t.Any] = json.loads(text) if text else {}
        return entry

    def applied(self) -> list[str]:
        """The KMPs whose modules were given to the kernel, one entry for each time."""
        return [one.kmp for one in self.touched if one.what == LOAD]

    # In real time

    def clock(self) -> float:
        return time.monotonic()

    def wall_clock(self) -> float:
        return time.time()

    # The kernel

    def _module_id(self, module: str) -> str:
        return str(self.levels[self._level_of(module)]["module_id"])

    def _level_of(self, module: str) -> str:
        return next(str(evr) for evr in self.levels if self.module(evr) == module)

    def have_active(self, evr: str) -> None:
        self.kernel.load(self.file(evr))
        self.kernel.complete()

    def write(self, path: str, text: str) -> None:
        self.kernel.write(path, text.strip())
        if self.kernel.moving is not None:
            self._migrate()

    def _insmod(self, path: str) -> Completed:
        if self.read_bytes(path) is None:
            return Completed(1, "", f"insmod: ERROR: could not load module {path}: No such file or directory\n")
        evr = next(one for one in self.levels if self.file(one) == path)
        self._touch(LOAD, evr)
        error = self.levels[evr]["refused"]
        try:
            if not error:
                self.kernel.load(path)
        except OSError as exc:
            error = os.strerror(exc.errno or errno.EIO)
        if error:
            self._say(self.says or f"livepatch: failed to enable patch '{self.module(evr)}'")
            return Completed(1, "", f"insmod: ERROR: could not insert module {path}: {error}\n")
        self.put("/proc/sys/kernel/tainted", str(_TAINT))
        self._say(f"livepatch: enabling patch '{self.module(evr)}'")
        self._migrate()
        self._react(LOAD)
        return Completed(0, "", "")

    def _migrate(self) -> None:
        """What was begun ends when it ends, unless it is turned round before."""
        module, forward = self.kernel.moving
        self._say(f"livepatch: '{module}': starting {'' if forward else 'un'}patching transition")
        self._moves += 1
        seconds = self.levels[self._level_of(module)]["seconds" if forward else "back"]
        if seconds is not None:
            self._later(seconds, lambda move=self._moves: self._moved(move))  # type: ignore[misc]

    def _moved(self, move: int) -> None:
        if move != self._moves or self.kernel.moving is None:
            return
        module, forward = self.kernel.moving
        self.kernel.complete()
        self._say(f"livepatch: '{module}': {'' if forward else 'un'}patching complete")
        if forward:
            self._react(MIGRATED)

    # The tools

    def run(self, argv: t.Any, environment: t.Any = None, seconds: t.Any = None) -> Completed:
        if argv[0] == "rmmod":
            try:
                self.kernel.unload(argv[-1])
            except OSError:
                return Completed(1, "", f"rmmod: ERROR: Module {argv[-1]} is in use\n")
            return Completed(0, "", "")
        if argv[0] == "rpm2cpio":
            return Completed(0, b"".join(self.pipe(argv, iter(()), 0)).decode("latin-1"), "")
        return super().run(argv, environment)

    def _install(self, argv: t.Any) -> Completed:
        self._touch(INSTALL, self._wanted(argv[-1]))
        self._react(INSTALL)
        if self.install_fails:
            return Completed(8, f"<stream><message type='error'>{self.install_fails}</message></stream>", "")
        return super()._install(argv)

    def _touch(self, what: str, evr: str) -> None:
        journal = self.journal()
        self.touched.append(Touch(what, evr, time.time(), journal.get("run"), journal.get("rollout")))

    def _react(self, event: str) -> None:
        reaction = self._reactions.pop(event, None)
        if reaction is not None:
            reaction(self)


def processes_in(namespaces: set[int]) -> list[int]:
    """The processes in these mount namespaces, by the namespaces' numbers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            if os.stat(folder / "ns/mnt").st_ino in namespaces:
                found.append(int(folder.name))
    return found


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
