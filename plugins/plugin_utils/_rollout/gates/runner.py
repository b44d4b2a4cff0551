# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""External gates: parse ``livepatch_gates``, and measure each until it has a verdict. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import clean, to_one_line
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import (
    REQUEST_OPTIONS,
    Fetch,
    RequestFailed,
    hide_secrets,
    validate_url,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import (
    alertmanager,
    http,
    prometheus,
    verdict,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.context import GateContext
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.options import parse_flag, parse_number
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.verdict import (
    GateResult,
    Limits,
    Measurement,
)


class Source(t.Protocol):
    """What a gate measures."""

    @property
    def url(self) -> str: ...

    @property
    def request_options(self) -> t.Mapping[str, t.Any]: ...

    def measure(self, context: GateContext, fetch: Fetch) -> Measurement: ...


_Parse = t.Callable[[str, t.Mapping[str, t.Any], t.Mapping[str, t.Any]], Source]
_TYPES: dict[str, tuple[_Parse, set[str]]] = {
    "prometheus": (prometheus.Prometheus.parse, prometheus.OPTIONS),
    "alertmanager": (alertmanager.Alertmanager.parse, alertmanager.OPTIONS),
    "http": (http.Http.parse, http.OPTIONS),
}
_LIMITS = {field.name for field in dataclasses.fields(Limits)}
# The gate that the hosts' own health is, where it is unknown; skipped by this name as others are
HEALTH = "health"
# Seconds between two checks whether to wait any longer
_POLL_INTERVAL = 2.0
# Characters of what a measurement says, and of what was asked: a pattern of a wave's hosts may be long
_MAX_TEXT = 100_000


@dataclasses.dataclass(frozen=True)
class Gate:
    name: str
    source: Source
    limits: Limits
    critical: bool
    # The operator's reason for skipping it
    skipped: str | None


def parse_gates(given: t.Sequence[t.Mapping[str, t.Any]], skip: t.Mapping[str, t.Any]) -> list[Gate]:
    """Parse the gates without contacting anything.

    :param skip: names of gates that are skipped, each with the reason.
    :raises PlanError: an option cannot be understood.
    """
    try:
        gates = [_parse_gate(number, options, skip) for number, options in enumerate(given, 1)]
        _validate_names([gate.name for gate in gates])
    except PlanError as exc:
        raise PlanError(f"livepatch_gates: {exc}") from exc
    names = [*(gate.name for gate in gates), HEALTH]
    for name, reason in skip.items():
        if name not in names:
            raise PlanError(f"livepatch_skip_gates: there is no gate {name}; there are {', '.join(names)}")
        if reason is None or not str(reason).strip():
            raise PlanError(f"livepatch_skip_gates: gate {name} has no reason: set one, the report shows it")
    return gates


def check_health(unknown: t.Mapping[str, str], allowed: int | None, skip: t.Mapping[str, t.Any]) -> list[GateResult]:
    """The gate of hosts whose health is not known, no gate where it is known of all.

    :param unknown: why, by host.
    :param allowed: how many of them may be, None for any number.
    """
    if not unknown:
        return []
    if HEALTH in skip:
        return [GateResult(HEALTH, verdict.PASS, f"skipped: {skip[HEALTH]}", True, str(skip[HEALTH]))]
    name, reason = next(iter(unknown.items()))
    hosts = f"{len(unknown)} host{'s' if len(unknown) > 1 else ''}"
    passed = allowed is None or len(unknown) <= allowed
    text = f"the health of {hosts} is not known, {name} among them: {reason}"
    return [GateResult(HEALTH, verdict.PASS if passed else verdict.INCONCLUSIVE, text)]


def run_gates(
    gates: t.Sequence[Gate],
    context: GateContext,
    fetch: Fetch,
    stopped: t.Callable[[], str | None],
    now: t.Callable[[], float] = time.time,
    sleep: t.Callable[[float], None] = time.sleep,
    known: t.Sequence[GateResult] = (),
) -> verdict.CombinedResult:
    """Measure each of the gates until it has a verdict.

    :param known: gates that have one already.
    :param stopped: called while waiting; a reason to wait no longer leaves the gate inconclusive.
    """
    return verdict.combine_results([*known, *(_run_gate(gate, context, fetch, stopped, now, sleep) for gate in gates)])


def _run_gate(
    gate: Gate,
    context: GateContext,
    fetch: Fetch,
    stopped: t.Callable[[], str | None],
    now: t.Callable[[], float],
    sleep: t.Callable[[float], None],
) -> GateResult:
    if gate.skipped is not None:
        return GateResult(gate.name, verdict.PASS, f"skipped: {gate.skipped}", gate.critical, gate.skipped)
    measurements: list[Measurement] = []
    pause = gate.limits.initial_delay
    while True:
        reason = _wait(pause, stopped, now, sleep)
        if reason is not None:
            return GateResult(gate.name, verdict.INCONCLUSIVE, reason, gate.critical, None, tuple(measurements))
        measurements.append(_measure(gate.source, context, fetch, now))
        result = verdict.decide_verdict(gate.name, measurements, gate.limits, gate.critical)
        if result is not None:
            return result
        pause = gate.limits.interval


def _measure(source: Source, context: GateContext, fetch: Fetch, now: t.Callable[[], float]) -> Measurement:
    """What a gate measures, without secrets and in one line each: it is recorded and shown."""
    measurement = source.measure(context, fetch)
    text, request = (
        hide_secrets(to_one_line(text, _MAX_TEXT), source.url, source.request_options)
        for text in (measurement.text, measurement.request)
    )
    return dataclasses.replace(measurement, text=text, request=request, value=clean(measurement.value), at=now())


def _wait(
    seconds: float, stopped: t.Callable[[], str | None], now: t.Callable[[], float], sleep: t.Callable[[float], None]
) -> str | None:
    """Why the waiting was ended early, None where it was not."""
    end = now() + seconds
    while now() < end:
        reason = stopped()
        if reason is not None:
            return reason
        sleep(min(_POLL_INTERVAL, end - now()))
    return None


def _validate_names(names: list[str]) -> None:
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise PlanError(f"two gates are named {duplicate}: give each its own name, by which it is recorded")
    if HEALTH in names:
        raise PlanError(f"a gate is named {HEALTH}, as the gate of the hosts' own health is: give it another name")


def _parse_gate(number: int, given: t.Mapping[str, t.Any], skip: t.Mapping[str, t.Any]) -> Gate:
    # Blank and null mean the default
    options = {key: value for key, value in given.items() if value is not None and value != ""}
    name = str(options.get("name") or "")
    if not name:
        raise PlanError(f"gate {number} has no name: set it")
    if str(options.get("type")) not in _TYPES:
        raise PlanError(f"gate {name} is of type {options.get('type')!r}: set one of {', '.join(sorted(_TYPES))}")
    parse, own = _TYPES[str(options["type"])]
    known = own | _LIMITS | REQUEST_OPTIONS | {"name", "type", "dry_run"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise PlanError(f"gate {name}: {', '.join(unknown)} is unknown; valid options are {', '.join(sorted(known))}")
    limits = _parse_limits(name, options)
    request_options = _parse_request_options(name, options)
    reason = str(skip[name]).strip() if name in skip else None
    critical = not parse_flag(name, options, "dry_run", False)
    source = parse(name, options, request_options)
    try:
        validate_url(source.url)
    except RequestFailed as exc:
        raise PlanError(f"gate {name}: url {exc}") from None
    return Gate(name, source, limits, critical, reason)


def _parse_request_options(name: str, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    values = {key: options[key] for key in REQUEST_OPTIONS & set(options)}
    if "validate_certs" in values:
        values["validate_certs"] = parse_flag(name, values, "validate_certs", True)
    if "timeout" in values:
        values["timeout"] = parse_number(name, values, "timeout")
    if not isinstance(values.get("headers", {}), t.Mapping):
        raise PlanError(f"gate {name}: headers is no mapping: set names and values")
    return values


def _parse_limits(name: str, options: t.Mapping[str, t.Any]) -> Limits:
    values: dict[str, t.Any] = {}
    for key in _LIMITS & set(options):
        convert = float if key in ("initial_delay", "interval") else int
        least = 1 if key == "count" else 0
        values[key] = convert(parse_number(name, options, key))
        if values[key] < least:
            raise PlanError(f"gate {name}: {key} is {options[key]}: set {least} or more")
    return Limits(**values)
