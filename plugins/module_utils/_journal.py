# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal: the host's write-ahead log of a change. PRIVATE to the collection: it may change at any time.

It is written, and is on the disk, before each phase begins, so that after a crash of the kernel, of the module or of
the controller the next run finds out how far it got.
"""

import json
from typing import Any, Dict, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import AnotherRun, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

PATH = "/var/lib/fleet.livepatch/journal.json"
LOCK = "/run/fleet.livepatch.lock"
_SCHEMA = 1

# Something is under way
UNFINISHED = ("installing", "loading", "migrating", "reversing", "stalled", "removing", "verifying")
# It is active, and not yet confirmed
SOAKING = "soaking"
# It ended, with success or without
DONE, FAILED = "done", "failed"


class Change(NamedTuple):
    """What a change is for."""

    # The ID of its run
    run: Optional[str]
    # What it is a part of
    rollout: Optional[str]
    plan: Optional[str]
    # The NAME-EVR that is to be active, None for none
    kmp: Optional[str]
    # The EVR of what was active before, None for nothing
    previous: Optional[str]
    # The highest number of a run that has worked on the host, None where no run had one
    fence: Optional[int] = None
    # Whether it goes back from the change before
    back: bool = False


class Journal:
    """The record of the last change of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._entry: Dict[str, Any] = {}

    def read(self) -> Optional[Dict[str, Any]]:
        """Read the record, None where nothing was ever changed.

        :raises Unmeasured: it is damaged.
        """
        text = self._host.read_text(PATH)
        if text is None:
            return None
        try:
            entry = json.loads(text)
            if entry["schema"] != _SCHEMA or not isinstance(entry["phase"], str):
                raise ValueError(f"it has schema {entry['schema']}")
        except (ValueError, KeyError, TypeError) as exc:
            raise Unmeasured(
                f"the journal {PATH} cannot be read: {exc!r}",
                "Its record of a change is lost. Check the host, then clear the journal (livepatch_journal)",
            ) from exc
        return dict(entry)

    def begin(
        self,
        change: Change,
        boot_id: Optional[str],
        phase: str,
        baseline: Optional[Dict[str, Any]],
        undo: Optional[Dict[str, Any]],
    ) -> None:
        """Record the first phase of a new change.

        :param baseline: what the kernel was like before it (``_health``).
        :param undo: what a change that fails is undone to (``_change``).
        """
        self._entry = dict(
            change._asdict(),
            schema=_SCHEMA,
            boot_id=boot_id,
            baseline=baseline,
            undo=undo,
            began=round(self._host.wall_clock(), 3),
            deadline=None,
            changed=False,
            problem=None,
            transition={"seconds": None, "by": None},
            # Each phase with the time at which it began
            steps=[],
        )
        self.enter(phase)

    @property
    def open(self) -> bool:
        """Whether a change was begun by this object."""
        return bool(self._entry)

    def enter(self, phase: str, deadline: Optional[float] = None) -> None:
        """:param deadline: of a migration, by the host's monotonic clock."""
        now = round(self._host.wall_clock(), 3)
        self._entry.update(phase=phase, at=now, deadline=deadline, steps=[*self._entry.get("steps", []), [phase, now]])
        self._save()

    def end(self, phase: str, **outcome: Any) -> None:
        """Record the end of the change; ``problem`` is the error's text."""
        self._entry.update(outcome)
        # A migration that was left running still has its deadline.
        self.enter(phase, self._entry["deadline"])

    def amend(self, entry: Dict[str, Any]) -> None:
        """Continue the record of a change that an earlier run began."""
        self._entry = dict(entry)

    def fence(self, entry: Dict[str, Any], number: int) -> None:
        """Record the number of the run that works on the host now, whatever its outcome."""
        self._entry = dict(entry, fence=number)
        self._save()

    def _save(self) -> None:
        self._host.save(PATH, json.dumps(self._entry, sort_keys=True) + "\n")


def clear_journal(host: Host, reason: str, check_mode: bool) -> Dict[str, Any]:
    """Clear the journal, once the cause of a crash is known: close an unfinished record, remove a damaged one.

    :raises AnotherRun: a run is working on the host now.
    """
    if host.is_locked(LOCK):
        raise AnotherRun("a run is working on the host now, and writes the journal", "Wait until it has ended")
    journal = Journal(host)
    try:
        entry = journal.read()
    except Unmeasured:
        if not check_mode:
            host.unlink(PATH)
        return {"changed": True, "before": None}
    if entry is None or entry["phase"] not in (*UNFINISHED, SOAKING):
        return {"changed": False, "before": entry}
    if not check_mode:
        journal.amend(dict(entry, cleared={"reason": reason, "phase": entry["phase"]}))
        journal.end(FAILED, problem=entry["problem"] or "the journal was cleared: " + reason)
    return {"changed": True, "before": entry}


def explain_crash(entry: Optional[Dict[str, Any]], boot_id: Optional[str]) -> Optional[str]:
    """Explain why this boot follows a crash while a patch was applied or soaking, None where it does not. Pure.

    An orderly reboot in that time cannot be distinguished from a crash, and counts as one.
    """
    if entry is None or boot_id is None or entry["boot_id"] == boot_id:
        return None
    if entry["phase"] not in (*UNFINISHED, SOAKING):
        return None
    phase = "active and not yet confirmed" if entry["phase"] == SOAKING else f"in the phase {entry['phase']}"
    return "the host went down while {} was {}: it is not applied again here until the journal is cleared".format(
        entry["kmp"] or "the removal of its patch", phase
    )


def is_interrupted(entry: Optional[Dict[str, Any]], boot_id: Optional[str], runs: bool) -> bool:
    """Whether the run that began the change has ended in the middle of it, in this boot. Pure.

    :param runs: whether a run is working on the host.
    """
    return entry is not None and not runs and entry["boot_id"] == boot_id and entry["phase"] in UNFINISHED
