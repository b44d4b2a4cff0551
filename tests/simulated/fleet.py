# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulated hosts, each in a mount namespace of its own, in which the collection's modules run unchanged."""

from __future__ import annotations

import contextlib
import errno
import heapq
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import typing as t
from collections.abc import Callable
from pathlib import Path

from tests.simulated.fuse import Server
from tests.simulated.host import Host, processes_in

_HERE = Path(__file__).parent
_TOOLS = ("usr/bin/zypper", "usr/bin/rpm", "usr/bin/rpm2cpio", "usr/bin/dracut", "usr/sbin/insmod", "usr/sbin/rmmod")
_EMPTY = ("usr/lib/modules", "etc/zypp", "etc/dracut.conf.d", "var/cache/zypp", "var/lib/fleet.livepatch")

# A root without what tells of this machine (whether it is a container, what it has booted), and with the stand-ins over
# the tools; the same for all hosts. $1: the fleet's folder, $2: the descriptor of the file system.
_ROOT = """\
set -e
mount -i -t fuse -o fd=$2,rootmode=40000,user_id=0,group_id=0,allow_other simulated "$1/kernels"
mount -t tmpfs simulated "$1/root"
cd "$1/root"
mkdir old boot run sys
for entry in /*; do
    name=${entry#/}
    if [ -L "$entry" ]; then cp -P "$entry" "$name"; continue; fi
    [ -d "$entry" ] || continue
    case $name in
    boot | run | sys) ;;
    etc | usr | var) mkdir "$name" && mount -t overlay -o ro,lowerdir="$1/template/$name:$entry" simulated "$name" ;;
    *) mkdir "$name" && mount --rbind "$entry" "$name" ;;
    esac
done
pivot_root . old
cd /
mount --move "/old$1/kernels" /boot
umount -l /old
rmdir /old
echo ready
read -r _end
"""
# $1: the host's folder, $2: where the kernel's files are
_HOST = """\
set -e
mount --bind "$2/proc/sys/kernel" /proc/sys/kernel
mount --bind "$2/proc/version" /proc/version
mount --bind "$2/proc/54" /proc/1
mount --bind "$2/dev/kmsg" /dev/kmsg
mount --bind "$2/sys" /sys
for place in lib/modules etc/zypp etc/dracut.conf.d var/cache/zypp var/lib/fleet.livepatch run boot; do
    mount --bind "$1/root/$place" "/$place"
done
echo ready
read -r _end
"""


class Fleet:
    """Hosts s001, s002, ... until `close`. A failure of a stand-in itself is in ``failures``, which must stay empty.

    :param folder: an empty one.
    :param kernels: how many different ones they run, in turn.
    """

    def __init__(self, folder: Path, count: int, *, kernels: int = 1) -> None:
        if os.geteuid() != 0:
            raise PermissionError("simulated hosts need mount namespaces: run these tests as root")
        self._folder = folder
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = 0
        self.failures: list[str] = []
        self.hosts: dict[str, Host] = {}
        for number in range(1, count + 1):
            own = folder / "hosts" / f"s{number:03}"
            (own / "connections").mkdir(parents=True)
            (own / "root").mkdir()
            self.hosts[own.name] = Host(own, f"6.1.0-{(number - 1) % kernels + 50}-cloud-amd64", self._later)
        self._make_template()
        self._ended = threading.Event()
        self._device = os.open("/dev/fuse", os.O_RDWR)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._namespaces: list[int] = []
        self._thread.start()
        try:
            self._enter()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_what: object) -> None:
        self.close()

    @property
    def environment(self) -> dict[str, str]:
        """What the controller's environment must have."""
        return {"SIMULATED_HOSTS": str(self._folder / "hosts")}

    def inventory(self, **common: t.Any) -> Path:
        """The inventory of all hosts, in groups by their kernels. ``common``: variables of all."""
        connection = {
            "ansible_ssh_executable": str(_HERE / "ssh"),
            # Else it tries sftp first
            "ansible_ssh_transfer_method": "piped",
            "ansible_become": False,
            "ansible_remote_tmp": "/run/ansible",
            # Discovery would find the shims of version managers, and the environment's own path may contain blanks
            "ansible_python_interpreter": str(Path(sys.executable).resolve()),
        }
        groups: dict[str, dict[str, t.Any]] = {}
        for host in self.hosts.values():
            group = "k" + host.release.split("-")[1]
            groups.setdefault(group, {"hosts": {}})["hosts"][host.name] = {}
        path = self._folder / "inventory.yml"
        path.write_text(json.dumps({"all": {"children": groups, "vars": {**connection, **common}}}))
        return path

    def touched(self) -> dict[str, list[str]]:
        """The KMPs that were given to kernels, by host; those on which nothing was even installed are left out."""
        return {name: host.applied() for name, host in self.hosts.items() if host.touched}

    def close(self) -> None:
        """Ends all that runs on the hosts, and the hosts."""
        for pid in processes_in({os.fstat(one).st_ino for one in self._namespaces}):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._ended.set()
        self._thread.join()
        for descriptor in [self._device, *self._namespaces]:
            os.close(descriptor)
        self._namespaces = []

    # The namespaces: nothing holds them but our descriptors, so that they end with us whatever happens

    def _make_template(self) -> None:
        template = self._folder / "template"
        for place in _EMPTY:
            (template / place).mkdir(parents=True)
        for place in _TOOLS:
            (template / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(_HERE / "tool", template / place)
        for place in ("kernels", "root"):
            (self._folder / place).mkdir()

    def _enter(self) -> None:
        unshare = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
        base = self._namespace([*unshare, _ROOT, "sh", str(self._folder), str(self._device)], self._device)
        for name, host in self.hosts.items():
            enter = ["nsenter", f"--mount=/proc/self/fd/{base}", *unshare, _HOST, "sh"]
            own = self._namespace([*enter, str(host.folder), f"/boot/{name}"], base)
            (host.folder / "namespace").symlink_to(f"/proc/{os.getpid()}/fd/{own}")

    def _namespace(self, command: list[str], needed: int) -> int:
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=[needed], text=True, cwd="/"
        ) as process:
            assert process.stdout and process.stderr
            if process.stdout.readline() != "ready\n":
                raise OSError(errno.EPERM, f"no mount namespace for a simulated host: {process.stderr.read()}")
            descriptor = os.open(f"/proc/{process.pid}/ns/mnt", os.O_RDONLY)
            process.communicate("\n")
        self._namespaces.append(descriptor)
        return descriptor

    # What the hosts show, and do in time

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._numbers, what))

    def _serve(self) -> None:
        server = Server(self._device, self)
        while not self._ended.is_set():
            while self._due and self._due[0][0] <= time.monotonic():
                self._guarded(heapq.heappop(self._due)[2])
            wait = min(0.05, max(0.0, self._due[0][0] - time.monotonic())) if self._due else 0.05
            if select.select([self._device], [], [], wait)[0] and not server.answer():
                return

    def _guarded(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Exception:
            self.failures.append(traceback.format_exc())

    def _real(self, path: str) -> Path:
        name, _slash, below = path.partition("/")
        return self._folder / "hosts" / name / "root" / below

    def stat(self, path: str) -> os.stat_result:
        return os.lstat(self._real(path) if path else self._folder)

    def names(self, path: str) -> list[str]:
        return os.listdir(self._real(path)) if path else list(self.hosts)

    def open(self, path: str) -> _Content | _Log | _Tool:
        name, _slash, below = path.partition("/")
        host = self.hosts[name]
        if below == "dev/kmsg":
            return _Log(host)
        if below == "sys/.tool":
            return _Tool(host, self.failures)
        return _Content(host, "/" + below, self._real(path).read_bytes())


class _Content:
    """An attribute: what it is when it is opened."""

    def __init__(self, host: Host, path: str, data: bytes) -> None:
        self._host, self._path, self._data = host, path, data

    def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data

    def write(self, data: bytes) -> None:
        if not self._path.endswith("/enabled"):
            raise OSError(errno.EACCES, self._path)
        self._host.write(self._path, data.decode())


class _Log:
    """/dev/kmsg: one record for each read."""

    def __init__(self, host: Host) -> None:
        self._records = list(host.log)

    def read(self, size: int) -> bytes:
        if not self._records:
            raise OSError(errno.EAGAIN, "no more")
        return str(self._records.pop(0)).encode()[:size]

    def write(self, data: bytes) -> None:
        raise OSError(errno.EACCES, "not written to here")


class _Tool:
    """A tool that was called: first its words are written, then its answer is read."""

    def __init__(self, host: Host, failures: list[str]) -> None:
        self._host, self._failures = host, failures
        self._words = b""
        self._answer: bytes | None = None

    def write(self, data: bytes) -> None:
        self._words += data

    def read(self, size: int) -> bytes:
        if self._answer is None:
            self._answer = self._run()
        data, self._answer = self._answer[:size], self._answer[size:]
        return data

    def _run(self) -> bytes:
        argv = self._words.decode().split("\0")[:-1]
        try:
            rc, out, err = self._host.run(argv)
        except Exception:
            self._failures.append(f"{self._host.name}: {argv}: {traceback.format_exc()}")
            rc, out, err = 125, "", "the simulation has failed\n"
        errors = err.encode()
        # Only an archive is no text, and it is given as bytes
        told = out.encode("latin-1" if argv[0] == "rpm2cpio" else "utf-8")
        return b"%d\n%d\n" % (rc, len(errors)) + errors + told
