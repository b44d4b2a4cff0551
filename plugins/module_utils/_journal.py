# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal: the host's write-ahead log of a change. PRIVATE to the collection: it may change at any time.

It is written, and is on the disk, before each phase begins, so that after a crash of the kernel, of the module or of
the controller the next run finds out how far it got.
"""

import json
import math
import re
from typing import Any, Callable, Dict, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import AnotherRun, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

PATH = "/var/lib/fleet.livepatch/journal.json"
LOCK = "/run/fleet.livepatch.lock"
_SCHEMA = 1
# Far more than any record has
_SIZE_MAX = 1 << 20

# Something is under way
UNFINISHED = ("installing", "loading", "migrating", "reversing", "stalled", "removing", "verifying")
# The kernel has been given the module, or is about to be. A package's own script may do that while it is installed.
_GIVEN = ("loading", "migrating", "reversing", "stalled")
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


def _is_text(value: Any) -> bool:
    """Whether it can be printed: a half of a surrogate pair cannot."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_kmp(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"[!-~]+-[!-,.-~]+-[!-,.-~]+\Z", value) is not None


def _is_step(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and _is_text(value[0]) and _is_seconds(value[1])


_Check = Callable[[Any], bool]


def _optional(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


def _list_of(check: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(check(each) for each in value)


def _is_any(value: Any) -> bool:
    return True


def _fields(checks: Dict[str, _Check]) -> _Check:
    """Exactly these keys."""
    return lambda value: (
        isinstance(value, dict) and set(value) == set(checks) and all(checks[key](value[key]) for key in checks)
    )


_IS_BASELINE = _fields(
    {
        "boot_id": _optional(_is_text),
        "taint": _optional(_is_integer),
        "log": _optional(_is_integer),
        "at": _is_seconds,
    }
)
_IS_UNDO = _fields(
    {
        "was_absent": _is_flag,
        "previous_evr": _optional(_is_text),
        "was_held": _is_flag,
        "was_persistent": _is_flag,
        "previous_arch": _optional(_is_text),
        "previous_digests": _list_of(_is_text),
    }
)
_IS_TRANSITION = _fields({"seconds": _optional(_is_seconds), "by": _optional(_is_text)})
_IS_CLEARED = _fields({"reason": _is_text, "phase": _is_text})


def _is_summary(value: Any) -> bool:
    """Of a host's levels, before or after a change."""
    return isinstance(value, dict) and all(_is_text(key) for key in value)


# What a record holds. Those that are not required are None, or are not there, in some.
_REQUIRED: Dict[str, _Check] = {
    "schema": _is_integer,
    "phase": lambda value: value in (*UNFINISHED, SOAKING, DONE, FAILED),
    "kmp": _optional(_is_kmp),
    "boot_id": _optional(_is_text),
    "problem": _optional(_is_text),
    "previous": _optional(_is_text),
    "run": _optional(_is_text),
    "plan": _optional(_is_text),
    "deadline": _optional(_is_seconds),
}
_OTHERS: Dict[str, _Check] = {
    "rollout": _optional(_is_text),
    "fence": _optional(_is_integer),
    "back": _is_flag,
    "baseline": _optional(_IS_BASELINE),
    "began": _is_seconds,
    "at": _is_seconds,
    "changed": _is_flag,
    "transition": _optional(_IS_TRANSITION),
    "steps": _list_of(_is_step),
    "before": _optional(_is_summary),
    "after": _optional(_is_summary),
    "transaction": _optional(_list_of(_is_text)),
    "blockers": _optional(_list_of(_is_summary)),
    "cleared": _IS_CLEARED,
    "given": _is_flag,
    "refused": _is_flag,
    "stalled": _is_flag,
    "fenced": _is_flag,
    "not_begun": _is_flag,
}


def _parse_entry(text: str) -> Dict[str, Any]:
    """:raises ValueError: it is no record."""
    if len(text) > _SIZE_MAX:
        raise ValueError(f"it is larger than {_SIZE_MAX >> 20} MiB")
    try:
        # Not int(), which takes its time for thousands of digits
        entry = json.loads(text, parse_int=_parse_integer, parse_constant=_refuse_constant)
    except RecursionError as exc:
        raise ValueError("it is nested deeper than any record") from exc
    if not isinstance(entry, dict):
        raise ValueError("it is not an object")
    if _is_integer(entry.get("schema")) and entry["schema"] != _SCHEMA:
        raise ValueError(
            f"it has schema {entry['schema']}, of another version of the collection, and this one reads {_SCHEMA}"
        )
    for key, check in _REQUIRED.items():
        if key not in entry or not check(entry[key]):
            raise ValueError(f"it has no valid {key}")
    for key in entry:
        if key not in _REQUIRED and not _OTHERS.get(key, _is_any)(entry[key]):
            raise ValueError(f"it has no valid {key}")
    if not _IS_UNDO(entry.get("undo")):
        # Another version's: it is unknown, and what that change has installed stays.
        entry["undo"] = None
    return entry


def _parse_integer(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"it holds {name}")


class Journal:
    """The record of the last change of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._entry: Dict[str, Any] = {}

    def read(self) -> Optional[Dict[str, Any]]:
        """Read the record, None where nothing was ever changed.

        :raises Unmeasured: it is damaged, or of another version.
        """
        text = self._host.read_text(PATH)
        if text is None:
            return None
        try:
            return _parse_entry(text)
        except (ValueError, MemoryError) as exc:
            raise Unmeasured(
                f"the journal {PATH} cannot be read: {exc}",
                "What it says of the last change is lost. Check the host, then clear the journal (livepatch_journal)",
            ) from exc

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
            given=False,
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
        if phase in _GIVEN:
            self.mark_given()
        self._entry.update(phase=phase, at=now, deadline=deadline, steps=[*self._entry.get("steps", []), [phase, now]])
        self._save()

    def mark_given(self) -> None:
        """Have the next record say that the kernel has been given the module."""
        self._entry["given"] = True

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


def was_given(entry: Dict[str, Any], boot_id: Optional[str], is_loaded: bool) -> Optional[bool]:
    """Whether the kernel was given the module of the last change, None where that is not known. Pure.

    :param is_loaded: whether the module is in the kernel now.
    """
    if entry.get("given"):
        return True
    if entry["phase"] == UNFINISHED[0]:
        # The package's own script may have had the kernel load it since that was recorded.
        return is_loaded if entry["boot_id"] == boot_id else None
    given: Optional[bool] = entry.get("given")
    return given


def is_interrupted(entry: Optional[Dict[str, Any]], boot_id: Optional[str], runs: bool) -> bool:
    """Whether the run that began the change has ended in the middle of it, in this boot. Pure.

    :param runs: whether a run is working on the host.
    """
    return entry is not None and not runs and entry["boot_id"] == boot_id and entry["phase"] in UNFINISHED
