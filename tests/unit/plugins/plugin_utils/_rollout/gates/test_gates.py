# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates that look elsewhere: whatever is not surely well does not pass."""

from __future__ import annotations

import dataclasses
import json
import math
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import REQUEST_OPTIONS, RequestFailed, redact_url
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import runner, verdict
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.context import (
    GateContext,
    build_hosts_pattern,
)

CONTEXT = GateContext("r", "p", 0, ("web1", "web2"), ("web3",), 1000.0)
PROM = {"name": "errors", "type": "prometheus", "url": "http://u:secret@p:9090/", "query": 'rate(e{i=~"$hosts"}[5m])'}
BELOW = {**PROM, "pass_if": "< 0.05"}
RATIO = {**PROM, "max_ratio": 1.5}
ALERTS = {"name": "alerts", "type": "alertmanager", "url": "http://a:9093"}
HTTP = {"name": "change", "type": "http", "url": "http://c/approve"}

Answer = tuple[int, str] | Exception


class Net:
    """Answers one after the other, the last one for ever; keeps what was asked. Its time goes by when it is slept."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, str | None]] = []
        self.now = 0.0

    def fetch(self, method: str, url: str, body: str | None, _options: t.Any) -> tuple[int, str]:
        self.asked.append((method, url, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def ask(
    gate: dict[str, t.Any], *answers: Answer, context: GateContext = CONTEXT, stopped: str | None = None
) -> tuple[verdict.GateResult, Net]:
    net = Net(*answers)
    told = runner.run_gates(
        runner.parse_gates([gate], {}), context, net.fetch, lambda: stopped, lambda: net.now, net.sleep
    )
    return told.gates[0], net


def vector(*values: str) -> tuple[int, str]:
    result = [{"metric": {}, "value": [0, value]} for value in values]
    return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


DOWN = RequestFailed("does not answer")
BROKEN = 500, "Internal Server Error"
WRONG = 400, json.dumps({"status": "error", "error": "parse error"})
RANGE = 200, json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}})
SCALAR = 200, json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [0, "0.01"]}})


@pytest.mark.parametrize(
    ("gate", "answers", "expected"),
    [
        (BELOW, [vector("0.01")], "pass"),
        (BELOW, [vector("0.01", "0.04")], "pass"),
        (BELOW, [SCALAR], "pass"),
        (BELOW, [vector("0.05")], "fail"),
        (BELOW, [vector("0.01", "0.06")], "fail"),
        (BELOW, [vector()], "inconclusive"),
        (BELOW, [vector("NaN")], "inconclusive"),
        (BELOW, [vector("0.01", "+Inf")], "inconclusive"),
        ({**BELOW, "on_empty": "fail"}, [vector()], "fail"),
        (BELOW, [DOWN], "error"),
        (BELOW, [BROKEN], "error"),
        (BELOW, [WRONG], "error"),
        (BELOW, [RANGE], "error"),
        (BELOW, [(200, "<html>")], "error"),
        (BELOW, [(200, "[]")], "error"),
        # An answer that comes after all
        (BELOW, [DOWN, BROKEN, vector("0.01")], "pass"),
        (BELOW, [vector(), vector("0.01")], "pass"),
        ({**BELOW, "error_limit": 0}, [DOWN, vector("0.01")], "error"),
        # One failure is one too many, unless it is borne
        ({**BELOW, "count": 3}, [vector("0.01"), vector("0.9"), vector("0.01")], "fail"),
        ({**BELOW, "count": 3, "failure_limit": 1}, [vector("0.01"), vector("0.9"), vector("0.01")], "pass"),
        # Beside hosts that are not patched
        (RATIO, [vector("0.2"), vector("0.2")], "pass"),
        (RATIO, [vector("0.3"), vector("0.2")], "pass"),
        (RATIO, [vector("0.4"), vector("0.2")], "fail"),
        (RATIO, [vector("0"), vector("0")], "pass"),
        (RATIO, [vector("0.1"), vector("0"), vector("0.1"), vector("0")] * 3, "inconclusive"),
        (RATIO, [vector(), vector("0.2")] * 3, "inconclusive"),
        (RATIO, [vector("0.2"), vector()] * 3, "inconclusive"),
    ],
)
def test_prometheus(gate: dict[str, t.Any], answers: list[Answer], expected: str) -> None:
    assert ask(gate, *answers)[0].verdict == expected


def test_without_hosts_to_compare_with_there_is_no_ratio() -> None:
    alone = GateContext("r", "p", 0, ("web1",), (), 1000.0)
    assert ask(RATIO, vector("0.2"), context=alone)[0].verdict == "inconclusive"


def test_the_query_is_told_as_it_was_sent() -> None:
    judged, net = ask(BELOW, vector("0.01"))
    (measured,) = judged.measurements
    assert measured.request == 'rate(e{i=~"(web1|web2)(:[0-9]+)?"}[5m])'
    assert measured.value == [0.01]
    assert net.asked[0][:2] == ("POST", "http://u:secret@p:9090/api/v1/query")
    assert "secret" not in redact_url("http://u:secret@p:9090/")


def test_names_cannot_get_out_of_the_pattern() -> None:
    assert build_hosts_pattern(
        ["a.b", 'x"} or vector(1) #']
    ) == '(a\\\\.b|x"\\\\}\\\\ or\\\\ vector\\\\(1\\\\)\\\\ \\\\#)(:[0-9]+)?'.replace('x"', 'x\\"')


def alert(
    name: str = "Down", instance: str = "web1:9100", started: str = "1970-01-01T00:30:00.123Z"
) -> dict[str, t.Any]:
    return {"labels": {"alertname": name, "instance": instance}, "startsAt": started}


@pytest.mark.parametrize(
    ("options", "alerts", "expected"),
    [
        ({}, [], "pass"),
        ({}, [alert()], "fail"),
        ({"allow": ["Down"]}, [alert()], "pass"),
        ({"allow": ["Down"]}, [alert(), alert("Slow")], "fail"),
        ({"label": "instance"}, [alert(instance="web1:9100")], "fail"),
        ({"label": "instance"}, [alert(instance="web9:9100")], "pass"),
        ({"label": "host"}, [alert()], "pass"),
        ({"only_new": True}, [alert(started="1970-01-01T00:16:41Z")], "fail"),
        ({"only_new": True}, [alert(started="1970-01-01T00:16:39Z")], "pass"),
        ({"only_new": True}, [alert(started="1970-01-01T00:16:41.5+00:00")], "fail"),
        ({}, [{"labels": {}}], "error"),
    ],
)
def test_alertmanager(options: dict[str, t.Any], alerts: list[t.Any], expected: str) -> None:
    assert ask({**ALERTS, **options}, (200, json.dumps(alerts)))[0].verdict == expected


def test_alertmanager_is_asked_for_what_fires_and_is_not_silenced() -> None:
    judged, net = ask({**ALERTS, "matchers": ['severity="critical"']}, (200, "[]"))
    assert net.asked[0][1].endswith("active=true&silenced=false&inhibited=false&filter=severity%3D%22critical%22")
    assert judged.measurements[0].request == 'severity="critical"'
    assert ask(ALERTS, DOWN)[0].verdict == "error"
    assert ask(ALERTS, (503, ""))[0].verdict == "error"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, ""), "pass"),
        ((204, ""), "pass"),
        ((403, "no"), "fail"),
        ((404, ""), "fail"),
        ((429, ""), "inconclusive"),
        ((503, ""), "error"),
        ((302, ""), "error"),
        (DOWN, "error"),
    ],
)
def test_http(answer: Answer, expected: str) -> None:
    judged, net = ask(HTTP, answer)
    assert judged.verdict == expected
    assert json.loads(net.asked[0][2] or "") == {"rollout": "r", "plan": "p", "wave": 0, "hosts": ["web1", "web2"]}


def test_a_halt_ends_the_waiting() -> None:
    judged, net = ask({**HTTP, "initial_delay": 60}, (200, ""), stopped="rollouts are halted")
    assert (judged.verdict, judged.text, net.asked) == ("inconclusive", "rollouts are halted", [])


def test_looks_are_that_far_apart() -> None:
    _judged, net = ask({**HTTP, "count": 3, "interval": 20, "initial_delay": 5}, (200, ""))
    assert (len(net.asked), net.now) == (3, 45)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], "pass"),
        (["pass", "pass"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["error", "inconclusive"], "error"),
        (["error", "fail", "pass"], "fail"),
        (["pass", "strange"], "error"),
    ],
)
def test_together(verdicts: list[str], expected: str) -> None:
    gates = [verdict.GateResult(f"g{n}", kind, "") for n, kind in enumerate(verdicts)]
    assert verdict.combine_results(gates).verdict == expected


def test_of_one_that_is_tried_only_is_told_and_it_does_not_count() -> None:
    net = Net((403, "no"))
    told = runner.run_gates(
        runner.parse_gates([{**HTTP, "dry_run": True}], {}),
        CONTEXT,
        net.fetch,
        lambda: None,
        lambda: net.now,
        net.sleep,
    )
    assert told.verdict == "pass"
    assert "change: fail (HTTP 403: no)" in told.text


def test_a_gate_is_skipped_by_its_name_and_for_a_reason_that_is_kept() -> None:
    gates = runner.parse_gates([HTTP, ALERTS], {"change": "the desk is closed"})
    net = Net((200, "[]"))
    told = runner.run_gates(gates, CONTEXT, net.fetch, lambda: None, lambda: net.now, net.sleep)
    assert (told.verdict, told.gates[0].skipped) == ("pass", "the desk is closed")
    assert len(net.asked) == 1, "the other one is asked"
    for skip, words in (({"chaneg": "x"}, "there is no gate chaneg"), ({"change": " "}, "has no reason")):
        with pytest.raises(PlanError, match=words):
            runner.parse_gates([HTTP], skip)


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({"type": "http"}, "gate 1 has no name"),
        ({"name": "x", "type": "email"}, "of type 'email'"),
        ({**HTTP, "urll": "x"}, "urll is unknown; valid options are .*url"),
        ({"name": "x", "type": "http"}, "has no url"),
        ({**HTTP, "method": "DELETE"}, "GET or POST"),
        (PROM, "either pass_if"),
        ({**BELOW, "max_ratio": 2}, "either pass_if"),
        ({**PROM, "pass_if": "almost 5"}, "comparison"),
        ({**PROM, "pass_if": "< nan"}, "comparison"),
        ({**PROM, "query": "up", "max_ratio": 2}, r"\$hosts"),
        ({**BELOW, "on_empty": "pass"}, "cannot pass"),
        ({**BELOW, "count": 0}, "set 1 or more"),
        ({**BELOW, "interval": "soon"}, "set a number"),
        ({**BELOW, "interval": "nan"}, "set a number"),
        ({**BELOW, "error_limit": "inf"}, "set a number"),
        ({**RATIO, "max_ratio": "inf"}, "set a number"),
        ({**HTTP, "timeout": "soon"}, "timeout is 'soon': set a number"),
        ({**HTTP, "headers": "X: y"}, "headers is no mapping: set names and values$"),
        ({**HTTP, "url": "c/approve?token=abcd"}, "url is not a URL that begins with http:// or https://$"),
        ({**HTTP, "dry_run": "maybe"}, "dry_run is 'maybe': set true or false"),
        ({**ALERTS, "allow": "Down"}, "allow is 'Down': set a list"),
        ({**ALERTS, "matchers": ["severity=critical"]}, "not a matcher"),
    ],
)
def test_what_cannot_be_understood_is_refused_before_anything_is_asked(gate: dict[str, t.Any], words: str) -> None:
    with pytest.raises(PlanError, match="^livepatch_gates: .*" + words):
        runner.parse_gates([gate], {})


@pytest.mark.parametrize("blank", ["", None])
@pytest.mark.parametrize(
    ("gate", "keys"),
    [
        (BELOW, [field.name for field in dataclasses.fields(verdict.Limits)]),
        (BELOW, [*REQUEST_OPTIONS, "dry_run", "on_empty", "max_ratio"]),
        (ALERTS, ["matchers", "label", "allow", "only_new"]),
        (HTTP, ["method"]),
    ],
)
def test_blank_options_mean_the_default(gate: dict[str, t.Any], keys: list[str], blank: t.Any) -> None:
    assert runner.parse_gates([{**gate, **dict.fromkeys(keys, blank)}], {}) == runner.parse_gates([gate], {})


@pytest.mark.parametrize(("word", "critical"), [("false", True), ("no", True), (0, True), ("true", False), (1, False)])
def test_words_are_read_as_ansible_reads_booleans(word: t.Any, critical: bool) -> None:
    (gate,) = runner.parse_gates([{**HTTP, "dry_run": word}], {})
    assert gate.critical is critical
    old = alert(started="1970-01-01T00:16:39Z")
    expected = "fail" if critical else "pass"
    assert ask({**ALERTS, "only_new": word}, (200, json.dumps([old])))[0].verdict == expected


_KEYS = (*HTTP, *ALERTS, *BELOW, "max_ratio", "on_empty", "matchers", "allow", "only_new", "label", "method", "dry_run")
_KEYS = (*_KEYS, *REQUEST_OPTIONS, *(field.name for field in dataclasses.fields(verdict.Limits)))
_VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(),
    st.sampled_from(["", " ", "x", "5", "nan", "inf", "-1", "on", "< 1", "up", "$hosts", "http", "prometheus"]),
    st.lists(st.sampled_from(["a", 'severity="x"', 5, None]), max_size=2),
    st.dictionaries(st.sampled_from(["X", "Y"]), st.sampled_from(["a", 5, None]), max_size=1),
)


@hypothesis.settings(max_examples=400, deadline=None)
@hypothesis.given(st.sampled_from([HTTP, ALERTS, BELOW, RATIO]), st.dictionaries(st.sampled_from(_KEYS), _VALUE))
def test_whatever_a_gate_is_given_is_taken_or_refused_by_its_name(
    gate: dict[str, t.Any], changes: dict[str, t.Any]
) -> None:
    try:
        (parsed,) = runner.parse_gates([{**gate, **changes}], {})
    except PlanError as exc:
        assert str(exc).startswith("livepatch_gates: ")
        return
    limits = parsed.limits
    assert limits.count >= 1
    assert all(0 <= getattr(limits, field.name) < math.inf for field in dataclasses.fields(limits))
    # Nothing that was taken ends in an exception later, and silence is never a pass.
    net = Net(RequestFailed("does not answer"))
    assert parsed.source.measure(CONTEXT, net.fetch).verdict == "error"


def test_two_of_the_same_name_are_refused() -> None:
    with pytest.raises(PlanError, match="two gates"):
        runner.parse_gates([HTTP, HTTP], {})


def test_no_secret_of_a_gate_is_kept() -> None:
    """A server may send back what it was sent."""
    marks = ["mark-header", "mark-query", "mark-password", "mark-basic"]
    options = {
        "headers": {"Authorization": "Bearer mark-header"},
        "url": "http://user:mark-password@c/x?token=mark-query",
        "url_username": "me",
        "url_password": "mark-basic",
    }
    for gate in (HTTP, BELOW, ALERTS):
        for answer in ((403, " ".join(marks)), (500, " ".join(marks)), (200, " ".join(marks)), RequestFailed("no")):
            told, _net = ask({**gate, **options}, answer)
            kept = json.dumps(dataclasses.asdict(told))
            assert not [mark for mark in marks if mark in kept], kept


def test_what_a_gate_says_is_one_printable_line() -> None:
    told, _net = ask(HTTP, (403, "no\n\x1b[2J\u202eyes"))
    assert told.text == "HTTP 403: no ?[2J?yes"
