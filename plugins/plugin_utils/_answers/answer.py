# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The door: what a module of ours has sent from a host, and what the control node makes of it. PRIVATE to the
collection. Pure.

Nothing of a host's result goes anywhere but through here: the action plugins of the modules that answer from a host
pass on what `parse_output` returns, and what tasks have registered is read by `read_result`.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._state import ACTIVE, PATCHABLE
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import (
    change,
    fields,
    journal,
    kernel,
    kmp,
    livepatch,
    preflight,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.fields import WrongAnswer
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.kernel import Kernel
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.kmp import Kmp
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.livepatch import Livepatch

# Characters of an answer. A usual one has some thousand; a kmp_info of a kernel with hundreds of CVEs and dozens of
# KMPs has a million.
MAX_LENGTH = 4_000_000
# Of what a command has printed that gave no answer, and of the digits of a number
_OUTPUT_LENGTH = 4000
_DIGITS = 30

_BLOCKS: fields.Fields = {"kernel": kernel.block, "kmp": kmp.block, "livepatch": livepatch.block}
# What each module may return beside what all may. Whether a block must be there, the task's options say.
_RESULTS: dict[str, fields.Fields] = {
    "kernel_info": {"kernel": kernel.block},
    "kmp_info": {"kmp": kmp.block},
    # Of a run that was only started nothing else is known.
    "livepatch": {**_BLOCKS, **change.RESULT, "detached": fields.boolean},
    "livepatch_info": _BLOCKS,
    "livepatch_journal": {"before": fields.optional(journal.entry)},
    "livepatch_metrics": {},
    "livepatch_preflight_info": {"preflight": preflight.block},
    "livepatch_repository": {"changes": fields.list_of(fields.text(), 20)},
}
_COMMON: fields.Fields = {"changed": fields.flag, "failed": fields.flag, "msg": fields.message()}
# Keys that modules add by themselves, and that are left out: the control node makes what is displayed of them.
_DROPPED = frozenset(("invocation", "exception", "deprecations", "diff"))
_WARNINGS = fields.list_of(fields.text(), 50)


_PARSERS = {module: fields.mapping({}, {**_COMMON, **keys}) for module, keys in _RESULTS.items()}


def parse_output(output: str, module: str, required: t.Collection[str] = ()) -> dict[str, t.Any] | None:
    """Parse what a module has printed on a host.

    :param required: keys that a result must have unless the module has failed.
    :returns: the result, with the module's ``warnings``; None where it has printed no result, but an error of the shell
        perhaps.
    :raises WrongAnswer: it is not what the module returns.
    """
    if len(output) > MAX_LENGTH:
        raise WrongAnswer(f"is longer than {MAX_LENGTH} characters")
    text = _find_object(output)
    if text is None:
        return None
    try:
        sent = json.loads(text, parse_int=_parse_integer, parse_constant=_refuse_constant)
    except json.JSONDecodeError:
        return None
    except RecursionError:
        raise WrongAnswer("is nested too deeply") from None
    return parse_result(sent, module, required)


def parse_result(sent: t.Mapping[str, t.Any], module: str, required: t.Collection[str] = ()) -> dict[str, t.Any]:
    """The same, of a result that is not text any more."""
    kept = {key: value for key, value in sent.items() if key not in _DROPPED and not key.startswith("_ansible_")}
    warnings = kept.pop("warnings", [])
    parsed: dict[str, t.Any] = _PARSERS[module](kept)
    parsed["warnings"] = _parse_warnings(warnings)
    if not parsed.get("failed"):
        for key in required:
            if key not in parsed:
                raise WrongAnswer("is missing", (key,))
    _check_blocks(parsed)
    return parsed


def _find_object(output: str) -> str | None:
    """The JSON object in what was printed: a login or a terminal may print lines before and after it."""
    lines = output.split("\n")
    starts = (number for number, line in enumerate(lines) if line.lstrip().startswith("{"))
    ends = (number for number in range(len(lines), 0, -1) if lines[number - 1].rstrip().endswith("}"))
    start, end = next(starts, None), next(ends, 0)
    return None if start is None or end <= start else "\n".join(lines[start:end])


def _parse_integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise WrongAnswer("has a number that is too large")
    return int(digits)


def _refuse_constant(name: str) -> t.NoReturn:
    raise WrongAnswer("has a number that is none")


def _parse_warnings(sent: t.Any) -> list[str]:
    """Newer ansible-cores wrap each text in two mappings."""
    if isinstance(sent, list):
        sent = [_unwrap_warning(warning) for warning in sent]
    try:
        return list(_WARNINGS(sent))
    except WrongAnswer as exc:
        raise exc.inside("warnings") from None


def _unwrap_warning(warning: t.Any) -> t.Any:
    event = warning.get("event") if isinstance(warning, dict) else None
    return event.get("msg") if isinstance(event, dict) else warning


def _check_blocks(parsed: t.Mapping[str, t.Any]) -> None:
    """What the blocks say together: the control node distinguishes kernels by their build ID."""
    if "livepatch" not in parsed or "kernel" not in parsed:
        return
    state = parsed["livepatch"]["state"]
    if state in (*PATCHABLE, *ACTIVE) and parsed["kernel"]["build_id"] is None:
        raise WrongAnswer(f"is missing, and the state is {state}", ("kernel", "build_id"))


def shorten_output(output: str) -> str:
    """Beginning and end of what was printed instead of a result, in one line. Nothing in it looks like a result."""
    half = _OUTPUT_LENGTH // 2
    short = output if len(output) <= _OUTPUT_LENGTH else f"{output[:half]} ... {output[-half:]}"
    return fields.make_line(short, _OUTPUT_LENGTH + 5).replace("{", "(")


def describe_wrong_answer(problem: WrongAnswer) -> str:
    """Why a host is unknown, in one line."""
    subject = "its" if problem.path else "it"
    return f"the host's answer cannot be used: {subject} {problem}. The module does not answer so: check the host"


#
# Registered results
#


@dataclasses.dataclass(frozen=True)
class Answer:
    """The result of a task that ran a module of ours on a host."""

    changed: bool = False
    failed: bool = False
    unreachable: bool = False
    msg: str | None = None
    # Why nothing is known of the host (on_unreachable: report)
    problem: str | None = None
    # A halt kept the task from starting
    halted: bool = False
    # The ID of the run that the task has started, when that was, and for how many seconds it may run
    run: str | None = None
    began: float = 0.0
    max_seconds: int = 0
    # The host's run had not ended when it was asked
    in_flight: bool = False
    # The host could not be reached for a while, and was asked again
    lost: bool = False
    kernel: Kernel | None = None
    kmp: Kmp | None = None
    livepatch: Livepatch | None = None
    # The blocks with all of their keys, for what is only shown and for the operator's expressions
    blocks: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    # What was printed instead of a result
    output: str = ""

    @property
    def facts(self) -> Facts | None:
        """What is known of the host, None where that is not all of it."""
        if self.kernel is None or self.kmp is None or self.livepatch is None:
            return None
        return Facts(self.kernel, self.kmp, self.livepatch, self.blocks)

    def describe_error(self, variables: t.Mapping[str, t.Any]) -> str | None:
        """Why the task failed, None where it did not.

        :param variables: the host's, for its address and user.
        """
        result = {
            "failed": self.failed,
            "unreachable": self.unreachable,
            "msg": self.msg,
            "module_stderr": self.output,
            **({} if self.kernel is None else {"kernel": self.kernel}),
        }
        return _task_errors.describe_error(result, variables)


class Facts(t.NamedTuple):
    """All that livepatch_info returns of a host."""

    kernel: Kernel
    kmp: Kmp
    livepatch: Livepatch
    # The same with all keys
    blocks: t.Mapping[str, t.Any]


# What of a registered result counts: the action plugins have made it, or ansible-core.
_REGISTERED = fields.mapping(
    {},
    {
        **_COMMON,
        **_BLOCKS,
        "unreachable": fields.flag,
        "problem": fields.text(),
        "halted": fields.boolean,
        "run": fields.text(200),
        "began": fields.moment,
        "max_seconds": fields.integer(),
        "in_flight": fields.boolean,
        "lost": fields.boolean,
        "module_stdout": fields.text(_OUTPUT_LENGTH + 5),
        "module_stderr": fields.text(_OUTPUT_LENGTH + 5),
    },
    drop_others=True,
)


def read_result(registered: t.Mapping[str, t.Any]) -> Answer:
    """Read the registered result of a module of ours, by the same fields as it was made by."""
    try:
        parsed = _REGISTERED(registered)
        _check_blocks(parsed)
    except WrongAnswer as exc:
        return Answer(failed=True, msg=describe_wrong_answer(exc))
    blocks = {name: parsed.pop(name) for name in _BLOCKS if name in parsed}
    output = " ".join(filter(None, (parsed.pop("module_stderr", ""), parsed.pop("module_stdout", ""))))
    return Answer(
        **parsed,
        kernel=Kernel.from_block(blocks["kernel"]) if "kernel" in blocks else None,
        kmp=Kmp.from_block(blocks["kmp"]) if "kmp" in blocks else None,
        livepatch=Livepatch.from_block(blocks["livepatch"]) if "livepatch" in blocks else None,
        blocks=blocks,
        output=output,
    )
