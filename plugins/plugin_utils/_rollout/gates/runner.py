# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gates that look elsewhere than at the hosts: what ``livepatch_gates`` says, and how they are asked. PRIVATE to
the collection.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import REQUEST_OPTIONS, Fetch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import (
    alertmanager,
    http,
    prometheus,
    verdict,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.context import GateContext
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.verdict import (
    GateResult,
    Limits,
    Measurement,
)

_TYPES: dict[str, tuple[t.Any, set[str]]] = {
    "prometheus": (prometheus.Prometheus.parse, prometheus.OPTIONS),
    "alertmanager": (alertmanager.Alertmanager.parse, alertmanager.OPTIONS),
    "http": (http.Http.parse, http.OPTIONS),
}
_LIMITS = {field.name for field in dataclasses.fields(Limits)}
# The gate that the hosts' own health is, where it cannot be told; skipped by this name as others are
HEALTH = "health"
# Seconds between two looks at whether to wait any longer
_STEP = 2.0


@dataclasses.dataclass(frozen=True)
class Gate:
    """``probe.measure`` measures once. ``skipped``: why it is passed over, None where it is not."""

    name: str
    probe: t.Any
    limits: Limits
    critical: bool
    skipped: str | None


def parse_gates(given: t.Sequence[t.Mapping[str, t.Any]], skip: t.Mapping[str, t.Any]) -> list[Gate]:
    """:param skip: names of gates that are passed over, each with the reason.
    :raises PlanError: something cannot be understood; nothing was asked yet.
    """
    try:
        gates = _described(given, skip)
    except PlanError as exc:
        raise PlanError(f"livepatch_gates: {exc}") from exc
    names = [gate.name for gate in gates]
    for name in skip:
        if name not in (*names, HEALTH):
            raise PlanError(f"livepatch_skip_gates: there is no gate {name}; there are {', '.join([*names, HEALTH])}")
        if not str(skip[name]).strip():
            raise PlanError(f"livepatch_skip_gates: say why the gate {name} is passed over; the report keeps it")
    return gates


def check_health(unknown: t.Mapping[str, str], allowed: int | None, skip: t.Mapping[str, t.Any]) -> list[GateResult]:
    """What becomes of hosts of which nobody can tell whether they are well: nothing where all can be told of.

    :param unknown: why, by host.
    :param allowed: how many of them are borne, None for any number.
    """
    if not unknown:
        return []
    name, why = next(iter(unknown.items()))
    text = f"nobody can tell whether {len(unknown)} of the hosts are well, {name} among them: {why}"
    if HEALTH in skip:
        return [GateResult(HEALTH, verdict.PASS, f"skipped: {skip[HEALTH]}", True, str(skip[HEALTH]))]
    borne = allowed is None or len(unknown) <= allowed
    return [GateResult(HEALTH, verdict.PASS if borne else verdict.INCONCLUSIVE, text)]


def run_gates(
    gates: t.Sequence[Gate],
    context: GateContext,
    fetch: Fetch,
    stopped: t.Callable[[], str | None],
    now: t.Callable[[], float] = time.time,
    sleep: t.Callable[[float], None] = time.sleep,
    known: t.Sequence[GateResult] = (),
) -> verdict.CombinedResult:
    """Asks each of the gates until it has a verdict.

    :param known: gates that have one already.
    :param stopped: called while something is waited for; why to wait no longer, which leaves a gate inconclusive.
    """
    return verdict.combine_results([*known, *(_judge(gate, context, fetch, stopped, now, sleep) for gate in gates)])


def _judge(
    gate: Gate,
    context: GateContext,
    fetch: Fetch,
    stopped: t.Callable[[], str | None],
    now: t.Callable[[], float],
    sleep: t.Callable[[float], None],
) -> GateResult:
    if gate.skipped is not None:
        return GateResult(gate.name, verdict.PASS, f"skipped: {gate.skipped}", gate.critical, gate.skipped)
    seen: list[Measurement] = []
    pause = gate.limits.initial_delay
    while True:
        why = _wait(pause, stopped, now, sleep)
        if why is not None:
            return GateResult(gate.name, verdict.INCONCLUSIVE, why, gate.critical, None, tuple(seen))
        seen.append(dataclasses.replace(gate.probe.measure(context, fetch), at=now()))
        judged = verdict.decide_verdict(gate.name, seen, gate.limits, gate.critical)
        if judged is not None:
            return judged
        pause = gate.limits.interval


def _wait(
    seconds: float, stopped: t.Callable[[], str | None], now: t.Callable[[], float], sleep: t.Callable[[float], None]
) -> str | None:
    until = now() + seconds
    while now() < until:
        why = stopped()
        if why is not None:
            return why
        sleep(min(_STEP, until - now()))
    return None


def _described(given: t.Sequence[t.Mapping[str, t.Any]], skip: t.Mapping[str, t.Any]) -> list[Gate]:
    gates = [_parsed(number, one, skip) for number, one in enumerate(given)]
    names = [gate.name for gate in gates]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PlanError(f"two gates are named {twice}: the record could not tell which was which")
    if HEALTH in names:
        raise PlanError(f"a gate is named {HEALTH}: that is what the hosts' own health is called in the record")
    return gates


def _parsed(number: int, given: t.Mapping[str, t.Any], skip: t.Mapping[str, t.Any]) -> Gate:
    name = str(given.get("name") or "")
    if not name:
        raise PlanError(f"gate {number + 1} has no name")
    if given.get("type") not in _TYPES:
        raise PlanError(f"the gate {name} is of type {given.get('type')!r}: there are {', '.join(sorted(_TYPES))}")
    make, own = _TYPES[given["type"]]
    unknown = set(given) - own - _LIMITS - REQUEST_OPTIONS - {"name", "type", "dry_run"}
    if unknown:
        raise PlanError(f"the gate {name}: {', '.join(sorted(unknown))} is not known")
    limits = _limits(name, given)
    request = {key: given[key] for key in REQUEST_OPTIONS & set(given)}
    reason = str(skip[name]).strip() if name in skip else None
    return Gate(name, make(name, given, request), limits, not given.get("dry_run", False), reason)


def _limits(name: str, given: t.Mapping[str, t.Any]) -> Limits:
    values: dict[str, t.Any] = {}
    for key in _LIMITS & set(given):
        kind = float if key in ("initial_delay", "interval") else int
        try:
            values[key] = kind(given[key])
        except (TypeError, ValueError) as exc:
            raise PlanError(f"the gate {name}: {key} is {given[key]!r}, which is no number") from exc
        if values[key] < (1 if key == "count" else 0):
            raise PlanError(f"the gate {name}: {key} is {given[key]}, which is too small")
    return Limits(**values)
