# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step of the gate works on, and what it reads and writes of it in the store. PRIVATE to the collection."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import halt, scratch, session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Outline
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import Command, StoreClient

Rows = dict[str, Outcome]


@dataclasses.dataclass(frozen=True)
class GateInput:
    store: StoreClient
    step: session.Step

    @property
    def plan(self) -> Outline:
        return self.step.plan

    @property
    def read_only(self) -> bool:
        return self.store.read_only

    @property
    def is_slice(self) -> bool:
        """Whether other jobs do a part of the same wave."""
        return self.step.run.member is not None

    @property
    def wave(self) -> int:
        return self.step.batch.wave

    @property
    def is_strict(self) -> bool:
        """Whether the wave has no budget: its hosts are the first of their cohorts."""
        return self.plan.waves[self.wave].is_strict

    def load_wave(self) -> session.LoadedHosts:
        """The hosts of the wave."""
        loaded = scratch.recall(self._wave_key)
        if loaded is None:
            (loaded,) = self.store.send_own(self.step.run, self._build_wave())
        return session.parse_hosts(loaded)

    def record_outcomes(self, rows: t.Iterable[Outcome], with_wave: bool) -> list[dict[str, t.Any]]:
        """Writes what became of hosts of the wave; returns how many of the rollout's have come to which outcome, in
        groups.

        :param with_wave: the wave is over, and ``load_wave`` comes next.
        """
        commands = [self.build_outcomes(rows), *([self._build_wave()] if with_wave else [])]
        groups, *wave = self.store.send_all(*commands)
        if wave:
            scratch.remember(self._wave_key, wave[0])
        return t.cast("list[dict[str, t.Any]]", groups)

    def _build_wave(self) -> Command:
        return self.store.build("load_hosts", run=self.step.run.run, wave=self.wave)

    @property
    def _wave_key(self) -> str:
        return f"wave {self.wave} of {self.step.run.run}"

    def build_outcomes(self, rows: t.Iterable[Outcome]) -> Command:
        """What writes what became of hosts of the wave, and returns how many of the rollout's have come to which
        outcome, in groups.
        """
        outcomes = [dataclasses.asdict(row) for row in rows]
        return self.store.build_fenced("record_outcomes", wave=self.wave, outcomes=outcomes)

    def build_verdict(self, subject: str, verdict: str, text: str) -> Command:
        """What writes a verdict.

        :param subject: one of those of ``batches``: the wave's hosts, or the wave as a whole.
        """
        record = {"of": subject, "verdict": verdict, "text": text, "at": time.time()}
        return self.store.build_fenced("record_gate", wave=self.wave, record=record)

    def load_in_flight(self) -> session.LoadedHosts:
        """The hosts of the batch, and of the run's earlier batches of the wave, that have begun and not ended."""
        run = self.step.run
        (names,) = self.store.send_own(
            run, self.store.build("load_in_flight", run=run.run, hosts=list(self.step.batch.hosts))
        )
        return session.load_hosts(self.store, run, hosts=names)

    def check_halt(self) -> str | None:
        """While something is waited for: a sign of life for the lease, and why to wait no longer."""
        stored = self.store.send_fenced("renew_lease")["halt"]
        return None if stored is None else halt.describe_halt(stored)

    def share_out(self, members: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, list[t.Mapping[str, t.Any]]]:
        """Which hosts of the wave each host of the batch asks: itself, and its share of those of earlier batches.

        :param members: each with its ``host``, and what it is asked with.
        """
        names = self.step.batch.hosts
        shares = {member["host"]: [member] for member in members if member["host"] in set(names)}
        for number, member in enumerate([member for member in members if member["host"] not in shares]):
            shares.setdefault(names[number % len(names)], []).append(member)
        return shares
