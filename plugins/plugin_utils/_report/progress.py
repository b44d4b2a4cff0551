# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of a rollout, line by line, from the results of its tasks. PRIVATE to the collection. Pure."""

from __future__ import annotations

import datetime
import itertools
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    abbreviate,
    format_count,
    to_one_line,
    to_printable,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hostvars import MEMBER

_PREFIX = "fleet.livepatch."
# A batch with at most this many hosts shows a line per host, a larger one a line per tenth of its hosts.
_SMALL_BATCH = 10
# The slowest hosts of a batch that are named
_SLOWEST = 3


class Result(t.NamedTuple):
    """A task's result on a host."""

    host: str
    action: str
    step: str | None  # the task's option of that name
    data: t.Mapping[str, t.Any]
    kind: str  # ok, failed, unreachable, retry
    variables: t.Mapping[str, t.Any] = {}


class Progress:
    """:param clock: seconds since the epoch.
    :param redraws: slow hosts are part of ``format_batch``, which is drawn again and again, and get no lines.
    """

    def __init__(self, clock: t.Callable[[], float], redraws: bool = False) -> None:
        self._clock = clock
        self._redraws = redraws
        self._batches_left = 0
        self._batch_seconds: list[float] = []
        self._wave = ""
        self._started = 0.0
        self._started_here: set[str] = set()
        self._running: set[str] = set()
        # Of this batch and of those before it: in flight still when they were asked
        self._slow: set[str] = set()
        self._is_decided = False
        self._size = 0
        self._failed: set[str] = set()
        self._seconds: dict[str, float] = {}
        self._migrating: dict[str, str] = {}

    def handle(self, result: Result) -> list[str]:
        """The lines to show for a result; none for most."""
        if not result.action.startswith(_PREFIX):
            return []
        handler = getattr(self, "_handle_" + result.action[len(_PREFIX) :], None)
        lines = handler(result) if handler else ()
        return [f"{_format_clock(self._clock())} {to_printable(line)}" for line in lines]

    def format_batch(self) -> list[str]:
        """The state of the running batch, to be redrawn; nothing where none runs."""
        if not self._running:
            return []
        finished, migrating = self._finished, len(self._migrating)
        failed = f" ({len(self._failed)} failed)" if self._failed else ""
        slow = f", {migrating} of them slow to migrate" if migrating else ""
        return [
            f"{self._name}, since {_format_clock(self._started)}{self._format_estimate()}",
            (
                f"{format_count(range(self._size), 'host')}: {finished} finished{failed}, "
                f"{len(self._running)} running{slow}"
            ),
            *(
                f"  {to_printable(name)}: {to_one_line(text)}"
                for name, text in itertools.islice(self._migrating.items(), _SLOWEST)
            ),
            *([f"  and {migrating - _SLOWEST} more"] if migrating > _SLOWEST else []),
        ]

    def has_failed(self, host: str) -> bool:
        """Whether a failure of this host was shown already in this batch."""
        return host in self._failed

    def _handle_rollout_begin(self, result: Result) -> list[str]:
        if result.kind == "ok":
            self._batches_left = len(result.data["sizes"])
        return []

    def _handle_rollout_admit(self, result: Result) -> list[str]:
        if result.kind != "ok" or not result.data["go"]:
            return []
        starts = result.data["start"]
        self._wave, self._started = result.data["wave_name"], self._clock()
        self._started_here = set(starts)
        self._running, self._size = set(starts), len(starts)
        self._is_decided = False
        self._failed.clear()
        self._seconds.clear()
        self._migrating.clear()
        if not starts:
            return [f"{self._name}: all hosts were started before; its gate is next"]
        count = format_count(starts, "host")
        return [f"{self._name}: starting {count}: {abbreviate(starts)}{self._format_estimate()}"]

    def _handle_rollout_patch(self, result: Result) -> list[str]:
        """A run was started on a host, or was not; or it was asked whether that has ended."""
        # Of a next boot there is no progress.
        if result.step == "confirm":
            return []
        if "results" in result.data:
            # Of hosts that were slow, in a loop
            each = (
                result._replace(host=str(item[MEMBER]["host"]), data=item, kind=_get_kind(item))
                for item in result.data["results"]
            )
            return [line for item in each for line in self._handle_rollout_patch(item)]
        if result.step == "start":
            return self._record_failure(result) if result.kind in ("failed", "unreachable") else []
        return self._handle_collected(result)

    def _handle_collected(self, result: Result) -> list[str]:
        if result.kind == "retry" and result.host in self._slow:
            # In a loop: it is not known which host was asked.
            return []
        if result.host in self._slow:
            self._slow.discard(result.host)
            self._running.add(result.host)
        if result.host not in self._running:
            return []
        if result.kind == "retry":
            return self._record_migration(result)
        self._migrating.pop(result.host, None)
        if result.data.get("in_flight"):
            self._running.discard(result.host)
            self._slow.add(result.host)
            return []
        job = (result.data.get("livepatch") or {}).get("job") or {}
        if result.kind in ("failed", "unreachable"):
            return self._record_failure(result)
        self._running.discard(result.host)
        if job.get("failed"):
            self._failed.add(result.host)
            reason = to_one_line(str(job.get("msg")))
            return [f"{self._name}: {result.host}: {reason}{self._format_remaining()}"]
        seconds = (job.get("transition") or {}).get("seconds")
        if seconds is not None:
            self._seconds[result.host] = float(seconds)
        if self._size <= _SMALL_BATCH:
            state = result.data["livepatch"]["state"]
            duration = "" if seconds is None else f", migrated in {seconds} s"
            return [f"{self._name}: {result.host}: {state}{duration}{self._format_remaining()}"]
        finished = self._finished
        if finished * 10 // self._size == (finished - 1) * 10 // self._size:
            return []
        return [f"{self._name}: {finished} of {self._size} hosts finished, {len(self._failed)} failed"]

    def _record_migration(self, result: Result) -> list[str]:
        livepatch = result.data.get("livepatch")
        if not livepatch or not livepatch["transition"]["running"]:
            self._migrating.pop(result.host, None)
            return []
        left = format_count(range(livepatch["evidence"]["threads_left"]), "thread")
        blockers = "; ".join("{command} ({class})".format(**blocker) for blocker in livepatch["blockers"][:_SLOWEST])
        seconds = round(self._clock() - self._started)
        text = f"still migrating after {seconds} s, {left} left" + (f", blocked by {blockers}" if blockers else "")
        if self._redraws:
            self._migrating[result.host] = text
            return []
        return [f"{self._name}: {result.host}: {text}"]

    def _record_failure(self, result: Result) -> list[str]:
        if result.host not in self._running:
            return []
        self._running.discard(result.host)
        self._failed.add(result.host)
        reason = _task_errors.describe_error(dict(result.data, **{result.kind: True}), result.variables)
        return [f"{self._name}: {result.host}: {reason}{self._format_remaining()}"]

    def _handle_rollout_assess(self, result: Result) -> list[str]:
        if result.kind != "ok":
            return []
        if result.step == "rollback":
            # The verdict on a wave is shown by its gate, as is any error; that on a rollback is not.
            return [] if "error" in result.data else [result.data["verdict"]]
        lines = self._format_batch_end() if result.step == "batch" else []
        if result.step in ("batch", "slow"):
            lines += self._format_soak(result.data["soak"])
        if "status" in result.data and not self._is_decided:
            self._is_decided = True
            self._batches_left -= 1
            self._batch_seconds.append(self._clock() - self._started)
            names = result.data["rollback"]
            if names:
                lines.append(f"{self._name}: rolling back {format_count(names, 'host')}: {abbreviate(names)}")
        return lines

    def _format_batch_end(self) -> list[str]:
        if self._size <= _SMALL_BATCH:
            return []
        slow = sorted(self._seconds, key=self._seconds.__getitem__, reverse=True)[:_SLOWEST]
        slowest = ", ".join(f"{name} {self._seconds[name]} s" for name in slow)
        failed = len(self._failed) + len(self._running)
        in_flight = f", {len(self._slow)} in flight still" if self._slow else ""
        return [
            f"{self._name}: {self._finished} hosts finished, {failed} failed{in_flight}"
            + (f"; slowest: {slowest}" if slow else "")
        ]

    @property
    def _finished(self) -> int:
        """How many hosts of the batch have ended, whatever became of them."""
        return self._size - len(self._running) - len(self._slow & self._started_here)

    def _format_soak(self, soak: t.Mapping[str, t.Any]) -> list[str]:
        times = soak["probes"]
        if not times:
            return []
        probes = ", ".join(map(_format_clock, times))
        return [f"{self._name}: soaking until {_format_clock(times[-1])}, health checks at {probes}"]

    def _format_remaining(self) -> str:
        return f" ({len(self._running)} of {self._size} left)" if self._running else ""

    def _format_estimate(self) -> str:
        """When the rollout may finish, from the duration of its batches so far."""
        if not self._batch_seconds:
            return ""
        seconds = self._batches_left * sum(self._batch_seconds) / len(self._batch_seconds)
        more = self._batches_left - 1
        after = f"{format_count(range(more), 'batch', 'batches')} after this one" if more else "the last batch"
        return f" ({after}; expected to finish at {_format_clock(self._clock() + seconds)})"

    @property
    def _name(self) -> str:
        return self._wave[0].upper() + self._wave[1:]


def _get_kind(item: t.Mapping[str, t.Any]) -> str:
    """That of a result in a loop."""
    return "unreachable" if item.get("unreachable") else "failed" if item.get("failed") else "ok"


def _format_clock(at: float) -> str:
    """In the local time of the control node, which is that of its terminal."""
    return datetime.datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
