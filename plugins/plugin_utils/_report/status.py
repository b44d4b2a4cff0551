# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a fleet at a glance. PRIVATE to the collection. Pure.

Hosts in the same state share a row, and a line among the problems, so that 1,000 hosts fit on a page.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._state import ACTIVE, PATCHABLE
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _jmespath, _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.kmp import Kmp, Package
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.livepatch import Livepatch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.states import STATES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    NOTHING,
    abbreviate,
    format_count,
    format_table,
    shorten_build_id,
    to_one_line,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hosts, hostvars, kmp_locks, schema
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.drift import Drift
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host

# States that a rollout ends by itself, if a KMP is available
_ORDINARY = (*ACTIVE, *PATCHABLE)
# What to do about a state whose reason does not say so itself
_ADVICE = {
    "crashed": "read its console and log, then clear its journal (module livepatch_journal)",
    "transitioning": "wait, then run status again",
}
# The evidence of the state that the report keeps
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
# Different problems in the text; the JSON has all of them
_MAX_PROBLEMS = 30


@dataclasses.dataclass(frozen=True)
class Row:
    """One host. What could not be measured is None."""

    name: str
    state: str
    reason: str
    address: str | None = None
    release: str | None = None
    build_id: str | None = None
    kmp: str | None = None  # the active one, as name-evr
    level: int | None = None
    wanted: int | None = None  # the level that the policy selects
    up_to_date: bool | None = None  # against the wanted level
    overdue_days: int | None = None  # for how long the wanted level has been available, 0 where it is active
    cves_open: tuple[str, ...] | None = None
    cves_fixed: tuple[str, ...] | None = None
    threads_left: int | None = None
    persistent: bool | None = None
    covered_until: str | None = None
    domains: tuple[str, ...] = ()
    drift: Drift | None = None  # where no rollout of the scope has put the KMP there
    evidence: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    problems: tuple[str, ...] = ()  # what needs an operator, each with what to do

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


def build_rows(
    variables: hostvars.Variables,
    selection: hosts.HostSelection,
    now: float,
    drifts: t.Mapping[str, Drift],
) -> list[Row]:
    """The rows of the hosts, from the latest answer of each.

    :param drifts: by host.
    """
    rows, today = [], to_day(now)
    answers = hostvars.get_latest_answers(variables)
    for name, host_variables in variables.items():
        answer = answers[name]
        try:
            host = hosts.parse_host(name, host_variables, answer, selection)
            rows.append(dataclasses.replace(build_row(host, host_variables, answer, today), drift=drifts.get(name)))
        except PlanError as exc:
            # One host's wrong variable must not hide the others.
            rows.append(Row(name, "unknown", str(exc), problems=(f"unknown: {exc}",)))
    return rows


def build_row(host: Host, variables: t.Mapping[str, t.Any], answer: Answer | None, today: datetime.date) -> Row:
    """:param answer: the host's to livepatch_info."""
    address = _task_errors.format_address(variables)
    facts = answer.facts if answer else None
    if facts is None:
        return Row(
            host.name,
            host.state,
            host.reason,
            address,
            domains=host.domains,
            problems=(f"{host.state}: {host.reason}",),
        )
    livepatch, compliance, installed = facts.livepatch, facts.livepatch.compliance, facts.kmp.installed
    evidence = livepatch.evidence
    return Row(
        host.name,
        host.state,
        host.reason,
        address,
        release=host.release,
        build_id=host.build_id,
        kmp=str(installed) if installed and host.state in ACTIVE else None,
        level=host.level,
        wanted=compliance.wanted,
        up_to_date=compliance.up_to_date,
        overdue_days=_count_overdue(compliance.up_to_date, facts.kmp.selected, today),
        cves_open=compliance.cves_open,
        cves_fixed=compliance.cves_fixed,
        threads_left=livepatch.threads_left,
        persistent=livepatch.persistent,
        covered_until=compliance.covered_until,
        domains=host.domains,
        evidence={key: evidence[key] for key in _EVIDENCE if evidence.get(key) is not None},
        problems=(*_list_problems(host, livepatch), *_list_lock_problems(facts.kmp, variables)),
    )


def _count_overdue(up_to_date: bool | None, selected: Package | None, today: datetime.date) -> int | None:
    if up_to_date is True:
        return 0
    issued = selected.issued if selected else None
    return max(0, (today - datetime.date.fromisoformat(issued)).days) if issued else None


def _list_problems(host: Host, livepatch: Livepatch) -> t.Iterator[str]:
    if host.state not in _ORDINARY or host.refused:
        advice = _ADVICE.get(host.state)
        yield f"{host.state}: {host.reason}" + (f"; {advice}" if advice else "")
    for blocker in livepatch.blockers:
        yield f"blocked by {blocker}"
    if host.state in ACTIVE:
        for missing in livepatch.missing:
            yield f"the next boot will not load the patch: {missing}"
    if livepatch.health.verdict == "fail":
        for problem in livepatch.health.problems:
            yield f"since the patch: {problem}"


def _list_lock_problems(kmp: Kmp, variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    for reason in kmp.kept_back:
        yield f"a lock that is not the collection's keeps back {reason}"
    if kmp_locks.is_different(kmp.lock, True) and schema.read(variables, "livepatch_lock"):
        yield "others can install KMPs here, since it is not locked yet (livepatch_lock): the next rollout locks it"


#
# Text
#


def format_status(rows: t.Sequence[Row], today: datetime.date, drift: t.Sequence[str] = ()) -> list[str]:
    """The fleet as a table, its problems, drift, the calendar of reboots, and a summary.

    :param drift: the lines about it.
    """
    return [
        *_format_table(rows),
        *_format_problems(rows),
        *(["", *drift] if drift else []),
        *_format_calendar(rows, today),
        "",
        _format_summary(rows),
    ]


def _format_table(rows: t.Sequence[Row]) -> list[str]:
    alike: dict[tuple[t.Any, ...], list[str]] = {}
    for row in sorted(rows, key=_get_sort_key):
        alike.setdefault(tuple(get_cell(row) for get_cell in _COLUMNS.values()), []).append(row.name)
    # An empty column, such as that of migrations mostly, only makes the table wide.
    used = [column for column in range(len(_COLUMNS)) if any(cells[column] is not None for cells in alike)]
    head = [list(_COLUMNS)[column] for column in used]
    return format_table(
        [*head, "HOSTS", ""],
        [[*(cells[column] for column in used), len(names), abbreviate(names, 3)] for cells, names in alike.items()],
    )


def _format_level(row: Row) -> str | None:
    if row.wanted is None or row.wanted == row.level:
        return None if row.level is None else str(row.level)
    return f"{NOTHING if row.level is None else row.level} -> {row.wanted}"


_COLUMNS: dict[str, t.Callable[[Row], t.Any]] = {
    "STATE": lambda row: row.state,
    "KERNEL": lambda row: row.release,
    "BUILD ID": lambda row: shorten_build_id(row.build_id),
    "LEVEL": _format_level,
    "OPEN CVES": lambda row: None if row.cves_open is None else len(row.cves_open),
    "MIGRATION": lambda row: row.migration,
    "NEXT BOOT": lambda row: row.next_boot,
    "COVERED UNTIL": lambda row: row.covered_until,
}


def _get_sort_key(row: Row) -> tuple[t.Any, ...]:
    return STATES.index(row.state), row.release or "", row.build_id or "", row.level or 0, row.name


def _format_problems(rows: t.Sequence[Row]) -> list[str]:
    """Problems that differ in the host's own address only share a line."""
    alike: dict[str, list[tuple[str, str]]] = {}
    for row in sorted(rows, key=_get_sort_key):
        for problem in row.problems:
            common = problem.replace(row.address, "its address") if row.address else problem
            alike.setdefault(common, []).append((row.name, problem))
    lines = []
    for common, problems in alike.items():
        problem = problems[0][1] if len(problems) == 1 else common
        names = [name for name, _problem in problems]
        lines.append(f"  {abbreviate(names, 3)}: {to_one_line(problem)}")
    more = len(lines) - _MAX_PROBLEMS
    if more > 0:
        lines[_MAX_PROBLEMS:] = [f"  and {more} more: -e livepatch_output=json shows all of them"]
    return ["", "Problems:", *lines] if lines else []


def _format_calendar(rows: t.Sequence[Row], today: datetime.date) -> list[str]:
    """When live patches end, week by week: hosts must have rebooted into a newer kernel by then."""
    weeks: dict[str, list[Row]] = collections.defaultdict(list)
    for row in rows:
        if row.covered_until is not None:
            year, number, _day = datetime.date.fromisoformat(row.covered_until).isocalendar()
            weeks[f"{year}-W{number:02}"].append(row)
    lines = []
    for week, due in sorted(weeks.items()):
        last = min(str(row.covered_until) for row in due)
        when = "ended" if last < today.isoformat() else "end"
        names = abbreviate(sorted(row.name for row in due), 3)
        lines.append(f"  {week}, {when} on {last}: {format_count(due, 'host')}: {names}")
    return ["", "Live patches end, reboot into a newer kernel before then:", *lines] if lines else []


def _format_summary(rows: t.Sequence[Row]) -> str:
    counts = collections.Counter(row.state for row in rows)
    parts = [f"{counts[state]} {state}" for state in STATES if counts[state]]
    vulnerable = [row for row in rows if row.cves_open]
    if vulnerable:
        cves = {cve for row in vulnerable for cve in row.cves_open or ()}
        parts.append(f"{format_count(vulnerable, 'host')} with {format_count(cves, 'open CVE')}")
    return f"{format_count(rows, 'host')}: {', '.join(parts)}"


#
# Data, and assertions about it
#


def to_document(rows: t.Sequence[Row]) -> dict[str, t.Any]:
    counts = collections.Counter(row.state for row in rows)
    return {
        "hosts": [dataclasses.asdict(row) for row in sorted(rows, key=lambda row: row.name)],
        "counts": {state: counts[state] for state in STATES},
    }


def check_assertions(rows: t.Sequence[Row], assertions: t.Sequence[str]) -> str | None:
    """Which assertions do not hold, in one line; None where all hold.

    :param assertions: JMESPath expressions over the document, each of which must give true.
    :raises PlanError: an expression is not JMESPath, or its value is neither true nor false.
    """
    if not assertions:
        return None
    # Through JSON, since JMESPath does not know tuples
    document = json.loads(json.dumps(to_document(rows)))
    failed = []
    for expression in assertions:
        value = _jmespath.search_data(
            _jmespath.compile_expression("livepatch_assertions", expression), document, "livepatch_assertions"
        )
        if not isinstance(value, bool):
            raise PlanError(
                f"livepatch_assertions: {expression!r} gives {json.dumps(value)[:80]}, neither true nor false. "
                "Compare it, as in: length(hosts[?state != 'patched']) == `0`"
            )
        if not value:
            failed.append(expression)
    # An assertion about all hosts cannot be decided while one of them did not answer.
    unknown = sorted(row.name for row in rows if row.state == "unknown")
    problems = [f"assertion failed: {expression}" for expression in failed]
    if unknown:
        problems.append(f"the state of {format_count(unknown, 'host')} is unknown ({abbreviate(unknown)})")
    return f"livepatch_assertions: {'; '.join(problems)}" if problems else None
