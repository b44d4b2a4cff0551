# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gate that is any HTTP endpoint. PRIVATE to the collection. Pure, but for the request that is handed in."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
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


@dataclasses.dataclass(frozen=True)
class Http:
    """2xx passes. 4xx fails, but for those that say to come again later. What else there is says nothing of the
    wave."""

    url: str
    method: str
    request: t.Mapping[str, t.Any]

    @classmethod
    def parse(cls, name: str, given: t.Mapping[str, t.Any], request: t.Mapping[str, t.Any]) -> Http:
        """:raises PlanError: it cannot be understood."""
        method = str(given.get("method", "POST")).upper()
        if not given.get("url") or method not in ("GET", "POST"):
            raise PlanError(f"the gate {name}: give a url, and GET or POST as method")
        return cls(str(given["url"]), method, request)

    def measure(self, context: GateContext, fetch: Fetch) -> Measurement:
        asked = f"{self.method} {redact_url(self.url)}"
        body = json.dumps(context.as_json()) if self.method == "POST" else None
        try:
            status, text = fetch(self.method, self.url, body, self.request)
        except RequestFailed as exc:
            return Measurement(verdict.ERROR, str(exc), asked)
        if is_success(status):
            kind = verdict.PASS
        elif status in RETRY_LATER:  # nothing is said of the wave
            kind = verdict.INCONCLUSIVE
        else:
            kind = verdict.FAIL if 400 <= status < 500 else verdict.ERROR
        return Measurement(kind, format_response(status, text), asked, status)
