# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a report goes: a folder on the control node, a URL for control nodes that are thrown away. PRIVATE to the
collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import (
    REQUEST_OPTIONS,
    RequestFailed,
    fetch,
    format_response,
    is_success,
    redact_url,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import files

# The options of each module that delivers a report, documented in the fragment of that name
OPTIONS: dict[str, t.Any] = {
    "dir": {"type": "str", "default": ""},
    "url": {"type": "str", "default": ""},
    "request": {"type": "dict", "default": {}, "no_log": True},
}


def deliver_report(
    options: t.Mapping[str, t.Any], make: t.Callable[[], t.Mapping[str, t.Any]], say: t.Callable[[str], t.Any]
) -> list[str]:
    """Where the report's files are by now, those for people first; nowhere if the options want none.

    :param make: the document that files are made of, which is asked for only if it is needed.
    :param say: tells people.
    :raises PlanError: it is not everywhere that it should be.
    """
    if not options["dir"] and not options["url"]:
        return []
    named = files.render_files(make())
    places, problems = [], []
    for where, put in ((options["dir"], files.write_files), (options["url"], _sender(options["request"]))):
        try:
            there = put(where, named) if where else []
        except PlanError as exc:
            problems.append(str(exc))
            continue
        places += there
        for place in there[:1]:
            say(f"Written: {place}")
    if problems:
        raise PlanError("; ".join(problems))
    return places


def _sender(request: t.Mapping[str, t.Any]) -> t.Callable[[str, t.Mapping[str, str]], list[str]]:
    def send(url: str, named: t.Mapping[str, str]) -> list[str]:
        unknown = sorted(set(request) - REQUEST_OPTIONS)
        if unknown:
            known = ", ".join(sorted(REQUEST_OPTIONS))
            raise PlanError(f"livepatch_report_request: {', '.join(unknown)} is not known; known are {known}")
        return [_put(f"{url.rstrip('/')}/{name}", text, request) for name, text in named.items()]

    return send


def _put(url: str, text: str, request: t.Mapping[str, t.Any]) -> str:
    kind = {"Content-Type": files.get_media_type(url)}
    try:
        status, answer = fetch("PUT", url, text, {**request, "headers": {**kind, **(request.get("headers") or {})}})
    except RequestFailed as exc:
        raise PlanError(f"livepatch_report_url: the report was not sent: {exc}") from exc
    if not is_success(status):
        raise PlanError(
            f"livepatch_report_url: the report was not sent: PUT {redact_url(url)}: {format_response(status, answer)}"
        )
    return redact_url(url)
