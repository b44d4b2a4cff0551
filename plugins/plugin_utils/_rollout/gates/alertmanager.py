# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gate that asks Alertmanager which alerts fire. PRIVATE to the collection. Pure, but for the request that is
passed in.

See https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml for the responses.
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
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.options import parse_flag
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.verdict import Measurement

OPTIONS = {"url", "matchers", "label", "allow", "only_new"}


@dataclasses.dataclass(frozen=True)
class Alertmanager:
    """Fails when an alert fires that counts. Silenced and inhibited ones do not."""

    url: str
    # Alerts that match all of them count (such as severity="critical")
    matchers: tuple[str, ...]
    # Only alerts count whose label of this name is one of the patched hosts
    label: str | None
    # Names of alerts that may fire
    allow: tuple[str, ...]
    # Only alerts count that began after the rollout did
    only_new: bool
    request_options: t.Mapping[str, t.Any]

    @classmethod
    def parse(cls, name: str, options: t.Mapping[str, t.Any], request_options: t.Mapping[str, t.Any]) -> Alertmanager:
        """:raises PlanError: an option cannot be understood."""
        if not options.get("url"):
            raise PlanError(f"gate {name} has no url: set it")
        for key in ("matchers", "allow"):
            if not isinstance(options.get(key, []), (list, tuple)):
                raise PlanError(f"gate {name}: {key} is {options[key]!r}: set a list")
        matchers = tuple(str(matcher) for matcher in options.get("matchers") or ())
        for matcher in matchers:
            if not re.fullmatch(r'\s*[A-Za-z_][A-Za-z0-9_]*\s*(=|!=|=~|!~)\s*".*"\s*', matcher):
                raise PlanError(f"gate {name}: {matcher!r} is not a matcher: set one such as 'severity=\"critical\"'")
        return cls(
            str(options["url"]),
            matchers,
            options.get("label"),
            tuple(str(alert) for alert in options.get("allow") or ()),
            parse_flag(name, options, "only_new", False),
            request_options,
        )

    def measure(self, context: GateContext, fetch: Fetch) -> Measurement:
        parameters = [
            ("active", "true"),
            ("silenced", "false"),
            ("inhibited", "false"),
            *(("filter", matcher) for matcher in self.matchers),
        ]
        url = f"{self.url.rstrip('/')}/api/v2/alerts?{urllib.parse.urlencode(parameters)}"
        query = " ".join(self.matchers) or "all alerts"
        try:
            status, text = fetch("GET", url, None, self.request_options)
            if status != 200:
                raise RequestFailed(f"Alertmanager returned HTTP {status}: {text[:200]}")
            firing = sorted(
                {
                    str(alert["labels"].get("alertname"))
                    for alert in json.loads(text)
                    if self._is_counted(alert, context)
                }
            )
        except RequestFailed as exc:
            return Measurement(verdict.ERROR, str(exc), query)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            return Measurement(verdict.ERROR, f"Alertmanager returned an unexpected body: {exc!r}", query)
        if firing:
            return Measurement(verdict.FAIL, f"firing: {', '.join(firing)}", query, firing)
        return Measurement(verdict.PASS, "no matching alert is firing", query, [])

    def _is_counted(self, alert: t.Mapping[str, t.Any], context: GateContext) -> bool:
        labels = alert["labels"]
        if labels.get("alertname") in self.allow:
            return False
        if self.label is not None and re.sub(r":\d+$", "", str(labels.get(self.label, ""))) not in context.patched:
            return False
        began = datetime.datetime.fromisoformat(re.sub(r"\.\d+", "", str(alert["startsAt"])).replace("Z", "+00:00"))
        return not self.only_new or began.timestamp() >= context.began
