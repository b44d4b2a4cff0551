# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting on the host for a run that was started detached. PRIVATE to the collection: it may change at any time."""

import json
from typing import Any, Dict, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

_INTERVAL = 0.2
# Seconds that a run may take from being started to its first record: Python starts, repositories are asked.
_TO_BEGIN = 120.0
# How often a run may take each of its limits, if it goes all the way and back
STEPS = 10

# What is told of a run
_KEPT = (
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
    """Seconds that a run may take by its limits. A rollout's run waits as long for the one before it, so the roles
    (``async`` and ``retries``) and the lease reckon with twice that.
    """
    return _TO_BEGIN + STEPS * (timeout + lock_timeout)


def wait(host: Host, run: str, seconds: float, results_file: Optional[str]) -> Optional[Dict[str, Any]]:
    """Waits until the run has ended, ``seconds`` at most.

    :returns: what became of it: ``failed``, ``changed``, ``msg`` and so on, by the journal, or else by what Ansible
        keeps of a detached run. None as long as it runs, and of one that has gone away without a word.
    """
    started = host.clock()
    idle = started
    while True:
        now = host.clock()
        # In this order: one that ends between the two is told of, and not taken for one that has gone away.
        locked = host.is_locked(_journal.LOCK)
        # As long as one before it works, it has not begun.
        idle = now if locked else idle
        gone = not locked and (now - idle >= _TO_BEGIN or _began(host, run))
        # Whoever still works may do more than the change that the journal tells of.
        told = (None if locked else _recorded(host, run)) or _kept(host, results_file)
        if told is not None or gone or now - started >= seconds:
            return told
        host.sleep(_INTERVAL)


def _entry(host: Host, run: str) -> Optional[Dict[str, Any]]:
    try:
        entry = _journal.Journal(host).read()
    except Unmeasured:
        return None
    return entry if entry is not None and entry["run"] == run else None


def _began(host: Host, run: str) -> bool:
    return _entry(host, run) is not None


def _recorded(host: Host, run: str) -> Optional[Dict[str, Any]]:
    """What the journal says of a run that has ended."""
    entry = _entry(host, run)
    if entry is None or entry["phase"] in _journal.UNFINISHED:
        return None
    told = {key: entry[key] for key in _KEPT if key in entry}
    return dict(told, failed=entry["phase"] == _journal.FAILED, msg=entry["problem"])


def _kept(host: Host, results_file: Optional[str]) -> Optional[Dict[str, Any]]:
    """What Ansible's wrapper has written when the module ended: of a run that had nothing to record."""
    text = host.text(results_file) if results_file else None
    try:
        told = json.loads(text) if text else {}
    except ValueError:  # it is being written
        return None
    if not any(key in told for key in ("changed", "failed", "msg")):
        return None
    return dict({key: told[key] for key in _KEPT if key in told}, failed=bool(told.get("failed")))
