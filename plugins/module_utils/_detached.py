# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's work in a process of its own, which outlives the connection. PRIVATE to the collection.

Ansible's own ``async`` does this by a second module, which it has to copy to the host first.
"""

import contextlib
import importlib.abc
import importlib.util
import io
import os
import signal
import sys
import traceback
import zipfile
from typing import Any, Callable, Dict, NoReturn, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _run_result
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError, NotStarted, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._module import describe_failure

Work = Callable[[Host], Dict[str, Any]]

# Seconds for systemd to take a process over
_TAKEOVER_TIMEOUT = 5.0


def start_detached(host: Host, run: str, work: Work) -> None:
    """Start the work in a process that no end of a connection, a session or a terminal ends. What it returns or raises
    is saved on the host as the result of this run.

    :raises BadOption: the run's ID cannot be used.
    :raises NotStarted: the process could not be started.
    :raises Unmeasured: its result could not be saved.
    """
    lock = _run_result.claim(host, run)
    if lock is None:
        # It works already: Ansible has sent the same once more.
        return
    archive = _ModuleArchive.load()
    try:
        pid = os.fork()
    except OSError as exc:
        raise NotStarted(f"cannot start a process: {exc.strerror}", "Nothing was done") from exc
    if pid == 0:
        _detach(host, run, work, archive, lock)
    host.unlock(lock)
    # By its end the process has left all that ends with this one.
    if os.waitpid(pid, 0)[1] != 0:
        raise NotStarted("cannot start a process: is the host out of memory?", "Nothing was done")


def _detach(host: Host, run: str, work: Work, archive: "Optional[_ModuleArchive]", lock: int) -> NoReturn:
    """Go on in the background. It ends here, whatever happens: the handlers of the process that was forked, what it has
    not printed yet and its temporary folders are not this one's.
    """
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _release_descriptors(lock)
        # A folder of its own may be removed, and would keep a file system busy.
        os.chdir("/")
        if archive is not None:
            sys.meta_path.insert(0, archive)
        _leave_unit(host, run)
        # Not the leader of its session any more: no terminal that it opens becomes its own.
        if os.fork() == 0:
            _save_outcome(host, run, work)
        status = 0
    finally:
        os._exit(status)


def _save_outcome(host: Host, run: str, work: Work) -> None:
    try:
        result = work(host)
    except LivepatchError as exc:
        result = describe_failure(exc)
    except Exception as exc:  # Ansible would show its traceback
        frame, line = list(traceback.walk_tb(exc.__traceback__))[-1]
        place = f"{os.path.basename(frame.f_code.co_filename)}, line {line}"
        result = {"failed": True, "msg": f"unexpected error in {place}: {type(exc).__name__}: {exc}"}
    # The journal has what was changed, though the disk may be full.
    with contextlib.suppress(Unmeasured):
        _run_result.save_result(host, run, result)


def _release_descriptors(lock: int) -> None:
    """Leave those that were inherited, all but the lock: ssh waits for the end of what it reads from."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != lock:
            with contextlib.suppress(OSError):  # that of the list
                os.close(int(name))


def _leave_unit(host: Host, run: str) -> None:
    """Have systemd put this process into a scope of its own.

    In that of the session it would be killed with the session (KillUserProcesses in logind.conf), and in that of a
    service with the service. Where there is no systemd, or it does not answer, it stays where it is.
    """
    if os.geteuid() != 0 or not host.is_dir("/run/systemd/system"):
        return
    unit = f"fleet-livepatch-{run}-{os.getpid()}.scope"
    properties = ["Description", "s", f"Live patch run {run}", "PIDs", "au", "1", str(os.getpid())]
    systemd = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"]
    call = ["busctl", "call", *systemd, "StartTransientUnit", "ssa(sv)a(sa(sv))", unit, "fail", "2", *properties, "0"]
    with contextlib.suppress(Unmeasured):
        if host.run(call, seconds=_TAKEOVER_TIMEOUT).rc != 0:
            return
        # The answer is that it will be done. It is done by the number of this process, which must not end before.
        deadline = host.clock() + _TAKEOVER_TIMEOUT
        while unit not in (host.read_text("/proc/self/cgroup") or "") and host.clock() < deadline:
            host.sleep(0.02)


class _ModuleArchive(importlib.abc.MetaPathFinder, importlib.abc.ExecutionLoader):
    """The archive that Ansible runs a module from, in memory: the file is removed as soon as the module has answered,
    and what was not imported until then comes from here.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with open(path, "rb") as stream:
            self._archive = zipfile.ZipFile(io.BytesIO(stream.read()))
        self._names = frozenset(self._archive.namelist())

    @classmethod
    def load(cls) -> "Optional[_ModuleArchive]":
        """None where the collection is not run from an archive."""
        loader = getattr(sys.modules[__name__].__spec__, "loader", None)
        path = getattr(loader, "archive", None)
        return None if path is None else cls(path)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        return None if self._find_name(fullname) is None else importlib.util.spec_from_loader(fullname, self)

    def is_package(self, fullname: str) -> bool:
        return (self._find_name(fullname) or "").endswith("/__init__.py")

    def get_filename(self, fullname: str) -> str:
        return os.path.join(self._path, self._find_name(fullname) or "")

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._archive.read(self._find_name(fullname) or ""))

    def _find_name(self, fullname: str) -> Optional[str]:
        base = fullname.replace(".", "/")
        return next((name for name in (base + "/__init__.py", base + ".py") if name in self._names), None)
