# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small file system in user space: what a kernel shows in files, and does at once when one is written to.

The kernel's protocol is spoken directly (Linux include/uapi/linux/fuse.h): no library is needed for the few operations
that attributes of sysfs have.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import typing as t

_IN = struct.Struct("<IIQQIIII")  # length, operation, request, node, and who asks
_OUT = struct.Struct("<IiQ")
_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
_ENTRY = struct.Struct("<QQQQII")
_VERSION = (7, 31)
# Reads go to us each time, one after the other, whatever the file's size: nothing is cached, nothing is sought.
_OPENED = 1 << 0 | 1 << 2 | 1 << 4  # FOPEN_DIRECT_IO, FOPEN_NONSEEKABLE, FOPEN_STREAM
_LARGEST = 1 << 17


class Stream(t.Protocol):
    """A file that is open. Errors of both pass as OSError."""

    def read(self, size: int) -> bytes: ...

    def write(self, data: bytes) -> None: ...


class Files(t.Protocol):
    """What is to be shown. Paths are relative; errors pass as OSError."""

    def stat(self, path: str) -> os.stat_result: ...

    def names(self, path: str) -> list[str]: ...

    def open(self, path: str) -> Stream: ...


class Server:
    """Answers the kernel's requests, one at a time; ``descriptor`` is that of /dev/fuse."""

    def __init__(self, descriptor: int, files: Files) -> None:
        self._descriptor = descriptor
        self._files = files
        self._paths = {1: ""}
        self._nodes = {"": 1}
        self._streams: dict[int, Stream] = {}
        self._operations: dict[int, t.Callable[[str, bytes], bytes]] = {
            1: self._lookup,
            3: lambda path, _body: struct.pack("<QII", 0, 0, 0) + self._attributes(path),  # GETATTR
            4: lambda path, _body: struct.pack("<QII", 0, 0, 0) + self._attributes(path),  # SETATTR: open() truncates
            14: self._open,
            15: self._read,
            16: self._write,
            18: self._release,
            26: self._init,
            27: lambda _path, _body: struct.pack("<QII", 0, 0, 0),  # OPENDIR
            28: self._list,
            29: lambda _path, _body: b"",  # RELEASEDIR
        }

    def answer(self) -> bool:
        """Answers one request that waits; False when the file system is mounted no more."""
        try:
            request = os.read(self._descriptor, _LARGEST + 4096)
        except OSError as exc:
            # ENOENT: whoever asked has gone away
            return exc.errno != errno.ENODEV
        _length, operation, number, node, *_who = _IN.unpack_from(request)
        if operation in (2, 42):  # FORGET, BATCH_FORGET: no answer is wanted
            return True
        code, body = 0, b""
        try:
            known = self._operations.get(operation)
            if known is None:
                raise OSError(errno.ENOSYS, operation)
            body = known(self._paths.get(node, ""), request[_IN.size :])
        except OSError as exc:
            code = exc.errno or errno.EIO
        try:
            os.write(self._descriptor, _OUT.pack(_OUT.size + len(body), -code, number) + body)
        except FileNotFoundError:  # it was interrupted
            pass
        return True

    def _init(self, _path: str, _body: bytes) -> bytes:
        return struct.pack("<IIIIHHIIHHI28x", *_VERSION, 0, 0, 16, 12, _LARGEST, 1, 32, 0, 0)

    def _node(self, path: str) -> int:
        node = self._nodes.setdefault(path, len(self._nodes) + 1)
        self._paths[node] = path
        return node

    def _attributes(self, path: str) -> bytes:
        told = self._files.stat(path)
        mode = told.st_mode & ~0o022
        times = (int(told.st_atime), int(told.st_mtime), int(told.st_ctime), 0, 0, 0)
        return _ATTRIBUTES.pack(self._node(path), told.st_size, 0, *times, mode, 1, 0, 0, 0, 4096, 0)

    def _lookup(self, folder: str, body: bytes) -> bytes:
        path = os.path.join(folder, body.rstrip(b"\0").decode())
        attributes = self._attributes(path)
        return _ENTRY.pack(self._node(path), 0, 0, 0, 0, 0) + attributes

    def _open(self, path: str, _body: bytes) -> bytes:
        handle = max(self._streams, default=0) + 1
        self._streams[handle] = self._files.open(path)
        return struct.pack("<QII", handle, _OPENED, 0)

    def _read(self, _path: str, body: bytes) -> bytes:
        handle, _offset, size = struct.unpack_from("<QQI", body)
        return self._streams[handle].read(size)

    def _write(self, _path: str, body: bytes) -> bytes:
        handle, _offset, size = struct.unpack_from("<QQI", body)
        self._streams[handle].write(body[40 : 40 + size])
        return struct.pack("<II", size, 0)

    def _release(self, _path: str, body: bytes) -> bytes:
        self._streams.pop(struct.unpack_from("<Q", body)[0], None)
        return b""

    def _list(self, path: str, body: bytes) -> bytes:
        _handle, offset, size = struct.unpack_from("<QQI", body)
        listed = b""
        for number, name in enumerate(sorted(self._files.names(path))[offset:], offset + 1):
            kind = stat.S_IFMT(self._files.stat(os.path.join(path, name)).st_mode) >> 12
            encoded = name.encode()
            entry = struct.pack("<QQII", number, number, len(encoded), kind) + encoded
            entry += b"\0" * (-len(entry) % 8)
            if len(listed) + len(entry) > size:
                break
            listed += entry
        return listed
