# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a gate has measured, and what that makes of the gate. PRIVATE to the collection. Pure.

Four verdicts: ``pass``; ``fail``, a value that is not as it has to be; ``inconclusive``, no value, which pauses;
``error``, no answer, which stops when it stays. The last two never pass.
"""

from __future__ import annotations

import dataclasses
import typing as t

PASS, FAIL, INCONCLUSIVE, ERROR = "pass", "fail", "inconclusive", "error"
# Worst first: what of several gates counts
_ORDER = (FAIL, ERROR, INCONCLUSIVE)
# Measurements of a gate that are recorded
_KEPT = 10


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One look: when, the verdict on it, what was found, in words, and the request as it was sent."""

    verdict: str
    text: str
    asked: str = ""
    value: t.Any = None
    at: float = 0.0


@dataclasses.dataclass(frozen=True)
class Limits:
    """How often is looked, and how much of what is not a pass is borne.

    ``count`` looks have to pass, ``interval`` seconds apart, the first after ``initial_delay``. More than
    ``failure_limit`` failures fail; more than ``error_limit`` errors in a row are an error; more than
    ``inconclusive_limit`` looks in a
    row without a value are inconclusive.
    """

    initial_delay: float = 0
    interval: float = 30
    count: int = 1
    failure_limit: int = 0
    error_limit: int = 4
    inconclusive_limit: int = 2


@dataclasses.dataclass(frozen=True)
class GateResult:
    """A gate's verdict with the last of its measurements. ``skipped`` is the reason for which it was passed over."""

    name: str
    verdict: str
    text: str
    critical: bool = True
    skipped: str | None = None
    measurements: tuple[Measurement, ...] = ()


def decide_verdict(
    name: str, seen: t.Sequence[Measurement], limits: Limits, critical: bool = True
) -> GateResult | None:
    """What the looks so far make of a gate, None where it has to be looked again."""
    verdict = _verdict(seen, limits)
    if verdict is None:
        return None
    telling = next((one for one in reversed(seen) if one.verdict == verdict), seen[-1])
    return GateResult(name, verdict, telling.text, critical, None, tuple(seen[-_KEPT:]))


def _verdict(seen: t.Sequence[Measurement], limits: Limits) -> str | None:
    verdicts = [one.verdict for one in seen]
    if verdicts.count(FAIL) > limits.failure_limit:
        return FAIL
    if _in_a_row(verdicts, ERROR) > limits.error_limit:
        return ERROR
    if _in_a_row(verdicts, INCONCLUSIVE) > limits.inconclusive_limit:
        return INCONCLUSIVE
    return PASS if verdicts.count(PASS) >= limits.count else None


def _in_a_row(verdicts: t.Sequence[str], verdict: str) -> int:
    """How many of the last ones are that."""
    count = 0
    for one in reversed(verdicts):
        if one != verdict:
            break
        count += 1
    return count


@dataclasses.dataclass(frozen=True)
class CombinedResult:
    verdict: str
    text: str
    gates: tuple[GateResult, ...]


def combine_results(gates: t.Sequence[GateResult]) -> CombinedResult:
    """All critical ones have to pass; of the others is told only. No gates pass."""
    counted = [one for one in gates if one.critical]
    worst = next((kind for kind in _ORDER if any(one.verdict == kind for one in counted)), None)
    told = "; ".join(f"{one.name}: {one.verdict}" + (f" ({one.text})" if one.text else "") for one in gates)
    if worst is not None:
        return CombinedResult(worst, told, tuple(gates))
    if any(one.verdict != PASS for one in counted):  # something that is none of the four
        return CombinedResult(ERROR, told, tuple(gates))
    return CombinedResult(PASS, f"; {told}" if told else "", tuple(gates))
