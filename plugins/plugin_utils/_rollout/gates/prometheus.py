# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gate that asks Prometheus. PRIVATE to the collection. Pure, but for the request that is passed in.

See https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries for the responses.
"""

from __future__ import annotations

import dataclasses
import json
import math
import operator
import re
import typing as t
import urllib.parse

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import Fetch, RequestFailed
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import verdict
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.context import (
    GateContext,
    build_hosts_pattern,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.options import parse_number
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.verdict import Measurement

OPTIONS = {"url", "query", "pass_if", "max_ratio", "on_empty"}
_OPERATORS: dict[str, t.Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclasses.dataclass(frozen=True)
class Prometheus:
    """Compares values of the patched hosts with a bound, or their sum with that of hosts that are not patched yet."""

    url: str
    # PromQL, in which $hosts stands for a pattern of hosts
    query: str
    # What all values must fulfil, such as < 0.05
    pass_if: tuple[str, float] | None
    # Without pass_if: how many times the sum over the control hosts the sum may be
    max_ratio: float
    # The verdict where there are no data
    on_empty: str
    request_options: t.Mapping[str, t.Any]

    @classmethod
    def parse(cls, name: str, options: t.Mapping[str, t.Any], request_options: t.Mapping[str, t.Any]) -> Prometheus:
        """:raises PlanError: an option cannot be understood."""
        for key in ("url", "query"):
            if not options.get(key):
                raise PlanError(f"gate {name} has no {key}: set it")
        if ("pass_if" in options) == ("max_ratio" in options):
            raise PlanError(f"gate {name}: set either pass_if, such as '< 0.05', or max_ratio, such as 1.2")
        if "max_ratio" in options and "$hosts" not in str(options["query"]):
            raise PlanError(f"gate {name} has a max_ratio, which compares hosts: its query must contain $hosts")
        on_empty = options.get("on_empty", verdict.INCONCLUSIVE)
        if on_empty not in (verdict.INCONCLUSIVE, verdict.FAIL):
            raise PlanError(
                f"gate {name}: on_empty is {on_empty!r}: set inconclusive or fail (a gate without data cannot pass)"
            )
        ratio = parse_number(name, options, "max_ratio") if "max_ratio" in options else 0.0
        pass_if = parse_comparison(name, options["pass_if"]) if "pass_if" in options else None
        return cls(str(options["url"]), str(options["query"]), pass_if, ratio, on_empty, request_options)

    def measure(self, context: GateContext, fetch: Fetch) -> Measurement:
        query = self.query.replace("$hosts", build_hosts_pattern(context.patched))
        try:
            values = self._values(query, fetch)
            if self.pass_if is not None:
                return self._by_value(query, values, *self.pass_if)
            other = self.query.replace("$hosts", build_hosts_pattern(context.control))
            control = self._values(other, fetch) if context.control else []
            return self._by_ratio(f"{query}  /  {other}", values, control)
        except RequestFailed as exc:
            return Measurement(verdict.ERROR, str(exc), query)

    def _by_value(self, query: str, values: list[float], sign: str, bound: float) -> Measurement:
        if not values:
            return Measurement(self.on_empty, "no data", query)
        if not all(math.isfinite(value) for value in values):
            return Measurement(
                verdict.INCONCLUSIVE, f"a value is not a number: {_format_values(values)}", query, values
            )
        passed = all(_OPERATORS[sign](value, bound) for value in values)
        text = f"{_format_values(values)} {'is' if passed else 'is not'} {sign} {bound:g}"
        return Measurement(verdict.PASS if passed else verdict.FAIL, text, query, values)

    def _by_ratio(self, query: str, values: list[float], control: list[float]) -> Measurement:
        if not values or not control:
            hosts = "the patched hosts" if not values else "the control hosts"
            return Measurement(self.on_empty, f"no data for {hosts}", query, [values, control])
        patched, others = sum(values), sum(control)
        if not (math.isfinite(patched) and math.isfinite(others)) or (others == 0 and patched != 0):
            return Measurement(
                verdict.INCONCLUSIVE,
                f"{patched:g} on patched hosts and {others:g} on control hosts give no ratio",
                query,
                [patched, others],
            )
        ratio = patched / others if others else 0.0
        passed = ratio <= self.max_ratio
        bound = f"max_ratio {self.max_ratio:g}"
        text = f"{patched:g} on patched hosts is {ratio:.3g} times the {others:g} on control hosts ({bound})"
        return Measurement(verdict.PASS if passed else verdict.FAIL, text, query, [patched, others])

    def _values(self, query: str, fetch: Fetch) -> list[float]:
        url = self.url.rstrip("/") + "/api/v1/query"
        status, text = fetch(
            "POST",
            url,
            urllib.parse.urlencode({"query": query}),
            {
                **self.request_options,
                "headers": {
                    "Content-Type": "application/x-www-form-urlencoded",
                    **(self.request_options.get("headers") or {}),
                },
            },
        )
        try:
            document = json.loads(text)
            if document["status"] != "success":
                raise RequestFailed(f"Prometheus returned HTTP {status}: {str(document.get('error'))[:200]}")
            kind, result = document["data"]["resultType"], document["data"]["result"]
            if status != 200 or kind not in ("vector", "scalar"):
                raise RequestFailed(
                    f"Prometheus returned HTTP {status} and a {kind}: the query must give a vector or a scalar"
                )
            return [float(result[1])] if kind == "scalar" else [float(sample["value"][1]) for sample in result]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as exc:
            raise RequestFailed(f"Prometheus returned HTTP {status} with an unexpected body: {text[:80]!r}") from exc


def parse_comparison(name: str, text: t.Any) -> tuple[str, float]:
    """Split ``< 0.05`` into operator and bound.

    :raises PlanError: it is not a comparison.
    """
    match = re.fullmatch(r"\s*(<=|>=|==|!=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*", str(text))
    if match is None:
        raise PlanError(f"gate {name}: pass_if is {text!r}: set a comparison with a number, such as '< 0.05'")
    return match.group(1), float(match.group(2))


def _format_values(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")
