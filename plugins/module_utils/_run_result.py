# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a detached run: kept on the host, and waited for there. PRIVATE to the collection."""

import contextlib
import json
import re
from typing import Any, Dict, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

# A file for each run, beside the journal, which holds the last change only and nothing of a run that changed nothing
_FOLDER = "/var/lib/fleet.livepatch/runs"
# Of the newest runs; of all others nothing is left
_FILES_MAX = 10
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
# Of a result, which holds no secret
_MODE = 0o644
_INTERVAL = 0.2
# Seconds that a run may take from its start to its first record: Python starts, repositories are queried.
START_TIMEOUT = 120.0
# How often a run may take each of its limits, if it goes all the way and back
STEPS = 10

# The keys of a run's result
_RESULT_KEYS = (
    "msg",
    "failed",
    "refused",
    "stalled",
    "fenced",
    "not_begun",
    "changed",
    "before",
    "after",
    "transition",
    "transaction",
    "blockers",
)


def longest(timeout: float, lock_timeout: float) -> float:
    """Seconds that the work of a run may take by its limits.

    With the wait for a run before it, as in a rollout, it takes twice that at most.
    """
    return START_TIMEOUT + STEPS * (timeout + lock_timeout)


def build_path(run: str) -> str:
    """Build the path of a run's result.

    :raises BadOption: the ID is no name of a file.
    """
    if not _FILE_NAME.match(run):
        raise BadOption(
            f"run is {run[:100]!r}, and a detached run is known by its ID",
            "Use up to 100 letters, digits, dots, hyphens and underscores, the first a letter or a digit",
        )
    return f"{_FOLDER}/{run}.json"


def claim(host: Host, run: str) -> Optional[int]:
    """Have a run's result to come: its file is empty, and locked as long as a process holds the descriptor that this
    returns. None where another process does so for this run: ssh sends a module again where its connection breaks
    (``retries`` of Ansible's ssh), and no change may be made twice.

    :raises BadOption: a run of that ID has ended.
    :raises Unmeasured: no result can be saved, so that nothing would be known of the run.
    """
    path = build_path(run)
    _remove_old_results(host)
    lock = host.create_locked(path, _MODE)
    if lock is not None:
        return lock
    if _read_result(host, run) is not None:
        raise BadOption(f"a run {run} has ended on this host", "Give each run an ID of its own, or none")
    return None


def save_result(host: Host, run: str, result: Dict[str, Any]) -> None:
    """Save what a run came to, and remove the results of old runs.

    :param result: what the module would return.
    :raises Unmeasured: it cannot be written.
    """
    path = build_path(run)
    _remove_old_results(host)
    text = json.dumps({key: result[key] for key in _RESULT_KEYS if key in result}, sort_keys=True) + "\n"
    host.save(path, text, _MODE)


def _remove_old_results(host: Host) -> None:
    """Leave room for a new one. What a run that was killed left half written counts as well."""
    paths = [f"{_FOLDER}/{name}" for name in host.list_names(_FOLDER)]
    newest_first = sorted(paths, key=lambda path: host.get_mtime(path) or 0.0, reverse=True)
    for path in newest_first[_FILES_MAX - 1 :]:
        # What is no file is another one's.
        with contextlib.suppress(Unmeasured):
            host.unlink(path)


def wait_for_result(host: Host, run: str, seconds: float) -> Optional[Dict[str, Any]]:
    """Wait until the run has ended, ``seconds`` at most.

    :returns: its result: ``failed``, ``changed``, ``msg`` and so on, from the journal, or else as `save_result` has
        saved it. None while it runs, and for one that was killed in the middle of its change.
    """
    started = host.clock()
    idle = started
    while True:
        now = host.clock()
        # In this order: a run that ends between the two has a result, and does not count as killed.
        is_working = host.is_locked(_journal.LOCK)
        is_alive = _is_alive(host, run)
        # While an earlier run works, it has not begun.
        idle = now if is_working else idle
        has_ended = not is_working and (is_alive is False or now - idle >= START_TIMEOUT or _has_begun(host, run))
        # A run that still works may do more than the change in the journal.
        result = (None if is_working else _read_journal(host, run)) or _read_result(host, run)
        if result is None and has_ended and is_alive is False:
            result = _assess_killed(host, run)
        if result is not None or has_ended or now - started >= seconds:
            return result
        host.sleep(_INTERVAL)


def _is_alive(host: Host, run: str) -> Optional[bool]:
    """Whether the process of a detached run has not ended, None where it was not started, or its result is not kept any
    more.
    """
    if not _FILE_NAME.match(run) or host.get_mtime(build_path(run)) is None:
        return None
    return host.is_locked(build_path(run))


def _assess_killed(host: Host, run: str) -> Optional[Dict[str, Any]]:
    """The result of a detached run whose process has ended without one; None where it may have changed the host."""
    path = build_path(run)
    claimed = host.get_mtime(path)
    try:
        # What is in it is a result that cannot be read.
        if host.read_bytes(path) != b"":
            return None
        entry = _journal.Journal(host).read()
    except Unmeasured:
        return None
    # The journal has the last change only: one since then may have taken the place of this run's.
    if claimed is None or (entry is not None and (entry["run"] == run or entry.get("at", claimed) >= claimed)):
        return None
    msg = "its process ended before it changed anything: it was killed, or the host restarted"
    return {"failed": True, "not_begun": True, "msg": msg}


def _read_entry(host: Host, run: str) -> Optional[Dict[str, Any]]:
    try:
        entry = _journal.Journal(host).read()
    except Unmeasured:
        return None
    return entry if entry is not None and entry["run"] == run else None


def _has_begun(host: Host, run: str) -> bool:
    return _read_entry(host, run) is not None


def _read_journal(host: Host, run: str) -> Optional[Dict[str, Any]]:
    """The result of a run that has ended, from the journal."""
    entry = _read_entry(host, run)
    if entry is None or entry["phase"] in _journal.UNFINISHED:
        return None
    result = {key: entry[key] for key in _RESULT_KEYS if key in entry}
    return dict(result, failed=entry["phase"] == _journal.FAILED, msg=entry["problem"])


def _read_result(host: Host, run: str) -> Optional[Dict[str, Any]]:
    """The result that the run saved when it ended: of one that had nothing to record, too."""
    if not _FILE_NAME.match(run):
        return None
    text = None
    with contextlib.suppress(Unmeasured):
        text = host.read_text(build_path(run))
    try:
        saved = json.loads(text) if text else {}
    except (ValueError, RecursionError):  # it is damaged
        return None
    if not isinstance(saved, dict) or not any(key in saved for key in ("changed", "failed", "msg")):
        return None
    return dict({key: saved[key] for key in _RESULT_KEYS if key in saved}, failed=bool(saved.get("failed")))
