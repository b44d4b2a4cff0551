# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outputs of hosts: which of them are a result, and what is made of it."""

from __future__ import annotations

import ast
import json
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _state
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import answer, fields
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.states import STATES
from tests.support import answers

BLOCKS = ("kernel", "kmp", "livepatch")
HONEST = json.dumps(answers.gathered())


@pytest.mark.parametrize(
    "output",
    [
        HONEST,
        f"\n{HONEST}\n",
        f"Welcome to web1\n{HONEST}\nConnection to web1 closed.\n",
        f"Welcome to web1\r\n{HONEST}\r\n",
        json.dumps(answers.gathered(), indent=2),
    ],
)
def test_a_result_among_other_lines(output: str) -> None:
    parsed = answer.parse_output(output, "livepatch_info", BLOCKS)
    assert parsed == {**answers.gathered(), "warnings": []}


@pytest.mark.parametrize(
    "output",
    ["", "sh: python3: not found", "Killed", "{", "}\n{", HONEST[:-30], HONEST[:-30] + "\nKilled", "[1]", '"x"'],
)
def test_no_result(output: str) -> None:
    assert answer.parse_output(output, "livepatch_info", BLOCKS) is None


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("x" * 5_000_000, "is longer than 4000000 characters"),
        ("{}", "kernel: is missing"),
        ('{"changed": false, "failed": false}', "kernel: is missing"),
        ('{"changed": false, "a1": 1}', "a1: is not a key that is known here"),
        ('{"changed": false, "\\u001b[2J": 1}', "?[2J: is not a key that is known here"),
        (json.dumps({"x" * 5000: 1}), f"{'x' * 57}...: is not a key that is known here"),
        ('{"a": ' * 100_000 + "1" + "}" * 100_000, "is nested too deeply"),
        ('{"changed": NaN}', "has a number that is none"),
        ('{"warnings": "x"}', "warnings: must be a list, and is a text"),
    ],
)
def test_no_answer(output: str, problem: str) -> None:
    with pytest.raises(fields.WrongAnswer) as refused:
        answer.parse_output(output, "livepatch_info", BLOCKS)
    assert str(refused.value) == problem


def test_a_failure_needs_no_blocks() -> None:
    parsed = answer.parse_output('{"failed": true, "msg": "no\\n/proc"}', "livepatch_info", BLOCKS)
    assert parsed == {"failed": True, "msg": "no /proc", "warnings": []}


def test_the_kernel_of_a_host_that_is_to_be_patched_has_a_build_id() -> None:
    for state in STATES:
        result = answers.gathered(kernel={"build_id": None}, livepatch={"state": state})
        needs_it = state in (*_state.ACTIVE, *_state.PATCHABLE)
        assert (answer.read_result(result).facts is None) is needs_it, state


@pytest.mark.parametrize("text", ["{'a': 1}", "[1]", " {x", "True", "False"])
def test_a_message_is_no_literal(text: str) -> None:
    """ansible-core 2.16 makes one of what a template renders (Templar.template, safe_eval)."""
    parsed = answer.parse_output(json.dumps({"failed": True, "msg": text}), "livepatch", ())
    assert parsed is not None and parsed["msg"] == f"the host says: {text}"
    assert answer.read_result(parsed).msg == parsed["msg"], "it is not said twice"


def test_warnings_of_each_ansible_core() -> None:
    newer = {"__ansible_type": "WarningSummary", "event": {"__ansible_type": "Event", "msg": "a\x1bb"}}
    parsed = answer.parse_result({"warnings": ["one\ntwo", newer]}, "livepatch")
    assert parsed["warnings"] == ["one two", "a?b"]


def test_a_run_that_was_started() -> None:
    sent = {"changed": False, "detached": True}
    assert answer.parse_result(sent, "livepatch", ("detached",)) == {**sent, "warnings": []}
    with pytest.raises(fields.WrongAnswer, match="detached: is missing"):
        answer.parse_result({"changed": False}, "livepatch", ("detached",))
    with pytest.raises(fields.WrongAnswer, match="detached: is not a key"):
        answer.parse_result(sent, "livepatch_info", ())


@pytest.mark.parametrize(
    "registered", [{}, {"skipped": True}, {"attempts": 2, "changed": True, "ansible_loop_var": "x"}]
)
def test_what_ansible_adds_is_left_out(registered: dict[str, t.Any]) -> None:
    read = answer.read_result(registered)
    assert (read.failed, read.msg, read.facts) == (False, None, None)


def test_what_somebody_else_has_registered_by_that_name_is_refused() -> None:
    read = answer.read_result({"livepatch": {"state": "patched"}})
    assert read.failed and read.describe_error({}) == read.msg
    assert str(read.msg).startswith("the host's answer cannot be used: its livepatch.reason: is missing. ")


def test_each_state_is_known() -> None:
    source = Path(_state.__file__).read_text()
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    verdicts = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Verdict"]
    states = {node.value for call in verdicts for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)}
    assert states - {True, False, None} == set(STATES)


def test_ten_thousand_answers_take_seconds() -> None:
    began, rounds = time.process_time(), 200
    for _round in range(rounds):
        answer.read_result(t.cast("dict[str, t.Any]", answer.parse_output(HONEST, "livepatch_info", BLOCKS)))
    spent = (time.process_time() - began) / rounds
    print(f"{spent * 1000:.2f} ms for each answer")
    assert spent < 0.002


def test_what_was_printed_instead() -> None:
    shown = answer.shorten_output("\x1b[2J{" + "x" * 10_000 + "\n: not found")
    assert shown.startswith("?[2J(xxx") and shown.endswith("xx : not found") and len(shown) < 4100
