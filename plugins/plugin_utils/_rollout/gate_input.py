# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step of the gate works on, and what it reads and writes of it in the store. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import budgets, halt, outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

Rows = dict[str, Outcome]


@dataclasses.dataclass(frozen=True)
class GateInput:
    store: StoreClient
    # What rollout_begin returned
    rollout: t.Mapping[str, t.Any]
    # The batch that the play is at
    batch: t.Mapping[str, t.Any]
    read_only: bool

    @property
    def document(self) -> t.Mapping[str, t.Any]:
        """The plan's."""
        return t.cast(t.Mapping[str, t.Any], self.rollout["document"])

    @property
    def is_slice(self) -> bool:
        """Whether other jobs do a part of the same wave."""
        return self.rollout.get("member") is not None

    @property
    def wave(self) -> int:
        return int(self.batch["wave"])

    @property
    def wave_hosts(self) -> list[str]:
        return list(self.document["waves"][self.wave]["hosts"])

    @property
    def is_strict(self) -> bool:
        """Whether the wave has no budget: its hosts are the first of their cohorts."""
        return self.document["waves"][self.wave]["kind"] in budgets.ZERO_BUDGET_KINDS

    def load_outcomes(self, names: t.Iterable[str]) -> Rows:
        """What the store has of these hosts; those that it does not know are pending."""
        stored = self.store.send("show", scope=self.store.scope)["rollout"]["outcomes"]
        planned = self.document["hosts"]
        return {name: outcome.load_outcome(name, stored.get(name), planned[name]["cohort"]) for name in names}

    def record_outcomes(self, wave: int | None, rows: Rows) -> t.Any:
        """Writes what became of hosts; returns how many of the rollout's have come to which outcome."""
        outcomes = [dataclasses.asdict(row) for row in rows.values()]
        return self.store.send_fenced("record_outcomes", wave=wave, outcomes=outcomes)

    def record_verdict(self, subject: str, verdict: str, text: str) -> None:
        """:param subject: one of those of ``batches``: the wave's hosts, or the wave as a whole."""
        record = {"of": subject, "verdict": verdict, "text": text, "at": time.time()}
        self.store.send_fenced("record_gate", wave=self.wave, record=record)

    def check_halt(self) -> str | None:
        """While something is waited for: a sign of life for the lease, and why to wait no longer."""
        stored = self.store.send_fenced("renew_lease")["halt"]
        return None if stored is None else halt.describe_halt(stored)

    def share_out(self, members: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, list[t.Mapping[str, t.Any]]]:
        """Which hosts of the wave each host of the batch asks: itself, and its share of those of earlier batches.

        :param members: by `hostvars.build_member`.
        """
        batch_hosts = list(self.batch["hosts"])
        shares = {member["host"]: [member] for member in members if member["host"] in set(batch_hosts)}
        for number, member in enumerate([member for member in members if member["host"] not in shares]):
            shares.setdefault(batch_hosts[number % len(batch_hosts)], []).append(member)
        return shares
