# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of the store: one SQLite database. PRIVATE to the collection: it may change at any time.

SQLite has what a store of our own would have to invent: transactions that a killed process cannot leave half done, and
locks that end with their process. See https://www.sqlite.org/lang_transaction.html and
/pragma.html#pragma_synchronous.
"""

import contextlib
import os
from typing import Any, Callable, Iterator, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import schema
from ansible_collections.fleet.livepatch.plugins.module_utils._store.ownership import Writers

try:
    import sqlite3
except ImportError:  # a Python that was built without it
    sqlite3 = None  # type: ignore[assignment]

# Seconds to wait for another process that writes
_BUSY_TIMEOUT = 60.0


class StoreBroken(LivepatchError):
    """The file cannot be used."""


class StoreDamaged(StoreBroken):
    """What is in the file is not what SQLite has written."""


class Transaction(NamedTuple):
    """``now``: when it began, after the wait for other writers, which does not count against a lease."""

    connection: Any
    now: float


class Database:
    """The file at ``path``. It is created by the first write; until then it reads as an empty one.

    :param group: the group whose members may write it too.
    :param private: it is in a folder of the process's own, and who may write there is not asked.
    :param dry_run: transactions that write are rolled back; ``changed`` is whether they would have changed something.
    """

    def __init__(
        self,
        path: str,
        clock: Callable[[], float],
        dry_run: bool,
        group: Optional[str] = None,
        private: bool = False,
    ) -> None:
        if sqlite3 is None:
            raise StoreBroken(
                "the Python of this host has no sqlite3", "Install it (python3-sqlite3), or choose another coordinator"
            )
        self.path = os.path.abspath(path)
        self.dry_run = dry_run
        self._clock = clock
        self._group = group
        self._writers = Writers(group)
        self._private = private
        # The transaction that all others are a part of
        self._shared: Optional[Transaction] = None
        # Whether a transaction has changed something in it
        self.changed = False

    @contextlib.contextmanager
    def together(self, writes: bool) -> Iterator[None]:
        """All that is read and written in it is one transaction.

        :param writes: whether something is written in it.
        """
        with self.writing() if writes else self.reading() as transaction:
            self._shared = transaction
            try:
                yield
            finally:
                self._shared = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A consistent view of it."""
        if self._shared is not None:
            yield self._shared
            return
        with self._convert_errors():
            self._check_writers()
            if self.dry_run and not self.exists():
                # What comes after the dry run would create it.
                self._writers.require_creatable(self.path)
            connection = self._open(writes=False) if self.exists() else self._open_empty()
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("BEGIN")
                yield Transaction(connection, self._clock())
            finally:
                connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction: all that is written in it is on the disk afterwards, or, after an exception, nothing."""
        if self._shared is not None:
            yield self._shared
            return
        with self._convert_errors():
            if not self.dry_run:
                self.create()
            self._check_writers()
            connection = self._open(writes=True) if self.exists() else self._open_empty()
            try:
                connection.row_factory = sqlite3.Row
                changes = connection.total_changes
                connection.execute("BEGIN IMMEDIATE")
                yield Transaction(connection, self._clock())
                if not self.dry_run:
                    connection.execute("COMMIT")
                self.changed = self.changed or connection.total_changes > changes
            finally:
                # Rolls back what was not committed
                connection.close()

    @contextlib.contextmanager
    def locked(self, exclusive: bool = False) -> Iterator[None]:
        """No process writes to the file meanwhile, of whatever version it is.

        :param exclusive: none reads it, either.
        :raises StoreDamaged: it is no database.
        """
        with self._convert_errors():
            self._check_writers()
            connection = self._connect()
            try:
                connection.execute("BEGIN EXCLUSIVE" if exclusive else "BEGIN")
                # The lock is taken by the first read, which works off what a process that was killed has left.
                connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
                if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                    raise StoreBroken(
                        f"a part of {self.path} is in another file (journal mode WAL)",
                        "Set it back: sqlite3 FILE 'PRAGMA journal_mode = DELETE'",
                    )
                yield
            finally:
                connection.close()

    def check(self) -> None:
        """:raises StoreDamaged: a part of the file is damaged, or it never was a store."""
        with self._convert_errors():
            connection = self._connect()
            try:
                problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                if schema.read_version(connection) == 0:
                    problem = "it has no tables of a store"
                if problem != "ok":
                    raise sqlite3.DatabaseError(problem)
            finally:
                connection.close()

    def beside(self, path: str) -> "Database":
        """Another file with the same writers."""
        return Database(path, self._clock, False, self._group, self._private)

    def create(self) -> None:
        """Creates an empty file, with its folder, unless it is there."""
        self._writers.create(self.path)

    def read_clock(self) -> float:
        return self._clock()

    def _check_writers(self) -> None:
        if not self._private:
            self._writers.check(self.path)

    def _connect(self) -> Any:
        return sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT, isolation_level=None)

    def _open_empty(self) -> Any:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        schema.create_tables(connection)
        return connection

    def _open(self, writes: bool) -> Any:
        connection = self._connect()
        try:
            connection.execute("PRAGMA synchronous = FULL")
            version = schema.read_version(connection)
            if version < schema.SCHEMA:
                return self._bring_up_to_date(connection, writes)
            if version > schema.SCHEMA:
                raise StoreBroken(
                    f"the store {self.path} was written by a later version of the collection (schema {version})",
                    "Use that version, or name another file (livepatch_store_path)",
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self, connection: Any, writes: bool) -> Any:
        """Creates the tables, or makes those of this version of an earlier one's; of a copy in a dry run, or where this
        user may only read.
        """
        if self.dry_run or (not writes and not os.access(self.path, os.W_OK)):
            connection = _copy(connection)
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have done it meanwhile.
        version = schema.read_version(connection)
        if version == 0:
            if connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                raise StoreBroken(
                    f"the file {self.path} is the database of another program",
                    "Name another file (livepatch_store_path)",
                )
            schema.create_tables(connection)
        elif version < schema.OLDEST:
            raise StoreBroken(
                f"the store {self.path} was written by an earlier version of the collection (schema {version}), and "
                f"this one migrates from {schema.OLDEST} on",
                "Use that version to end its rollouts, then name another file (livepatch_store_path)",
            )
        else:
            schema.migrate(connection)
        connection.execute("COMMIT")
        return connection

    def exists(self) -> bool:
        # Not os.path.exists: a file that may not be read is not an empty store, and may hold a halt.
        try:
            os.stat(self.path)
        except FileNotFoundError:
            return False
        return True

    @contextlib.contextmanager
    def _convert_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.IntegrityError) as exc:
            raise BadOption(f"the store does not accept a value: {exc}") from exc
        except sqlite3.OperationalError as exc:
            # Busy, no space left, no permission: the file is good.
            raise StoreBroken(
                f"the store {self.path} cannot be used: {exc}",
                "Check its disk, its owner, and which other processes use it (fuser)",
            ) from exc
        except sqlite3.DatabaseError as exc:
            raise StoreDamaged(
                f"the store {self.path} is damaged: {exc}",
                "Restore it from a backup (playbook restore), or move it away: a new one is created then, without open "
                "rollouts, approvals, halts and the quarantine; the hosts' own journals are not lost",
            ) from exc
        except OSError as exc:
            raise StoreBroken(f"the store {self.path} cannot be used: {exc.strerror}", "Check its folder") from exc


def _copy(connection: Any) -> Any:
    """In memory: the file stays as it is."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    version = schema.read_version(connection)
    copy.executescript("\n".join(connection.iterdump()))
    copy.execute(f"PRAGMA user_version = {version}")
    connection.close()
    return copy


def require_keys(given: Any, label: str, *names: str) -> None:
    """:raises BadOption: it is no dictionary, or lacks one of these keys."""
    missing = [name for name in names if not isinstance(given, dict) or given.get(name) is None]
    if missing:
        raise BadOption("{} has no {}: {}".format(label, " and no ".join(missing), given))
