# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happened to a host, what is barred, who takes its place: the table of the guide, and recorded results."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import preview, text
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import budgets, canary_reserves, causes, outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import Host
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Plan
from tests.support import answers
from tests.support.plans import make_document

_GUIDE = Path(__file__).parents[5] / "docs/operator.md"
BOOTS = [f"5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c1{number}" for number in range(2)]
HOST = Host("a1", "unpatched", "", "6.4.0-default", "aa", "x86_64", "default", None, "klp-3-1", BOOTS[0])
STARTED = Answer(changed=True, run="r")
SILENT = Answer(unreachable=True, msg="Connection reset by peer", run="r")
OFF = Answer(unreachable=True, msg="ssh: connect to host a1 port 22: Connection timed out", run="r")
OOPS = {"verdict": "fail", "problems": [{"what": "log", "text": "BUG: unable to handle page fault"}]}
OF_KERNEL = answers.BLOCKER
OF_PROGRAM = {**answers.BLOCKER, "command": "sshd", "kernel_thread": False, "class": "sleeping"}


def test_the_guide_has_the_table_row_for_row() -> None:
    lines = _GUIDE.read_text().splitlines()
    head = lines.index("| what happened | outcome | barred | who goes back |")
    assert lines[head + 2 : head + lines[head:].index("")] == [
        f"| {cause.happened} | `{cause.outcome}` | {cause.bars} | {cause.goes_back} |"
        for cause in causes.CAUSES.values()
    ]


def verified(
    state: str = "patched",
    up_to_date: bool | None = True,
    boot_id: str = BOOTS[0],
    evr: str = "3-1",
    lost: bool = False,
    **livepatch: t.Any,
) -> Answer:
    health = {"verdict": "pass", "problems": [], "since": None, "complete": True, "reason": None}
    answer = answers.answer(
        kernel={"boot_id": boot_id, "build_id": "aa"},
        kmp={"installed": {"name": "klp", "evr": evr}},
        livepatch={
            "state": state,
            "reason": "why",
            "compliance": {"up_to_date": up_to_date},
            "job": answers.job(),
            "journal": mine(),
            **livepatch,
            "health": {**health, **livepatch.get("health", {})},
        },
    )
    return Answer(**{**vars(answer), "lost": lost})


def mine(**differs: t.Any) -> dict[str, t.Any]:
    return answers.journal(rollout="p", boot_id=BOOTS[0], **differs)


def failed(msg: str = "it failed", given: bool | None = True, **differs: t.Any) -> dict[str, t.Any]:
    """The blocks of a run that failed, ``given`` or not."""
    job = {"failed": True, "msg": msg, **differs}
    return {"state": "unpatched", "up_to_date": False, "job": job, "journal": mine(phase="failed", given=given)}


_UNBEGUN = {"state": "unpatched", "up_to_date": False, "journal": None}

RECORDED: tuple[tuple[str, Answer | None, Answer | None, str | None], ...] = (
    ("done", STARTED, verified(), None),
    # Errors of the control node and its settings, sudo, Python
    ("a setting that the module refuses", Answer(failed=True, msg="timeout: 90.5 is no integer"), None, "not_started"),
    ("the control node has failed", Answer(failed=True, msg="Task failed: KeyError"), None, "not_started"),
    # Nothing was begun
    ("killed before", STARTED, verified(**_UNBEGUN, job={"failed": True, "not_begun": True, "msg": "x"}), "not_begun"),
    ("withdrawn", STARTED, verified(**_UNBEGUN, job={"failed": True, "not_begun": True, "msg": "none"}), "not_begun"),
    ("away at its start", SILENT, verified(**_UNBEGUN, job=None, lost=True), "not_begun"),
    ("rebooted before", STARTED, verified(**_UNBEGUN, job=None, boot_id=BOOTS[1]), "not_begun"),
    (
        "rebooted before, and patched",
        STARTED,
        verified(boot_id=BOOTS[1], journal={**mine(), "boot_id": BOOTS[1]}),
        None,
    ),
    (
        "another scope has it",
        STARTED,
        verified(**_UNBEGUN, job={"failed": True, "fenced": True, "msg": "x"}),
        "taken_over",
    ),
    # The kernel was not given the module
    ("full disk", STARTED, verified(**failed("No space left on device", given=False)), "host_failed"),
    ("preflight", STARTED, verified(**{**failed("preflight: ftrace"), "journal": None}), "host_failed"),
    (
        "another rollout's record",
        STARTED,
        verified(**{**failed("locked"), "journal": answers.journal()}),
        "host_failed",
    ),
    ("killed while installing", STARTED, verified(**{**failed(given=False), "job": None}), "host_failed"),
    ("another patch keeps it waiting", STARTED, verified(**failed(given=False, stalled=True)), "host_failed"),
    # It was, and is well
    ("no room for the record", STARTED, verified(**{**failed(), "state": "patched", "up_to_date": True}), "incomplete"),
    ("somebody else's", STARTED, verified(evr="4-1"), "other_patch"),
    # No contact
    ("never reached", OFF, None, "unreachable"),
    ("nor for long", OFF, Answer(unreachable=True, lost=True), "unreachable"),
    ("broken at its start", SILENT, Answer(unreachable=True, lost=True), "lost"),
    ("started, and lost", STARTED, Answer(unreachable=True, lost=True), "lost"),
    # Stalls
    ("a program", STARTED, verified(**failed(stalled=True, blockers=[OF_PROGRAM])), "stalled"),
    ("nobody was seen", STARTED, verified(**failed(stalled=True, blockers=[])), "stalled"),
    (
        "a thread of the kernel",
        STARTED,
        verified(**failed(stalled=True, blockers=[OF_PROGRAM, OF_KERNEL])),
        "stalled_by_kernel",
    ),
    # What the KMP did
    ("refused", STARTED, verified(**failed("the kernel refused it")), "refused"),
    ("oops while loading", STARTED, verified(**failed(), health=OOPS), "unhealthy"),
    ("oops of something else", STARTED, verified(**failed(given=False), health=OOPS), "host_failed"),
    ("oops", STARTED, verified(health=OOPS), "unhealthy"),
    ("not active", STARTED, verified("outdated", False), "unverified"),
    ("not to be verified", STARTED, Answer(failed=True, msg="broken"), "unverified"),
    ("crash", STARTED, verified("crashed", None, boot_id=BOOTS[1], job=None), "crashed"),
    (
        "crash while its package's script may have loaded it",
        STARTED,
        verified("crashed", None, boot_id=BOOTS[1], job=None, journal=mine(phase="installing", given=None)),
        "crashed",
    ),
    ("rebooted since", STARTED, verified(boot_id=BOOTS[1]), "crashed"),
)


@pytest.mark.parametrize(
    ("install", "verify", "cause"), [row[1:] for row in RECORDED], ids=[row[0] for row in RECORDED]
)
def test_what_recorded_results_mean(install: Answer, verify: Answer | None, cause: str | None) -> None:
    result = outcome.determine_outcome(HOST, {}, outcome.TaskAnswers(install, verify), "p")
    assert result.cause == cause
    assert result.outcome == ("done" if cause is None else causes.CAUSES[cause].outcome)
    if cause is not None and causes.CAUSES[cause].goes_back == causes.NO_HOST:
        assert not result.applied


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer(unreachable=True), "lost"),
        (verified(health=OOPS), "unhealthy"),
        (verified("crashed", None, boot_id=BOOTS[1]), "crashed"),
        (verified("installed", False), "unverified"),
        (verified(evr="4-1"), "other_patch"),
    ],
)
def test_what_happens_in_the_soak(answer: Answer, cause: str) -> None:
    before = outcome.determine_outcome(HOST, {}, outcome.TaskAnswers(STARTED, verified()), "p")
    assert outcome.apply_probe(before, answer, {}).cause == cause
    assert outcome.apply_confirmation(before, Answer(failed=True, msg="full"), {}).cause == "unconfirmed"


def make_plan(reserves: t.Mapping[str, t.Sequence[str]] | None = None, **settings: t.Any) -> Plan:
    """Canaries a1 and b1, two more of each."""
    document = make_document(["a1", "b1"], ["a2", "b2", "a3", "b3"], **settings)
    for cohort in document["cohorts"]:
        cohort["reserves"] = list((reserves or {"a": ("a2", "a3"), "b": ("b2", "b3")}).get(cohort["id"], ()))
    return Plan.from_document(document)


def row(name: str, cause: str | None = None, reserve: bool = False, kind: str | None = None) -> Outcome:
    kind = kind or ("done" if cause is None else causes.CAUSES[cause].outcome)
    return Outcome(name, kind, "why", "", cohort=name[0], cause=cause, reserve=reserve, applied=kind == "done")


PLAN = make_plan().outline
BLAMING = {key for key, cause in causes.CAUSES.items() if cause.bars in (causes.KMP, causes.KMP_AND_HOST)}


@pytest.mark.parametrize("key", causes.CAUSES)
def test_what_each_row_of_the_table_bars(key: str) -> None:
    one = row("a1", key)
    assert bool(causes.find_blamed([one], PLAN.cohorts, are_canaries=True)) is (key in BLAMING)
    assert causes.bars_host(one) is (causes.CAUSES[key].bars in (causes.HOST, causes.KMP_AND_HOST))


@pytest.mark.parametrize(
    ("outcomes", "are_canaries", "blamed"),
    [
        ([row("a1", "stalled"), row("a2", "stalled")], True, {"a1", "a2"}),
        ([row("a1", "stalled"), row("a2", "stalled_by_kernel")], True, {"a1", "a2"}),
        ([row("a1", "stalled"), row("b1", "stalled")], True, set()),
        ([row("a1", "stalled"), row("a2", "host_failed")], True, set()),
        ([row("a1", "stalled"), row("a2", "stalled")], False, set()),
        # What an earlier version has recorded
        ([row("a1", kind="failed"), row("b1")], True, {"a1"}),
    ],
)
def test_stalls_are_the_hosts_until_a_second_canary_stalls(
    outcomes: list[Outcome], are_canaries: bool, blamed: set[str]
) -> None:
    assert {found.host for found in causes.find_blamed(outcomes, PLAN.cohorts, are_canaries)} == blamed


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([row("a1"), row("b1")], []),
        ([row("a1", "host_failed"), row("b1")], ["a2"]),
        ([row("a1", "not_begun"), row("b1", "stalled")], ["a2", "b2"]),
        ([row("a1", "host_failed"), row("b1"), row("a2", "host_failed", reserve=True)], ["a3"]),
        ([row("a1", "host_failed"), row("b1"), row("a2", reserve=True)], []),
        # A run has died that was to start it, or had
        ([row("a1", "host_failed"), row("b1"), row("a2", reserve=True, kind="pending")], ["a2"]),
        # None is left
        (
            [row("a1", "host_failed"), row("a2", "host_failed", reserve=True), row("a3", "host_failed", reserve=True)],
            [],
        ),
        # The KMP is to blame: nobody gets it any more
        ([row("a1", "unhealthy"), row("b1")], []),
        ([row("a1", "stalled"), row("a2", "stalled", reserve=True), row("b1")], []),
    ],
)
def test_the_next_reserves_take_the_places_that_are_free(outcomes: list[Outcome], expected: list[str]) -> None:
    assert canary_reserves.select_reserves(PLAN, outcomes) == expected


@pytest.mark.parametrize(
    ("outcomes", "passed", "barred", "figures"),
    [
        ([row("a1"), row("b1")], True, (), "(2 of 2 healthy, budget 0)"),
        ([row("a1", "host_failed"), row("b1"), row("a2", reserve=True)], True, (), "(2 of 3 healthy, budget 0; 1 "),
        ([row("a1", "host_failed"), row("b1")], True, (), "(1 of 2 healthy, budget 0; 1 "),
        ([row("a1", "host_failed"), row("b1", "not_begun")], False, (), "(0 of 2 healthy"),
        ([row("a1", "unhealthy"), row("b1", "host_failed")], False, ("a",), "(0 of 2 healthy"),
        ([row("a1", "stalled"), row("a2", "stalled", reserve=True), row("b1")], False, ("a",), "(1 of 3 healthy"),
    ],
)
def test_canaries_that_failed_for_a_reason_of_their_own_are_excused(
    outcomes: list[Outcome], passed: bool, barred: tuple[str, ...], figures: str
) -> None:
    # A reserve is recorded with its own wave.
    groups = budgets.group_outcomes((int(one.reserve), one.cohort, one.outcome) for one in outcomes)
    totals = budgets.Totals.from_groups(groups, 0).weigh_canaries(PLAN, outcomes)
    verdict = budgets.assess_wave(PLAN, 0, totals, last=True)
    assert (verdict.passed, verdict.barred) == (passed, barred), verdict.text
    assert figures in verdict.text


def test_the_other_budgets_count_them_all_the_same() -> None:
    plan = make_plan(rollout="0").outline
    outcomes = [row("a1", "host_failed"), row("b1")]
    groups = budgets.group_outcomes((0, one.cohort, one.outcome) for one in outcomes)
    verdict = budgets.assess_wave(plan, 0, budgets.Totals.from_groups(groups, 0).weigh_canaries(plan, outcomes), True)
    assert (verdict.passed, verdict.barred) == (False, ()), verdict.text
    assert "rollout: 1 bad, budget 0" in verdict.text


def test_a_plan_names_its_reserves_in_order_and_without_any_is_as_before() -> None:
    made = make_plan()
    assert Plan.from_document(made.as_document()).outline.reserves == ("a2", "a3", "b2", "b3")
    assert preview._format_reserves(made)[-1].endswith("in this order: a2, a3, b2, b3")
    without = make_plan({"a": ()})
    assert preview._format_reserves(without) == []
    assert all("reserves" not in cohort for cohort in without.as_document()["cohorts"])


@pytest.mark.parametrize(
    ("reason", "problem"), [("quarantine: it oopsed", None), ("left out: x", "1 host not planned (a1)")]
)
def test_what_is_barred_is_a_problem_of_the_run_only_that_has_barred_it(reason: str, problem: str | None) -> None:
    skipped = Outcome("a1", "skipped", reason, "unpatched")
    assert text.describe_problem([HOST], [skipped], "barred", {}) == problem
