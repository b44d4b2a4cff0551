# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP requests of the control node, all of them. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t
import urllib.error

from ansible.module_utils.urls import open_url

# Options of a request, besides method, URL and body
REQUEST_OPTIONS = {
    *("timeout", "headers", "validate_certs", "ca_path", "client_cert", "client_key", "url_username", "url_password"),
}
# Statuses that ask for a later retry: nothing is wrong with the request
RETRY_LATER = (408, 425, 429)
# Bytes of a response that are read
_MAX_BYTES = 1 << 20


class RequestFailed(Exception):
    """No usable response came back."""


class Fetch(t.Protocol):
    def __call__(self, method: str, url: str, body: str | None, options: t.Mapping[str, t.Any]) -> tuple[int, str]: ...


def fetch(method: str, url: str, body: str | None, options: t.Mapping[str, t.Any]) -> tuple[int, str]:
    """Send a request, and return the status and text of its response.

    :param options: of ``REQUEST_OPTIONS``.
    :raises RequestFailed: no response came in time.
    """
    headers = {str(key): str(value) for key, value in (options.get("headers") or {}).items()}
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    try:
        return _send(url, method, body, headers, options)
    except Exception as exc:  # urllib, http.client and ssl each raise errors of their own
        raise RequestFailed(f"{redact_url(url)} does not answer: {getattr(exc, 'reason', None) or exc}") from exc


def _send(
    url: str, method: str, body: str | None, headers: t.Mapping[str, str], options: t.Mapping[str, t.Any]
) -> tuple[int, str]:
    try:
        response = open_url(
            url,
            method=method,
            data=body,
            headers=headers,
            timeout=float(options.get("timeout") or 10),
            validate_certs=options.get("validate_certs", True),
            ca_path=options.get("ca_path"),
            client_cert=options.get("client_cert"),
            client_key=options.get("client_key"),
            url_username=options.get("url_username"),
            url_password=options.get("url_password"),
            force_basic_auth=bool(options.get("url_username")),
            follow_redirects="safe",
        )
        return int(response.getcode()), response.read(_MAX_BYTES).decode("utf-8", "replace")
    except urllib.error.HTTPError as exc:
        return int(exc.code), exc.read(_MAX_BYTES).decode("utf-8", "replace")


def is_success(status: int) -> bool:
    """Whether a status is 2xx."""
    return 200 <= status < 300


def format_response(status: int, text: str) -> str:
    """A response in one line."""
    return f"HTTP {status}" + (f": {' '.join(text.split())[:120]}" if text.strip() else "")


def redact_url(url: str) -> str:
    """A URL without the user and password that may be in it."""
    return re.sub(r"//[^/@]*@", "//***@", url)
