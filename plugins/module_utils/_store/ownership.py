# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may write the file of the store. PRIVATE to the collection: it may change at any time.

Those who can write it can approve, and lift a halt: its owner, and the members of a group where one is named. The
folders of its path are theirs, too, so that no part of it changes between this check and its use.
"""

import errno
import grp
import os
import pwd
import stat
from typing import Iterator, List, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError

# What SQLite puts beside a database, and reads as a part of it
_COMPANIONS = ("", "-journal", "-wal", "-shm")
_SETTING = "livepatch_store_group"


class StoreExposed(LivepatchError):
    """Others than those who are meant to may write the file."""


class Writers:
    """The users who may write the store: this process's one, root, and the members of a group.

    :param group: its name, None for none.
    :raises BadOption: there is no such group.
    """

    def __init__(self, group: Optional[str] = None) -> None:
        self.group = group
        self.gid: Optional[int] = None
        self._members: List[str] = []
        if group is not None:
            try:
                entry = grp.getgrnam(group)
            except KeyError:
                raise BadOption(f"{_SETTING} is {group}, and there is no such group") from None
            self.gid, self._members = entry.gr_gid, entry.gr_mem

    def create(self, path: str) -> None:
        """Creates the file and the folders that it lacks, for these users only, unless another process has done so."""
        missing = []
        folder = os.path.dirname(path)
        while not os.path.lexists(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for folder in reversed(missing):
            try:
                os.mkdir(folder, 0o700)
            except FileExistsError:
                continue
            if self.gid is not None:
                os.chown(folder, -1, self.gid)
                # What is created in it, such as SQLite's journal, has its group.
                os.chmod(folder, 0o2770)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            return
        try:
            if self.gid is not None:
                os.fchown(descriptor, -1, self.gid)
                os.fchmod(descriptor, 0o660)
        finally:
            os.close(descriptor)

    def require_creatable(self, path: str) -> None:
        """What ``create`` would need, where nothing is created.

        :raises OSError: the file cannot be created there.
        """
        folder = os.path.dirname(path)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        if not os.path.isdir(folder):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), folder)

    def check(self, path: str) -> None:
        """:raises StoreExposed: another user may write the file, what belongs to it, or a folder that it is in."""
        for folder, status in _list_folders(os.path.dirname(path)):
            nearest = folder == os.path.dirname(path)
            # In a sticky folder no user takes away what is another one's, but all may put something beside it.
            sticky = bool(status.st_mode & stat.S_ISVTX) and not nearest
            self._check_entry("folder", folder, status, sticky)
        for companion in _COMPANIONS:
            try:
                status = os.lstat(path + companion)
            except (FileNotFoundError, NotADirectoryError):
                continue
            if not stat.S_ISREG(status.st_mode):
                kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "no regular file"
                raise _build_error(path + companion, "is " + kind, "Name the file itself (livepatch_store_path)")
            self._check_entry("file", path + companion, status, False)

    def _check_entry(self, kind: str, path: str, status: os.stat_result, sticky: bool) -> None:
        if not self._is_trusted(status.st_uid):
            raise _build_error(
                path,
                f"belongs to {_name_user(status.st_uid)}, and this is {_name_user(os.geteuid())}",
                f"Use a {kind} of its own, or change its owner",
            )
        if sticky:
            return
        elsewhere = "Set livepatch_store_path to a file in another folder" if kind == "folder" else "Look who wrote it"
        if status.st_mode & stat.S_IWOTH:
            raise _build_error(path, "may be written by all users", f"{elsewhere}, or chmod o-w it")
        if status.st_mode & stat.S_IWGRP and status.st_gid not in (0, self.gid) and not _is_private(status):
            raise _build_error(
                path,
                f"may be written by the group {_name_group(status.st_gid)}",
                f"{elsewhere}, or chmod g-w it, or set {_SETTING} to the group whose members may approve",
            )

    def _is_trusted(self, uid: int) -> bool:
        if uid in (0, os.geteuid()):
            return True
        if self.gid is None:
            return False
        try:
            user = pwd.getpwuid(uid)
        except KeyError:
            return False
        return user.pw_gid == self.gid or user.pw_name in self._members


def _list_folders(folder: str) -> Iterator[Tuple[str, os.stat_result]]:
    """The folders that lead there as far as they exist, from the top.

    :raises StoreExposed: one of them is a symbolic link.
    """
    parts = [part for part in folder.split("/") if part]
    for count in range(len(parts) + 1):
        path = "/" + "/".join(parts[:count])
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        if stat.S_ISLNK(status.st_mode):
            # Some systems have /home or /tmp elsewhere.
            if count > 1 or status.st_uid != 0:
                way_out = "Set livepatch_store_path to a path without links, such as below {}"
                raise _build_error(path, "is a symbolic link", way_out.format(os.path.realpath(path)))
            yield from _list_folders(os.path.realpath(path))
        else:
            yield path, status


def _is_private(status: os.stat_result) -> bool:
    """Whether a group has its file's owner as its only member, as each user's own group does on many systems."""
    try:
        group, user = grp.getgrgid(status.st_gid), pwd.getpwuid(status.st_uid)
    except KeyError:
        return False
    same = user.pw_gid == group.gr_gid and user.pw_name == group.gr_name
    return same and set(group.gr_mem) <= {user.pw_name}


def _name_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user {uid}"


def _name_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _build_error(path: str, problem: str, way_out: str) -> StoreExposed:
    return StoreExposed(f"the store is not used, since others could approve in it: {path} {problem}", way_out)
