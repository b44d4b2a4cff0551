# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delivers a report to a folder on the control node and to a URL. PRIVATE to the collection."""

from __future__ import annotations

import functools
import typing as t
import urllib.parse

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import (
    REQUEST_OPTIONS,
    RequestFailed,
    fetch,
    format_response,
    hide_secrets,
    is_success,
    redact_url,
    validate_url,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import files

# The options of each module that delivers a report, documented in the fragment report_files
OPTIONS: dict[str, t.Any] = {
    "dir": {"type": "str", "default": ""},
    "file_mode": {"type": "str"},
    "url": {"type": "str", "default": ""},
    "request": {"type": "dict", "default": {}, "no_log": True},
}


def deliver_report(
    options: t.Mapping[str, t.Any], build: t.Callable[[], t.Mapping[str, t.Any]], display: t.Callable[[str], t.Any]
) -> list[str]:
    """Write and upload the files of a report, and return where they are, the HTML page first.

    :param build: builds the report's document; called only if files are wanted.
    :param display: shows a line to the operator.
    :raises PlanError: a file could not be delivered. All others were.
    """
    if not options["dir"] and not options["url"]:
        return []
    texts = files.render_files(build())
    places, problems = [], []
    write = functools.partial(files.write_files, mode=options["file_mode"])
    for target, deliver in ((options["dir"], write), (options["url"], _build_uploader(options["request"]))):
        try:
            delivered = deliver(target, texts) if target else []
        except PlanError as exc:
            problems.append(str(exc))
            continue
        places += delivered
        for place in delivered[:1]:
            display(f"Written: {place}")
    if problems:
        raise PlanError("; ".join(problems))
    return places


def _build_uploader(request: t.Mapping[str, t.Any]) -> t.Callable[[str, t.Mapping[str, str]], list[str]]:
    def upload(url: str, texts: t.Mapping[str, str]) -> list[str]:
        unknown = sorted(set(request) - REQUEST_OPTIONS)
        if unknown:
            known = ", ".join(sorted(REQUEST_OPTIONS))
            raise PlanError(f"livepatch_report_request: {', '.join(unknown)} is unknown; valid keys are {known}")
        try:
            validate_url(url)
        except RequestFailed as exc:
            raise PlanError(f"livepatch_report_url {exc}") from None
        # A query, such as the signature of an object store, is the same for all of them.
        parts = urllib.parse.urlsplit(url)
        folder = parts.path.rstrip("/")
        return [
            _put(parts._replace(path=f"{folder}/{name}").geturl(), name, text, request) for name, text in texts.items()
        ]

    return upload


def _put(url: str, name: str, text: str, request: t.Mapping[str, t.Any]) -> str:
    media_type = {"Content-Type": files.get_media_type(name)}
    try:
        headers = {**media_type, **(request.get("headers") or {})}
        status, answer = fetch("PUT", url, text, {**request, "headers": headers})
    except RequestFailed as exc:
        raise PlanError(f"livepatch_report_url: the report was not uploaded: {exc}") from None
    if not is_success(status):
        response = hide_secrets(format_response(status, answer), url, request)
        raise PlanError(f"livepatch_report_url: the report was not uploaded: PUT {redact_url(url)}: {response}")
    return redact_url(url)
