# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gate that asks Prometheus. PRIVATE to the collection. Pure, but for the request that is handed in.

See https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries for the answers.
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
    """``query`` is PromQL, in which ``$hosts`` stands for a pattern of hosts. All values of its answer over the
    patched hosts have to be as ``pass_if`` says (``< 0.05``); with ``max_ratio`` their sum must be no more than so
    many times what
    it is over the control, the same cohorts' hosts that are not patched yet.
    """

    url: str
    query: str
    pass_if: tuple[str, float] | None
    max_ratio: float
    on_empty: str
    request: t.Mapping[str, t.Any]

    @classmethod
    def parse(cls, name: str, given: t.Mapping[str, t.Any], request: t.Mapping[str, t.Any]) -> Prometheus:
        """:raises PlanError: it cannot be understood."""
        for key in ("url", "query"):
            if not given.get(key):
                raise PlanError(f"the gate {name} has no {key}")
        if ("pass_if" in given) == ("max_ratio" in given):
            raise PlanError(f"the gate {name}: give either pass_if, such as '< 0.05', or max_ratio, such as 1.2")
        if "max_ratio" in given and "$hosts" not in given["query"]:
            raise PlanError(f"the gate {name} compares patched hosts with others: its query has to have $hosts in it")
        on_empty = given.get("on_empty", verdict.INCONCLUSIVE)
        if on_empty not in (verdict.INCONCLUSIVE, verdict.FAIL):
            raise PlanError(
                f"the gate {name}: on_empty is {on_empty!r}; no data are inconclusive or fail, they never pass"
            )
        try:
            ratio = float(given.get("max_ratio", 0))
        except (TypeError, ValueError) as exc:
            raise PlanError(f"the gate {name}: max_ratio is {given['max_ratio']!r}, which is no number") from exc
        pass_if = parse_comparison(name, given["pass_if"]) if "pass_if" in given else None
        return cls(str(given["url"]), str(given["query"]), pass_if, ratio, on_empty, request)

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
            return Measurement(self.on_empty, "there are no data", query)
        if not all(math.isfinite(value) for value in values):
            return Measurement(verdict.INCONCLUSIVE, f"a value is no number: {_shown(values)}", query, values)
        well = all(_OPERATORS[sign](value, bound) for value in values)
        text = f"{_shown(values)} {'is' if well else 'is not'} {sign} {bound:g}"
        return Measurement(verdict.PASS if well else verdict.FAIL, text, query, values)

    def _by_ratio(self, query: str, values: list[float], control: list[float]) -> Measurement:
        if not values or not control:
            which = "the patched hosts" if not values else "hosts to compare with"
            return Measurement(self.on_empty, f"there are no data of {which}", query, [values, control])
        patched, others = sum(values), sum(control)
        if not (math.isfinite(patched) and math.isfinite(others)) or (others == 0 and patched != 0):
            return Measurement(
                verdict.INCONCLUSIVE, f"{patched:g} beside {others:g} gives no ratio", query, [patched, others]
            )
        ratio = patched / others if others else 0.0
        well = ratio <= self.max_ratio
        text = f"{patched:g} beside {others:g} is {ratio:.3g} times as much, at most {self.max_ratio:g} may be"
        return Measurement(verdict.PASS if well else verdict.FAIL, text, query, [patched, others])

    def _values(self, query: str, fetch: Fetch) -> list[float]:
        url = self.url.rstrip("/") + "/api/v1/query"
        status, text = fetch(
            "POST",
            url,
            urllib.parse.urlencode({"query": query}),
            {
                **self.request,
                "headers": {"Content-Type": "application/x-www-form-urlencoded", **(self.request.get("headers") or {})},
            },
        )
        try:
            told = json.loads(text)
            if told["status"] != "success":
                raise RequestFailed(f"Prometheus answers with HTTP {status}: {str(told.get('error'))[:200]}")
            kind, result = told["data"]["resultType"], told["data"]["result"]
            if status != 200 or kind not in ("vector", "scalar"):
                raise RequestFailed(
                    f"Prometheus answers with HTTP {status} and a {kind}: a vector or a scalar is needed"
                )
            return [float(result[1])] if kind == "scalar" else [float(one["value"][1]) for one in result]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as exc:
            raise RequestFailed(
                f"Prometheus answers with HTTP {status} and with what is not its format: {text[:80]!r}"
            ) from exc


def parse_comparison(name: str, text: t.Any) -> tuple[str, float]:
    """``< 0.05`` as its parts.

    :raises PlanError: it is none.
    """
    found = re.fullmatch(r"\s*(<=|>=|==|!=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*", str(text))
    if found is None:
        raise PlanError(f"the gate {name}: pass_if is {text!r}: give a comparison with a number, such as '< 0.05'")
    return found.group(1), float(found.group(2))


def _shown(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")
