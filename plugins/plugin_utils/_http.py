# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP requests of the control node, all of them. PRIVATE to the collection.

Neither a server nor the network is trusted: a request goes to the origin that it was made for and ends in time, and
what is read of the response is limited. Secrets of a request are in none of the texts that this module returns.
"""

from __future__ import annotations

import base64
import contextlib
import queue
import re
import threading
import time
import typing as t
import urllib.error
import urllib.parse

from ansible.module_utils.urls import open_url

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import to_one_line

# Options of a request, besides method, URL and body
REQUEST_OPTIONS = {
    *("timeout", "headers", "validate_certs", "ca_path", "client_cert", "client_key", "url_username", "url_password"),
}
# Statuses that ask for a later retry: nothing is wrong with the request
RETRY_LATER = (408, 425, 429)
# Bytes of a response
MAX_BYTES = 8 << 20
# Seconds for a request, from the resolution of the name to the last byte of the response
_TIMEOUT = 10.0
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
# Headers whose values are no secrets
_PUBLIC_HEADERS = ("accept", "content-type", "user-agent")
# Shorter texts are found anywhere
_SHORTEST_SECRET = 4
_HIDDEN = "***"


class RequestFailed(Exception):
    """No usable response came back."""


class Fetch(t.Protocol):
    def __call__(self, method: str, url: str, body: str | None, options: t.Mapping[str, t.Any]) -> tuple[int, str]: ...


class _Response(t.NamedTuple):
    status: int
    text: str
    # Where it redirects to
    location: str | None


def fetch(method: str, url: str, body: str | None, options: t.Mapping[str, t.Any]) -> tuple[int, str]:
    """Send a request, and return the status and text of its response.

    Redirects are followed for GET, within the origin (scheme, host and port) of the URL: else a server could have the
    request's credentials sent to another one, and another one's answer believed. The response to one that is not
    followed says where it leads.

    :param options: of ``REQUEST_OPTIONS``. ``timeout`` is for the whole exchange.
    :raises RequestFailed: no complete response came in time.
    """
    headers = {str(key): str(value) for key, value in (options.get("headers") or {}).items()}
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    timeout = float(options.get("timeout") or _TIMEOUT)
    deadline = time.monotonic() + timeout
    try:
        validate_url(url)
        netloc = urllib.parse.urlsplit(url).netloc
        if options.get("url_username"):
            # Those are the credentials then; Ansible would take the ones in the URL for a part of the host's name.
            netloc = netloc.rpartition("@")[2]
        target = urllib.parse.urlsplit(url)._replace(netloc=netloc).geturl()
        for _hop in range(_MAX_REDIRECTS + 1):
            # A socket's timeout starts anew with each byte, and a name is resolved without any. The thread that is
            # left behind ends with the task's process.
            send = _build_sender(target, method, body, headers, deadline, options)
            response = _wait_for(send, deadline - time.monotonic())
            if response.location is None:
                return response.status, response.text
            location = urllib.parse.urljoin(target, response.location)
            if method != "GET" or _get_origin(location) != _get_origin(url):
                where = redact_url(location, with_path=False)
                return response.status, f"a redirect to {where}, which is not followed"
            # With the credentials that are in the URL
            target = urllib.parse.urlsplit(location)._replace(netloc=netloc).geturl()
        problem = f"redirects more than {_MAX_REDIRECTS} times"
    except TimeoutError:
        problem = f"does not answer within {timeout:g} seconds"
    except RequestFailed as exc:
        problem = str(exc)
    except Exception as exc:  # urllib, http.client, ssl and Ansible each raise errors of their own
        problem = f"does not answer: {_describe(exc)}"
    raise RequestFailed(f"{redact_url(url)} {hide_secrets(problem, url, options)}") from None


def _build_sender(
    url: str,
    method: str,
    body: str | None,
    headers: t.Mapping[str, str],
    deadline: float,
    options: t.Mapping[str, t.Any],
) -> t.Callable[[], _Response]:
    def send() -> _Response:
        try:
            response = open_url(
                url,
                method=method,
                data=body,
                headers=headers,
                timeout=max(deadline - time.monotonic(), 0.001),
                validate_certs=options.get("validate_certs", True),
                ca_path=options.get("ca_path"),
                client_cert=options.get("client_cert"),
                client_key=options.get("client_key"),
                url_username=options.get("url_username"),
                url_password=options.get("url_password"),
                force_basic_auth=bool(options.get("url_username")),
                follow_redirects="none",
                # A small response may become a large one.
                decompress=False,
            )
        except urllib.error.HTTPError as exc:
            response = exc
        with contextlib.closing(response):
            return _read(response)

    return send


def _read(response: t.Any) -> _Response:
    """:raises RequestFailed: it is too long, or incomplete."""
    status, fields = int(response.getcode()), response.headers
    data = response.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RequestFailed(f"answers with more than {MAX_BYTES >> 20} MiB")
    length = fields.get("Content-Length") or ""
    if length.isdecimal() and len(data) < int(length):
        raise RequestFailed("ended in the middle of its response")
    location = fields.get("Location") if status in _REDIRECTS else None
    return _Response(status, data.decode("utf-8", "replace"), location)


_Result = t.TypeVar("_Result")


def _wait_for(work: t.Callable[[], _Result], seconds: float) -> _Result:
    """Do something in a thread.

    :raises TimeoutError: it takes longer than these seconds.
    """
    results: queue.SimpleQueue[tuple[_Result | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((work(), None))
        except Exception as exc:  # raised below
            results.put((None, exc))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = results.get(timeout=max(seconds, 0.0))
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return t.cast("_Result", result)


def _describe(exc: Exception) -> str:
    """An error without what may be in it of the request: http.client quotes headers and URLs that are not valid."""
    reason = getattr(exc, "reason", exc)
    return to_one_line(str(reason)) if isinstance(reason, OSError) else type(exc).__name__


def validate_url(url: str) -> None:
    """:raises RequestFailed: it is none that a request can be made to; the text does not contain it."""
    try:
        parts = urllib.parse.urlsplit(url)
        valid = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s\x00-\x20\x7f]", url):
        raise RequestFailed("is not a URL that begins with http:// or https://")


def is_success(status: int) -> bool:
    """Whether a status is 2xx."""
    return 200 <= status < 300


def format_response(status: int, text: str) -> str:
    """A response in one line."""
    line = to_one_line(text, 120)
    return f"HTTP {status}" + (f": {line}" if line else "")


def redact_url(url: str, with_path: bool = True) -> str:
    """A URL without the parts that hold secrets: user, password, query and fragment.

    :param with_path: else the path is left out too: the URL of a webhook is all that is needed to use it.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        valid = bool(parts.scheme and parts.netloc) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        return _HIDDEN
    user, _at, host = parts.netloc.rpartition("@")
    path = parts.path if with_path or parts.path in ("", "/") else f"/{_HIDDEN}"
    query = f"?{_HIDDEN}" if parts.query or parts.fragment else ""
    return to_one_line(f"{parts.scheme}://{f'{_HIDDEN}@' if user else ''}{host}{path}{query}")


def hide_secrets(text: str, url: str, options: t.Mapping[str, t.Any], *more: str) -> str:
    """A text in which what is secret in a request is replaced: a server may send back what it was sent.

    :param more: further secrets.
    """
    user, password = options.get("url_username"), options.get("url_password")
    secrets = {*map(str, filter(None, (*more, password)))}
    if user:
        secrets.add(base64.b64encode(f"{user}:{password or ''}".encode()).decode())
    for name, value in (options.get("headers") or {}).items():
        if str(name).lower() not in _PUBLIC_HEADERS:
            # The scheme in front of a token is none
            secrets |= {str(value).strip(), *str(value).split()[1:]}
    with contextlib.suppress(ValueError):
        parts = urllib.parse.urlsplit(url)
        secrets |= {parts.username or "", parts.password or "", parts.query, parts.fragment}
        secrets |= {value for _name, value in urllib.parse.parse_qsl(parts.query)}
    secrets |= {urllib.parse.unquote(secret) for secret in secrets}
    secrets |= {urllib.parse.quote(secret, safe="") for secret in secrets}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _HIDDEN)
    return text


def _get_origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
