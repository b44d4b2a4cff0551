# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gate that is any HTTP endpoint. PRIVATE to the collection. Pure, but for the request that is passed in."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import to_json
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import (
    RETRY_LATER,
    Fetch,
    RequestFailed,
    format_response,
    is_success,
    redact_url,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import verdict
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.context import GateContext
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.verdict import Measurement

OPTIONS = {"url", "method"}
_METHODS = ("GET", "POST")


@dataclasses.dataclass(frozen=True)
class Http:
    """2xx passes. 4xx fails, but for statuses that ask for a later retry. Any other response says nothing about the
    wave.
    """

    url: str
    method: str
    request_options: t.Mapping[str, t.Any]

    @classmethod
    def parse(cls, name: str, options: t.Mapping[str, t.Any], request_options: t.Mapping[str, t.Any]) -> Http:
        """:raises PlanError: an option cannot be understood."""
        method = str(options.get("method", "POST")).upper()
        if not options.get("url"):
            raise PlanError(f"gate {name} has no url: set it")
        if method not in _METHODS:
            raise PlanError(f"gate {name}: method is {method}: set GET or POST")
        return cls(str(options["url"]), method, request_options)

    def measure(self, context: GateContext, fetch: Fetch) -> Measurement:
        request = f"{self.method} {redact_url(self.url)}"
        body = to_json(context.as_json()) if self.method == "POST" else None
        try:
            status, text = fetch(self.method, self.url, body, self.request_options)
        except RequestFailed as exc:
            return Measurement(verdict.ERROR, str(exc), request)
        if is_success(status):
            kind = verdict.PASS
        elif status in RETRY_LATER:
            kind = verdict.INCONCLUSIVE
        else:
            kind = verdict.FAIL if 400 <= status < 500 else verdict.ERROR
        return Measurement(kind, format_response(status, text), request, status)
