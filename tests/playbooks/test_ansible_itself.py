# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ends a run of Ansible's and what does not: what the halt rests on, on each ansible-core.

The collection is not in it. The first half says why the rollout leaves none of it to Ansible's own keywords, the second
what it does instead. Where one of these turns out differently on a new ansible-core, look at playbooks/rollout.yml.
test_ansible_itself_variables.py has what is not about stopping.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import pytest

from tests.support import cores
from tests.support.plays import WORK, Case, Play, Stage, Task, fail, keep, play, raw, rows, say

REPORT = play(say("report"))
FATAL = {"any_errors_fatal": True}
IGNORE = {"ignore_unreachable": True}
CAUGHT: Task = {"block": [WORK], "rescue": [say("rescue")]}
END_PLAY: Task = {"ansible.builtin.meta": "end_play"}

# None of our code is in it: what can change it is another ansible-core
pytestmark = pytest.mark.slow

SINCE_2_19 = ("2.19", cores.NEWEST)


def batches(*tasks: Task, serial: t.Any = (2, 1), **keywords: t.Any) -> list[Play]:
    """A play in batches, and a report after it."""
    return [play(*tasks, serial=list(serial), **keywords), REPORT]


# Why none of this is left to keywords
NAIVE = {
    # The threshold works, and takes the report with it.
    "max_fail_percentage, one fails": Case(
        "a1! a2 b1", batches(WORK, max_fail_percentage=49), {"work": "a1! a2"}, 2, "a1 failures=1"
    ),
    "max_fail_percentage must be exceeded, and begins anew with each batch": Case(
        "a1! a2 b1! b2 c1",
        batches(WORK, max_fail_percentage=50, serial=[2]),
        {"work": "a1! a2 | b1! b2 | c1", "report": "a2 b2 c1"},
        2,
        "a1 failures=1, b1 failures=1",
    ),
    "max_fail_percentage does not count lost hosts": Case(
        "a1? a2 b1",
        batches(WORK, max_fail_percentage=0),
        {"work": "a1? a2 | b1", "report": "a2 b1"},
        4,
        "a1 unreachable=1",
    ),
    "any_errors_fatal, one fails": Case("a1! a2 b1", batches(WORK, **FATAL), {"work": "a1! a2"}, 2, "a1 failures=1"),
    # The worst of them: a canary whose kernel panics is lost, and the fleet gets the patch.
    "any_errors_fatal, the only canary is lost": Case(
        "a1? b1 b2",
        batches(WORK, serial=[1, 2], max_fail_percentage=0, **FATAL),
        {"work": "a1? | b1 b2"},
        4,
        "a1 unreachable=1",
    ),
    "any_errors_fatal, one canary is lost, 2.16": Case(
        "a1? a2 b1", batches(WORK, **FATAL), {"work": "a1? a2 | b1"}, 4, "a1 unreachable=1", versions=["2.16"]
    ),
    "any_errors_fatal, one canary is lost": Case(
        "a1? a2 b1",
        batches(WORK, **FATAL),
        {"work": "a1? a2 | b1", "report": "b1"},
        4,
        "a1 unreachable=1",
        versions=SINCE_2_19,
    ),
    "any_errors_fatal with rescue, 2.16": Case(
        "a1! a2 b1",
        batches({"block": [WORK, say("next")], "rescue": [say("rescue")]}, say("then"), **FATAL),
        {"work": "a1! a2 | b1", "next": "a2 | b1", "rescue": "a1", "then": "a1 a2 | b1", "report": "a1 a2 b1"},
        0,
        "a1 rescued=1",
        versions=["2.16"],
    ),
    # a2 is well and rescued all the same, and later plays do without it.
    "any_errors_fatal with rescue": Case(
        "a1! a2 b1",
        batches({"block": [WORK, say("next")], "rescue": [say("rescue")]}, say("then"), **FATAL),
        {"work": "a1! a2 | b1", "rescue": "a1 a2", "then": "a1 a2 | b1", "next": "b1", "report": "a1 b1"},
        2,
        "a1 rescued=1",
        versions=SINCE_2_19,
    ),
    "any_errors_fatal takes no notice of ignore_unreachable": Case(
        "a1? a2 b1", batches(WORK, say("then"), **FATAL, **IGNORE), {"work": "a1? a2"}, 2, "a1 ignored=1"
    ),
    # Of one host always so: a gate as a play of its own would never be asked about a lone canary.
    "the only one of a batch fails": Case(
        "a1! b1", batches(WORK, serial=[1], max_fail_percentage=100), {"work": "a1!"}, 2, "a1 failures=1"
    ),
    "the only one of a batch is lost": Case(
        "a1? b1", batches(WORK, serial=[1], max_fail_percentage=100), {"work": "a1?"}, 4, "a1 unreachable=1"
    ),
    "all of a batch fail or are lost": Case(
        "a1! a2? b1",
        batches(WORK, max_fail_percentage=100),
        {"work": "a1! a2?"},
        4,
        "a1 failures=1, a2 unreachable=1",
    ),
    "some of a batch fail": Case(
        "a1! a2 b1",
        batches(WORK, say("then")),
        {"work": "a1! a2 | b1", "then": "a2 | b1", "report": "a2 b1"},
        2,
        "a1 failures=1",
    ),
    "a lost host is not rescued": Case(
        "a1? a2! a3",
        [play({**CAUGHT, "always": [say("always")]}, say("then")), REPORT],
        {"work": "a1? a2! a3", "rescue": "a2", "always": "a2 a3", "then": "a2 a3", "report": "a2 a3"},
        4,
        "a1 unreachable=1, a2 rescued=1",
    ),
    "a lost host is not asked again, though it answers": Case(
        "a1? a2",
        [
            play(WORK),
            play(
                {
                    "name": "mend",
                    "ansible.builtin.file": {
                        "path": "{{ lookup('ansible.builtin.env', 'FAKE_HOSTS') }}/a1/gone",
                        "state": "absent",
                    },
                    "delegate_to": "localhost",
                    "connection": "local",
                }
            ),
            play(raw("again")),
        ],
        {"work": "a1? a2", "mend": "a2", "again": "a2"},
        4,
        "a1 unreachable=1",
    ),
    # So the verdict is the last task, and gates tell, and do not fail.
    "run_once fails": Case(
        "a1 a2 b1", batches(fail("gate", run_once=True), say("then")), {"gate": "a1!"}, 2, "a1 failures=1"
    ),
    # So what runs once is delegated, and an action plugin must not let a connection's failure out.
    "run_once on a lost host ends the run, ignored or not": Case(
        "a1? a2 b1",
        batches(WORK, raw("once", run_once=True), say("then"), **IGNORE),
        {"work": "a1? a2", "once": "a1?"},
        2,
        "a1 ignored=2",
    ),
    "run_once delegated to a lost host ends the run": Case(
        "a1 a2? b1",
        batches(WORK, raw("once", run_once=True, delegate_to="a2"), say("then"), **IGNORE),
        {"work": "a1 a2?", "once": "a1?"},
        2,
        "a1 ignored=1, a2 ignored=1",
    ),
    "the strategy free": Case(
        "a1! a2 a3",
        [
            play(
                WORK,
                say("once", run_once=True),
                strategy="ansible.builtin.free",
                max_fail_percentage=0,
                **FATAL,
            ),
            REPORT,
        ],
        {"work": "a1! a2 a3", "once": "a2 a3", "report": "a2 a3"},
        2,
        "a1 failures=1",
    ),
    "the strategy free, of the settings": Case(
        "a1 a2",
        [play(say("once", run_once=True))],
        {"once": "a1 a2"},
        settings={"ANSIBLE_STRATEGY": "free"},
    ),
    "any_errors_fatal, of the settings": Case(
        "a1! a2 b1",
        batches(WORK, say("then")),
        {"work": "a1! a2"},
        2,
        "a1 failures=1",
        settings={"ANSIBLE_ANY_ERRORS_FATAL": "true"},
    ),
    # Sizes are of places, not of hosts: b1 is a canary now. So the plan is made from those that --limit leaves.
    "batches under --limit": Case(
        "a1 b1 b2", batches(WORK, serial=[1, 2]), {"work": "b1 | b2", "report": "b1 b2"}, arguments=["--limit", "b1,b2"]
    ),
    # So each step of a gate has all its keys, those too that it could not judge.
    "a condition of end_play that cannot be evaluated": Case(
        "a1 a2 b1", batches(WORK, {**END_PLAY, "when": "not nothing.go"}), {"work": "a1 a2"}, 1
    ),
}


def rollout(hosts: list[str], sizes: list[int]) -> list[Play]:
    """What is left of playbooks/rollout.yml without the collection: nobody may follow a host that is not well."""
    # A lost host's result has no return code.
    bad = (
        "hostvars['localhost'].plan.hosts | map('extract', hostvars) | selectattr('x', 'defined')"
        " | map(attribute='x.rc', default=255) | reject('eq', 0) | list | length > 0"
    )
    return [
        play(keep("plan", plan={"hosts": hosts, "sizes": sizes})),
        play(
            {"block": [{**WORK, "register": "x"}], "rescue": [say("rescue")]},
            say("gate", "{{ " + bad + " }}", run_once=True, register="gate"),
            {**END_PLAY, "when": "gate.msg | bool"},
            hosts="{{ hostvars['localhost'].plan.hosts }}",
            serial="{{ hostvars['localhost'].plan.sizes }}",
            **IGNORE,
        ),
        play(say("back"), hosts="{{ [] }}"),
        play(say("report"), fail("verdict", run_once=True, when=bad)),
    ]


# What the rollout does instead
OURS = {
    "all of a batch fail and are rescued": Case(
        "a1! b1",
        batches(CAUGHT, say("then"), serial=[1]),
        {"work": "a1! | b1", "rescue": "a1", "then": "a1 | b1", "report": "a1 b1"},
        0,
        "a1 rescued=1",
    ),
    "all of a batch are lost and that is ignored": Case(
        "a1? b1",
        batches(WORK, raw("again"), say("then"), serial=[1], **IGNORE),
        {"work": "a1? | b1", "again": "a1? | b1", "then": "a1 | b1", "report": "a1 b1"},
        0,
        "a1 ignored=2",
    ),
    "end_play ends the batches and not the run": Case(
        "a1 a2 b1",
        batches(WORK, {**END_PLAY, "when": "inventory_hostname == 'a1'"}, say("then")),
        {"work": "a1 a2", "report": "a1 a2 b1"},
    ),
    "end_play where the first host is lost": Case(
        "a1? a2 b1",
        batches({**WORK, "register": "x"}, {**END_PLAY, "when": "x is unreachable"}, say("then"), **IGNORE),
        {"work": "a1? a2", "report": "a1 a2 b1"},
        0,
        "a1 ignored=1",
    ),
    # Its condition must not be about the host.
    "end_play asks the first host only": Case(
        "a1 a2 b1",
        batches(WORK, {**END_PLAY, "when": "inventory_hostname == 'a2'"}, say("then")),
        {"work": "a1 a2 | b1", "then": "a1 a2 | b1", "report": "a1 a2 b1"},
    ),
    "a play's keywords override the settings": Case(
        "a1! a2 b1",
        batches(WORK, say("once", run_once=True), strategy="ansible.builtin.linear", any_errors_fatal=False),
        {"work": "a1! a2 | b1", "once": "a2 | b1", "report": "a2 b1"},
        2,
        "a1 failures=1",
        settings={"ANSIBLE_STRATEGY": "free", "ANSIBLE_ANY_ERRORS_FATAL": "true"},
    ),
    "a rollout, the only canary is lost": Case(
        "a1? a2 b1",
        rollout(["a1", "a2", "b1"], [1, 2]),
        {"plan": "a1", "work": "a1?", "gate": "a1", "report": "a1 a2 b1", "verdict": "a1!"},
        2,
        "a1 failures=1 ignored=1",
    ),
    "a rollout, one of two canaries is lost": Case(
        "a1 a2? b1 b2",
        rollout(["a1", "a2", "b1", "b2"], [2, 1]),
        {"plan": "a1", "work": "a1 a2?", "gate": "a1", "report": "a1 a2 b1 b2", "verdict": "a1!"},
        2,
        "a1 failures=1, a2 ignored=1",
    ),
    "a rollout, the only canary fails, --limit": Case(
        "a1 b1! b2 b3",
        rollout(["b1", "b2"], [1]),
        {"plan": "b1", "work": "b1!", "rescue": "b1", "gate": "b1", "report": "b1 b2", "verdict": "b1!"},
        2,
        "b1 failures=1 rescued=1",
        arguments=["--limit", "b1,b2"],
    ),
    "a rollout, all is well": Case(
        "a1 a2 b1",
        rollout(["b1", "a1", "a2"], [1, 2]),
        {"plan": "a1", "work": "b1 | a1 a2", "gate": "b1 | a1", "report": "a1 a2 b1", "verdict": "a1-"},
    ),
}


@pytest.mark.parametrize(("version", "name"), rows(NAIVE))
def test_why_keywords_do_not_do(stages: Callable[[str], Stage], version: str, name: str) -> None:
    stages(version).check(NAIVE[name])


@pytest.mark.parametrize(("version", "name"), rows(OURS))
def test_what_the_rollout_rests_on(stages: Callable[[str], Stage], version: str, name: str) -> None:
    stages(version).check(OURS[name])


@pytest.mark.parametrize("version", [*cores.VERSIONS, cores.NEWEST])
def test_a_run_that_is_ended_rescues_nothing(stages: Callable[[str], Stage], version: str) -> None:
    """As a job of AWX that is cancelled: so what is begun is recorded before, never after."""
    start = raw("start", 'touch "$FAKE_HOST/started"; sleep 2')
    caught = {"block": [start], "rescue": [say("rescue")], "always": [say("always")]}
    trace = stages(version).run(Case("a1", [play(caught), REPORT], {}), interrupted=True)
    assert [event.task for event in trace.events if event.kind == "start"] == ["start"], trace.output
    assert (trace.ran, trace.recap) == ({}, "")
    assert trace.rc < 0


@pytest.mark.parametrize("version", [*cores.VERSIONS, cores.NEWEST])
def test_a_task_begins_when_all_of_the_batch_have_ended_the_one_before(
    stages: Callable[[str], Stage], version: str
) -> None:
    """So a gate in a task of its own has heard of everybody."""
    case = Case("a1 a2 a3", [play(WORK, raw("gate", run_once=True))], {}, settings={"ANSIBLE_FORKS": "2"})
    events = stages(version).run(case).events
    ended = [event.time for event in events if event.kind == "end" and event.task == "work"]
    (asked,) = [event.time for event in events if event.kind == "start" and event.task == "gate"]
    assert len(ended) == 3
    assert max(ended) <= asked
