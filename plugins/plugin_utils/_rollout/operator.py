# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What operators do with rollouts, halt, resume, abort, approve, reject, and with the store of them, back it up and
restore it. PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
import typing as t

from ansible_collections.fleet.livepatch.plugins.module_utils._store.constants import ALL_SCOPES
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import common_options, lease, session
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.store_client import StoreClient

OPTIONS: dict[str, t.Any] = {
    "action": {
        "type": "str",
        "required": True,
        "choices": ["halt", "notify", "resume", "abort", "approve", "reject", "backup", "restore"],
    },
    "reason": {"type": "str", "default": ""},
    "all_scopes": {"type": "bool", "default": False},
    "if_running": {"type": "bool", "default": False},
    "plan_hash": {"type": "str", "default": ""},
    "wave": {"type": "str", "default": "all"},
    "approver_not_starter": {"type": "bool", "default": False},
    "expires": {"type": "str", "default": ""},
    "backup_path": {"type": "str", "default": ""},
    "takeover_reason": {"type": "str", "default": ""},
}


@dataclasses.dataclass(frozen=True)
class Result:
    message: str
    changed: bool


# Where no reason is given
_DEFAULT_REASONS = {"halt": "halted by an operator", "abort": "no reason was given"}


def run_action(store: StoreClient, options: t.Mapping[str, t.Any]) -> Result:
    """:raises PlanError: an option that the action needs is missing or wrong."""
    reason = options["reason"] or _DEFAULT_REASONS.get(options["action"], "")
    return _ACTIONS[options["action"]](store, {**options, "reason": reason})


def _halt(store: StoreClient, options: t.Mapping[str, t.Any]) -> Result:
    scope, where = _get_scope(store, options), _describe_scope(store, options)
    under_way = store.scope if options["if_running"] else None
    result, subject = store.send_all(
        store.build("halt", scope=scope, reason=options["reason"], by=store.person.name, under_way=under_way),
        store.build("find_subject", scope=scope),
    )
    if not subject["scopes"] or (not options["all_scopes"] and store.scope not in subject["scopes"]):
        done = "the halt was recorded but stops nothing" if result["halted"] else "nothing was halted"
        way_back = ". Playbook resume takes this halt back" if result["halted"] else ""
        raise PlanError(
            f"{done}: no rollout is recorded here ({where}). {_list_scopes(subject)}. Set livepatch_scope, "
            f"livepatch_coordinator and livepatch_store_path to what the rollout uses{way_back}"
        )
    if not result["halted"]:
        return Result(f"No rollout is under way ({where}): nothing is halted", False)
    state = ("Halted: " if result["changed"] else "Halted already: ") + _describe_open(subject)
    way_out = "playbook resume" + (" with -e livepatch_all_scopes=true" if options["all_scopes"] else "")
    return Result(
        f"{state} ({where}). No host starts, hosts in flight finish. To go on, run {way_out}", result["changed"]
    )


def _resume(store: StoreClient, options: t.Mapping[str, t.Any]) -> Result:
    scope, where = _get_scope(store, options), _describe_scope(store, options)
    result, subject = store.send_all(
        store.build("resume", scope=scope, by=store.person.name), store.build("find_subject", scope=scope)
    )
    if not result["changed"]:
        halted = ", ".join(_name_scopes(subject["halted"])) or "none"
        raise PlanError(f"nothing to resume: no such halt is recorded ({where}). Halted are: {halted}")
    left = f"; {', '.join(_name_scopes(subject['halted']))} still halted" if subject["halted"] else ""
    return Result(f"Resumed: {_describe_open(subject)} ({where}){left}", True)


def _abort(store: StoreClient, options: t.Mapping[str, t.Any]) -> Result:
    rollout = lease.with_takeover(
        lambda takeover=None, reason="": store.send(
            "abort", scope=store.scope, reason=options["reason"], by=store.person.name, takeover=takeover
        ),
        lease.LeaseTerms(0, options["takeover_reason"], store.show_line),
    )
    where = _describe_scope(store, options)
    if rollout is None:
        subject = store.send("find_subject", scope=store.scope)
        raise PlanError(f"nothing to abort: no rollout is open ({where}). {_list_scopes(subject)}")
    return Result(f"Aborted rollout {rollout} ({where}). The next run makes a new plan", True)


def _approve(store: StoreClient, options: t.Mapping[str, t.Any]) -> Result:
    return _record_approval(store, options, granted=True)


def _reject(store: StoreClient, options: t.Mapping[str, t.Any]) -> Result:
    return _record_approval(store, options, granted=False)


def _record_approval(store: StoreClient, options: t.Mapping[str, t.Any], granted: bool) -> Result:
    if not options["plan_hash"]:
        raise PlanError("the hash of the plan is missing: set livepatch_plan_hash to what playbook plan prints")
    plan_hash = session.resolve_plan(store, options["plan_hash"])
    wave = common_options.parse_wave("livepatch_wave", options["wave"])
    # A plan that was never saved cannot be approved: that would approve whatever comes.
    waves = store.send("load_outline", plan_hash=plan_hash)["waves"]
    if wave is not None and wave >= len(waves):
        raise PlanError(f"the plan {plan_hash[:12]} has no wave {wave}: it has {len(waves)}, from 0")
    approver = store.person.name
    if granted:
        _require_approver(store, plan_hash, options["approver_not_starter"])
    changed = store.send(
        "approve",
        plan_hash=plan_hash,
        wave=wave,
        approver=approver,
        expires=_parse_expiry(options["expires"]) if options["expires"] else None,
        granted=granted,
        reason=options["reason"],
    )["changed"]
    approved = "all waves" if wave is None else f"wave {wave}"
    until = f" until {options['expires']}" if options["expires"] else ""
    state = ("Approved" if granted else "Rejected") + ("" if changed else " already")
    where = _describe_scope(store, options)
    return Result(f"{state}: {approved} of plan {plan_hash[:12]}, by {approver}{until} ({where})", changed)


def _back_up(store: StoreClient, options: t.Mapping[str, t.Any]) -> Result:
    result = store.send("back_up", path=_require_backup_path(options))
    return Result(f"Backed up the store to {result['path']}", True)


def _restore(store: StoreClient, options: t.Mapping[str, t.Any]) -> Result:
    path = _require_backup_path(options)
    replaced = store.send("restore", path=path, by=store.person.name)["replaced"]
    kept = f"; the file that it replaces is {replaced}" if replaced else ""
    return Result(
        f"Restored the store from {path}{kept}. All scopes are halted, since halts, rejections and entries of the "
        "quarantine that were recorded since the backup are lost: record them again, then run playbook resume with "
        "-e livepatch_all_scopes=true",
        True,
    )


def _require_backup_path(options: t.Mapping[str, t.Any]) -> str:
    if not options["backup_path"]:
        raise PlanError("livepatch_backup_path is missing: set it to a file on the coordinator")
    return str(options["backup_path"])


def _require_approver(store: StoreClient, plan_hash: str, not_starter: bool) -> None:
    """:raises PlanError: who runs this may not approve the plan."""
    person = store.person
    if not person.is_known:
        raise PlanError(
            f"{person.name} was launched by no user, and an approval is a person's: launch the job yourself"
        )
    if not_starter and person.name in store.send("list_starters", plan_hash=plan_hash):
        raise PlanError(
            f"{person.name} made or started the plan {plan_hash[:12]}, and livepatch_approver_not_starter is set: "
            "another person has to approve it"
        )


_ACTIONS: dict[str, t.Callable[[StoreClient, t.Mapping[str, t.Any]], Result]] = {
    "halt": _halt,
    "resume": _resume,
    "abort": _abort,
    "approve": _approve,
    "reject": _reject,
    "backup": _back_up,
    "restore": _restore,
}


def _get_scope(store: StoreClient, options: t.Mapping[str, t.Any]) -> str | None:
    return None if options["all_scopes"] else store.scope


def _describe_scope(store: StoreClient, options: t.Mapping[str, t.Any]) -> str:
    scope = "all scopes" if options["all_scopes"] else f"scope {store.scope}"
    return f"{scope}, {store.location.describe()}"


def _describe_open(subject: t.Mapping[str, t.Any]) -> str:
    """The rollouts that a command acts on."""
    names = [f"rollout {row['id']} of plan {row['plan_hash'][:12]} ({row['status']})" for row in subject["open"]]
    return ", ".join(names) or "the next rollout, since none is open"


def _list_scopes(subject: t.Mapping[str, t.Any]) -> str:
    scopes = ", ".join(subject["scopes"])
    return f"This store has rollouts of the scopes: {scopes}" if scopes else "This store has no rollouts"


def _name_scopes(scopes: t.Iterable[str]) -> list[str]:
    return ["all scopes" if name == ALL_SCOPES else name for name in scopes]


def _parse_expiry(text: str) -> float:
    try:
        at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise PlanError(f"livepatch_expires is {text!r}: set it to a time such as 2026-11-30T06:00+00:00") from None
    seconds = (at if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)).timestamp()
    if seconds <= time.time():
        raise PlanError(f"livepatch_expires is {text!r}, which is past: set a time to come, with its offset from UTC")
    return seconds
