# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge to the host: its files and its tools. PRIVATE to the collection: it may change at any time.

All reading of ``/sys``, ``/proc`` and all running of tools goes through one object, so that the logic above it
can be tested with a directory and a table of recorded outputs in its place.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import re
import select
import selectors
import signal
import stat
import subprocess
import sys
import threading
import time
from typing import IO, Dict, Generator, Iterator, List, NamedTuple, Optional, Sequence, Set, cast

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured


class Completed(NamedTuple):
    rc: int
    out: str
    err: str


# A file or directory of sysfs that disappears between two reads answers with one of these: that is an answer, not an
# error (klp_free_patch_async removes objects first, then the patch's directory).
_MISSING_ERRORS = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ESRCH)

# Large files are read in pieces of this size
_PIECE = 1 << 18
_LARGEST_FILE = 16 << 20
# What a tool may print: a package manager's answers have some MiB
_LARGEST_OUTPUT = 64 << 20


class Host:
    """The host that this Python runs on; ``root`` is where its files are read from."""

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._own_locks: Dict[int, str] = {}
        # Of packages, that its rpm is too old for
        self.unknown_tags: Set[str] = set()

    byteorder = sys.byteorder

    @property
    def machine(self) -> str:
        return os.uname()[4]

    def resolve_path(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))

    def read_bytes(self, path: str) -> Optional[bytes]:
        """The file's bytes, None where there is no such file (any more).

        :raises Unmeasured: it exists and cannot be read, or is larger than any that is read at once.
        """
        try:
            with open(self.resolve_path(path), "rb") as stream:
                # In pieces: for a file of /proc/sys the kernel first allocates as much as a read asks for.
                data = b"".join(itertools.islice(iter(lambda: stream.read(_PIECE), b""), _LARGEST_FILE // _PIECE + 1))
        except OSError as exc:
            if exc.errno in _MISSING_ERRORS:
                return None
            raise Unmeasured(f"cannot read {path}: {exc.strerror}", "Run as root (become: true)") from exc
        if len(data) > _LARGEST_FILE:
            raise Unmeasured(f"{path} is larger than {_LARGEST_FILE >> 20} MiB")
        return data

    def read_pieces(self, path: str, start: int = 0, size: Optional[int] = None) -> Generator[bytes, None, None]:
        """The file's bytes from ``start`` on, ``size`` of them at most, piece by piece.

        :raises Unmeasured: it does not exist, or cannot be read.
        """
        try:
            with open(self.resolve_path(path), "rb") as stream:
                stream.seek(start)
                while size is None or size > 0:
                    data = stream.read(_PIECE if size is None else min(_PIECE, size))
                    if not data:
                        return
                    size = None if size is None else size - len(data)
                    yield data
        except OSError as exc:
            todo = "" if exc.errno in _MISSING_ERRORS else "Run as root (become: true)"
            raise Unmeasured(f"cannot read {path}: {exc.strerror}", todo) from exc

    def read_start(self, path: str) -> Optional[bytes]:
        """The first bytes of a small file of the kernel, None where there is no such file (any more); fast.

        :raises Unmeasured: it exists and cannot be read.
        """
        try:
            descriptor = os.open(self.resolve_path(path), os.O_RDONLY)
            try:
                return os.read(descriptor, 64)
            finally:
                os.close(descriptor)
        except OSError as exc:
            if exc.errno in _MISSING_ERRORS:
                return None
            raise Unmeasured(f"cannot read {path}: {exc.strerror}", "Run as root (become: true)") from exc

    def read_text(self, path: str) -> Optional[str]:
        """The file's text without white space around it, None where there is no such file (any more)."""
        data = self.read_bytes(path)
        return None if data is None else data.decode("utf-8", "replace").strip()

    def read_number(self, path: str) -> Optional[int]:
        """The number in a file of the kernel, None where there is no such file (any more).

        :raises Unmeasured: it cannot be read, or holds something else.
        """
        text = self.read_text(path)
        if text is None:
            return None
        if not re.match(r"-?[0-9]{1,20}\Z", text):
            raise Unmeasured(f"{path} holds {text[:40]!r}, which is not a number")
        return int(text)

    def write(self, path: str, text: str) -> None:
        """Write to a file that exists (an attribute of sysfs); errors of the kernel pass as OSError."""
        descriptor = os.open(self.resolve_path(path), os.O_WRONLY)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)

    def save(self, path: str, text: str, mode: Optional[int] = None) -> None:
        """Write a file so that it is on the disk, and either all of it or nothing.

        :param mode: its permissions, and it is root's; by default the umask and the process decide.
        :raises Unmeasured: it cannot be written.
        """
        target = self.resolve_path(path)
        folder = os.path.dirname(target)
        try:
            if not os.path.isdir(folder):
                os.makedirs(folder, 0o755)
            # The folder may be another user's, so no link is followed that lies there.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target + ".new")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with open(
                os.open(target + ".new", flags, 0o666 if mode is None else 0o600), "w", encoding="utf-8"
            ) as stream:
                stream.write(text)
                stream.flush()
                if mode is not None:
                    _give_to_root(stream.fileno(), mode)
                os.fsync(stream.fileno())
            os.rename(target + ".new", target)
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise Unmeasured(f"cannot write {path}: {exc.strerror}", "Run as root, and check the disk") from exc

    def create_locked(self, path: str, mode: int) -> Optional[int]:
        """Create an empty file with these permissions, and take its lock, which processes that this one forks hold as
        well. None where there is such a file.

        :raises Unmeasured: it cannot be created.
        """
        target = self.resolve_path(path)
        try:
            os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        except FileExistsError:
            return None
        except OSError as exc:
            raise Unmeasured(f"cannot write {path}: {exc.strerror}", "Run as root, and check the disk") from exc
        # A process that looks at it holds it for a moment
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._own_locks[descriptor] = path
        return descriptor

    def is_saved(self, path: str, text: str, mode: int) -> bool:
        """Whether a file is as `save` leaves it."""
        return self._is_roots(path, stat.S_IFREG, mode) and self.read_bytes(path) == text.encode("utf-8")

    def make_folder(self, path: str, mode: int) -> None:
        """Create a folder, or make an existing one root's with these permissions.

        :raises Unmeasured: that is not possible.
        """
        try:
            os.makedirs(self.resolve_path(path), mode, exist_ok=True)
            descriptor = os.open(self.resolve_path(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _give_to_root(descriptor, mode)
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise Unmeasured(f"cannot create {path}: {exc.strerror}", "Run as root, and check the disk") from exc

    def has_folder(self, path: str, mode: int) -> bool:
        """Whether a folder is as `make_folder` leaves it."""
        return self._is_roots(path, stat.S_IFDIR, mode)

    def _is_roots(self, path: str, kind: int, mode: int) -> bool:
        try:
            status = os.lstat(self.resolve_path(path))
        except OSError:
            return False
        return status.st_mode == kind | mode and (os.geteuid() != 0 or (status.st_uid, status.st_gid) == (0, 0))

    def unlink(self, path: str) -> None:
        """Remove a file, if it exists."""
        try:
            os.unlink(self.resolve_path(path))
        except OSError as exc:
            if exc.errno not in _MISSING_ERRORS:
                raise Unmeasured(f"cannot remove {path}: {exc.strerror}", "Run as root (become: true)") from exc

    def lock(self, path: str, seconds: float) -> Optional[int]:
        """Take a file's lock, waiting that long for it; None where another process holds it.

        :raises Unmeasured: the file cannot be created.
        """
        deadline = self.clock() + seconds
        try:
            descriptor = os.open(self.resolve_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise Unmeasured(f"cannot write {path}: {exc.strerror}", "Run as root (become: true)") from exc
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._own_locks[descriptor] = path
                return descriptor
            except OSError:
                if self.clock() >= deadline:
                    os.close(descriptor)
                    return None
            self.sleep(0.5)

    def unlock(self, lock: int) -> None:
        del self._own_locks[lock]
        os.close(lock)

    def is_locked(self, path: str) -> bool:
        """Whether another process holds a file's lock."""
        if path in self._own_locks.values():
            return False
        try:
            descriptor = os.open(self.resolve_path(path), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def list_names(self, path: str) -> List[str]:
        """The names in a directory, sorted; none where there is no such directory (any more)."""
        try:
            return sorted(os.listdir(self.resolve_path(path)))
        except OSError as exc:
            if exc.errno in _MISSING_ERRORS:
                return []
            raise Unmeasured(f"cannot list {path}: {exc.strerror}", "Run as root (become: true)") from exc

    def list_files(self, path: str) -> Iterator[str]:
        """The paths of all files below a directory; none where it does not exist, or may not be read."""
        top = self.resolve_path(path)
        for folder, _folders, names in os.walk(top):
            for name in names:
                yield path + os.path.join(folder, name)[len(top) :]

    def read_link(self, path: str) -> Optional[str]:
        """The target of a symbolic link, None where there is none."""
        try:
            return os.readlink(self.resolve_path(path))
        except OSError:
            return None

    def is_read_only(self, mount_point: str) -> bool:
        """Whether a file system is mounted read-only (proc(5), ``mounts``); the last mount counts."""
        # Users choose names in it, of which the kernel escapes these two characters only.
        mounts = [line.split(" ") for line in (self.read_text("/proc/mounts") or "").split("\n")]
        options = [words[3].split(",") for words in mounts if len(words) > 3 and words[1] == mount_point]
        return bool(options) and "ro" in options[-1]

    def is_dir(self, path: str) -> bool:
        return os.path.isdir(self.resolve_path(path))

    def get_free_space(self, path: str) -> Optional[int]:
        """Bytes that root can still write below a path, None where there is no such path."""
        try:
            statistics = os.statvfs(self.resolve_path(path))
        except OSError:
            return None
        return statistics.f_bfree * statistics.f_frsize

    def get_mtime(self, path: str) -> Optional[float]:
        """Seconds since the epoch of the last change, None where there is no such file."""
        try:
            return os.stat(self.resolve_path(path)).st_mtime
        except OSError:
            return None

    def read_kernel_log(self) -> List[str]:
        """The records of /dev/kmsg that the kernel still holds; none where it may not be read.

        Format: Documentation/ABI/testing/dev-kmsg (``priority,sequence,microseconds,flags;text``).
        """
        records: List[str] = []
        try:
            descriptor = os.open(self.resolve_path("/dev/kmsg"), os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return records
        try:
            while True:
                try:
                    record = os.read(descriptor, 8192)
                except OSError as exc:
                    if exc.errno == errno.EPIPE:  # overwritten while we read: the next read goes on
                        continue
                    break
                if not record:
                    break
                records.append(record.decode("utf-8", "replace"))
        finally:
            os.close(descriptor)
        return records

    def find_tool(self, tool: str) -> Optional[str]:
        for directory in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
            path = os.path.join(directory, tool)
            if os.access(self.resolve_path(path), os.X_OK):
                return path
        return None

    def run(
        self, argv: Sequence[str], environment: Optional[Dict[str, str]] = None, seconds: Optional[float] = None
    ) -> Completed:
        """Run a tool in the C locale, so that its output can be parsed.

        :param seconds: how long it may take; then it is killed, with all that it has started.
        :raises Unmeasured: the tool is missing, takes longer, or prints more than any of them has reason to.
        """
        process = self._start(argv, environment, subprocess.DEVNULL, subprocess.PIPE, seconds is not None)
        streams = (cast(IO[bytes], process.stdout), cast(IO[bytes], process.stderr))
        try:
            out, err = self._read_output(streams, seconds)
            process.wait(seconds)
        except subprocess.TimeoutExpired as exc:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise Unmeasured(f"{argv[0]} took longer than {seconds:g} s") from exc
        finally:
            for stream in streams:
                stream.close()
        if len(out) + len(err) > _LARGEST_OUTPUT:
            raise Unmeasured(f"{argv[0]} printed more than {_LARGEST_OUTPUT >> 20} MiB")
        return Completed(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def _read_output(self, streams: Sequence[IO[bytes]], seconds: Optional[float]) -> List[bytes]:
        """Read the streams to their ends, which a tool must reach: of too much only what shows that it is too much."""
        deadline = None if seconds is None else self.clock() + seconds
        kept: Dict[int, List[bytes]] = {stream.fileno(): [] for stream in streams}
        size = 0
        with selectors.DefaultSelector() as selector:
            for stream in streams:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(None if deadline is None else max(0.0, deadline - self.clock()))
                if not ready and deadline is not None:
                    raise subprocess.TimeoutExpired("", cast(float, seconds))
                for key, _events in ready:
                    data = os.read(key.fd, _PIECE)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif size <= _LARGEST_OUTPUT:
                        kept[key.fd].append(data)
                        size += len(data)
        return [b"".join(pieces) for pieces in kept.values()]

    def pipe(self, argv: Sequence[str], source: Iterator[bytes], seconds: float) -> Generator[bytes, None, None]:
        """The output of a tool, piece by piece, while it is fed from the source. Closing the generator ends the tool.

        :raises Unmeasured: the tool is missing, fails, or takes longer than this many seconds.
        """
        deadline = self.clock() + seconds
        process = self._start(argv, None, subprocess.PIPE, subprocess.DEVNULL)
        stdin, stdout = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
        problems: List[Unmeasured] = []

        def feed() -> None:
            try:
                with stdin:
                    for data in source:
                        stdin.write(data)
            except OSError:  # it reads no more: its exit code shows whether that is an error
                pass
            except Unmeasured as exc:
                problems.append(exc)

        # A tool that prints while it reads blocks a writer that does not read.
        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        try:
            while True:
                ready = select.select([stdout], [], [], max(0.0, deadline - self.clock()))[0]
                if not ready:
                    raise Unmeasured(f"{argv[0]} took longer than {seconds:.0f} s")
                data = os.read(stdout.fileno(), _PIECE)
                if not data:
                    break
                yield data
            rc = process.wait()
        finally:
            process.kill()
            process.wait()
            feeder.join()
            stdout.close()
        if problems:
            raise problems[0]
        if rc != 0:
            raise Unmeasured(f"{argv[0]} failed with exit code {rc}")

    def _start(
        self,
        argv: Sequence[str],
        environment: Optional[Dict[str, str]],
        stdin: int,
        stderr: int,
        own_group: bool = False,
    ) -> "subprocess.Popen[bytes]":
        variables = dict(os.environ, LC_ALL="C", LANGUAGE="C", **(environment or {}))
        # A module may be started with a PATH that lacks the folders of the system's own tools.
        variables["PATH"] = variables.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
        try:
            # Not run_command: it belongs to AnsibleModule, which the logic does not know.
            return subprocess.Popen(  # pylint: disable=ansible-bad-function
                list(argv),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=variables,
                cwd="/",
                start_new_session=own_group,
            )
        except OSError as exc:
            # Not exc.strerror: Python 3.6 adds the path to it.
            raise Unmeasured(f"cannot run {argv[0]}: {os.strerror(exc.errno or 0)}") from exc

    def wall_clock(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def clock(self) -> float:
        """Seconds that only go forward, from no point in particular."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _give_to_root(descriptor: int, mode: int) -> None:
    if os.geteuid() == 0:
        os.fchown(descriptor, 0, 0)
    os.fchmod(descriptor, mode)
