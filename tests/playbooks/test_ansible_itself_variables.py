# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is in a play, and what its variables hold: what plan, gate and report rest on, on each ansible-core.

The collection is not in it, see test_ansible_itself.py.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import pytest

from tests.support import cores
from tests.support.plays import WORK, Case, Play, Stage, Task, keep, play, raw, rows, say, together

IGNORE = {"ignore_unreachable": True}

# None of our code is in it: what can change it is another ansible-core
pytestmark = pytest.mark.slow

SINCE_2_19 = ("2.19", cores.NEWEST)

# As in playbooks/rollout.yml
WAVES = play(
    say("wave", "{{ ansible_play_batch }}"),
    hosts="{{ (hostvars | default({}))['localhost']['plan']['hosts'] | default([]) }}",
    serial="{{ (hostvars | default({}))['localhost']['plan']['sizes'] | default([1], true) }}",
)
REPORT = play(say("report"))


def planned(hosts: list[str], sizes: list[int], **keywords: t.Any) -> list[Play]:
    plan = keep("plan", plan={"hosts": hosts, "sizes": sizes})
    return [play(plan, **keywords), {**WAVES, **keywords}, {**REPORT, **keywords}]


FOUR = "a1 a2 b1 b2"
PLANNED = planned(["b2", "a1", "b1", "a2"], [1, 2])
ALWAYS = planned(["b2", "a1"], [1], tags="always")

# rollout_validate insists on an extra variable for that.
CHOSEN = play(say("who", "{{ mine }}"), hosts="{{ mine | default('a2') }}")
# playbooks/_validate.yml
EVEN_LOCALHOST = play(
    say("once", "{{ ansible_play_hosts_all }}", run_once=True),
    say("known", "{{ query('ansible.builtin.inventory_hostnames', 'all') }}"),
    hosts="all:localhost",
    connection="local",
)

MEMBERS = {
    # In the order of the plan; the last size holds for what is left.
    "hosts and sizes from a fact of localhost": Case(
        FOUR,
        PLANNED,
        {"plan": "a1", "wave": "b2 | a1 b1 | a2", "report": FOUR},
        said={"wave": {"b2": ["b2"], "a1": ["a1", "b1"], "b1": ["a1", "b1"], "a2": ["a2"]}},
    ),
    # --limit does not take the facts of localhost away, only localhost.
    "the same under --limit": Case(
        FOUR, PLANNED, {"plan": "b1", "wave": "b2 | b1", "report": "b1 b2"}, arguments=["--limit", "b1,b2"]
    ),
    "the same in check mode": Case(
        FOUR, PLANNED, {"plan": "a1", "wave": "b2 | a1 b1 | a2", "report": FOUR}, arguments=["--check"]
    ),
    "nothing was planned, then nobody": Case("a1 a2", [WAVES, *planned([], [])], {"plan": "a1", "report": "a1 a2"}),
    "plays with the tag always, --tags": Case(
        "a1 b2",
        [*ALWAYS, play(say("other"))],
        {"plan": "a1", "wave": "b2 | a1", "report": "a1 b2"},
        arguments=["--tags", "some"],
    ),
    "plays with the tag always, --skip-tags": Case(
        "a1 b2", [*ALWAYS, play(say("other"))], {"other": "a1 b2"}, arguments=["--skip-tags", "always"]
    ),
    "localhost and variables of the inventory": Case(
        "a1 a2",
        [EVEN_LOCALHOST, CHOSEN],
        {"once": "a1", "known": "a1 a2 localhost", "who": "a2"},
        said={"once": ["a1", "a2", "localhost"], "known": ["a1", "a2"], "who": "a1"},
        variables={"mine": "a1"},
    ),
    # So nothing is planned on localhost or on a host that is made up.
    "localhost, hosts that are added and extra variables, under --limit": Case(
        "a1 a2",
        [
            EVEN_LOCALHOST,
            play(say("local"), hosts="localhost", connection="local"),
            play({"name": "add", "ansible.builtin.add_host": {"name": "control", "groups": "control"}}),
            play(say("control"), hosts="control"),
            CHOSEN,
        ],
        {"once": "a2", "known": "a2", "add": "a2", "who": "a2"},
        said={"once": ["a2"], "known": ["a1", "a2"], "who": "a2"},
        arguments=["--limit", "a2", "-e", "mine=a2"],
        variables={"mine": "a1"},
    ),
    "localhost of an empty inventory": Case("", [EVEN_LOCALHOST, REPORT], {"once": "localhost", "known": "localhost"}),
    "--limit to nobody": Case("a1", [REPORT], {}, 1, arguments=["--limit", "b1"]),
}

WHO = [
    say("all", "{{ ansible_play_hosts_all }}"),
    say("batch", "{{ ansible_play_batch }}"),
    say("left", "{{ ansible_play_hosts }}"),
]
ALL = ["a1", "a2", "a3", "b1"]
CAUGHT: Task = {"block": [{**WORK, "register": "x"}], "rescue": [say("rescue", "{{ x is failed }} {{ x.rc }}")]}
# As in tasks/follow_confirm.yml and tasks/soak_probe.yml: one of the batch asks others too
SHARED: Task = {
    "block": [
        raw(
            "share",
            "{{ hostvars[member].does }}",
            loop=["a2", "a3", "a1"],
            loop_control={"loop_var": "member"},
            delegate_to="{{ member }}",
            register="x",
            when="inventory_hostname == 'a1'",
        ),
        say("after"),
    ],
    "rescue": [say("rescue")],
}
EACH = say(
    "each",
    "{{ x.results | map(attribute='member') | list }}"
    " {{ x.results | map(attribute='unreachable', default=false) | list }}"
    " {{ x.results | map(attribute='failed', default=false) | list }}",
    when="inventory_hostname == 'a1'",
)


def once(name: str, **facts: t.Any) -> Task:
    return {"name": name, "ansible.builtin.set_fact": facts, "run_once": True}


def sparse(name: str, loop: str) -> Task:
    """As in tasks/soak_probe.yml: only some of the batch have a share, here a2."""
    return raw(
        name,
        loop="{{ " + loop + " }}",
        loop_control={"loop_var": "member"},
        delegate_to="{{ member }}",
        when="inventory_hostname == 'a2'",
        vars={"shares": {"a2": ["a2", "a1"]}},
    )


WELL = [
    # The condition of what runs once is asked of the first host only: one on the host, a block's too, leaves it to
    # chance.
    Case(
        "a1 a2",
        [
            play(
                say("once if", run_once=True, when="inventory_hostname == 'a2'", register="x"),
                say("heard of once", "{{ x is skipped }}"),
                {"block": [say("each"), say("once in a block", run_once=True)], "when": "inventory_hostname == 'a2'"},
            )
        ],
        {"once if": "a1-", "heard of once": "a1 a2", "each": "a1- a2", "once in a block": "a1-"},
        said={"heard of once": True},
    ),
    # The condition of a block is asked anew for each of its tasks.
    Case(
        "a1 a2",
        [play({"block": [once("stop", go=False), say("after stop")], "when": "go | default(true)"})],
        {"stop": "a1", "after stop": "a1- a2-"},
    ),
    # A task that is skipped leaves nothing of an earlier result. So run.ran looks for it, and what is needed later is
    # not registered by what may be skipped.
    Case(
        "a1 a2",
        [
            play(
                say("registers", "1", register="y"),
                say("registers if", "2", register="y", when="inventory_hostname == 'a1'"),
                say("left", "{{ y.msg | default('-') }} {{ y is skipped }} {{ y is unreachable }} {{ y is failed }}"),
                say("nothing", "{{ {} is unreachable }} {{ {} is skipped }}"),
            )
        ],
        {"registers": "a1 a2", "registers if": "a1 a2-", "left": "a1 a2", "nothing": "a1 a2"},
        said={"left": {"a1": "2 False False False", "a2": "- True False False"}, "nothing": "False False"},
    ),
    # Of set_fact and register the later one holds, in later plays too. tasks/prepare.yml resets results by set_fact,
    # and tasks/soak_probe.yml replaces one.
    Case(
        "a1 a2",
        [
            play(
                say("registered", "one", register="z"),
                once("set", z={"msg": "two"}),
                say("then", "{{ z.msg }}"),
                say("registered again", "three", register="z"),
            ),
            play(say("later", "{{ z.msg }}")),
        ],
        {"registered": "a1 a2", "set": "a1", "then": "a1 a2", "registered again": "a1 a2", "later": "a1 a2"},
        said={"then": "two", "later": "three"},
    ),
    # set_fact once is for those of the batch.
    Case(
        "a1 a2",
        [
            play(
                once("set for the batch", w="{{ inventory_hostname }}"),
                say("of the other", "{{ hostvars['a2'].w | default('-') }}"),
                serial=1,
            ),
            play(say("own", "{{ w }}")),
        ],
        {"set for the batch": "a1 | a2", "of the other": "a1 | a2", "own": "a1 a2"},
        said={"of the other": {"a1": "-", "a2": "a2"}, "own": {"a1": "a1", "a2": "a2"}},
    ),
    # Who has no share skips its loop, where that loop is there.
    Case(
        "a1 a2",
        [play(sparse("own share", "shares[inventory_hostname] | default([])"))],
        {"own share": "a1- a2"},
    ),
]


def shared(whole: t.Any, versions: t.Sequence[str]) -> Case:
    """One of those that are asked is lost, and the others are asked all the same."""
    return Case(
        "a1 a2? a3",
        [play(SHARED, say("whole", "{{ x is unreachable }}"), EACH, **IGNORE)],
        {"share": "a1? a2- a3-", "after": "a1 a2 a3", "whole": "a1 a2 a3", "each": "a1 a2- a3-"},
        0,
        "a1 ignored=1",
        {"whole": whole, "each": "['a2', 'a3', 'a1'] [True, False, False] [False, False, False]"},
        versions=versions,
    )


VARIABLES = {
    "hosts that fail or are lost leave the batch": Case(
        "a1? a2! a3 b1",
        [play(WORK, *WHO, serial=[3])],
        {"work": "a1? a2! a3 | b1", **dict.fromkeys(("all", "batch", "left"), "a3 | b1")},
        4,
        "a1 unreachable=1, a2 failures=1",
        {"all": ALL, "batch": {"a3": ["a3"], "b1": ["b1"]}, "left": ["a3", "b1"]},
    ),
    # So the gate sees all that were planned, and so does the report.
    "hosts that are rescued or lost and ignored stay": Case(
        "a1? a2! a3 b1",
        [play(CAUGHT, *WHO, serial=[3], **IGNORE), play(say("later", "{{ ansible_play_batch }}"))],
        {
            "work": "a1? a2! a3 | b1",
            "rescue": "a2",
            **dict.fromkeys(("all", "batch", "left"), "a1 a2 a3 | b1"),
            "later": "a1 a2 a3 b1",
        },
        0,
        "a1 ignored=1, a2 rescued=1",
        {"rescue": "True 3", "all": ALL, "batch": {**dict.fromkeys(ALL[:3], ALL[:3]), "b1": ["b1"]}, "later": ALL},
    ),
    "what happens in a block to a host that is lost": Case(
        "a1? a2! a3",
        [
            play(
                {
                    "block": [{**WORK, "register": "x"}, say("if", when="x is not unreachable"), raw("next")],
                    "rescue": [say("rescue")],
                },
                say("lost", "{{ x is unreachable }}"),
                **IGNORE,
            )
        ],
        {"work": "a1? a2! a3", "if": "a1- a3", "next": "a1? a3", "rescue": "a2", "lost": "a1 a2 a3"},
        0,
        "a1 ignored=2, a2 rescued=1",
        {"lost": {"a1": True, "a2": False, "a3": False}},
    ),
    "what cannot be evaluated is rescued": Case(
        "a1",
        [
            play(
                {"block": [say("text", "{{ nothing.at_all }}")], "rescue": [say("rescue")]},
                {"block": [say("condition", when="nothing.at_all")], "rescue": [say("again")]},
            )
        ],
        {"text": "a1!", "rescue": "a1", "condition": "a1!", "again": "a1"},
        0,
        "a1 rescued=2",
    ),
    "blocks in tasks that are included, and in roles": Case(
        "a1? a2! a3",
        [
            play(
                {
                    "name": "include",
                    "ansible.builtin.include_tasks": "one.yml",
                    "loop": [1, 2],
                    "loop_control": {"loop_var": "at"},
                    "when": "inventory_hostname != 'a3'",
                },
                {"name": "none", "ansible.builtin.include_tasks": "one.yml", "loop": []},
                {
                    "block": [{"ansible.builtin.import_role": {"name": "one"}, "when": "x is not unreachable"}],
                    "rescue": [say("caught", "{{ ansible_failed_result.msg }}")],
                },
                say("then"),
                **IGNORE,
            )
        ],
        {
            "include": "a1 a2 a3-",
            "work": "a1? a1? a2! a2!",
            "rescue": "a2 a2",
            "none": "a1- a2- a3-",
            "ask": "a1? a2! a3",
            "if": "a1- a3",
            "caught": "a2",
            "then": "a1 a2 a3",
        },
        0,
        "a1 ignored=3, a2 rescued=3",
        {"caught": "non-zero return code"},
        files={
            "one.yml": [{"block": [WORK], "rescue": [say("rescue")]}],
            # The condition of the role is asked anew for each of its tasks.
            "roles/one/tasks/main.yml": [{**WORK, "name": "ask", "register": "x"}, say("if")],
        },
        variables={"x": {}},
    ),
    "run_once is of the first host, lost or not, and its result is everybody's": Case(
        "a1? a2 b1",
        [
            play(
                WORK,
                say("once", "{{ inventory_hostname }}", run_once=True, register="x", delegate_to="localhost"),
                say("heard", "{{ x.msg }}"),
                serial=[2],
                **IGNORE,
            )
        ],
        {"work": "a1? a2 | b1", "once": "a1 | b1", "heard": "a1 a2 | b1"},
        0,
        "a1 ignored=1",
        {"heard": {"a1": "a1", "a2": "a1", "b1": "b1"}},
    ),
    "conditions, set_fact and register": together(*WELL),
    "a loop that is not there, on a condition that is false, 2.16": Case(
        "a1 a2",
        [play(sparse("share", "shares[inventory_hostname]"))],
        {"share": "a1- a2"},
        versions=["2.16"],
    ),
    # Without delegate_to it is skipped here too.
    "a loop that is not there, on a condition that is false": Case(
        "a1 a2",
        [play(sparse("share", "shares[inventory_hostname]"))],
        {"share": "a1! a2"},
        2,
        "a1 failures=1",
        versions=SINCE_2_19,
    ),
    # So only the items are looked at.
    "a share of others, one is lost, 2.16": shared(False, ["2.16"]),
    "a share of others, one is lost": shared({"a1": True, "a2": False, "a3": False}, SINCE_2_19),
    "a share of others, one is lost and one fails": Case(
        "a1 a2? a3!",
        [play(SHARED, EACH, **IGNORE)],
        {"share": "a1! a2- a3-", "after": "a2 a3", "rescue": "a1", "each": "a1 a2- a3-"},
        0,
        "a1 rescued=1",
        {"each": "['a2', 'a3', 'a1'] [True, False, False] [False, True, False]"},
    ),
    "who asks a host that is lost is itself lost": Case(
        "a1 a2",
        [
            play(
                raw("ask", 'touch "$FAKE_HOST/gone"', delegate_to="a2", when="inventory_hostname == 'a1'"),
                raw("then", when="inventory_hostname == 'a1'"),
            ),
            REPORT,
        ],
        {"ask": "a1? a2-", "then": "a2-", "report": "a2"},
        4,
        "a1 unreachable=1",
    ),
    # What waits for a lost host is the action plugin of livepatch_info.
    "until does not wait for a host that is lost": Case(
        "a1? a2!",
        [
            play(
                {**WORK, "register": "x", "until": "x.rc | default(1) == 0", "retries": 2, "delay": 0},
                say("tries", "{{ x.attempts | default('no') }} tries"),
                ignore_errors=True,
                **IGNORE,
            )
        ],
        {"work": "a1? a2!", "tries": "a1 a2"},
        0,
        "a1 ignored=1, a2 ignored=1",
        {"tries": {"a1": "no tries", "a2": "2 tries"}},
    ),
}


@pytest.mark.parametrize(("version", "name"), rows(MEMBERS))
def test_who_is_in_a_play(stages: Callable[[str], Stage], version: str, name: str) -> None:
    stages(version).check(MEMBERS[name])


@pytest.mark.parametrize(("version", "name"), rows(VARIABLES))
def test_what_variables_hold(stages: Callable[[str], Stage], version: str, name: str) -> None:
    stages(version).check(VARIABLES[name])
