# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests of the control node to servers that cannot be trusted."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time
import typing as t
from collections.abc import Callable, Iterator

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _http
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import (
    RequestFailed,
    fetch,
    hide_secrets,
    redact_url,
)

MARK = "s3cr3t-mark"
SECRETS = {"headers": {"Authorization": f"Bearer {MARK}", "X-Token": f"{MARK}2"}}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def serve(answer: Callable[[str], Iterator[bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A server that sends what ``answer`` yields for the head of a request; its URL, and the heads."""
    asked: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def handle(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            asked.append(head.decode())
            for part in answer(asked[-1]):
                connection.sendall(part)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=handle, args=[server.accept()[0]], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
    finally:
        server.close()


def respond(status: str, body: bytes = b"", **fields: str) -> Iterator[bytes]:
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    yield "\r\n".join([*lines, "", ""]).encode() + body


def redirect(to: str, status: int = 302) -> Callable[[str], Iterator[bytes]]:
    """Sends /a to another place, and answers at all others."""
    return lambda head: respond(f"{status} Found", Location=to) if " /a" in head else respond("200 OK", b"here")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_origin_is_never_asked(status: int) -> None:
    with serve(lambda _head: respond("200 OK", b"believe me")) as (other, heard):
        for where in (other, other.replace("127.0.0.1", "localhost"), other.replace("http:", "https:")):
            with serve(redirect(f"{where}/x?{MARK}", status)) as (url, _asked):
                answer = fetch("GET", f"{url}/a", None, SECRETS)
            assert answer == (status, f"a redirect to {where}/***?***, which is not followed")
    assert heard == []


def test_within_an_origin_a_get_is_sent_on_with_all_that_it_has() -> None:
    with serve(redirect("/b?c=1")) as (url, asked):
        with_user = url.replace("//", "//user:word@")
        assert fetch("GET", f"{with_user}/a", None, SECRETS) == (200, "here")
        assert fetch("GET", f"{url}/a", None, {}) == (200, "here")
    assert [head.split()[1] for head in asked] == ["/a", "/b?c=1"] * 2
    assert f"Bearer {MARK}" in asked[1] and f"{MARK}2" in asked[1]


def test_the_user_of_the_options_counts_before_that_of_the_url() -> None:
    with serve(lambda _head: respond("200 OK")) as (url, asked):
        fetch("GET", url.replace("//", "//user:word@"), None, {"url_username": "me", "url_password": "x"})
    assert base64.b64encode(b"me:x").decode() in asked[0]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_has_a_body_is_not_sent_on(method: str) -> None:
    with serve(redirect("/b")) as (url, asked):
        status, text = fetch(method, f"{url}/a", "{}", {})
    assert (status, len(asked)) == (302, 1)
    assert text == f"a redirect to {url}/***, which is not followed"


def test_a_circle_ends() -> None:
    with (
        serve(lambda _head: respond("302 Found", Location="/a")) as (url, asked),
        pytest.raises(RequestFailed) as error,
    ):
        fetch("GET", f"{url}/a", None, {})
    assert str(error.value) == f"{url}/a redirects more than 5 times"
    assert len(asked) == 6


def drip(first: bytes) -> Callable[[str], Iterator[bytes]]:
    def answer(_head: str) -> Iterator[bytes]:
        yield first
        for _number in range(100):
            time.sleep(0.1)
            yield b"x"

    return answer


@pytest.mark.parametrize(
    "first",
    [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 500 Oh\r\n\r\n"],
    ids=["status", "headers", "body", "error"],
)
def test_a_byte_now_and_then_does_not_make_it_longer(first: bytes) -> None:
    began = time.monotonic()
    with (
        serve(drip(first)) as (url, _asked),
        pytest.raises(RequestFailed, match=r"does not answer within 0\.5 seconds"),
    ):
        fetch("GET", url, None, {"timeout": 0.5})
    assert time.monotonic() - began < 2


def test_a_name_that_is_not_resolved_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: time.sleep(5))
    began = time.monotonic()
    with pytest.raises(RequestFailed, match="does not answer within"):
        fetch("GET", "http://monitoring.example.com", None, {"timeout": 0.3})
    assert time.monotonic() - began < 2


def test_redirects_have_one_deadline_together() -> None:
    def answer(_head: str) -> Iterator[bytes]:
        time.sleep(0.3)
        return respond("302 Found", Location="/a")

    with serve(answer) as (url, _asked), pytest.raises(RequestFailed, match=r"within 0\.5 seconds"):
        fetch("GET", url, None, {"timeout": 0.5})


@pytest.mark.parametrize("status", ["200 OK", "500 Oh"])
def test_too_much_is_no_answer(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    monkeypatch.setattr(_http, "MAX_BYTES", 1 << 20)
    long = b"[" * (1 << 20)
    with serve(lambda _head: respond(status, long + b"[")) as (url, asked), pytest.raises(RequestFailed) as error:
        fetch("GET", url, None, {})
    assert str(error.value) == f"{url} answers with more than 1 MiB"
    assert "accept-encoding: identity" in asked[0].lower(), "what is unpacked may be much more"
    with serve(lambda _head: respond(status, long)) as (url, _asked):
        assert len(fetch("GET", url, None, {})[1]) == 1 << 20


def test_half_an_answer_is_none() -> None:
    with (
        serve(lambda _head: respond("200 OK", b"[]", Content_Length="1000")) as (url, _asked),
        pytest.raises(RequestFailed, match="ended in the middle of its response"),
    ):
        fetch("GET", url, None, {})


def test_a_proxy_is_used_as_ansible_does(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda _head: respond("200 OK", b"by proxy")) as (proxy, asked):
        monkeypatch.setenv("http_proxy", proxy)
        assert fetch("GET", "http://gate.example.com/x", None, {}) == (200, "by proxy")
        assert asked[0].startswith("GET http://gate.example.com/x ")
        with serve(lambda _head: respond("200 OK", b"directly")) as (url, _asked):
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            assert fetch("GET", url, None, {}) == (200, "directly")


def test_a_ca_that_is_missing_is_told() -> None:
    with pytest.raises(RequestFailed, match=r"^https://127\.0\.0\.1:9/ does not answer: .*No such file"):
        fetch("GET", "https://127.0.0.1:9/", None, {"ca_path": "/nonexistent/ca.pem"})


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (f"http://user:{MARK}@127.0.0.1:9/x", {}),
        (f"http://127.0.0.1:9/x?token={MARK}#{MARK}", {}),
        (f"http://127.0.0.1:9/x?{MARK} b", {}),
        (f"http://127.0.0.1:{MARK}/", {}),
        (f"http://[{MARK}/", {}),
        (f"ftp://user:{MARK}@127.0.0.1/", {}),
        (f"user:{MARK}@127.0.0.1/x", {}),
        ("http://127.0.0.1:9/", {"headers": {"X-Token": f"{MARK}\n"}}),
        ("http://127.0.0.1:9/", {"headers": {f"X {MARK}": "a\nb"}}),
        ("http://127.0.0.1:9/", {"url_username": "user", "url_password": MARK}),
    ],
)
def test_an_error_names_the_url_without_its_secrets(url: str, options: dict[str, t.Any]) -> None:
    with pytest.raises(RequestFailed) as error:
        fetch("GET", url, None, options)
    assert MARK not in str(error.value)
    assert error.value.__cause__ is None and error.value.__suppress_context__, "nor does a traceback"
    assert str(error.value).startswith(("http://", "ftp://***@127.0.0.1/", "*** is not a URL"))


@pytest.mark.parametrize(
    ("url", "with_path", "without"),
    [
        ("https://h/p", "https://h/p", "https://h/***"),
        ("https://h", "https://h", "https://h"),
        ("https://h:8/", "https://h:8/", "https://h:8/"),
        ("https://u:p@h:8/a/b?c=d#e", "https://***@h:8/a/b?***", "https://***@h:8/***?***"),
        ("https://u:p/@h/a", "***", "***"),
        ("https://h/\x1b[31m", "https://h/?[31m", "https://h/***"),
        ("nothing", "***", "***"),
        ("http://[", "***", "***"),
    ],
)
def test_redacted(url: str, with_path: str, without: str) -> None:
    assert redact_url(url) == with_path
    assert redact_url(url, with_path=False) == without


def test_what_a_server_sends_back_is_hidden() -> None:
    basic = base64.b64encode(b"me:p ss/word").decode()
    options = {
        "headers": {"Authorization": "Bearer abcdef", "Content-Type": "application/json", "X-Id": "7"},
        "url_username": "me",
        "url_password": "p ss/word",
    }
    url = "http://user:t%20p%20s@h/x?sig=a%2Fb%2Fc&x=1#frag"
    text = (
        f"7 abcdef|Bearer abcdef|p ss/word|p%20ss%2Fword|{basic}|t p s|t%20p%20s|a/b/c|a%2Fb%2Fc|more|application/json"
    )
    assert hide_secrets(text, url, options, "more") == "7 ***|***|***|***|***|***|***|***|***|***|application/json"
