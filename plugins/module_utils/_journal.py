# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the host itself records of a change: the write-ahead log. PRIVATE to the collection: it may change at any time.

It is written, and is on the disk, before each phase begins. So whoever comes next, after a crash of the kernel, of the
module or of the controller, finds out how far it got.
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
# It is active, and has not yet shown that it is good
SOAKING = "soaking"
# It ended: what it was for was reached, or not
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
        """The record, None where nothing was ever changed.

        :raises Unmeasured: it is damaged.
        """
        text = self._host.text(PATH)
        if text is None:
            return None
        try:
            entry = json.loads(text)
            if entry["schema"] != _SCHEMA or not isinstance(entry["phase"], str):
                raise ValueError(f"it has schema {entry['schema']}")
        except (ValueError, KeyError, TypeError) as exc:
            raise Unmeasured(
                f"the journal {PATH} cannot be read: {exc!r}",
                "What it said of an unfinished change is lost. Look at the host, then clear it (livepatch_journal)",
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
        """The first phase of a new change.

        :param baseline: what the kernel was like before it (``_health``).
        :param undo: what the host was like before it, to which it is undone where it fails (``_change``).
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
            # Each phase with the time at which it began: where the time went, and how far it got
            steps=[],
        )
        self.enter(phase)

    @property
    def open(self) -> bool:
        """Whether a change was begun here."""
        return bool(self._entry)

    def enter(self, phase: str, deadline: Optional[float] = None) -> None:
        """:param deadline: of a migration, by the host's monotonic clock."""
        now = round(self._host.wall_clock(), 3)
        self._entry.update(phase=phase, at=now, deadline=deadline, steps=[*self._entry.get("steps", []), [phase, now]])
        self._save()

    def end(self, phase: str, **outcome: Any) -> None:
        """What became of it; ``problem`` is the error's text."""
        self._entry.update(outcome)
        # A migration that was left running is still late.
        self.enter(phase, self._entry["deadline"])

    def amend(self, entry: Dict[str, Any]) -> None:
        """Takes up the record of a change that an earlier run began."""
        self._entry = dict(entry)

    def fence(self, entry: Dict[str, Any], number: int) -> None:
        """Keeps the number of the run that works on the host now, whatever comes of it."""
        self._entry = dict(entry, fence=number)
        self._save()

    def _save(self) -> None:
        self._host.save(PATH, json.dumps(self._entry, sort_keys=True) + "\n")


def cleared(host: Host, reason: str, check_mode: bool) -> Dict[str, Any]:
    """Says that a person has looked into what happened: an unfinished record is closed, a damaged one removed.

    :raises AnotherRun: somebody works on the host now.
    """
    if host.is_locked(LOCK):
        raise AnotherRun("a run works on the host now: its record is not a thing of the past", "Wait for it")
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
        journal.end(FAILED, problem=entry["problem"] or "it was cleared: " + reason)
    return {"changed": True, "before": entry}


def crashed(entry: Optional[Dict[str, Any]], boot_id: Optional[str]) -> Optional[str]:
    """Why this boot follows a crash while a patch was applied or soaking, None where it does not. Pure.

    An orderly reboot in that time cannot be told from a crash, and counts as one: who reboots a host in the middle
    clears its journal.
    """
    if entry is None or boot_id is None or entry["boot_id"] == boot_id:
        return None
    if entry["phase"] not in (*UNFINISHED, SOAKING):
        return None
    what = "active and not yet confirmed" if entry["phase"] == SOAKING else f"in the phase {entry['phase']}"
    return "the host went down while {} was {}: it is not applied again here until somebody clears the journal".format(
        entry["kmp"] or "the removal of its patch", what
    )


def interrupted(entry: Optional[Dict[str, Any]], boot_id: Optional[str], runs: bool) -> bool:
    """Whether the run that began the change has ended in the middle of it, in this boot. Pure.

    :param runs: somebody works on the host.
    """
    return entry is not None and not runs and entry["boot_id"] == boot_id and entry["phase"] in UNFINISHED
