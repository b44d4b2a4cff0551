# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout goes by from the moment it is planned, whatever a later run is given. PRIVATE to the collection. Pure.

A later run may leave a setting out, or give it as it is recorded. What is tighter is obeyed and recorded. What is
looser or different is refused, or taken for a reason that is recorded.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import abbreviate
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import redact_url
from ansible_collections.fleet.livepatch.plugins.plugin_utils._options import is_blank
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import host_settings, settings, strictness
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.host_settings import HostSettings
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.schema import PREFIX, SETTINGS

GATES, WEBHOOKS = "livepatch_gates", "livepatch_webhooks"
# What a record has of a value in the place of its secrets: the names of the options that are not recorded
NOT_RECORDED = "not_recorded"
_SECRET_OPTIONS = ("headers", "secret", "url_password", "url_username")
# Differences in a message
_MAX_LINES = 10

#
# What becomes of each setting: each is in one of these.
#

# Those that a rollout keeps, and how two values of one compare
KEPT: t.Mapping[str, strictness.Compare] = {
    "livepatch_allow_downgrade": strictness.compare_flags(strict=False),
    "livepatch_allow_unsupported": strictness.compare_flags(strict=False),
    "livepatch_approval": strictness.compare_approvals,
    "livepatch_approver_not_starter": strictness.compare_flags(strict=True),
    "livepatch_blackouts": strictness.compare_supersets,
    "livepatch_budget": strictness.compare_counts,
    "livepatch_budget_batch": strictness.compare_counts,
    "livepatch_budget_cohort": strictness.compare_counts,
    "livepatch_budget_lost": strictness.compare_counts,
    "livepatch_budget_rollout": strictness.compare_counts,
    "livepatch_budget_unreachable": strictness.compare_counts,
    "livepatch_filter": strictness.compare_unordered,
    "livepatch_gates": strictness.compare_supersets,
    "livepatch_halt_scope": strictness.compare_choices("rollout", "kmp", "cohort"),
    "livepatch_health_checks": strictness.compare_health_checks,
    "livepatch_kernel_lock": strictness.compare_unordered,
    "livepatch_kernel_versions": strictness.compare_unordered,
    "livepatch_levels": strictness.compare_unordered,
    "livepatch_lock": strictness.compare_flags(strict=True),
    "livepatch_max_in_flight": strictness.compare_numbers(strict=min),
    "livepatch_on_stall": strictness.compare_unordered,
    "livepatch_policy": strictness.compare_unordered,
    "livepatch_preflight_tolerate": strictness.compare_subsets,
    "livepatch_prestaged": strictness.compare_flags(strict=True),
    "livepatch_repair_boot": strictness.compare_unordered,
    "livepatch_soak": strictness.compare_numbers(strict=max),
    "livepatch_timeout": strictness.compare_unordered,
    "livepatch_unreachable_timeout": strictness.compare_unordered,
    "livepatch_webhooks": strictness.compare_supersets,
    "livepatch_window_min_remaining": strictness.compare_numbers(strict=max),
    "livepatch_windows": strictness.compare_windows,
}
# Those that are in the plan itself: it never changes, for no reason either.
PLAN = frozenset(
    {
        *(
            "livepatch_canaries",
            "livepatch_reserves",
            "livepatch_cohort_key",
            "livepatch_domain_keys",
            "livepatch_max_per_domain",
        ),
        *("livepatch_max_per_group", "livepatch_max_per_wave", "livepatch_seed", "livepatch_waves"),
    }
)
# What a plan is made of, host by host: read when one is made
PLAN_INPUTS = frozenset({"livepatch_canary", "livepatch_criticality", "livepatch_service_group"})
# Which hosts, and where the rollout is recorded
PLACES = frozenset(
    {
        *("livepatch_backup_path", "livepatch_coordinator", "livepatch_coordinator_address", "livepatch_scope"),
        *("livepatch_store_group", "livepatch_store_path", "livepatch_targets"),
    }
)
# What other settings refer to: no record has it, and each run uses its own.
SECRETS = frozenset(
    {
        *("livepatch_eda_token", "livepatch_gate_token", "livepatch_prometheus_password"),
        *("livepatch_prometheus_username", "livepatch_report_password", "livepatch_report_request"),
        *("livepatch_report_url", "livepatch_report_username", "livepatch_repository_regcode"),
        "livepatch_webhook_secret",
    }
)
# Those of one run, of one command, or of another playbook or role
INVOCATION = frozenset(
    {
        *("livepatch_alert_label", "livepatch_alert_values", "livepatch_all_scopes", "livepatch_assertions"),
        *("livepatch_change_reason", "livepatch_cohort", "livepatch_eda_host", "livepatch_eda_port"),
        *("livepatch_expires", "livepatch_if_running", "livepatch_lease", "livepatch_lock_timeout"),
        *("livepatch_max_runtime", "livepatch_metrics_dir", "livepatch_names_allowed", "livepatch_output"),
        *("livepatch_plan_hash", "livepatch_quarantine", "livepatch_quarantine_cohort", "livepatch_quarantine_host"),
        *("livepatch_quarantine_id", "livepatch_quarantine_kmp", "livepatch_reason", "livepatch_refresh"),
        *("livepatch_report_dir", "livepatch_report_mode", "livepatch_repository_fingerprint"),
        *("livepatch_repository_key", "livepatch_repository_kind", "livepatch_repository_name"),
        *("livepatch_repository_signed_metadata", "livepatch_repository_url", "livepatch_slices"),
        *("livepatch_store_retention_days", "livepatch_takeover_reason", "livepatch_wave"),
        # Each skipped gate has a reason of its own. A run without it asks the gate again.
        "livepatch_skip_gates",
    }
)
# Those of them that hold for the run
_OF_RUN = tuple(name for name in sorted({*KEPT, *PLAN}) if SETTINGS[name].scope == "run")


@dataclasses.dataclass(frozen=True)
class Given:
    """What inventory and extra variables set, without defaults; a blank value sets nothing."""

    # By setting
    run: t.Mapping[str, t.Any]
    # By host, by setting without its prefix
    hosts: t.Mapping[str, host_settings.Options]


@dataclasses.dataclass(frozen=True)
class Record:
    """What a plan or a rollout has kept, as ``Given`` has it. What was not recorded is missing."""

    # As messages call it
    subject: str
    run: t.Mapping[str, t.Any]
    hosts: t.Mapping[str, host_settings.Options]
    # Of the rollout's, 0 where it has none yet
    version: int = 0

    @classmethod
    def from_stored(cls, subject: str, stored: t.Mapping[str, t.Any], is_rollout: bool) -> Record:
        """:param stored: the store's, of an earlier version of the collection the settings of the plan only."""
        controls, version = stored["controls"], stored["version"] if is_rollout else 0
        if "plan" in controls:
            return cls(subject, settings.read_plan_document(controls["plan"]), {}, version)
        return cls(subject, controls["run"], host_settings.unpack_options(controls["hosts"]), version)


@dataclasses.dataclass(frozen=True)
class Change:
    """A setting that is not as it was recorded."""

    setting: str
    relation: str
    # As they are shown
    recorded: str
    given: str
    # Empty of a setting of the run
    hosts: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f" of {abbreviate(list(self.hosts))}" if self.hosts else ""
        return f"{self.setting}{where}: {self.recorded} -> {self.given}"

    def describe(self, reason: str) -> str:
        """:param reason: why it was taken, where it is not tighter."""
        return f"{self} ({self.relation if self.relation == strictness.TIGHTER else reason})"


@dataclasses.dataclass(frozen=True)
class Controls:
    """What a run goes by."""

    # By setting; of what is secret in them nothing
    run: t.Mapping[str, t.Any]
    hosts: t.Mapping[str, HostSettings]
    # None where nothing was recorded before
    record: Record | None = None
    changes: tuple[Change, ...] = ()
    reason: str = ""
    # Hosts that were asked with another policy than they are changed with
    asked_otherwise: frozenset[str] = frozenset()

    def as_document(self, names: t.Iterable[str]) -> dict[str, t.Any]:
        """As the store keeps it, of these hosts."""
        recorded = self.record.hosts if self.record else {}
        hosts = {
            name: dataclasses.asdict(self.hosts[name]) if name in self.hosts else recorded[name]
            for name in names
            if name in self.hosts or name in recorded
        }
        return {"run": dict(self.run), "hosts": host_settings.pack_options(hosts)}

    def list_changes(self, by: str) -> list[dict[str, t.Any]]:
        """As the store keeps them.

        :param by: on whose behalf the run is.
        """
        return [
            {
                "setting": change.setting,
                "relation": change.relation,
                "recorded": change.recorded,
                "given": change.given,
                "hosts": list(change.hosts),
                "reason": "" if change.relation == strictness.TIGHTER else self.reason,
                "by": by,
            }
            for change in self.changes
        ]

    def describe_changes(self) -> list[str]:
        """A line for each."""
        return [change.describe(self.reason) for change in self.changes]


def read_given(variables_by_host: host_settings.Variables) -> Given:
    """
    :param variables_by_host: of the play's hosts, as inventory and extra variables set them, without a role's defaults.
    :raises PlanError: one of them has a wrong type.
    """
    first = next(iter(variables_by_host.values()), {})
    given = {name: first[name] for name in _OF_RUN if name in first}
    run = {name: SETTINGS[name].convert(value) for name, value in given.items() if not is_blank(value)}
    return Given(run, host_settings.read_options(variables_by_host))


def decide(record: Record | None, given: Given, reason: str = "", advice: str = "") -> Controls:
    """What a run goes by, by what is recorded and what it is given.

    :param record: of the open rollout, or of the plan that is followed; None where a new one is made.
    :param reason: why what is looser or different is taken; ``''``: it is refused.
    :param advice: what to do where it is; by default to give a reason.
    :raises PlanError: something is refused.
    """
    reason = reason.strip()
    recorded = record.run if record else {}
    run, changes = {}, []
    for name in _OF_RUN:
        value = recorded.get(name, copy.deepcopy(SETTINGS[name].default))
        if name in given.run:
            new = strip_secrets(name, given.run[name])
            if name in recorded:
                changes += _compare(name, value, new)
            value = new
        run[name] = value
    hosts, of_hosts, asked_otherwise = _decide_hosts(record.hosts if record else {}, given.hosts)
    changes += of_hosts
    if record is not None:
        _require_taken(record, changes, reason, advice)
        _require_secrets(record, given, run)
    return Controls(run, hosts, record, tuple(changes), reason, asked_otherwise)


def _decide_hosts(
    recorded: t.Mapping[str, host_settings.Options], given: t.Mapping[str, host_settings.Options]
) -> tuple[dict[str, HostSettings], list[Change], frozenset[str]]:
    """Most hosts have the same: each combination is compared once."""
    hosts, known, asked_otherwise = {}, {}, []
    groups: dict[Change, list[str]] = {}
    for name, options in given.items():
        before = recorded.get(name)
        key = json.dumps([options, before], sort_keys=True)
        if key not in known:
            known[key] = _decide_host(before or {}, options)
        hosts[name], changes, is_asked_otherwise = known[key]
        if is_asked_otherwise:
            asked_otherwise.append(name)
        for change in changes:
            groups.setdefault(change, []).append(name)
    changes = [dataclasses.replace(change, hosts=tuple(names)) for change, names in groups.items()]
    return hosts, changes, frozenset(asked_otherwise)


def _decide_host(
    recorded: host_settings.Options, given: host_settings.Options
) -> tuple[HostSettings, list[Change], bool]:
    kept = {option: value for option, value in recorded.items() if PREFIX + option in KEPT}
    changes = [
        change
        for option, value in given.items()
        if option in kept
        for change in _compare(PREFIX + option, kept[option], value)
    ]
    decided, asked = HostSettings.from_options({**kept, **given}), HostSettings.from_options(given)
    return decided, changes, asked.policy != decided.policy


def _compare(name: str, recorded: t.Any, given: t.Any) -> list[Change]:
    """The one change, if there is one."""
    compare = KEPT.get(name, strictness.compare_unordered)
    relation = strictness.SAME if recorded == given else compare(recorded, given)
    if relation == strictness.SAME:
        return []
    return [Change(name, relation, *_describe_values(name, recorded, given))]


def _require_taken(record: Record, changes: t.Sequence[Change], reason: str, advice: str) -> None:
    """:raises PlanError: a change may not be made, or not without a reason."""
    fixed = [change for change in changes if change.setting in PLAN]
    if fixed:
        raise PlanError(
            f"{record.subject} goes by other settings: {_list(fixed)}. A plan does not change. Leave them out; to plan "
            "anew, abort the open rollout (playbook abort), and give no livepatch_plan_hash. No host was changed"
        )
    looser = [change for change in changes if change.relation != strictness.TIGHTER]
    if looser and not reason:
        advice = advice or "set livepatch_change_reason, which is recorded"
        raise PlanError(
            f"{record.subject} goes by other settings: {_list(looser)}. Leave them out, and what is recorded holds. To "
            f"change them, {advice}. No host was changed"
        )


def _list(changes: t.Sequence[Change]) -> str:
    lines = [f"{change} ({change.relation})" for change in changes[:_MAX_LINES]]
    return "; ".join([*lines, *([f"and {len(changes) - _MAX_LINES} more"] if len(changes) > _MAX_LINES else [])])


def _require_secrets(record: Record, given: Given, run: t.Mapping[str, t.Any]) -> None:
    """:raises PlanError: a gate could not be asked without what no record has."""
    missing = [gate["name"] for gate in run[GATES] if NOT_RECORDED in gate]
    if missing and GATES not in given.run:
        raise PlanError(
            f"{record.subject} has gates with secrets, which are not recorded ({', '.join(missing)}): give "
            f"{GATES} as when it began. No host was changed"
        )


#
# Secrets, which no record has
#


def strip_secrets(name: str, value: t.Any) -> t.Any:
    """A value without what is secret in it."""
    if name not in (GATES, WEBHOOKS):
        return value
    return [_strip(request, with_path=name == GATES) for request in value]


def _strip(request: t.Mapping[str, t.Any], with_path: bool) -> dict[str, t.Any]:
    """:param with_path: whether the path of its URL is no secret."""
    kept = {key: value for key, value in request.items() if key not in _SECRET_OPTIONS}
    url = str(request.get("url") or "")
    kept["url"] = redact_url(url, with_path)
    headers = request.get("headers") or {}
    if isinstance(headers, t.Mapping) and headers:
        kept["headers"] = sorted(map(str, headers))
    hidden = sorted({*request} - {*kept} | ({"url"} if kept["url"] != url else set()) | {*kept} & {"headers"})
    return {**kept, **({NOT_RECORDED: hidden} if hidden else {})}


def restore_secrets(name: str, kept: t.Sequence[t.Any], given: t.Any) -> list[t.Any]:
    """What a run uses: its own, secrets among it, where it has the same as is kept. What is kept without its secrets is
    left out of notifications, and a gate of that cannot be asked.

    :param given: what the run was given.
    """
    if given and strip_secrets(name, given) == list(kept):
        return list(given)
    return [request for request in kept if name == GATES or NOT_RECORDED not in request]


def list_unnotified(controls: Controls, given: Given) -> list[str]:
    """The URLs of webhooks that are recorded, and cannot be notified without what no record has."""
    if WEBHOOKS in given.run:
        return []
    return [request["url"] for request in controls.run[WEBHOOKS] if NOT_RECORDED in request]


#
# Texts
#


def _describe_values(name: str, recorded: t.Any, given: t.Any) -> tuple[str, str]:
    describe = functools.partial(_describe_value, name)
    texts = describe(recorded), describe(given)
    # Their names are the same, and their options are not shown.
    return texts if texts[0] != texts[1] else (texts[0], f"{texts[1]} with other options")


def _describe_value(name: str, value: t.Any) -> str:
    if value is None or value == "" or value == [] or value == {}:
        return "none"
    if name == GATES:
        return ", ".join(str(gate.get("name")) for gate in value)
    if name == WEBHOOKS:
        return ", ".join(redact_url(str(webhook.get("url")), with_path=False) for webhook in value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
