# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Webhooks are notified of a rollout, and never affect it."""

from __future__ import annotations

import json
import typing as t
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleError

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import RequestFailed
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import webhooks

URL = "https://robot:secret@chat.example.com/hook"
ABOUT = {"scope": "default", "rollout": "3f1c8d", "plan": "ab" * 32}
Answer = int | RequestFailed


class World:
    """Webhooks that give these answers, each after some seconds."""

    def __init__(self, *answers: Answer, takes: float = 0.0) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[float, str, dict[str, t.Any], str]] = []
        self.warnings: list[str] = []
        self.now = 1_800_000_000.0
        self._takes = takes

    def notify(self, *given: dict[str, t.Any], event: str = "gate", **more: t.Any) -> None:
        notifier = webhooks.Notifier(
            webhooks.parse_webhooks(given),
            ABOUT,
            self.warnings.append,
            send=self._send,
            now=lambda: self.now,
            sleep=self._sleep,
        )
        notifier.notify(event, "Gate after canaries: pass", **more)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _send(self, method: str, url: str, body: str | None, options: t.Mapping[str, t.Any]) -> tuple[int, str]:
        assert method == "POST" and body is not None
        self.asked.append((self.now - 1_800_000_000.0, url, dict(options), body))
        self.now += min(self._takes, options["timeout"])
        answer = self.answers.pop(0)
        if isinstance(answer, RequestFailed):
            raise answer
        return answer, "so\nit is"


def test_what_is_sent() -> None:
    world = World(204)
    world.notify({"url": URL, "secret": "hush", "headers": {"X-Job": "42"}}, wave=0, counts={"done": 2})
    ((_at, url, options, body),) = world.asked
    told = json.loads(body)
    assert url == URL
    assert len(told.pop("id")) == 36
    assert told == {
        "schema": 1,
        "event": "gate",
        "at": "2027-01-15T08:00:00+00:00",
        "text": "Gate after canaries: pass",
        **ABOUT,
        "wave": 0,
        "counts": {"done": 2},
    }
    assert options["headers"] == {
        "X-Job": "42",
        "X-Livepatch-Event": "gate",
        "X-Livepatch-Signature-256": webhooks.sign("hush", body),
    }
    assert "hush" not in body
    assert world.warnings == []


def test_the_signature_is_that_of_rfc_4231() -> None:
    """Its test case 2."""
    digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert webhooks.sign("Jefe", "what do ya want for nothing?") == f"sha256={digest}"


def test_without_a_secret_nothing_is_signed() -> None:
    world = World(200)
    world.notify({"url": URL})
    assert list(world.asked[0][2]["headers"]) == ["X-Livepatch-Event"]


def test_only_the_events_that_are_wanted() -> None:
    world = World(200)
    world.notify(
        {"url": URL, "events": ["halt"]}, {"url": URL, "events": "gate,done"}, {"url": URL, "events": ["done"]}
    )
    assert len(world.asked) == 1


@pytest.mark.parametrize(
    ("answers", "tries", "problem"),
    [
        ([200], 1, None),
        ([503, 200], 2, None),
        ([RequestFailed("it does not answer"), 429, 201], 3, None),
        ([500, 502, 503], 3, "HTTP 503: so it is (3 attempts)"),
        ([RequestFailed("it does not answer")] * 3, 3, "it does not answer (3 attempts)"),
        ([404], 1, "HTTP 404: so it is"),
        ([301], 1, "HTTP 301: so it is"),
        ([500, 401], 2, "HTTP 401: so it is (2 attempts)"),
    ],
)
def test_it_is_tried_again_where_that_may_help(answers: list[Answer], tries: int, problem: str | None) -> None:
    world = World(*answers, 200)
    world.notify({"url": URL})
    assert len(world.asked) == tries
    assert len({json.loads(body)["id"] for _at, _url, _options, body in world.asked}) == 1
    assert [at for at, *_more in world.asked] == [0.0, 1.0, 3.0][:tries]
    told = f"livepatch_webhooks: https://***@chat.example.com/*** was not notified of gate: {problem}"
    assert world.warnings == ([told] if problem else [])


def test_all_tries_take_no_longer_than_the_limit() -> None:
    world = World(*[RequestFailed("slow")] * 9, takes=60)
    world.notify({"url": URL, "retries": 8, "limit": 7, "timeout": 4})
    assert [(at, options["timeout"]) for at, _url, options, _body in world.asked] == [(0.0, 4.0), (5.0, 2.0)]
    assert world.now - 1_800_000_000.0 == 7.0
    assert world.warnings[0].endswith("slow (2 attempts)")


def test_what_is_secret_of_it_is_not_in_the_warning() -> None:
    world = World(500)
    url = "https://hooks.example.com/services/T0B0-abcdefghijklmn?sig=one-signature"
    answer = f"{url}: no such hook, hush now, Bearer letmein-letmein"
    headers = {"Authorization": "Bearer letmein-letmein"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "_send", lambda *_given: (500, answer))
        world.notify({"url": url, "secret": "hush", "headers": headers, "retries": 0})
    said = "https://hooks.example.com/services/***?***: no such hook, *** now, ***"
    label = "livepatch_webhooks: https://hooks.example.com/***?***"
    assert world.warnings == [f"{label} was not notified of gate: HTTP 500: {said}"]


def test_one_that_fails_keeps_nothing_from_the_next() -> None:
    world = World(404, 200)
    world.notify({"url": URL}, {"url": "http://other.example.com"})
    assert [url for _at, url, *_more in world.asked] == [URL, "http://other.example.com"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "each one needs a url"),
        ({"url": "chat.example.com"}, "each one needs a url"),
        (
            {"url": URL, "event": ["gate"]},
            r"chat\.example\.com/\*\*\*: unknown option event; valid are ca_path, ",
        ),
        ({"url": "http://chat.example.com:port/"}, "each one needs a url"),
        ({"url": URL, "headers": "X-Token: abcd"}, "headers has to be a mapping$"),
        ({"url": URL, "events": ["gates"]}, "unknown event gates; valid are plan, start, resume, "),
        ({"url": URL, "retries": "often"}, "retries, limit and timeout have to be numbers"),
        ({"url": URL, "timeout": "soon"}, "retries, limit and timeout have to be numbers"),
        ({"url": URL, "limit": None}, "retries, limit and timeout have to be numbers"),
        ({"url": URL, "retries": -1}, "limit and timeout have to be above 0, and retries not below 0"),
        ({"url": URL, "limit": 0}, "limit and timeout have to be above 0, and retries not below 0"),
        ({"url": URL, "timeout": -2}, "limit and timeout have to be above 0, and retries not below 0"),
    ],
)
def test_a_wrong_webhook_is_refused(given: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(PlanError, match=f"^livepatch_webhooks: .*{problem}"):
        webhooks.parse_webhooks([given])


@pytest.mark.parametrize("value", [[{"url": "no URL"}], "{{ lookup('missing') }}"])
def test_a_wrong_webhook_is_a_warning_but_where_it_is_all_that_is_asked_for(value: t.Any) -> None:
    """A template that was fine when the run began may fail later."""

    def render(given: t.Any) -> t.Any:
        if isinstance(given, str):
            raise AnsibleError("cannot render it")
        return given

    warned: list[str] = []
    action = SimpleNamespace(
        _templar=SimpleNamespace(template=render),
        _display=SimpleNamespace(warning=warned.append),
        _task=SimpleNamespace(check_mode=False),
    )
    webhooks.create_notifier(action, {"livepatch_webhooks": value}, "default").notify("start", "it begins")
    (line,) = warned
    assert line.startswith("no webhook is notified: ")
    with pytest.raises(PlanError):
        webhooks.create_notifier(action, {"livepatch_webhooks": value}, "default", required=True)
