# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wait on the host for a detached run. PRIVATE to the collection: it may change at any time."""

import json
from typing import Any, Dict, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

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


def wait_for_result(host: Host, run: str, seconds: float, results_file: Optional[str]) -> Optional[Dict[str, Any]]:
    """Wait until the run has ended, ``seconds`` at most.

    :returns: its result: ``failed``, ``changed``, ``msg`` and so on, from the journal, or else from what Ansible keeps
        of a detached run. None while it runs, and for one that was killed before it recorded a result.
    """
    started = host.clock()
    idle = started
    while True:
        now = host.clock()
        # In this order: a run that ends between the two has a result, and does not count as killed.
        locked = host.is_locked(_journal.LOCK)
        # While an earlier run works, it has not begun.
        idle = now if locked else idle
        has_ended = not locked and (now - idle >= START_TIMEOUT or _has_begun(host, run))
        # A run that still works may do more than the change in the journal.
        result = (None if locked else _read_journal(host, run)) or _read_results_file(host, results_file)
        if result is not None or has_ended or now - started >= seconds:
            return result
        host.sleep(_INTERVAL)


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


def _read_results_file(host: Host, results_file: Optional[str]) -> Optional[Dict[str, Any]]:
    """The result that Ansible's wrapper wrote when the module ended: of a run that had nothing to record."""
    text = host.read_text(results_file) if results_file else None
    try:
        output = json.loads(text) if text else {}
    except (ValueError, RecursionError):  # it is being written
        return None
    if not isinstance(output, dict) or not any(key in output for key in ("changed", "failed", "msg")):
        return None
    return dict({key: output[key] for key in _RESULT_KEYS if key in output}, failed=bool(output.get("failed")))
