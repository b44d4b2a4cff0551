# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a rollout gets on, line by line, from the results of its tasks as they come. PRIVATE to the collection. Pure."""

from __future__ import annotations

import datetime
import itertools
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import abbreviate, format_count
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import budgets

_OURS = "fleet.livepatch."
# In a batch of at most so many, each host is told when it has ended; in a larger one each tenth of them.
_FEW = 10
# The slowest hosts of a batch that are named
_SLOWEST = 3


class Result(t.NamedTuple):
    """A task's result on a host. ``of``: the option of that name, by which steps of one module differ."""

    host: str
    action: str
    of: str | None
    data: t.Mapping[str, t.Any]
    kind: str  # ok, failed, unreachable, retry
    variables: t.Mapping[str, t.Any] = {}


class Progress:
    """:param clock: seconds since the epoch.
    :param redraws: who migrates is shown by ``now``, and not told line by line.
    """

    def __init__(self, clock: t.Callable[[], float], redraws: bool = False) -> None:
        self._clock = clock
        self._redraws = redraws
        self._document: t.Mapping[str, t.Any] = {"waves": []}
        self._batches_left = 0
        self._batch_seconds: list[float] = []
        self._wave = 0
        self._began = 0.0
        self._running: set[str] = set()
        self._size = 0
        self._failed: set[str] = set()
        self._seconds: dict[str, float] = {}
        self._migrating: dict[str, str] = {}

    def of(self, result: Result) -> list[str]:
        """What there is to tell people of a result; nothing of most."""
        if not result.action.startswith(_OURS):
            return []
        told = getattr(self, "_of_" + result.action[len(_OURS) :], None)
        return [f"{_clock(self._clock())} {line}" for line in (told(result) if told else ())]

    def now(self) -> list[str]:
        """What is true of the batch that runs, for who draws it anew again and again; nothing where none runs."""
        if not self._running:
            return []
        ended, migrate = self._size - len(self._running), len(self._migrating)
        badly = f" ({len(self._failed)} badly)" if self._failed else ""
        slowly = f", {migrate} of them slow to migrate" if migrate else ""
        return [
            f"{self._name}, since {_clock(self._began)}{self._end()}",
            (
                f"{format_count(range(self._size), 'host')}: {ended} ended{badly}, "
                f"{len(self._running)} under way{slowly}"
            ),
            *(f"  {name}: {how}" for name, how in itertools.islice(self._migrating.items(), _SLOWEST)),
            *([f"  and {migrate - _SLOWEST} more"] if migrate > _SLOWEST else []),
        ]

    def knows(self, host: str) -> bool:
        """Whether it was told already that something went wrong on a host of this batch."""
        return host in self._failed

    def _of_livepatch_plan(self, result: Result) -> list[str]:
        if result.kind == "ok" and "rollout" in result.data:
            self._document = result.data["rollout"]["document"]
            self._batches_left = len(result.data["rollout"]["batches"])
        return []

    # A slice begins with this
    _of_livepatch_slice = _of_livepatch_plan

    def _of_rollout_admit(self, result: Result) -> list[str]:
        if result.kind != "ok" or not result.data["go"]:
            return []
        starts = result.data["start"]
        self._wave, self._began = result.data["wave"], self._clock()
        self._running, self._size = set(starts), len(starts)
        self._failed.clear()
        self._seconds.clear()
        self._migrating.clear()
        if not starts:
            return [f"{self._name}: its hosts have had their turn, its gate has not"]
        count = format_count(starts, "host starts", "hosts start")
        return [f"{self._name}: {count}: {abbreviate(starts)}{self._end()}"]

    def _of_livepatch(self, result: Result) -> list[str]:
        """The detached run was started, or was not."""
        return self._bad(result) if result.kind in ("failed", "unreachable") else []

    def _of_livepatch_info(self, result: Result) -> list[str]:
        """A host was asked what became of the run."""
        if result.host not in self._running:
            return []
        if result.kind == "retry":
            return self._waits(result)
        self._migrating.pop(result.host, None)
        job = (result.data.get("livepatch") or {}).get("job") or {}
        if result.kind in ("failed", "unreachable"):
            return self._bad(result)
        self._running.discard(result.host)
        if job.get("failed"):
            self._failed.add(result.host)
            return [f"{self._name}: {result.host}: {_task_errors.to_one_line(str(job.get('msg')))}{self._left()}"]
        seconds = (job.get("transition") or {}).get("seconds")
        if seconds is not None:
            self._seconds[result.host] = float(seconds)
        if self._size <= _FEW:
            state = result.data["livepatch"]["state"]
            took = "" if seconds is None else f", migrated in {seconds} s"
            return [f"{self._name}: {result.host}: {state}{took}{self._left()}"]
        ended = self._size - len(self._running)
        if ended * 10 // self._size == (ended - 1) * 10 // self._size:
            return []
        return [f"{self._name}: {ended} of {self._size} have ended, {len(self._failed)} of them badly"]

    def _waits(self, result: Result) -> list[str]:
        livepatch = result.data.get("livepatch")
        if not livepatch or not livepatch["transition"]["running"]:
            self._migrating.pop(result.host, None)
            return []
        left = format_count(range(livepatch["evidence"]["threads_left"]), "thread")
        held = "; ".join("{command} ({class})".format(**one) for one in livepatch["blockers"][:_SLOWEST])
        after = round(self._clock() - self._began)
        how = f"migrates, {after} s after the start, {left} left" + (f", held by {held}" if held else "")
        if self._redraws:
            self._migrating[result.host] = how
            return []
        return [f"{self._name}: {result.host}: {how}"]

    def _bad(self, result: Result) -> list[str]:
        if result.host not in self._running:
            return []
        self._running.discard(result.host)
        self._failed.add(result.host)
        why = _task_errors.describe_error(dict(result.data, **{result.kind: True}), result.variables)
        return [f"{self._name}: {result.host}: {why}{self._left()}"]

    def _of_rollout_assess(self, result: Result) -> list[str]:
        if result.kind != "ok":
            return []
        if result.of == "batch":
            return [*self._ended(), *self._soaks(result.data["soak"])]
        if result.of == "wave":
            self._batches_left -= 1
            self._batch_seconds.append(self._clock() - self._began)
            going = result.data["rollback"]
            return (
                [f"{self._name}: {format_count(going, 'host goes', 'hosts go')} back: {abbreviate(going)}"]
                if going
                else []
            )
        # The verdict on a wave is told by the gate itself, that on a way back by nobody else.
        return [result.data["verdict"]] if result.of == "rollback" else []

    def _ended(self) -> list[str]:
        if self._size <= _FEW:
            return []
        slow = sorted(self._seconds, key=self._seconds.__getitem__, reverse=True)[:_SLOWEST]
        slowest = ", ".join(f"{name} {self._seconds[name]} s" for name in slow)
        bad = len(self._failed) + len(self._running)
        return [
            f"{self._name}: {self._size} have ended, {bad} of them badly" + (f"; slowest: {slowest}" if slow else "")
        ]

    def _soaks(self, soak: t.Mapping[str, t.Any]) -> list[str]:
        times = soak["probes"]
        if not times:
            return []
        return [f"{self._name}: soaks until {_clock(times[-1])}, asked {', '.join(map(_clock, times))}"]

    def _left(self) -> str:
        return f" ({len(self._running)} of {self._size} left)" if self._running else ""

    def _end(self) -> str:
        """When the rollout may have ended, by how long its batches took so far."""
        if not self._batch_seconds:
            return ""
        seconds = self._batches_left * sum(self._batch_seconds) / len(self._batch_seconds)
        more = self._batches_left - 1
        after = f"{format_count(range(more), 'batch', 'batches')} after it" if more else "the last ones"
        return f" ({after}; the end is expected at {_clock(self._clock() + seconds)})"

    @property
    def _name(self) -> str:
        name = budgets.format_wave_name(self._document, self._wave)
        return name[0].upper() + name[1:]


def _clock(at: float) -> str:
    """The control node's own time: of who looks at its terminal."""
    return datetime.datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
