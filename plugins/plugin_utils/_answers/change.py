# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change of a host came to: the keys of livepatch's result, and of a detached run's. PRIVATE to the collection.
Pure.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.blockers import ADVICE
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import fields
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.states import STATES

state = fields.choice(*STATES)

_BLOCKER = fields.mapping(
    {
        "tid": fields.integer(0, 2**31),
        "command": fields.text(100),
        "kernel_thread": fields.boolean,
        "state": fields.optional(fields.text(20)),
        "cpu": fields.optional(fields.integer(0, 2**31)),
        "stack": fields.optional(fields.text(200)),
        "class": fields.choice(*ADVICE),
        "advice": fields.text(),
    }
)
blockers = fields.list_of(_BLOCKER, 100)
levels = fields.mapping(
    {
        "state": state,
        "level": fields.optional(fields.level),
        "patches": fields.list_of(fields.text(200), 1000),
        "kmp": fields.optional(fields.text(200)),
    }
)
transition = fields.mapping(
    {
        "seconds": fields.optional(fields.number(0, 10**9)),
        "by": fields.optional(fields.choice("kernel log", "watch")),
    }
)
# Each is missing where it is not known.
RESULT: fields.Fields = {
    "refused": fields.boolean,
    "stalled": fields.boolean,
    "fenced": fields.boolean,
    "not_begun": fields.boolean,
    "before": levels,
    "after": levels,
    "transition": transition,
    "transaction": fields.optional(fields.list_of(fields.text(), 1000)),
    "blockers": blockers,
}
job = fields.mapping(
    {"failed": fields.flag}, {"changed": fields.flag, "msg": fields.optional(fields.message()), **RESULT}
)


@dataclasses.dataclass(frozen=True)
class Job:
    """The result of a detached run."""

    failed: bool
    changed: bool = False
    msg: str | None = None
    # Trying again will not help
    refused: bool = False
    # The kernel's migration did not complete in time
    stalled: bool = False
    # A newer run has taken the host over
    fenced: bool = False
    # What it was to finish was never begun, or the host is not what was planned
    not_begun: bool = False
    # State and levels, None where they are not known
    before: t.Mapping[str, t.Any] | None = None
    after: t.Mapping[str, t.Any] | None = None
    # How long the migration took
    seconds: float | None = None
    # Threads that kept the migration from completing
    blockers: t.Sequence[t.Mapping[str, t.Any]] = ()

    @classmethod
    def from_block(cls, parsed: t.Mapping[str, t.Any] | None) -> Job | None:
        if parsed is None:
            return None
        keys = {field.name for field in dataclasses.fields(cls)} & set(parsed)
        return cls(**{key: parsed[key] for key in keys}, seconds=parsed.get("transition", {}).get("seconds"))
