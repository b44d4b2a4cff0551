# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Begins a run of a rollout: the controller's part of the module of the same name."""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _options
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import (
    FORMATS,
    build_printer,
    format_count,
    show_lines,
    show_response,
    to_printable,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import document as report
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import publish, status, text
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report.preview import format_preview
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import (
    common_options,
    controls,
    drift,
    halt,
    heartbeat,
    host_settings,
    hosts,
    hostvars,
    kmp_locks,
    lease,
    pending_rollback,
    preview,
    rollback,
    schema,
    session,
    slices,
    start,
    webhooks,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.settings import Settings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

_MODES = ("plan", "prestage", "rollout", "slice", "rollback")
_OPTIONS: dict[str, t.Any] = {
    "mode": {"type": "str", "choices": list(_MODES), "required": True},
    "plan_hash": {"type": "str", "default": ""},
    "slices": {"type": "int", "default": 1},
    "wave": {"type": "str", "default": "all"},
    "cohort": {"type": "str"},
    "reason": {"type": "str", "default": ""},
    "lease": {"type": "int", "default": 120},
    "takeover_reason": {"type": "str", "default": ""},
    "change_reason": {"type": "str", "default": ""},
    **publish.OPTIONS,
    "format": {"type": "str", "choices": list(FORMATS), "default": "text"},
}


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        options = _options.parse_options(self, _OPTIONS)
        variables = hostvars.VariablesReader(self, task_vars)(hostvars.get_play_hosts(task_vars))
        store = StoreClient(self, task_vars)
        terms = lease.LeaseTerms(options["lease"], options["takeover_reason"], store.show_line)
        try:
            if options["mode"] == "slice":
                return self._join_wave(store, variables, options, terms)
            common_options.validate_whole_inventory(task_vars)
            if options["mode"] == "rollback":
                return self._begin_rollback(store, variables, options, terms)
            return self._begin_rollout(store, variables, options, task_vars, terms)
        except PlanError as exc:
            raise AnsibleActionFail(str(exc)) from None

    def _begin_rollout(
        self,
        store: StoreClient,
        variables: hostvars.Variables,
        options: dict[str, t.Any],
        task_vars: t.Mapping[str, t.Any],
        terms: lease.LeaseTerms,
    ) -> dict[str, t.Any]:
        """Plans, and begins or resumes the rollout unless only a plan is wanted."""
        mode = options["mode"]
        hostvars.require_gathered(variables)
        plan_hash = start.resolve_plan_hash(store, options["plan_hash"])
        recorded = _load_recorded(store, plan_hash)
        given = controls.read_given(variables)
        goes_by = controls.decide(_find_record(recorded, mode, plan_hash), given, options["change_reason"])
        # Hosts that are to download it have not done so yet.
        prestaged = goes_by.run["livepatch_prestaged"] and mode != "prestage"
        settings = Settings.from_values(goes_by.run, recorded["quarantine"], prestaged)
        fleet = hostvars.parse_fleet(variables, settings.selection)
        last = recorded["rollout"]
        if mode == "rollout":
            begun = start.begin_rollout(store, fleet, settings, goes_by, plan_hash, last, terms)
        else:
            begun = start.save_new_plan(store, fleet, settings, goes_by, plan_hash, mode, last)
        _keep_lease(store, begun, terms)
        notified = goes_by.run[controls.WEBHOOKS]
        self._notify(webhooks.create_notifier(self, task_vars, store.scope, begun.run, recorded=notified), begun)
        for url in controls.list_unnotified(goes_by, given):
            reason = "give it as when the rollout began, since its secrets are not recorded"
            self._display.warning(to_printable(f"livepatch_webhooks: {url} is not notified: {reason}"))
        planned = self._preview(store, begun, {host.name: host for host in fleet}, goes_by, last, task_vars)
        answers = hostvars.get_latest_answers(variables)
        drifted = drift.find_drift(store, answers)
        lines = [*_describe_recorded(recorded, begun), *drift.format_drift(drifted, store.scope)]
        lines += [f"Setting changed: {line}" for line in goes_by.describe_changes()]
        if begun.owed is None or mode != "rollout":
            lines += format_preview(begun.plan, planned, begun.resumed, begun.before)
        document = begun.plan.as_document()
        opened = session.get_open(last)
        held_by = {
            "halt": recorded["halt"] and halt.describe_halt(recorded["halt"]),
            "open_rollout": opened and text.describe_open_rollout(opened),
        }
        response = {**document, **held_by, "preview": planned.as_document()}
        show_response(self._display.display, lines, response, options["format"])
        result: dict[str, t.Any] = {**_build_result(begun), "files": []}
        if mode == "rollout" and not store.read_only and recorded["halt"] is None:
            result["locks"] = kmp_locks.list_different(answers, goes_by.hosts)
        if mode != "rollout":
            result["ansible_stats"] = common_options.build_stats(
                livepatch_plan_hash=begun.plan.hash, livepatch_plan_hosts=planned.to_patch
            )
        if mode == "plan":
            result["plan"] = document

            def build_report() -> dict[str, t.Any]:
                now = time.time()
                rows = status.build_rows(variables, settings.selection, now, drifted.hosts)
                document = report.build_plan(rows, begun.plan, begun.before, now, store.scope)
                return {**document, **held_by}

            show = build_printer(self._display.display, options["format"])
            result["files"] = publish.deliver_report(options, build_report, show)
        return result

    def _preview(
        self,
        store: StoreClient,
        begun: session.Begun,
        fleet: t.Mapping[str, hosts.Host],
        goes_by: controls.Controls,
        last: t.Any,
        task_vars: t.Mapping[str, t.Any],
    ) -> preview.Preview:
        """What the run would do, or does."""
        options = schema.read_rendered(self._templar, task_vars, *preview.SETTINGS)
        options |= {option: goes_by.run[schema.PREFIX + option] for option in preview.CONTROLS}
        recorded = preview.Recorded()
        opened = session.get_open(last)
        if opened is not None and begun.resumed:
            recorded = preview.Recorded(opened["outcomes"], opened["gates"])
        if options["approval"]:
            approvals, starters = store.send_all(
                store.build("list_approvals", plan_hash=begun.plan.hash),
                store.build("list_starters", plan_hash=begun.plan.hash),
            )
            recorded = dataclasses.replace(recorded, approvals=approvals, starters=starters)
        return preview.build_preview(begun.plan, begun.batches, fleet, recorded, options, goes_by.hosts, time.time())

    @staticmethod
    def _notify(notices: webhooks.Notifier, begun: session.Begun) -> None:
        planned = begun.plan
        size = f"{format_count(planned.hosts, 'host')} in {format_count(planned.waves, 'wave')}"
        if begun.run.mode != "rollout" and not begun.resumed:
            notices.notify("plan", f"Planned: {size}", waves=[len(names) for names in planned.waves])
        elif begun.run.mode == "rollout" and begun.resumed:
            notices.notify("resume", f"A rollout goes on: {len(begun.hosts)} of {size} are left")
        elif begun.run.id is not None:
            notices.notify("start", f"A rollout begins: {size}")

    def _join_wave(
        self, store: StoreClient, variables: hostvars.Variables, options: t.Mapping[str, t.Any], terms: lease.LeaseTerms
    ) -> dict[str, t.Any]:
        """Takes part in a wave, with the hosts of this job."""
        if options["slices"] < 1:
            raise PlanError(f"livepatch_slices is {options['slices']}: give the number of jobs that a wave is cut into")
        hostvars.require_gathered(variables)
        fleet, given = hostvars.parse_fleet(variables), controls.read_given(variables)
        begun = slices.join_wave(store, fleet, given, options["slices"], terms)
        if isinstance(begun, str):
            show_lines(self._display.display, [f"Nothing to do: {begun}"])
            return {"changed": False, "rollout": {}, "hosts": [], "sizes": [], "pending": [], "locks": {}}
        _keep_lease(store, begun, terms)
        wave = begun.batches[0].wave
        count = format_count(begun.plan.waves[wave], "host")
        line = f"Plan {begun.plan.hash[:12]}, wave {wave}: {len(begun.hosts)} of {count} here"
        show_lines(self._display.display, [line])
        return _build_result(begun)

    def _begin_rollback(
        self, store: StoreClient, variables: hostvars.Variables, options: t.Mapping[str, t.Any], terms: lease.LeaseTerms
    ) -> dict[str, t.Any]:
        """Selects the hosts that are rolled back."""
        if not options["reason"].strip():
            raise PlanError("the reason is missing (livepatch_reason): the quarantine and the report keep it")
        begun = rollback.begin_rollback(
            store,
            host_settings.read_settings(variables),
            common_options.parse_wave("livepatch_wave", options["wave"]),
            options["cohort"],
            options["reason"],
            terms,
        )
        _keep_lease(store, begun, terms)
        count = format_count(begun.hosts, "host")
        show_lines(self._display.display, [f"Of the plan {begun.plan.hash[:12]}: {count} to roll back"])
        return _build_result(begun)


def _keep_lease(store: StoreClient, begun: session.Begun, terms: lease.LeaseTerms) -> None:
    if begun.run.fence is not None:
        heartbeat.start(store, begun.run, terms.seconds)


def _load_recorded(store: StoreClient, plan_hash: str) -> dict[str, t.Any]:
    """What the store shows of the scope, with what was recorded for a run to go by: ``controls`` of the open rollout,
    or else of a plan, None where there is neither.
    """
    response, stored = store.send_all(
        store.build("show", scope=store.scope), store.build("load_controls", scope=store.scope, plan_hash=plan_hash)
    )
    return {**response, "controls": stored}


def _find_record(recorded: t.Mapping[str, t.Any], mode: str, plan_hash: str) -> controls.Record | None:
    """What the run has to go by, None where it makes a new plan."""
    opened = session.get_open(recorded["rollout"])
    # Hosts download what a new plan has, and one is shown where nothing is left of the open rollout but a rollback.
    is_new = opened is not None and mode == "plan" and pending_rollback.ENDS in opened["detail"]
    if recorded["controls"] is None or is_new or (mode == "prestage" and not plan_hash):
        return None
    subject = "The open rollout" if opened is not None else f"The plan {plan_hash[:12]}"
    return controls.Record.from_stored(subject, recorded["controls"], opened is not None)


def _describe_recorded(recorded: t.Mapping[str, t.Any], begun: session.Begun) -> list[str]:
    """What an operator has to know first: which rollout is open, whether rollouts are halted, and which hosts are to be
    rolled back before anything else.
    """
    opened, lines = session.get_open(recorded["rollout"]), []
    if opened is not None:
        verb = "Continues" if begun.run.mode == "rollout" else "Open:"
        ignored = "" if begun.resumed else ". Playbook rollout continues it and ignores this plan"
        lines.append(f"{verb} {text.describe_open_rollout(opened)}{ignored}")
    if recorded["halt"] is not None:
        lines.append(_capitalize(halt.describe_halt(recorded["halt"])))
    return lines if begun.owed is None else [*lines, *text.format_pending_rollback(begun.owed)]


def _capitalize(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _build_result(begun: session.Begun) -> dict[str, t.Any]:
    """What the plays of a run go by: what it is known by, and its hosts."""
    return {
        "changed": False,
        "rollout": dataclasses.asdict(begun.run),
        "hosts": begun.hosts,
        "sizes": begun.sizes,
        "pending": list(begun.pending),
        "locks": {},
    }
