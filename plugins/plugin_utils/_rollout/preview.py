# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run would do: which hosts get what in which wave, and what it waits for. PRIVATE to the collection. Pure."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._kmp_names import parse_level
from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import BEGUN
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    approvals,
    batches,
    budgets,
    change_windows,
    host_counts,
    timeouts,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Plan, PlannedCohort

# What holds a wave back, before and after it: settings of the rollout, without their prefix, and of the run
CONTROLS = ("approval", "approver_not_starter", "windows", "blackouts", "window_min_remaining", "soak", "gates")
SETTINGS = ("slices", "skip_gates")
# As what a host counts that this run would patch
TO_PATCH, IN_FLIGHT, CHANGED = "to patch", "in flight", "changed since"


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What the store has of a plan and its rollout."""

    # By host
    outcomes: t.Mapping[str, t.Mapping[str, t.Any]] = dataclasses.field(default_factory=dict)
    gates: t.Sequence[t.Mapping[str, t.Any]] = ()
    approvals: t.Sequence[t.Mapping[str, t.Any]] = ()
    # Who made the plan or started the rollout
    starters: t.Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Cohort:
    """Hosts that behave alike, and what they get."""

    id: str
    release: str | None
    build_id: str
    from_level: int | None
    to_level: int | None
    kmp: str
    hosts: int
    # Of them, those that this run would patch
    to_patch: int
    # What is open on them and closed by the KMP; None where no host that is to be patched says so
    cves: tuple[str, ...] | None


@dataclasses.dataclass(frozen=True)
class Share:
    """The hosts of one cohort in one wave."""

    cohort: str
    hosts: tuple[str, ...]
    # How many there are of each outcome, those that would be patched among them
    counts: t.Mapping[str, int]
    to_patch: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Wave:
    number: int
    name: str
    kind: str
    hosts: int
    # How many of them may fail, None for any number
    budget: int | None
    # Its gate has passed
    passed: bool
    shares: tuple[Share, ...]
    # Whether it is approved, in words; None where it needs no approval or has no host to patch
    approval: str | None
    # Whether that lets it start
    approved: bool
    # When it may start, by the windows; None where there are none or it has no host to patch
    window: str | None

    @property
    def to_patch(self) -> int:
        return sum(len(share.to_patch) for share in self.shares)


@dataclasses.dataclass(frozen=True)
class Preview:
    cohorts: tuple[Cohort, ...]
    waves: tuple[Wave, ...]
    # Counts of hosts that are shares, and what they come to
    rounded: tuple[str, ...]
    windows: tuple[str, ...]
    blackouts: tuple[str, ...]
    # What is asked after each wave
    soak: int
    gates: tuple[str, ...]
    # Hosts that were planned and are left for the next plan, by host
    changed: t.Mapping[str, str]
    # Hosts in no wave: those that need nothing, and the reasons of the others
    up_to_date: tuple[str, ...]
    left_out: t.Mapping[str, str]

    @property
    def to_patch(self) -> int:
        return sum(wave.to_patch for wave in self.waves)

    def as_document(self) -> dict[str, t.Any]:
        return {**dataclasses.asdict(self), "to_patch": self.to_patch}


def build_preview(
    plan: Plan,
    agenda: t.Sequence[batches.Batch],
    fleet: t.Mapping[str, Host],
    recorded: Recorded,
    options: t.Mapping[str, t.Any],
    settings: t.Mapping[str, HostSettings],
    now: float,
) -> Preview:
    """
    :param agenda: what is left to do of the plan.
    :param fleet: the hosts as they are now.
    :param options: the settings of CONTROLS and SETTINGS.
    :param settings: of the hosts.
    """
    starts = {name for batch in agenda if not batch.in_flight for name in batch.starts}
    changed = {name: why for batch in agenda for name, why in batch.changed.items()}
    states = dict.fromkeys(starts, TO_PATCH) | dict.fromkeys(changed, CHANGED)
    waves, passed = [], batches.list_passed_waves(recorded.gates)
    for number, names in enumerate(plan.waves):
        shares = _build_shares(plan, names, states, recorded.outcomes)
        starting = [name for name in names if name in starts]
        wave = _build_wave(plan, number, shares, starting, recorded, options, settings, now)
        waves.append(dataclasses.replace(wave, passed=number in passed))
    members: dict[str, list[str]] = {}
    for name in starts:
        members.setdefault(plan.hosts[name].cohort, []).append(name)
    up_to_date = {name for name in plan.left_out if name in fleet and fleet[name].up_to_date}
    return Preview(
        tuple(_build_cohort(cohort, members.get(id_, ()), fleet) for id_, cohort in plan.outline.cohorts.items()),
        tuple(waves),
        tuple(_describe_rounded(plan, fleet)),
        tuple(map(change_windows.describe_window, options["windows"])),
        tuple(map(change_windows.describe_blackout, options["blackouts"])),
        options["soak"],
        tuple(_describe_gate(gate, options["skip_gates"]) for gate in options["gates"]),
        changed,
        tuple(sorted(up_to_date)),
        {name: why for name, why in plan.left_out.items() if name not in up_to_date},
    )


def _build_cohort(cohort: PlannedCohort, members: t.Sequence[str], fleet: t.Mapping[str, Host]) -> Cohort:
    """:param members: those that are to be patched."""
    # Hosts alike have the same ones, unless their repositories differ.
    known = {fleet[name].cves for name in members if name in fleet}
    cves = {cve for each in known for cve in each or ()}
    return Cohort(
        cohort.id,
        cohort.release,
        cohort.build_id,
        cohort.level,
        compute_level(cohort.kmp),
        cohort.kmp,
        cohort.hosts,
        len(members),
        tuple(sorted(cves)) if any(each is not None for each in known) else None,
    )


def compute_level(kmp: str | None) -> int | None:
    """The level of a KMP, by its name-evr."""
    parts = (kmp or "").rsplit("-", 2)
    return parse_level(parts[0], f"{parts[1]}-{parts[2]}") if len(parts) == 3 else None


def _build_shares(
    plan: Plan,
    names: t.Sequence[str],
    states: t.Mapping[str, str],
    outcomes: t.Mapping[str, t.Mapping[str, t.Any]],
) -> tuple[Share, ...]:
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(plan.hosts[name].cohort, []).append(name)

    def get_state(name: str) -> str:
        outcome = outcomes.get(name, {}).get("outcome", "pending")
        return states.get(name) or {BEGUN: IN_FLIGHT}.get(outcome, str(outcome))

    return tuple(
        Share(
            cohort,
            tuple(hosts),
            dict(collections.Counter(map(get_state, hosts))),
            tuple(name for name in hosts if states.get(name) == TO_PATCH),
        )
        for cohort, hosts in members.items()
    )


def _build_wave(
    plan: Plan,
    number: int,
    shares: tuple[Share, ...],
    starting: t.Sequence[str],
    recorded: Recorded,
    options: t.Mapping[str, t.Any],
    settings: t.Mapping[str, HostSettings],
    now: float,
) -> Wave:
    approval, window = None, None
    if starting and approvals.is_needed(options["approval"], number):
        barred = recorded.starters if options["approver_not_starter"] else ()
        approval = approvals.check_approval(recorded.approvals, plan.hash, number, now, barred)
    if starting and (options["windows"] or options["blackouts"]):
        needed = options["window_min_remaining"]
        if needed is None:
            needed = timeouts.compute_window_seconds((settings[name] for name in starting), options["soak"])
        window = change_windows.check_windows(options["windows"], options["blackouts"], now, needed)
    planned = plan.outline.waves[number]
    return Wave(
        number,
        plan.outline.name_wave(number),
        planned.kind,
        planned.hosts,
        budgets.resolve_wave_budget(plan.outline, number),
        False,
        shares,
        approval.text if approval else None,
        approval is None or approval.verdict == "pass",
        window.text if window else None,
    )


def _describe_rounded(plan: Plan, fleet: t.Mapping[str, Host]) -> t.Iterator[str]:
    """What shares come to, each by the setting that has it."""
    settings, total = plan.outline.settings.document, plan.outline.hosts
    sizes = [cohort.hosts for cohort in plan.outline.cohorts.values()]
    places = {
        key: collections.Counter(place for name in plan.hosts if name in fleet for place in getattr(fleet[name], key))
        for key in ("domains", "groups")
    }
    waves = [
        host_counts.describe_share(size, total, host_counts.resolve_size(size, total)) for size in settings["waves"]
    ]
    if any(size.endswith("%") for size in settings["waves"]):
        yield f"livepatch_waves: {'; '.join(waves)}"
    for name, count, subject, totals in (
        ("canaries", settings["canaries"], "each cohort", sizes),
        ("max_per_wave", settings["max_per_wave"], "the planned hosts", [total]),
        ("max_per_domain", settings["max_per_domain"], "each failure domain", places["domains"].values()),
        ("max_per_group", settings["max_per_group"], "each service", places["groups"].values()),
    ):
        if count and count.endswith("%") and totals:
            resolved = [host_counts.resolve_size(count, each) for each in totals]
            yield f"livepatch_{name}: {count} of {subject}, rounded down, 1 at least: {_format_range(resolved)}"
    wave_sizes = [wave.hosts for wave in plan.outline.waves if not wave.is_strict]
    for kind, subject, totals in (
        ("wave", "each wave", wave_sizes),
        ("batch", "each batch", []),
        ("cohort", "each cohort", sizes),
        ("rollout", "the planned hosts", [total]),
        ("lost", "the planned hosts", [total]),
        ("unreachable", "all hosts", [len(fleet)]),
    ):
        count = plan.outline.settings.budgets[kind]
        if count and count.endswith("%"):
            resolved = [host_counts.resolve_count(count, each) or 0 for each in totals]
            name = "livepatch_budget" if kind == "wave" else f"livepatch_budget_{kind}"
            yield f"{name}: {count} of {subject}, rounded down" + (f": {_format_range(resolved)}" if resolved else "")


def _format_range(numbers: t.Collection[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _describe_gate(gate: t.Mapping[str, t.Any], skipped: t.Mapping[str, t.Any]) -> str:
    """A gate without its other options, which may hold secrets."""
    reason = skipped.get(gate["name"])
    return f"{gate['name']} ({gate['type']}" + (f", skipped: {reason})" if reason else ")")
