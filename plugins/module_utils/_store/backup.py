# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups of the store, and what makes one the store again. PRIVATE to the collection: it may change at any time.

A backup is a copy of the file that is made while no process can write to it. SQLite's own ways to make one need Python
3.7, or SQLite 3.27.
"""

import os
import shutil
from typing import Any, Dict, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._store import rows
from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import ALL_SCOPES
from ansible_collections.fleet.livepatch.plugins.module_utils._store.sqlite import (
    Database,
    StoreBroken,
    StoreDamaged,
    Transaction,
)

_SETTING = "livepatch_backup_path"


class BackupCommands:
    """Each of them is run alone, since it is no part of a transaction."""

    _database: Database

    def back_up(self, path: str) -> Dict[str, Any]:
        """Copies the store as it is between two transactions; others may go on to use it.

        :param path: a file that is not there yet.
        :raises BadOption: it is there, or cannot be written.
        """
        store, target = self._database, os.path.abspath(path)
        if not store.exists():
            raise BadOption(f"there is no store {store.path}", "Check livepatch_store_path and livepatch_coordinator")
        if os.path.lexists(target):
            raise BadOption(f"the backup {target} is there already", f"Name another file ({_SETTING})")
        if not store.dry_run:
            with store.locked():
                _copy_file(store.path, _create(target), target)
            _require_whole(store, target)
        store.changed = True
        return {"changed": True, "path": target}

    def restore(self, path: str, by: str) -> Dict[str, Any]:
        """Makes a backup the store, and keeps the file that was the store under another name.

        What was recorded since the backup is lost, be it a halt, a rejection or an entry of the quarantine. So all
        scopes are halted until an operator has looked. A run of that time has lost its lease. The next one has a higher
        number than any before, since numbers go by the clock, so that no host refuses it.

        :returns: with ``replaced``, the name of the file that was the store, None where there was none.
        :raises BadOption: there is no such backup.
        :raises StoreBroken: it cannot be used.
        """
        store, source = self._database, os.path.abspath(path)
        if source == store.path or not os.path.exists(source):
            raise BadOption(f"{source} is not a backup of the store", f"Name one ({_SETTING})")
        prepared = store.beside(store.path + ".restored")
        try:
            with store.beside(source).locked():
                # What a restore that was killed has left
                _remove(prepared.path)
                prepared.create()
                _copy_file(source, os.open(prepared.path, os.O_WRONLY | os.O_TRUNC), prepared.path)
            _require_whole(store, prepared.path)
            with prepared.writing() as transaction:
                _prepare(transaction, source, by)
            replaced = None if store.dry_run else self._exchange(prepared.path)
        except LivepatchError as exc:
            raise StoreBroken(f"the backup {source} is not restored: {exc}") from exc
        finally:
            _remove(prepared.path)
        store.changed = True
        return {"changed": True, "replaced": replaced}

    def _exchange(self, prepared: str) -> Optional[str]:
        store = self._database
        if not store.exists():
            os.rename(prepared, store.path)
            return None
        replaced = f"{store.path}.replaced-{store.read_clock():.0f}"
        try:
            # A process that waits for the lock finds out that its file is the store no more (SQLITE_READONLY_DBMOVED).
            with store.locked(exclusive=True):
                replace_file(store.path, prepared, replaced)
        except StoreDamaged:
            replace_file(store.path, prepared, replaced)
        return replaced


def _prepare(transaction: Transaction, source: str, by: str) -> None:
    connection = transaction.connection
    connection.execute("UPDATE leases SET owner = NULL")
    for table in ("run_hosts", "run_settings", "run_batches", "runs"):
        connection.execute(f"DELETE FROM {table}")
    reason = f"the store was restored from {source}, and lacks what was recorded since"
    connection.execute("INSERT OR REPLACE INTO halts VALUES (?, ?, ?, ?)", (ALL_SCOPES, reason, by, transaction.now))
    for rollout in connection.execute("SELECT id FROM rollouts WHERE ended IS NULL").fetchall():
        rows.add_event(transaction, rollout["id"], "event", None, {"what": "restored", "by": by})


def replace_file(path: str, prepared: str, replaced: str) -> None:
    """At no time is there no store: a new one would have no halts."""
    os.link(path, replaced)
    if os.path.lexists(path + "-journal"):
        # That of a file that is damaged; SQLite would work it off on the other one.
        os.rename(path + "-journal", replaced + "-journal")
    os.rename(prepared, path)


def _create(path: str) -> int:
    try:
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    except OSError as exc:
        raise BadOption(f"the backup {path} cannot be written: {exc.strerror}", f"Check {_SETTING}") from exc


def _copy_file(source: str, descriptor: int, path: str) -> None:
    """:param descriptor: of ``path``, open for writing."""
    try:
        with open(source, "rb") as reader, os.fdopen(descriptor, "wb") as writer:
            shutil.copyfileobj(reader, writer, 1024 * 1024)
            writer.flush()
            os.fsync(writer.fileno())
    except OSError as exc:
        _remove(path)
        raise BadOption(f"the backup {path} cannot be written: {exc.strerror}", "Check its disk") from exc


def _require_whole(store: Database, path: str) -> None:
    """:raises StoreDamaged: what was copied is damaged; then it is removed."""
    try:
        store.beside(path).check()
    except LivepatchError:
        _remove(path)
        raise


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
