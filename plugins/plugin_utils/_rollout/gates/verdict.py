# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measurements of a gate, and its verdict. PRIVATE to the collection. Pure.

Four verdicts: ``pass``; ``fail``, the value is not as required; ``inconclusive``, no value, which pauses the rollout;
``error``, no response, which stops it when it persists. The last two never pass.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

PASS, FAIL, INCONCLUSIVE, ERROR = "pass", "fail", "inconclusive", "error"
# Worst first: the verdict of several gates is the first that one of them has
_WORST_FIRST = (FAIL, ERROR, INCONCLUSIVE)
# Measurements of a gate that are recorded
_MAX_RECORDED = 10


@dataclasses.dataclass(frozen=True)
class Measurement:
    verdict: str
    # The result in words
    text: str
    # As it was sent
    request: str = ""
    value: t.Any = None
    # In seconds since the epoch
    at: float = 0.0


@dataclasses.dataclass(frozen=True)
class Limits:
    """How often a gate measures, and how many measurements may not pass."""

    # Seconds before the first measurement, and between two
    initial_delay: float = 0
    interval: float = 30
    # Measurements that must pass
    count: int = 1
    # Failures that may occur in all
    failure_limit: int = 0
    # Measurements in a row that may be an error, or inconclusive
    error_limit: int = 4
    inconclusive_limit: int = 2


@dataclasses.dataclass(frozen=True)
class GateResult:
    """A gate's verdict with the last of its measurements."""

    name: str
    verdict: str
    text: str
    critical: bool = True
    # The operator's reason for skipping it
    skipped: str | None = None
    measurements: tuple[Measurement, ...] = ()


def decide_verdict(
    name: str, measurements: t.Sequence[Measurement], limits: Limits, critical: bool = True
) -> GateResult | None:
    """The verdict by the measurements so far, None where another one is needed."""
    verdict = _apply_limits(measurements, limits)
    if verdict is None:
        return None
    same = (measurement for measurement in reversed(measurements) if measurement.verdict == verdict)
    decisive = next(same, measurements[-1])
    return GateResult(name, verdict, decisive.text, critical, None, tuple(measurements[-_MAX_RECORDED:]))


def _apply_limits(measurements: t.Sequence[Measurement], limits: Limits) -> str | None:
    verdicts = [measurement.verdict for measurement in measurements]
    if verdicts.count(FAIL) > limits.failure_limit:
        return FAIL
    if _count_last(verdicts, ERROR) > limits.error_limit:
        return ERROR
    if _count_last(verdicts, INCONCLUSIVE) > limits.inconclusive_limit:
        return INCONCLUSIVE
    return PASS if verdicts.count(PASS) >= limits.count else None


def _count_last(verdicts: t.Sequence[str], verdict: str) -> int:
    """How many of the last verdicts in a row are this one."""
    return sum(1 for _same in itertools.takewhile(lambda last: last == verdict, reversed(verdicts)))


@dataclasses.dataclass(frozen=True)
class CombinedResult:
    verdict: str
    text: str
    gates: tuple[GateResult, ...]


def combine_results(gates: t.Sequence[GateResult]) -> CombinedResult:
    """All critical gates must pass; the others are only shown. No gates pass."""
    verdicts = [gate.verdict for gate in gates if gate.critical]
    worst = next((verdict for verdict in _WORST_FIRST if verdict in verdicts), None)
    texts = [f"{gate.name}: {gate.verdict}" + (f" ({gate.text})" if gate.text else "") for gate in gates]
    text = "; ".join(texts)
    if worst is not None:
        return CombinedResult(worst, text, tuple(gates))
    if any(verdict != PASS for verdict in verdicts):  # none of the four
        return CombinedResult(ERROR, text, tuple(gates))
    return CombinedResult(PASS, f"; {text}" if text else "", tuple(gates))
