# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's journal, as livepatch_info and livepatch_journal return it. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import change, fields

_PHASE = fields.choice(*_journal.UNFINISHED, _journal.SOAKING, _journal.DONE, _journal.FAILED)
_ID = fields.optional(fields.text(200))

baseline = fields.mapping(
    {
        "boot_id": fields.optional(fields.boot_id),
        "taint": fields.optional(fields.integer()),
        "log": fields.optional(fields.integer()),
        "at": fields.moment,
    }
)
_RECORD: fields.Fields = {
    "run": _ID,
    "rollout": _ID,
    "plan": _ID,
    "fence": fields.optional(fields.integer()),
    "phase": _PHASE,
    "kmp": _ID,
    "previous": _ID,
    "boot_id": fields.optional(fields.boot_id),
    "at": fields.optional(fields.moment),
    "problem": fields.optional(fields.message()),
}
# Of livepatch_info
block = fields.mapping(
    {
        **_RECORD,
        "given": fields.optional(fields.boolean),
        "running": fields.boolean,
        "interrupted": fields.boolean,
    }
)
# Of livepatch_journal: the file as it is, which another version of the collection may have written
entry = fields.mapping(
    {"phase": _PHASE},
    {
        **_RECORD,
        "schema": fields.integer(),
        "began": fields.optional(fields.moment),
        "deadline": fields.optional(fields.number(-(10**12), 10**12)),
        "changed": fields.boolean,
        "given": fields.boolean,
        "back": fields.boolean,
        "baseline": fields.optional(baseline),
        "steps": fields.list_of(fields.list_of(fields.either(_PHASE, fields.moment), 2), 10000),
        "cleared": fields.mapping({"reason": fields.text(), "phase": _PHASE}),
        **change.RESULT,
    },
    drop_others=True,
)


@dataclasses.dataclass(frozen=True)
class Journal:
    """The record of the last change, as far as the control node decides by it."""

    phase: str
    run: str | None = None
    rollout: str | None = None
    plan: str | None = None
    # The NAME-EVR that it made active, or was to
    kmp: str | None = None
    at: float | None = None
    boot_id: str | None = None
    # Whether the kernel was given the KMP's module, None where that is not known
    given: bool | None = None

    @classmethod
    def from_block(cls, parsed: t.Mapping[str, t.Any] | None) -> Journal | None:
        if parsed is None:
            return None
        return cls(**{field.name: parsed[field.name] for field in dataclasses.fields(cls)})
