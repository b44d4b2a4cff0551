# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an entry of the quarantine bars: the same when a rollout is planned, and when a batch of it starts."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

import pytest
from ansible import constants

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    admission,
    host_settings,
    planning,
    quarantine,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.batches import Batch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.person import Person
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Plan
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings, read_defaults
from tests.support.plans import make_step

KMP = "kernel-livepatch-6_4-3-1.2"
FLEET = [
    Host(name, "unpatched", "", "6.4.0-1-default", build_id, "x86_64", "default", None, KMP, "boot")
    for name, build_id in (("a1", "aa"), ("a2", "aa"), ("b1", "bb"), ("b2", "bb"))
]
REASON = "quarantine: it oopsed; clear it with playbook quarantine"


def build_plan(rows: t.Sequence[t.Mapping[str, t.Any]]) -> Plan:
    options = read_defaults()
    return planning.build_plan(FLEET, Settings.from_options({**options, "waves": ["100%"]}, rows))


PLANNED = build_plan([])
COHORTS = list(PLANNED.outline.cohorts.values())
TARGET, OTHER_TARGET = (COHORTS[number].target for number in (0, 1))
SETTINGS = host_settings.pack({host.name: host_settings.HostSettings() for host in FLEET})
MEMBERS = {name for name, planned in PLANNED.hosts.items() if planned.cohort == COHORTS[0].id}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))


class FakeStore:
    """A store to which anything may be written."""

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}
        self.added: list[t.Any] = []
        self.cleared: dict[str, t.Any] = {}
        self.entries: list[dict[str, t.Any]] = []
        self.person = Person("eve")
        self.read_only = False

    def send(self, command: str, **arguments: t.Any) -> t.Any:
        if command == "list_cohorts":
            return [dataclasses.asdict(cohort) for cohort in COHORTS]
        if command == "knows_host":
            return arguments["host"] == "gone1"
        if command == "list_quarantine":
            return self.entries
        if command == "clear_quarantine":
            self.cleared = arguments["match"]
            return [{**entry, "since": 0.0, "by": "eve"} for entry in self.entries]
        assert command == "add_to_quarantine"
        self.added += arguments["entries"]
        return len(arguments["entries"])

    def send_fenced(self, command: str, **arguments: t.Any) -> t.Any:
        assert command == "begin_hosts"
        self.skipped = {row["host"]: row["reason"] for row in arguments["skipped"]}
        return {"go": True, "halt": None}


def find_barred_at_start(rows: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, str]:
    store = FakeStore()
    options = {
        "approval": [],
        "windows": [],
        "blackouts": [],
        "window_min_remaining": 0,
        "soak": 0,
        "slices": 0,
        "approver_not_starter": False,
    }
    names = tuple(host.name for host in FLEET)
    step = make_step(PLANNED, Batch(1, names, names, True))
    stored = {
        "quarantine": rows,
        "attempted": list(PLANNED.outline.cohorts),
        "reserves": [],
        "approvals": [],
        "starters": [],
        "in_flight": [],
        "settings": SETTINGS,
    }
    admitted = admission.admit_batch(t.cast(t.Any, store), step, stored, options)
    assert set(admitted["start"]) == {host.name for host in FLEET} - set(store.skipped)
    return store.skipped


@pytest.mark.parametrize("host", [None, "a1", "elsewhere"])
@pytest.mark.parametrize("kmp", [None, KMP, "kernel-livepatch-6_4-4-1.2"])
@pytest.mark.parametrize("cohort", [None, TARGET, "of-another-fleet"])
def test_an_entry_bars_the_same_hosts_from_the_plan_and_from_its_batches(
    host: str | None, kmp: str | None, cohort: str | None
) -> None:
    rows = [{"host": host, "kmp": kmp, "cohort": cohort, "reason": "it oopsed"}]
    if host is not None:
        expected = {host} & set(PLANNED.hosts)
    elif kmp != KMP or cohort == "of-another-fleet":
        expected = set()
    else:
        expected = MEMBERS if cohort else set(PLANNED.hosts)
    assert find_barred_at_start(rows) == build_plan(rows).left_out == dict.fromkeys(expected, REASON)


def test_of_several_entries_the_same_one_is_named() -> None:
    entries = [
        {"host": "a1", "reason": "its disk is broken"},
        {"kmp": KMP, "reason": "it oopsed everywhere"},
        {"kmp": KMP, "cohort": TARGET, "reason": "it oopsed here"},
        {"kmp": KMP, "cohort": OTHER_TARGET, "reason": "it oopsed there"},
    ]
    for rows in itertools.permutations(entries):
        left_out = build_plan(rows).left_out
        assert find_barred_at_start(rows) == left_out
        for name, reason in left_out.items():
            assert ("here" if name in MEMBERS else "there") in reason, name


INVENTORY = [host.name for host in FLEET]


def change_quarantine(store: FakeStore, **named: t.Any) -> quarantine.Result:
    options = {name: spec.get("default") for name, spec in quarantine.OPTIONS.items()}
    return quarantine.change_quarantine(t.cast(t.Any, store), {**options, "reason": "it oopsed", **named}, INVENTORY)


@pytest.mark.parametrize(
    ("named", "entry"),
    [
        ({"kmp": KMP}, {"kmp": KMP}),
        ({"kmp": f"{KMP}.x86_64"}, {"kmp": KMP}),
        ({"kmp": KMP, "cohort": TARGET}, {"kmp": KMP, "cohort": TARGET}),
        # As plan and report show it
        ({"kmp": "3-1.2", "cohort": COHORTS[0].id}, {"kmp": KMP, "cohort": TARGET}),
        ({"kmp": KMP, "cohort": COHORTS[0].id[:8]}, {"kmp": KMP, "cohort": TARGET}),
        ({"host": "a1"}, {"host": "a1"}),
        ({"host": "gone1"}, {"host": "gone1"}),
    ],
)
def test_an_entry_bars_what_it_names_as_rollouts_compare_it(named: dict[str, str], entry: dict[str, str]) -> None:
    store = FakeStore()
    assert change_quarantine(store, **named).changed
    assert store.added == [{**entry, "reason": "it oopsed", "by": "eve"}]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"host": "a1", "cohort": TARGET}, "livepatch_quarantine_cohort narrows"),
        ({"host": "a1", "kmp": KMP}, "set either livepatch_quarantine_kmp"),
        ({"host": "a1", "kmp": KMP, "cohort": TARGET}, "set either livepatch_quarantine_kmp"),
        ({"cohort": TARGET}, "set either livepatch_quarantine_kmp"),
        ({}, "set either livepatch_quarantine_kmp"),
        ({"host": "a12"}, "livepatch_quarantine_host is 'a12', and no host has that name. The nearest: a"),
        ({"kmp": "kernel-livepatch-6_4-4-1.2"}, f"The nearest: {KMP}. Playbook plan makes known"),
        ({"kmp": KMP, "cohort": "3-1"}, "livepatch_quarantine_cohort is '3-1', which is no cohort. Known are "),
    ],
)
def test_an_entry_that_would_bar_nothing_is_refused(named: dict[str, str], said: str) -> None:
    store = FakeStore()
    with pytest.raises(PlanError) as caught:
        change_quarantine(store, **named)
    assert said in str(caught.value)
    assert store.added == []


def test_a_cohort_that_gets_another_kmp_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(COHORTS[1], kmp=f"{KMP}.9")
    monkeypatch.setitem(globals(), "COHORTS", [COHORTS[0], other])
    with pytest.raises(PlanError) as caught:
        change_quarantine(FakeStore(), kmp=KMP, cohort=other.id)
    assert f"that cohort gets {KMP}.9. Cohorts that get {KMP}: {COHORTS[0].id} ({KMP} on " in str(caught.value)


def test_an_entry_is_cleared_by_what_it_was_added_by() -> None:
    store = FakeStore()
    store.entries = [{"id": 1, "kmp": KMP, "cohort": TARGET, "host": None, "reason": "r"}]
    store.entries.append({"id": 2, "kmp": None, "cohort": None, "host": "gone2", "reason": "r"})
    assert change_quarantine(store, state="absent", kmp=f"{KMP}.x86_64", cohort=COHORTS[0].id[:6]).changed
    assert store.cleared == {"kmp": KMP, "cohort": TARGET}
    assert change_quarantine(store, state="absent", host="gone2").changed
    with pytest.raises(PlanError, match="livepatch_quarantine_host is 'a1', and no host has that name"):
        change_quarantine(store, state="absent", host="a1")


def test_an_entry_is_cleared_by_a_person() -> None:
    store = FakeStore()
    store.person = Person("AWX job 7 (scheduled)", is_known=False)
    with pytest.raises(PlanError, match=r"AWX job 7 \(scheduled\) was launched by no user"):
        change_quarantine(store, state="absent", id=1)
