# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that the store of the rollouts is: one SQLite database. PRIVATE to the collection: it may change at any
time.

SQLite gives what a store of our own would have to invent: transactions that a killed process cannot leave half done,
and locks that end with their process. See https://www.sqlite.org/lang_transaction.html and
/pragma.html#pragma_synchronous.
"""

import contextlib
import os
from typing import Any, Dict, Iterator

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError

try:
    import sqlite3
except ImportError:  # a Python that was built without it
    sqlite3 = None  # type: ignore[assignment]

# Seconds to wait for another process that writes
_PATIENCE = 60.0
# What the tables below are; a file of a later collection is not touched.
VERSION = 1
_TABLES = """
CREATE TABLE leases (scope TEXT PRIMARY KEY, fence INTEGER NOT NULL, owner TEXT, since REAL, renewed REAL, ttl REAL);
CREATE TABLE plans (hash TEXT PRIMARY KEY, scope TEXT NOT NULL, saved REAL NOT NULL, document TEXT NOT NULL);
CREATE TABLE rollouts (id TEXT PRIMARY KEY, scope TEXT NOT NULL, plan_hash TEXT NOT NULL, settings TEXT NOT NULL,
    status TEXT NOT NULL, detail TEXT NOT NULL, started REAL NOT NULL, ended REAL);
CREATE UNIQUE INDEX one_open_rollout ON rollouts (scope) WHERE ended IS NULL;
CREATE TABLE outcomes (rollout TEXT NOT NULL, host TEXT NOT NULL, wave INTEGER, cohort TEXT, outcome TEXT NOT NULL,
    at REAL NOT NULL, told TEXT NOT NULL, PRIMARY KEY (rollout, host));
CREATE TABLE records (number INTEGER PRIMARY KEY, rollout TEXT NOT NULL, kind TEXT NOT NULL, wave INTEGER, at REAL NOT
NULL, told TEXT NOT NULL);
CREATE INDEX records_of_rollout ON records (rollout, kind);
CREATE TABLE quarantine (id INTEGER PRIMARY KEY, kmp TEXT, cohort TEXT, host TEXT, reason TEXT NOT NULL, by TEXT,
    since REAL NOT NULL, cleared REAL, cleared_by TEXT, cleared_reason TEXT);
CREATE TABLE approvals (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, wave INTEGER, who TEXT NOT NULL, at REAL NOT NULL,
    expires REAL, granted INTEGER NOT NULL);
CREATE TABLE halts (scope TEXT PRIMARY KEY, reason TEXT NOT NULL, by TEXT, since REAL NOT NULL);
"""


class StoreBroken(LivepatchError):
    """The file cannot be used."""


class Database:
    """The file at ``path``. It is made when something is first written to it; until then it reads as an empty one."""

    def __init__(self, path: str) -> None:
        if sqlite3 is None:
            raise StoreBroken(
                "the Python of this host has no sqlite3", "Install it (python3-sqlite3), or choose another coordinator"
            )
        self.path = os.path.abspath(path)
        # Whether something in it is another by now than before
        self.changed = False

    @contextlib.contextmanager
    def reading(self) -> Iterator[Any]:
        """A consistent view of it."""
        with self._problems():
            if not self._exists():
                connection = sqlite3.connect(":memory:")
                connection.executescript(_TABLES)
            else:
                connection = self._open()
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("BEGIN")
                yield connection
            finally:
                connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Any]:
        """A transaction: all of what is written in it is on the disk afterwards, or, after an exception, nothing."""
        with self._problems():
            self._make_folder()
            connection = self._open()
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
                self.changed = self.changed or connection.total_changes > 0
            finally:
                # Rolls back what was not committed
                connection.close()

    def _open(self) -> Any:
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise StoreBroken(
                    f"the store {self.path} was written by a later version of the collection (schema {version})",
                    "Use that version here as well",
                )
            if version < VERSION:
                self._lay_out(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _lay_out(self, connection: Any) -> None:
        connection.execute("BEGIN IMMEDIATE")
        # Somebody else may have done it meanwhile.
        if connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
            if connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                raise StoreBroken(
                    f"the file {self.path} is a database of something else", "Name another one (livepatch_store_path)"
                )
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")

    def _exists(self) -> bool:
        # Not os.path.exists: what may not be looked at is not empty, and holds a halt perhaps.
        try:
            os.stat(self.path)
        except FileNotFoundError:
            return False
        return True

    def _make_folder(self) -> None:
        # Another process may do the same just now.
        os.makedirs(os.path.dirname(self.path), 0o700, exist_ok=True)
        if not self._exists():
            # Who may approve and halt is who may write here.
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.IntegrityError) as exc:
            raise BadOption(f"the store cannot take a value that it was given: {exc}") from exc
        except sqlite3.OperationalError as exc:
            # Busy, no space left, not ours to read: the file is good.
            raise StoreBroken(
                f"the store {self.path} cannot be used: {exc}",
                "Look at its disk, its owner, and at who else uses it (fuser)",
            ) from exc
        except sqlite3.DatabaseError as exc:
            raise StoreBroken(
                f"the store {self.path} is damaged: {exc}",
                "Bring it back from a backup, or move it away: it is made anew then, without open rollouts, approvals, "
                "halts and the quarantine, while what hosts have recorded themselves is not lost",
            ) from exc
        except OSError as exc:
            raise StoreBroken(f"the store {self.path} cannot be used: {exc.strerror}", "Look at its folder") from exc


def row(found: Any) -> Dict[str, Any]:
    return {key: found[key] for key in tuple(found.keys())}
