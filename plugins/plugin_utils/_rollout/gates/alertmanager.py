# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gate that asks Alertmanager which alerts fire. PRIVATE to the collection. Pure, but for the request that is
handed in.

See https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml for the answers.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import typing as t
import urllib.parse

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import Fetch, RequestFailed
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import verdict
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.context import GateContext
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.verdict import Measurement

OPTIONS = {"url", "matchers", "label", "allow", "only_new"}


@dataclasses.dataclass(frozen=True)
class Alertmanager:
    """Fails when an alert fires that the ``matchers`` (``severity="critical"``) match. With ``label`` only alerts
    count whose label of that name is one of the patched hosts. ``allow`` names alerts that may fire. With
    ``only_new`` those
    count that began after the rollout did. Silenced and inhibited ones do not.
    """

    url: str
    matchers: tuple[str, ...]
    label: str | None
    allow: tuple[str, ...]
    only_new: bool
    request: t.Mapping[str, t.Any]

    @classmethod
    def parse(cls, name: str, given: t.Mapping[str, t.Any], request: t.Mapping[str, t.Any]) -> Alertmanager:
        """:raises PlanError: it cannot be understood."""
        if not given.get("url"):
            raise PlanError(f"the gate {name} has no url")
        matchers = tuple(str(one) for one in given.get("matchers") or ())
        for matcher in matchers:
            if not re.fullmatch(r'\s*[A-Za-z_][A-Za-z0-9_]*\s*(=|!=|=~|!~)\s*".*"\s*', matcher):
                raise PlanError(f"the gate {name}: {matcher!r} is no matcher: give such as 'severity=\"critical\"'")
        return cls(
            str(given["url"]),
            matchers,
            given.get("label"),
            tuple(str(one) for one in given.get("allow") or ()),
            bool(given.get("only_new", False)),
            request,
        )

    def measure(self, context: GateContext, fetch: Fetch) -> Measurement:
        asked = [
            ("active", "true"),
            ("silenced", "false"),
            ("inhibited", "false"),
            *(("filter", one) for one in self.matchers),
        ]
        url = f"{self.url.rstrip('/')}/api/v2/alerts?{urllib.parse.urlencode(asked)}"
        query = " ".join(self.matchers) or "all alerts"
        try:
            status, text = fetch("GET", url, None, self.request)
            if status != 200:
                raise RequestFailed(f"Alertmanager answers with HTTP {status}: {text[:200]}")
            firing = sorted(
                {str(one["labels"].get("alertname")) for one in json.loads(text) if self._counts(one, context)}
            )
        except RequestFailed as exc:
            return Measurement(verdict.ERROR, str(exc), query)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            return Measurement(verdict.ERROR, f"Alertmanager answers with what is not its format: {exc!r}", query)
        if firing:
            return Measurement(verdict.FAIL, f"firing: {', '.join(firing)}", query, firing)
        return Measurement(verdict.PASS, "no such alert fires", query, [])

    def _counts(self, alert: t.Mapping[str, t.Any], context: GateContext) -> bool:
        labels = alert["labels"]
        if labels.get("alertname") in self.allow:
            return False
        if self.label is not None and re.sub(r":\d+$", "", str(labels.get(self.label, ""))) not in context.patched:
            return False
        began = datetime.datetime.fromisoformat(re.sub(r"\.\d+", "", str(alert["startsAt"])).replace("Z", "+00:00"))
        return not self.only_new or began.timestamp() >= context.began
