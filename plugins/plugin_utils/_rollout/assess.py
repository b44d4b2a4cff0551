# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a gate: a batch has ended, the wave soaks, the wave is judged, hosts have gone back. PRIVATE to the
collection.

What became of hosts is in the store before anything is done about it, so that whoever comes after a run that died
knows.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import SLICES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import fetch
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    batches,
    budgets,
    halt,
    host_counts,
    hosts,
    hostvars,
    outcome,
    soak,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates import runner
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.gates.context import GateContext
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.outcome import Outcome
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

Rows = dict[str, Outcome]


class Gatekeeper:
    """:param judged: what the step before told in the same batch."""

    def __init__(
        self,
        store: StoreClient,
        rollout: t.Mapping[str, t.Any],
        task_vars: t.Mapping[str, t.Any],
        options: t.Mapping[str, t.Any],
        read_only: bool,
    ) -> None:
        self._store = store
        self._rollout = rollout
        self._document = rollout["document"]
        self._vars = task_vars
        self._options = options
        self._read_only = read_only
        # Where hosts are brought back there are none.
        self._batch = hostvars.batch_of(rollout, task_vars) if rollout["batches"] else {"hosts": []}

    #
    # The steps
    #

    def batch(self) -> dict[str, t.Any]:
        """The hosts of a batch have ended: records what became of them, and judges by their number."""
        started = self._vars["__livepatch_admission"]["start"]
        variables = hostvars.variables_of(started, self._vars)
        rows = {one.host: one for one in hostvars.judged(started, self._rollout, variables, self._read_only)}
        told = self._judge(rows, rows, budgets.count_by_outcome(rows.values()), bool(started))
        # Once: the soak is counted from it, by this run and by those after it.
        soaks = not started and str(told["wave"]) in self._rollout["soaking"]
        if told["last"] and told["passed"] and not self._read_only and not soaks:
            self._note(batches.HOSTS, told["wave"], "pass", told["verdict"])
        return told

    def probe(self) -> dict[str, t.Any]:
        """The wave's hosts were asked again in the soak."""
        before = self._rows()
        members = [name for name, row in before.items() if row.outcome in outcome.SUCCESSFUL]
        heard = self._heard(hostvars.PROBED)
        variables = hostvars.variables_of(members, self._vars)
        now = {name: outcome.apply_probe(before[name], heard.get(name), variables[name]) for name in members}
        worse = {name: row for name, row in now.items() if row.bad}
        # A wave's budget is that of its soak: of a batch nobody can say any more how many it had.
        told = {**self._judge(worse, {**before, **now}, {}), "soak": self._judged["soak"]}
        due = self._judged["soak"]["probes"][-1]
        halted = self._stopped() if time.time() < due else None
        if halted is not None:
            # Nobody waits for its end any more: the next run does.
            told.update(soak={"probes": [], "until": due}, halted=halted)
        return told

    def wave(self) -> dict[str, t.Any]:
        """The last word on a batch: whether the rollout goes on, who is confirmed, and who goes back."""
        judged, rows = self._judged, self._rows()
        wave = judged["wave"]
        strict = self._document["waves"][wave]["kind"] in budgets.ZERO_BUDGET_KINDS
        end = self._end(judged, rows)
        # Of canaries all go back where the failure of one reaches all.
        everybody = end["status"] == "failed" and self._document["settings"]["halt_scope"] == "rollout"
        # Of later waves only who failed: to take a fix away from healthy hosts is a person's choice.
        reached = end["barred"] if strict else ()
        back = [row for row in rows.values() if row.applied and self._goes_back(row, strict and everybody, reached)]
        if self._is_slice:
            # The others bring their own back.
            back = [row for row in back if row.host in self._batch_hosts]
        confirm = [
            row.host
            for row in rows.values()
            if strict and end["go"] and judged["last"] and row.outcome in outcome.SUCCESSFUL
        ]
        confirm = [name for name in confirm if name not in {row.host for row in back}]
        if self._read_only:
            return {**end, "rollback": [], "confirm": [], "kmps": {}, "shares": {}, "elsewhere": []}
        self._conclude(wave, rows, back, end, judged["last"])
        return {
            **end,
            "rollback": [row.host for row in back],
            "confirm": confirm,
            # Just that, though something newer has come out in the soak.
            "kmps": {name: hosts.get_evr(self._document["hosts"][name]["kmp"]) for name in confirm},
            "shares": self._shares(confirm),
            "elsewhere": [row.host for row in back if row.host not in self._batch_hosts],
        }

    def rollback(self) -> dict[str, t.Any]:
        """Hosts of the play's batch were brought back, or not."""
        gate = self._vars.get("__livepatch_assessment") or {}
        going = {*gate.get("rollback", ()), *(self._vars["hostvars"]["localhost"].get("__livepatch_pending") or ())}
        names = [name for name in self._vars["ansible_play_batch"] if name in going]
        before = self._stored(names)
        variables = hostvars.variables_of(names, self._vars)
        back = {
            name: outcome.apply_rollback(
                before[name], hostvars.ran(variables[name].get(hostvars.BACK)), variables[name]
            )
            for name in names
        }
        self._record(None, back)
        stuck = [row.host for row in back.values() if row.outcome != "rolled_back"]
        allowed = host_counts.resolve_count(self._document["settings"]["budgets"]["wave"], len(names))
        return {
            "rows": [dataclasses.asdict(row) for row in back.values()],
            "go": allowed is None or len(stuck) <= allowed,
            "verdict": f"Brought back: {len(names) - len(stuck)} of {len(names)}",
        }

    #
    # What they have in common
    #

    def _judge(self, news: Rows, rows: Rows, of_batch: budgets.Counts, started: bool = False) -> dict[str, t.Any]:
        """:param news: what is known of hosts since the step before; ``rows``: all that is known of the wave's.
        :param of_batch: how many hosts of the batch have come to which outcome.
        :param started: hosts were started in this batch.
        """
        batch = self._batch
        wave = batch["wave"]
        members = self._document["waves"][wave]["hosts"]
        if not self._read_only:
            # Of who was in flight and was kept from being asked by a halt nobody knows more than before.
            known = {name: row for name, row in news.items() if not (row.halted and batch["in_flight"])}
            totals = self._record(wave, known)
            if not set(members) <= set(rows):
                rows = {**self._stored(members), **rows}
        else:
            totals = budgets.count_outcomes(rows.values())
        # Whom a halt has kept from starting is not bad, and the wave is not over: the next run goes on with it.
        held = [row for row in news.values() if row.halted]
        last = batch["last"] and not held
        verdict = budgets.assess_wave(
            self._document,
            wave,
            budgets.Totals(totals["rollout"], budgets.count_by_outcome(rows.values()), of_batch, totals["cohorts"]),
            list(rows.values()),
            last,
            self._read_only,
        )
        well = [name for name, row in rows.items() if row.outcome in outcome.SUCCESSFUL]
        return {
            "wave": wave,
            "last": last,
            "passed": verdict.passed,
            "held": f"{len(held)} of its hosts {held[0].reason}" if held else None,
            "verdict": verdict.text,
            "barred": list(verdict.barred),
            "halted": None,
            "rows": [dataclasses.asdict(row) for row in rows.values()],
            "shares": self._shares(well),
            "soak": dataclasses.asdict(self._soak(wave, last and verdict.passed, started)),
        }

    def _soak(self, wave: int, begins: bool, started: bool) -> soak.Soak:
        if not begins or self._read_only:
            return soak.Soak((), None)
        now = time.time()
        began = now if started else self._rollout["soaking"].get(str(wave), now)
        return soak.schedule(began, self._options["soak"], now, self._rollout["began"] + self._options["run_limit"])

    def _end(self, judged: t.Mapping[str, t.Any], rows: Rows) -> dict[str, t.Any]:
        """Whether the rollout goes on after the batch, and as what it ends if it does not."""
        wave, barred = judged["wave"], judged["barred"]
        name = budgets.format_wave_name(self._document, wave)
        go = {
            "go": True,
            "wave": wave,
            "last": judged["last"],
            "verdict": judged["verdict"],
            "status": "running",
            "detail": {},
            "barred": barred,
        }
        if not judged["passed"]:
            if not self._is_slice:
                return {**go, "go": False, "status": "failed"}
            # Stops the other slices; the wave's gate, which comes after all of them, ends the rollout.
            return {**go, "go": False, "status": "halted", "detail": {"for": SLICES, "wave": wave, "at": time.time()}}
        if judged["held"] is not None and not self._is_slice:
            text = f"Gate after {name}: halted: {judged['held']}"
            return {**go, "go": False, "verdict": text, "status": "halted", "detail": {"wave": wave}}
        if not judged["last"]:
            return go
        until = judged["soak"]["until"]
        if judged["halted"] is not None:
            return {**go, "go": False, "verdict": judged["halted"], "status": "halted", "detail": {"wave": wave}}
        if until is not None:
            text = f"Gate after {name}: soaks until {_clock(until)}: run the rollout again then"
            return {**go, "go": False, "verdict": text, "status": "soaking", "detail": {"wave": wave, "until": until}}
        if self._read_only:
            return go
        said = self._outside(wave, rows)
        if said.verdict == "pass":
            return {**go, "verdict": f"{judged['verdict']}{said.text}"}
        text = f"Gate after {name}: {said.verdict}: {said.text}"
        if said.verdict == "fail":
            cohorts = sorted({row.cohort for row in rows.values() if row.cohort})
            return {**go, "go": False, "verdict": text, "status": "failed", "barred": cohorts}
        text += ". Run the rollout again, and it is asked again; livepatch_skip_gates passes a gate over, with a reason"
        return {**go, "go": False, "verdict": text, "status": "waiting", "detail": {"for": said.verdict, "wave": wave}}

    def _outside(self, wave: int, rows: Rows) -> t.Any:
        """The gates that look elsewhere than at the hosts; each is recorded with what it measured."""
        patched = [name for name, row in rows.items() if row.outcome in outcome.SUCCESSFUL]
        gates = runner.parse_gates(self._options["gates"], self._options["skip_gates"])
        context = GateContext(
            rollout=str(self._rollout["id"]),
            plan=self._rollout["hash"],
            wave=wave,
            patched=tuple(patched),
            control=self._control(rows) if gates else (),
            began=self._rollout["started"],
        )
        blind = {
            name: row.health_unknown
            for name, row in rows.items()
            if row.health_unknown and row.outcome in outcome.SUCCESSFUL
        }
        health = runner.check_health(
            blind, budgets.resolve_wave_budget(self._document, wave), self._options["skip_gates"]
        )
        judged = runner.run_gates(gates, context, fetch, self._stopped, known=health)
        for one in judged.gates:
            self._store.send_fenced("record_gate", wave=wave, record=dict(dataclasses.asdict(one), at=time.time()))
        return judged

    def _control(self, rows: Rows) -> tuple[str, ...]:
        """Hosts to compare a wave's with: of the same cohorts, and not patched. After the last wave there are none, and
        it is those before it, whose gates have passed.
        """
        cohorts = {row.cohort for row in rows.values()}
        planned = self._document["hosts"]
        others = self._stored(name for name in planned if planned[name]["cohort"] in cohorts and name not in rows)
        unpatched = [name for name, row in others.items() if row.outcome not in outcome.SUCCESSFUL and not row.applied]
        return tuple(unpatched or others)

    def _stopped(self) -> str | None:
        """While something is waited for: a sign of life for the lease, and why to wait no longer."""
        stored = self._store.send_fenced("renew_lease")["halt"]
        return None if stored is None else halt.describe_halt(stored)

    def _conclude(self, wave: int, rows: Rows, back: list[Outcome], end: t.Mapping[str, t.Any], last: bool) -> None:
        entries = self._quarantined(rows, end)
        if entries:
            self._store.send("add_to_quarantine", entries=entries)
        self._record(wave, {row.host: dataclasses.replace(row, outcome="rollback_pending") for row in back})
        if not self._is_slice and (last or not end["go"]):
            verdict = "pass" if end["go"] else {"failed": "fail"}.get(end["status"], "inconclusive")
            self._note(batches.WAVE, wave, verdict, end["verdict"])
        if not end["go"]:
            self._store.send_fenced("set_status", status=end["status"], detail=dict(end["detail"], text=end["verdict"]))

    def _quarantined(self, rows: Rows, end: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
        """What nobody gets any more until somebody clears it: the KMP in the cohorts that it went wrong in, and hosts
        that are lost.
        """
        by = f"rollout {self._rollout['id']}"
        cohorts = {one["id"]: one for one in self._document["cohorts"]}
        whole = self._document["settings"]["halt_scope"] == "kmp"
        entries = []
        # A KMP with which a host went down is barred though the budget may have borne it.
        crashed = {row.cohort for row in rows.values() if row.crashed and row.cohort}
        for cohort in sorted({*end["barred"], *crashed}):
            bad = [row for row in rows.values() if row.cohort == cohort and row.bad]
            reason = f"{bad[0].host}: {bad[0].reason}" if bad else end["verdict"]
            target = None if whole else cohorts[cohort]["target"]
            entries.append({"kmp": cohorts[cohort]["kmp"], "cohort": target, "host": None, "reason": reason, "by": by})
        lost = [row for row in rows.values() if row.outcome == "lost"]
        entries += [{"kmp": None, "cohort": None, "host": row.host, "reason": row.reason, "by": by} for row in lost]
        return entries

    def _goes_back(self, row: Outcome, all_of_them: bool, cohorts: t.Collection[str]) -> bool:
        """Who failed goes back; of canaries everybody, where one of their kind has failed."""
        if row.outcome == "failed":
            return True
        return row.outcome in outcome.SUCCESSFUL and (all_of_them or row.cohort in cohorts)

    #
    # Results and records
    #

    @property
    def _judged(self) -> t.Mapping[str, t.Any]:
        """What the step before has told, in the same batch."""
        return t.cast(t.Mapping[str, t.Any], self._vars["__livepatch_batch"])

    @property
    def _is_slice(self) -> bool:
        """Whether others do a part of the same wave."""
        return self._rollout.get("member") is not None

    @property
    def _batch_hosts(self) -> list[str]:
        return list(self._batch["hosts"])

    def _rows(self) -> Rows:
        return {row["host"]: Outcome(**row) for row in self._judged["rows"]}

    def _heard(self, variable: str) -> dict[str, t.Any]:
        """What hosts told that were asked by way of the batch's hosts, each of which asks its share of the wave."""
        heard = {}
        for variables in hostvars.variables_of(self._batch_hosts, self._vars).values():
            for result in (variables.get(variable) or {}).get("results", ()):
                heard[str(result["__livepatch_member"])] = result
        return heard

    def _shares(self, members: t.Sequence[str]) -> dict[str, list[str]]:
        """Who of the batch asks whom of the wave: itself, and its share of those that were in earlier batches."""
        batch = self._batch_hosts
        shares = {name: [name] for name in members if name in set(batch)}
        for number, name in enumerate(name for name in members if name not in shares):
            shares.setdefault(batch[number % len(batch)], []).append(name)
        return shares

    def _stored(self, names: t.Iterable[str]) -> Rows:
        """What the store says of these hosts; those that it does not know are pending."""
        shown = self._store.send("show", scope=self._store.scope)["rollout"]["outcomes"]
        planned = self._document["hosts"]
        return {name: outcome.load_outcome(name, shown.get(name), planned[name]["cohort"]) for name in names}

    def _record(self, wave: int | None, rows: Rows) -> t.Any:
        """Writes what became of hosts; returns how many have ended how, all over."""
        outcomes = [dataclasses.asdict(row) for row in rows.values()]
        return self._store.send_fenced("record_outcomes", wave=wave, outcomes=outcomes)

    def _note(self, of: str, wave: int, verdict: str, text: str) -> None:
        record = {"of": of, "verdict": verdict, "text": text, "at": time.time()}
        self._store.send_fenced("record_gate", wave=wave, record=record)


def _clock(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
