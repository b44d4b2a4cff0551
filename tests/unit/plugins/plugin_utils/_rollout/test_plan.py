# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cohorts, canaries, waves, caps, who is left out; and that a plan is what its hash says."""

from __future__ import annotations

import collections
import dataclasses
import json
import random
import time
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import plan, planning
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host, parse_host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import BUDGETS, Settings, read_defaults
from tests.support import answers

SIZES = ("1%", "5%", "25%")
# AWX sends answers that a survey did not get as such
BLANKS = (None, "", " ", "\t\n")
# The options that are counts of hosts, and what they are set by
SHARES = {
    **{name: f"livepatch_{name}" for name in ("waves", "canaries", "max_per_wave", "max_per_domain", "max_per_group")},
    **{f"budget_{kind}": f"livepatch_budget_{kind}" for kind in BUDGETS if kind != "wave"},
    "budget_wave": "livepatch_budget",
}


def host(name: str, **changes: t.Any) -> Host:
    base = Host(name, "unpatched", "", "6.1.0-56-default", "aa", "x86_64", "default", None, "klp-3", "boot")
    return dataclasses.replace(base, **changes)


def hosts(count: int, **changes: t.Any) -> list[Host]:
    return [host(f"h{number:04}", **changes) for number in range(count)]


def settings(waves: t.Sequence[t.Any] = SIZES, **options: t.Any) -> Settings:
    defaults = read_defaults()
    quarantine = options.pop("quarantine", [])
    return Settings.from_options({**defaults, "waves": [str(size) for size in waves], **options}, quarantine)


def make(fleet: t.Iterable[Host], **options: t.Any) -> plan.Plan:
    return planning.build_plan(fleet, settings(**options))


def kinds(made: plan.Plan) -> list[tuple[str, int]]:
    return [(wave.kind, wave.hosts) for wave in made.outline.waves]


def test_each_cohort_has_one_canary_and_all_are_the_first_wave() -> None:
    fleet = []
    for number, changes in enumerate(
        [
            {},
            {"build_id": "bb"},  # the same release, and another build
            {"level": 2, "state": "outdated"},
            {"kmp": "klp-2"},
            {"arch": "aarch64"},
            {"key": '"gold"'},
        ]
    ):
        fleet += [host(f"{name}{number}", **changes) for name in "ab"]
    made = make(fleet)
    assert len(made.outline.cohorts) == 6
    assert kinds(made)[0] == ("canaries", 6)
    assert all(
        {one.name for one in made.hosts.values() if one.cohort == id_} & set(made.waves[0]) == set(cohort.canaries)
        for id_, cohort in made.outline.cohorts.items()
    )
    assert sorted(made.hosts) == sorted(one.name for one in fleet)


def test_the_mark_comes_first_then_wariness_then_the_hash() -> None:
    def canary(*changes: dict[str, t.Any], seed: str = "") -> str:
        fleet = [host(f"h{number}", **change) for number, change in enumerate(changes)]
        (name,) = make(fleet, seed=seed).waves[0]
        return name

    for seed in ("", "x", "y"):
        assert canary({"criticality": 0.0}, {}, {"canary": True, "criticality": 1.0}, seed=seed) == "h2"
        assert canary({}, {"criticality": 0.1}, {"criticality": 0.2}, seed=seed) == "h1"
    assert len({canary(*[{}] * 20, seed=str(seed)) for seed in range(20)}) > 5


def test_why_a_host_is_a_canary_is_told() -> None:
    fleet = [host("a", canary=True), host("b"), host("c", build_id="x"), host("d", build_id="x")]
    fleet += [host("e", build_id="y", criticality=0.1), host("f", build_id="y")]
    rows = make(fleet).as_document()["hosts"]
    told = {name: row["why"] for name, row in rows.items() if row["why"]}
    assert sorted(told.values()) == ["chosen by hash", "criticality 0.1", "marked by the operator"]


@pytest.mark.parametrize(
    ("count", "marked", "canaries", "expected"),
    [
        (6, 0, "1", 1),
        (6, 3, "1", 3),
        (6, 3, "50%", 3),
        (6, 1, "50%", 3),
        (6, 0, "100%", 5),
        (6, 6, "1", 6),
        (2, 0, "5", 1),
        (1, 1, "1", 1),
        (1, 0, "1", 0),
    ],
)
def test_marked_hosts_are_all_canaries_and_the_count_is_the_least(
    count: int, marked: int, canaries: str, expected: int
) -> None:
    fleet = [host(f"h{number}", canary=number < marked) for number in range(count)]
    made = make(fleet, canaries=canaries)
    first = [
        name
        for wave, kind in zip(made.waves, made.outline.waves, strict=True)
        if kind.kind == "canaries"
        for name in wave
    ]
    assert len(first) == expected
    assert {f"h{number}" for number in range(marked)} <= set(first)
    (cohort,) = made.outline.cohorts.values()
    assert set(cohort.canaries) == set(first)


def test_caps_cut_the_canaries_too_and_their_waves_have_names() -> None:
    fleet = [host(f"{build}{number}", build_id=build) for build in "abcdef" for number in range(2)]
    made = make(fleet, waves=[], max_per_wave="2")
    assert kinds(made) == [*[("canaries", 2)] * 3, *[("wave", 2)] * 3]
    names = [made.outline.name_wave(number) for number in range(6)]
    assert names == [*(f"canaries of wave {n}" for n in range(3)), *(f"wave {n}" for n in range(3, 6))]


def test_several_canaries_are_spread_over_failure_domains() -> None:
    fleet = [host(f"h{number}", domains=(f"dc={number % 3}",)) for number in range(30)]
    for seed in ("", "a", "b"):
        made = make(fleet, canaries="3", seed=seed)
        by_name = {one.name: one for one in fleet}
        assert {by_name[name].domains for name in made.waves[0]} == {("dc=0",), ("dc=1",), ("dc=2",)}


def test_cohorts_of_one_share_the_last_wave() -> None:
    made = make([*hosts(4), host("x", build_id="x"), host("y", build_id="y")])
    assert kinds(made) == [("canaries", 1), ("wave", 1), ("wave", 1), ("wave", 1), ("singles", 2)]
    assert set(made.waves[-1]) == {"x", "y"}
    assert kinds(make([host("x")])) == [("singles", 1)]


@pytest.mark.parametrize(
    ("count", "sizes", "expected"),
    [
        (2, SIZES, [1, 1]),
        (4, SIZES, [1, 1, 1, 1]),
        (100, SIZES, [1, 1, 5, 25, 68]),
        (1000, SIZES, [1, 10, 50, 250, 689]),
        (10, [], [1, 9]),
        (10, [3, "50%"], [1, 3, 5, 1]),
        (10, ["100%"], [1, 9]),
        (0, SIZES, []),
    ],
)
def test_sizes(count: int, sizes: list, expected: list[int]) -> None:
    assert [size for _kind, size in kinds(make(hosts(count), waves=sizes))] == expected


def test_caps() -> None:
    fleet = [
        host(f"h{number:02}", domains=(f"rack={number % 2}",), groups=("db",) if number < 6 else ())
        for number in range(21)
    ]
    racks = {one.name: one.domains[0] for one in fleet}
    made = make(fleet, waves=[], max_per_domain="3")
    assert all(max(collections.Counter(racks[name] for name in wave).values()) <= 3 for wave in made.waves[1:])
    databases = {one.name for one in fleet if one.groups}
    made = make(fleet, waves=[], max_per_group="34%")  # of six, two
    assert all(len(databases & set(wave)) <= 2 for wave in made.waves[1:])
    assert [size for _kind, size in kinds(make(fleet, waves=["50%"], max_per_wave="4"))] == [1, 4, 4, 4, 4, 4]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(({"waves": [size]}, "livepatch_waves is .*: set a number") for size in ("a few", "-1", "12.5%", "")),
        ({"max_in_flight": 0}, "livepatch_max_in_flight"),
        ({"budget_wave": "some"}, "livepatch_budget is 'some'"),
        ({"budget_lost": "x"}, "livepatch_budget_lost"),
        ({"max_per_domain": "0"}, "livepatch_max_per_domain is 0, which admits no host: set it to 1 or more"),
        ({"canaries": "0"}, "livepatch_canaries is 0, which admits no host"),
        *(({"waves": [size]}, f"livepatch_waves is {size}, which admits no host") for size in ("0", "0%", "00")),
        *(
            ({option: "150%"}, f"{name} is 150%: a share cannot be more than 100%")
            for option, name in SHARES.items()
            if option != "waves"
        ),
        ({"waves": ["5%", "101%"]}, "livepatch_waves is 101%: a share cannot be more than 100%"),
        ({"max_per_group": "00%"}, "livepatch_max_per_group is 00%"),
        ({"cohort_key": "[["}, "livepatch_cohort_key.*not JMESPath"),
        ({"kernel_versions": "new ones"}, "livepatch_kernel_versions.*range"),
    ],
)
def test_what_cannot_be_understood_is_refused(options: dict, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        settings(**options)


@pytest.mark.parametrize(
    "state", ["unknown", "conflict", "mismatch", "not_covered", "stalled", "transitioning", "patched", "baseline"]
)
def test_only_what_can_be_patched_is_planned(state: str) -> None:
    made = make([host("a"), host("b", state=state, reason="so it is")])
    assert list(made.hosts) == ["a"]
    assert made.left_out == {"b": f"{state}: so it is"}


def test_the_quarantine_bars_a_kmp_in_a_cohort_or_everywhere_and_hosts() -> None:
    fleet = [*hosts(2), *(host(f"x{number}", build_id="x") for number in range(2))]
    ours = make(hosts(2)).as_document()["cohorts"][0]["target"]

    def left(**entry: t.Any) -> set[str]:
        told = make(
            fleet, quarantine=[{"kmp": None, "cohort": None, "host": None, "reason": "it oopsed", **entry}]
        ).left_out
        assert all(reason == "quarantine: it oopsed; clear it with playbook quarantine" for reason in told.values())
        return set(told)

    assert left(kmp="klp-3", cohort=ours) == {"h0000", "h0001"}
    fleet = [host("h0000", level=1, state="outdated"), host("x0", build_id="x")]
    assert left(kmp="klp-3", cohort=ours) == {"h0000"}, "brought back to level 1 it is barred as before"
    fleet = [*hosts(2), *(host(f"x{number}", build_id="x") for number in range(2))]
    assert left(kmp="klp-4", cohort=ours) == set()
    assert left(kmp="klp-3") == {"h0000", "h0001", "x0", "x1"}
    assert left(host="x1") == {"x1"}


def _answer(
    release: str = "6.4.0-150600.23.7-default", level: int = 3, downloaded: bool = True, **kernel: t.Any
) -> Answer:
    return answers.answer(
        kernel={"release": release, **kernel},
        kmp={"installed": None, "selected": answers.package(level, downloaded=downloaded)},
        livepatch={"state": "unpatched", "level": None, "compliance": {"up_to_date": False}},
    )


@pytest.mark.parametrize(
    ("options", "answer", "left_out"),
    [
        ({}, _answer(), False),
        ({"filter": "kernel.arch == 'x86_64'"}, _answer(), False),
        ({"filter": "kernel.arch == 's390x'"}, _answer(), True),
        ({"filter": "starts_with(name, 'web')"}, _answer(), False),
        ({"kernel_versions": ">=6.4"}, _answer(), False),
        ({"kernel_versions": ">=6.12"}, _answer(), True),
        # 6.4 is older than 6.12, whatever the text's order is
        ({"kernel_versions": "<6.12"}, _answer(), False),
        ({"kernel_versions": ">=6.4"}, _answer("current"), True),
        ({"levels": ">=2"}, _answer(), False),
        ({"levels": ">=2, <3"}, _answer(), True),
        ({"levels": ">=2"}, _answer(level=1), True),
        ({"prestaged": True}, _answer(), False),
        ({"prestaged": True}, _answer(downloaded=False), True),
        ({}, _answer(downloaded=False), False),
    ],
)
def test_what_the_operator_leaves_out(options: dict, answer: Answer, left_out: bool) -> None:
    found = parse_host("web1", {}, answer, settings(**options).selection)
    assert (found.left_out is not None) is left_out
    assert (not make([found]).hosts) is left_out


def test_a_cohort_key_divides() -> None:
    choice = settings(cohort_key="kernel.mechanism").selection
    fleet = [parse_host(f"h{n}", {}, _answer(mechanism=("klp", "kgraft")[n % 2]), choice) for n in range(4)]
    assert len(make(fleet).outline.cohorts) == 2


@pytest.mark.parametrize("blank", BLANKS)
def test_blank_variables_of_a_host_mean_the_default(blank: t.Any) -> None:
    names = ("livepatch_canary", "livepatch_criticality", "livepatch_service_group")
    assert parse_host("a", dict.fromkeys(names, blank), None) == parse_host("a", {}, None)
    assert parse_host("a", {"livepatch_service_group": [blank or "", "db"]}, None).groups == ("db",)


@pytest.mark.parametrize("blank", BLANKS)
def test_blank_budgets_lift_no_limit(blank: t.Any) -> None:
    blanks = settings(**{name: blank for name in read_defaults() if name.startswith("budget_")})
    assert blanks.budgets == settings().budgets
    assert (blanks.budgets["wave"], blanks.budgets["lost"]) == ("0", "0")


def test_a_cohort_key_without_a_value_is_refused_by_the_hosts_name() -> None:
    selection = settings(cohort_key="&kernel.mechanism").selection
    with pytest.raises(PlanError, match="livepatch_cohort_key gives no value for host web1"):
        parse_host("web1", {}, _answer(), selection)


@pytest.mark.parametrize(
    ("mark", "canary"), [("false", False), ("no", False), (False, False), ("yes", True), (1, True)]
)
def test_the_mark_is_a_word_in_an_ini_inventory(mark: t.Any, canary: bool) -> None:
    assert parse_host("a", {"livepatch_canary": mark}, None).canary is canary


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"livepatch_canary": "perhaps"}, "livepatch_canary of host a"),
        ({"livepatch_criticality": "very"}, "livepatch_criticality of host a is 'very'"),
        ({"livepatch_criticality": 1.5}, "livepatch_criticality of host a is 1.5"),
        ({"livepatch_criticality": True}, "livepatch_criticality of host a is True"),
        ({"livepatch_criticality": "nan"}, "livepatch_criticality of host a is 'nan'"),
        ({"livepatch_service_group": 5}, "livepatch_service_group of host a is 5"),
        ({"livepatch_service_group": {"db": 1}}, "livepatch_service_group of host a is {'db': 1}"),
    ],
)
def test_a_variable_that_cannot_be_understood_is_refused(variables: dict, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        parse_host("a", variables, None)


def test_a_survey_that_failed_on_the_control_node_says_why() -> None:
    told = parse_host("a", {}, Answer(failed=True, msg="'livepatch_x' is undefined"))
    assert (told.state, told.reason) == ("unknown", "'livepatch_x' is undefined")


def test_what_a_rollout_has_left_unconfirmed_comes_to_its_gate() -> None:
    well = {"state": "patched", "up_to_date": True, "level": 3}
    made = make([host("done", **well), host("left", **well, unconfirmed=True), host("new"), host("new2")])
    assert set(made.hosts) == {"left", "new", "new2"}, "a cohort of its own: it is where it was to be"
    assert set(made.left_out) == {"done"}


def test_what_a_rollout_has_left_unconfirmed_is_in_no_plan_where_the_policy_admits_nothing_any_more() -> None:
    left = host("left", state="patched", up_to_date=True, level=3, unconfirmed=True, kmp=None)
    assert set(make([left, host("new")]).hosts) == {"new"}


def test_a_document_that_was_changed_is_refused() -> None:
    document = make(hosts(3)).as_document()
    plan.validate_document(document)
    with pytest.raises(PlanError, match="was changed"):
        plan.validate_document({**document, "left_out": {"x": "y"}})
    with pytest.raises(PlanError, match="schema 2"):
        plan.validate_document({**document, "schema": 2})


#
# What holds for all fleets
#

_HOST = st.builds(
    host,
    name=st.integers(0, 10**6).map(lambda number: f"h{number}"),
    state=st.sampled_from(["unpatched", "outdated", "installed", "patched", "unknown"]),
    build_id=st.sampled_from("abcdef"),
    level=st.sampled_from([None, 1, 2]),
    canary=st.booleans(),
    criticality=st.sampled_from([0.0, 0.5, 1.0]),
    domains=st.sampled_from([(), ("dc=1",), ("dc=2", "rack=7"), ("dc=2", "rack=8")]),
    groups=st.sampled_from([(), ("db",), ("db", "web")]),
    left_out=st.sampled_from([None, None, None, "no"]),
)
_FLEET = st.lists(_HOST, max_size=40, unique_by=lambda one: one.name)
_CAP = st.sampled_from([None, "1", "3", "10%", "50%"])
_OPTIONS = st.fixed_dictionaries(
    {
        "waves": st.sampled_from([SIZES, [1, 2], ["50%"], []]),
        "seed": st.text(max_size=3),
        "canaries": st.sampled_from(["1", "2", "10%"]),
        "max_per_wave": _CAP,
        "max_per_domain": _CAP,
        "max_per_group": _CAP,
    }
)


def _check_any_fleet(fleet: list[Host], options: dict[str, t.Any], chance: random.Random) -> None:
    given = settings(**options)
    made = planning.build_plan(fleet, given)
    names = {one.name: one for one in fleet}
    # Each host once, or left out with a reason
    assert all(made.left_out.values())
    assert sum(map(len, made.waves)) == len(made.hosts)
    assert sorted([*made.hosts, *made.left_out]) == sorted(names)
    assert all(made.waves)
    # Each cohort's canaries before its other hosts
    place = {name: number for number, wave in enumerate(made.waves) for name in wave}
    assert place == {name: one.wave for name, one in made.hosts.items()}
    kind = {number: wave.kind for number, wave in enumerate(made.outline.waves)}
    for cohort in made.outline.cohorts.values():
        members = [name for name, one in made.hosts.items() if one.cohort == cohort.id]
        assert len(members) == cohort.hosts
        # Marks are honoured
        assert {name for name in members if names[name].canary} <= set(cohort.canaries)
        assert {name: made.hosts[name].why is not None for name in members} == {
            name: name in cohort.canaries for name in members
        }
        assert {kind[place[name]] for name in cohort.canaries} <= {"canaries"}
        assert len(cohort.canaries) >= min(len(members) - 1, _most(options["canaries"], len(members)))
        if cohort.canaries:
            last = max(place[name] for name in cohort.canaries)
            assert all(place[name] > last for name in members if name not in cohort.canaries)
        else:
            assert [kind[place[name]] for name in members] == ["singles"]
    # Caps are kept in each wave
    planned = [names[name] for name in made.hosts]
    for wave in made.waves:
        for cap, places in (("max_per_domain", "domains"), ("max_per_group", "groups")):
            counted = collections.Counter(one for name in wave for one in getattr(names[name], places))
            of = collections.Counter(one for each in planned for one in getattr(each, places))
            assert all(count <= _most(options[cap], of[one]) for one, count in counted.items())
        assert len(wave) <= _most(options["max_per_wave"], len(planned))
    # The same hosts, the same plan
    shuffled = list(fleet)
    chance.shuffle(shuffled)
    assert planning.build_plan(shuffled, given).as_document() == made.as_document()
    # A document says all of it
    assert plan.Plan.from_document(json.loads(json.dumps(made.as_document()))) == made


_any_fleet = hypothesis.given(_FLEET, _OPTIONS, st.randoms(use_true_random=False))


@hypothesis.settings(max_examples=150, deadline=None)
@_any_fleet
def test_any_fleet(fleet: list[Host], options: dict[str, t.Any], chance: random.Random) -> None:
    _check_any_fleet(fleet, options, chance)


@pytest.mark.slow
@hypothesis.settings(max_examples=1000, deadline=None)
@_any_fleet
def test_any_of_a_thousand_fleets(fleet: list[Host], options: dict[str, t.Any], chance: random.Random) -> None:
    _check_any_fleet(fleet, options, chance)


def _most(cap: str | None, of: int) -> float:
    if cap is None:
        return float("inf")
    return max(1, of * int(cap[:-1]) // 100 if cap.endswith("%") else int(cap))


def test_ten_thousand_hosts_take_no_time() -> None:
    fleet = [host(f"h{n:05}", build_id=str(n % 40), domains=(f"dc={n % 30}",)) for n in range(10_000)]
    started = time.process_time()
    document = make(fleet, max_per_domain="20").as_document()
    seconds = time.process_time() - started
    assert len(document["cohorts"]) == 40
    # It takes about 0.3 s; what grows with the square of the hosts would take minutes.
    assert seconds < 5


@pytest.mark.parametrize(("count", "reserves"), [("0", 0), ("2", 2), ("30%", 1), ("9", 4)])
def test_the_next_hosts_of_a_cohort_are_its_reserves(count: str, reserves: int) -> None:
    """In the order in which they would go, and each stays in its wave."""
    fleet = [host(f"a{number}", criticality=number / 10) for number in range(5)] + [host("b", build_id="x")]
    made = make(fleet, reserves=count)
    assert made.outline.reserves == tuple(f"a{number}" for number in range(1, 1 + reserves))
    assert made.waves[0] == ("a0",)
    assert sorted(name for names in made.waves for name in names) == ["a0", "a1", "a2", "a3", "a4", "b"]
