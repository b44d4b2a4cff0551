# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is true of a fleet, at a glance. PRIVATE to the collection. Pure.

Hosts of which the same is true are one row, and one line among the problems, so that 1,000 hosts fit on a page.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._state import ACTIVE, PATCHABLE
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _jmespath, _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    NOTHING,
    abbreviate,
    format_count,
    format_table,
    shorten_build_id,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hosts, hostvars
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host

# Worst first, for what a person reads at night
STATES = (
    "crashed",
    "unknown",
    "conflict",
    "mismatch",
    "stalled",
    "transitioning",
    "not_covered",
    "installed",
    "unpatched",
    "outdated",
    "baseline",
    "patched",
)
# States that a rollout mends, if a KMP is there
_USUAL = (*ACTIVE, *PATCHABLE)
# What a person does about a state whose reason does not say so itself
_ADVICE = {
    "crashed": "look at its console and its log; clear its journal when you know why (module livepatch_journal)",
    "transitioning": "wait, and ask again",
}
# What the state rests on, as far as the report keeps it
_EVIDENCE = (
    "match",
    "package",
    "signature",
    "target_release",
    "image_matches_running",
    "patch",
    "enabled",
    "transition",
    "module_build_id",
    "module_signer",
    "functions",
)
# Kinds of problems on a page; who wants them all has the JSON
_PROBLEMS = 30


@dataclasses.dataclass(frozen=True)
class Row:
    """What is true of one host. ``kmp``: the active one, as name-evr. What could not be measured is None.

    ``overdue_days``: for how long what the host ought to have has been there, 0 where it has it. ``problems``: what a
    person has to look at, each with the way out.
    """

    name: str
    state: str
    reason: str
    address: str | None = None
    release: str | None = None
    build_id: str | None = None
    kmp: str | None = None
    level: int | None = None
    wanted: int | None = None
    up_to_date: bool | None = None
    overdue_days: int | None = None
    cves_open: tuple[str, ...] | None = None
    cves_fixed: tuple[str, ...] | None = None
    threads_left: int | None = None
    persistent: bool | None = None
    covered_until: str | None = None
    domains: tuple[str, ...] = ()
    evidence: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def migration(self) -> str | None:
        if self.state not in ("stalled", "transitioning"):
            return None
        left = "?" if self.threads_left is None else str(self.threads_left)
        return f"{'stalled' if self.state == 'stalled' else 'runs'}, {left} left"

    @property
    def next_boot(self) -> str | None:
        return None if self.persistent is None else "keeps it" if self.persistent else "loses it"


def to_day(now: float) -> datetime.date:
    return datetime.datetime.fromtimestamp(now, datetime.timezone.utc).date()


def build_rows(variables: hostvars.Variables, selection: hosts.HostSelection, now: float) -> list[Row]:
    """What is true of the hosts by what they said last."""
    found, today = [], to_day(now)
    for name, of_host in variables.items():
        result = hostvars.latest(of_host)
        try:
            found.append(build_row(hosts.parse_host(name, of_host, result, selection), of_host, result, today))
        except PlanError as exc:
            # One host's variable is no reason not to tell of the others.
            found.append(Row(name, "unknown", str(exc), problems=(f"unknown: {exc}",)))
    return found


def build_row(
    host: Host, variables: t.Mapping[str, t.Any], result: t.Mapping[str, t.Any] | None, today: datetime.date
) -> Row:
    """:param result: what livepatch_survey has told of the host."""
    address = _task_errors.format_address(variables)
    if result is None or "livepatch" not in result:
        return Row(
            host.name,
            host.state,
            host.reason,
            address,
            domains=host.domains,
            problems=(f"{host.state}: {host.reason}",),
        )
    livepatch, kmp = result["livepatch"], result["kmp"]
    told, evidence = livepatch["compliance"], livepatch["evidence"]
    package = kmp["installed"]
    return Row(
        host.name,
        host.state,
        host.reason,
        address,
        release=host.release,
        build_id=host.build_id,
        kmp=f"{package['name']}-{package['evr']}" if package and host.state in ACTIVE else None,
        level=host.level,
        wanted=told["wanted"],
        up_to_date=told["up_to_date"],
        overdue_days=_overdue(told["up_to_date"], kmp["selected"], today),
        cves_open=_tuple(told["cves_open"]),
        cves_fixed=_tuple(told["cves_fixed"]),
        threads_left=evidence["threads_left"],
        persistent=livepatch["persistent"],
        covered_until=told["covered_until"],
        domains=host.domains,
        evidence={key: evidence[key] for key in _EVIDENCE if evidence.get(key) is not None},
        problems=tuple(_problems(host, livepatch)),
    )


def _tuple(given: t.Any) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)


def _overdue(up_to_date: bool | None, selected: t.Mapping[str, t.Any] | None, today: datetime.date) -> int | None:
    if up_to_date is True:
        return 0
    issued = selected["issued"] if selected else None
    return max(0, (today - datetime.date.fromisoformat(issued)).days) if issued else None


def _problems(host: Host, livepatch: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if host.state not in _USUAL or host.refused:
        advice = _ADVICE.get(host.state)
        yield f"{host.state}: {host.reason}" + (f"; {advice}" if advice else "")
    for blocker in livepatch["blockers"]:
        yield "held by {command} (thread {tid}, {class}): {advice}".format(**blocker)
    if host.state in ACTIVE:
        for missing in (livepatch["next_boot"] or {}).get("missing", ()):
            yield f"the next boot loses the patch: {missing}"
    if livepatch["health"]["verdict"] == "fail":
        for problem in livepatch["health"]["problems"]:
            yield "since the patch: {what}: {text}".format(**problem)


#
# For people
#


def format_status(rows: t.Sequence[Row], today: datetime.date) -> list[str]:
    """The fleet as a table, what to look at, who has to reboot until when, and a line that sums up."""
    return [*_table(rows), *_told(rows), *_calendar(rows, today), "", _summary(rows)]


def _table(rows: t.Sequence[Row]) -> list[str]:
    alike: dict[tuple[t.Any, ...], list[str]] = {}
    for row in sorted(rows, key=_place):
        alike.setdefault(tuple(tell(row) for tell in _COLUMNS.values()), []).append(row.name)
    # A column in which nothing is told, as that of migrations mostly, only makes the table wide.
    told = [place for place in range(len(_COLUMNS)) if any(cells[place] is not None for cells in alike)]
    head = [list(_COLUMNS)[place] for place in told]
    return format_table(
        [*head, "HOSTS", ""],
        [[*(cells[place] for place in told), len(names), abbreviate(names, 3)] for cells, names in alike.items()],
    )


def _level(row: Row) -> str | None:
    if row.wanted is None or row.wanted == row.level:
        return None if row.level is None else str(row.level)
    return f"{NOTHING if row.level is None else row.level} -> {row.wanted}"


_COLUMNS: dict[str, t.Callable[[Row], t.Any]] = {
    "STATE": lambda row: row.state,
    "KERNEL": lambda row: row.release,
    "BUILD ID": lambda row: shorten_build_id(row.build_id),
    "LEVEL": _level,
    "OPEN CVES": lambda row: None if row.cves_open is None else len(row.cves_open),
    "MIGRATION": lambda row: row.migration,
    "NEXT BOOT": lambda row: row.next_boot,
    "COVERED UNTIL": lambda row: row.covered_until,
}


def _place(row: Row) -> tuple[t.Any, ...]:
    return STATES.index(row.state), row.release or "", row.build_id or "", row.level or 0, row.name


def _told(rows: t.Sequence[Row]) -> list[str]:
    """The problems. What differs by the host's own address only is the same."""
    alike: dict[str, list[tuple[str, str]]] = {}
    for row in sorted(rows, key=_place):
        for problem in row.problems:
            common = problem.replace(row.address, "its address") if row.address else problem
            alike.setdefault(common, []).append((row.name, problem))
    told = []
    for common, some in alike.items():
        problem = some[0][1] if len(some) == 1 else common
        told.append(f"  {abbreviate([name for name, _problem in some], 3)}: {_task_errors.to_one_line(problem)}")
    more = len(told) - _PROBLEMS
    if more > 0:
        told[_PROBLEMS:] = [f"  and {more} others: -e livepatch_output=json shows them all"]
    return ["", "Problems:", *told] if told else []


def _calendar(rows: t.Sequence[Row], today: datetime.date) -> list[str]:
    """Until when hosts must have rebooted into a newer kernel, week by week: then their live patches end."""
    weeks: dict[str, list[Row]] = collections.defaultdict(list)
    for row in rows:
        if row.covered_until is not None:
            year, number, _day = datetime.date.fromisoformat(row.covered_until).isocalendar()
            weeks[f"{year}-W{number:02}"].append(row)
    told = []
    for week, some in sorted(weeks.items()):
        last = min(str(row.covered_until) for row in some)
        when = "over since" if last < today.isoformat() else "until"
        names = abbreviate(sorted(row.name for row in some), 3)
        told.append(f"  {week}, {when} {last}: {format_count(some, 'host')}: {names}")
    return ["", "Live patches end, a reboot into a newer kernel is due:", *told] if told else []


def _summary(rows: t.Sequence[Row]) -> str:
    counts = collections.Counter(row.state for row in rows)
    told = [f"{count} {state}" for state, count in sorted(counts.items(), key=lambda one: STATES.index(one[0]))]
    vulnerable = [row for row in rows if row.cves_open]
    if vulnerable:
        open_ = {cve for row in vulnerable for cve in row.cves_open or ()}
        told.append(f"{format_count(vulnerable, 'host')} with {format_count(open_, 'open CVE')}")
    return f"{format_count(rows, 'host')}: {', '.join(told)}"


#
# For programs, and for who insists on something
#


def to_document(rows: t.Sequence[Row]) -> dict[str, t.Any]:
    counts = collections.Counter(row.state for row in rows)
    return {
        "hosts": [dataclasses.asdict(row) for row in sorted(rows, key=lambda row: row.name)],
        "counts": {state: counts[state] for state in STATES},
    }


def check_assertions(rows: t.Sequence[Row], required: t.Sequence[str]) -> str | None:
    """Why the fleet is not as it is required to be, in one line; None where it is.

    :param required: JMESPath over the document, each of which must give true.
    :raises PlanError: one of them is not JMESPath, or gives something else than true or false.
    """
    if not required:
        return None
    # As JSON has it: JMESPath does not know tuples.
    document = json.loads(json.dumps(to_document(rows)))
    failed = []
    for text in required:
        value = _jmespath.search_data(
            _jmespath.compile_expression("livepatch_assertions", text), document, "livepatch_assertions"
        )
        if not isinstance(value, bool):
            raise PlanError(
                f"livepatch_assertions: {text!r} gives {json.dumps(value)[:80]}, neither true nor false. Compare it "
                "with something, as in: length(hosts[?state != 'patched']) == `0`"
            )
        if not value:
            failed.append(text)
    # Of these nothing is known, so that nothing that is required of all hosts can be said to hold.
    unknown = sorted(row.name for row in rows if row.state == "unknown")
    told = [f"this does not hold: {text}" for text in failed]
    if unknown:
        told.append(f"of {format_count(unknown, 'host')} nothing is known ({abbreviate(unknown)})")
    return f"livepatch_assertions: {'; '.join(told)}" if told else None
