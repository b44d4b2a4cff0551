# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that several modules share. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import policy as policies

_CHOICE: Dict[str, Dict[str, Any]] = {
    "allow_name_match": {"type": "bool", "default": False},
    "allow_unsigned": {"type": "list", "elements": "str", "default": []},
    "allow_dependencies": {"type": "list", "elements": "str", "default": []},
    "vendors": {"type": "list", "elements": "str", "default": []},
    "builders": {"type": "list", "elements": "str", "default": []},
    "kmp_version": {"type": "str"},
    "max_version": {"type": "str"},
    "issued_before": {"type": "str"},
    "cves": {"type": "list", "elements": "str", "default": []},
    "severity": {"type": "str", "choices": list(policies.SEVERITIES)},
    "min_age": {"type": "int", "default": 0},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "quarantine": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"kmp": {"type": "str", "required": True}, "reason": {"type": "str", "required": True}},
    },
    "accept_revision": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {name: {"type": "str", "required": True} for name in policies.AcceptedRevision._fields},
    },
}
POLICY: Dict[str, Dict[str, Any]] = {
    "refresh": {"type": "str", "choices": ["never", "if_older_than", "always"], "default": "if_older_than"},
    "refresh_max_age": {"type": "int", "default": 21600},
    "lock_timeout": {"type": "int", "default": 60},
    "policy": {"type": "dict", "options": _CHOICE, "apply_defaults": True},
}
# Preflight checks that can be tolerated: all but those of a change that is under way
TOLERABLE = ("package_lock", "disk", "signature", "ftrace", "tracers", "agents", "taint", "log", "kdump")

# The options of livepatch. The controller validates them as well, before the module starts.
LIVEPATCH: Dict[str, Dict[str, Any]] = dict(
    POLICY,
    state={"type": "str", "choices": ["latest", "present", "absent", "previous"], "default": "latest"},
    level={"type": "int"},
    version={"type": "str"},
    allow_downgrade={"type": "bool", "default": False},
    allow_unsupported={"type": "bool", "default": False},
    timeout={"type": "int", "default": 60},
    on_stall={"type": "str", "choices": ["reverse", "leave"], "default": "reverse"},
    confirm={"type": "bool", "default": True},
    download_only={"type": "bool", "default": False},
    repair_boot={"type": "bool", "default": False},
    kernel_lock={"type": "bool"},
    lock={"type": "bool"},
    lock_only={"type": "bool", "default": False},
    expect={
        "type": "dict",
        "default": {},
        "options": {
            "build_id": {"type": "str"},
            "kmp": {"type": "str"},
            "begun": {"type": "bool", "default": False},
        },
    },
    detach={"type": "bool", "default": False},
    run={"type": "str"},
    rollout={"type": "str"},
    plan={"type": "str"},
    fence={"type": "int"},
    preflight={"type": "bool", "default": False},
    preflight_tolerate={"type": "list", "elements": "str", "default": [], "choices": list(TOLERABLE)},
)
# An option of livepatch_info
HEALTH_CHECKS: Dict[str, Any] = {
    "type": "dict",
    "options": {
        "commands": {"type": "list", "elements": "str", "default": []},
        "urls": {"type": "list", "elements": "str", "default": []},
        "services": {"type": "list", "elements": "str", "default": []},
        "timeout": {"type": "int", "default": 10},
    },
}
BLOCKS = ("livepatch", "kernel", "kmp")
LIVEPATCH_INFO: Dict[str, Dict[str, Any]] = dict(
    POLICY,
    gather={"type": "list", "elements": "str", "choices": [*BLOCKS, "functions"], "default": list(BLOCKS)},
    run={"type": "str"},
    wait={"type": "int", "default": 0},
    health_checks=HEALTH_CHECKS,
    # What the control node does about a host that gives no answer; the host itself takes no notice.
    on_unreachable={"type": "str", "choices": ["fail", "report"], "default": "fail"},
    unreachable_timeout={"type": "int", "default": 0},
)
# The options of livepatch_repository
REPOSITORY: Dict[str, Dict[str, Any]] = {
    "kind": {"type": "str", "choices": ["url", "suseconnect", "suse_manager", "rhel", "amazon"], "default": "url"},
    "name": {"type": "str", "default": "livepatch"},
    # Not in the system's log: it may hold a password or a token.
    "url": {"type": "str", "no_log": True},
    "key": {"type": "str", "no_log": False},
    "fingerprint": {"type": "list", "elements": "str", "default": []},
    "signed_metadata": {"type": "bool", "default": True},
    "regcode": {"type": "str", "no_log": True},
}
# The options of livepatch_metrics
METRICS: Dict[str, Dict[str, Any]] = {
    "dir": {"type": "path", "required": True},
    # Not in the system's log, which it would fill.
    "text": {"type": "str", "required": True, "no_log": True},
}
# The options of livepatch_journal
JOURNAL: Dict[str, Dict[str, Any]] = {
    "state": {"type": "str", "choices": ["cleared"], "default": "cleared"},
    "reason": {"type": "str", "required": True},
}


def build_policy(params: Dict[str, Any], host: Host) -> policies.Policy:
    """Build the policy from the options of a module.

    :raises BadOption: the options are invalid.
    """
    given: Dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in params["policy"].items()
    }
    given["quarantine"] = tuple(policies.QuarantineEntry(**each) for each in given["quarantine"])
    given["accept_revision"] = tuple(policies.AcceptedRevision(**each) for each in given["accept_revision"])
    if params.get("version") is not None:
        if given["kmp_version"] not in (None, params["version"]):
            raise BadOption(
                "version is {}, and policy.kmp_version is {}".format(params["version"], given["kmp_version"]),
                "Leave one of them out",
            )
        given["kmp_version"] = params["version"]
    for name in ("level", "allow_downgrade"):
        if params.get(name) is not None:
            given[name] = params[name]
    policy = policies.Policy(params["refresh"], params["refresh_max_age"], params["lock_timeout"], **given)
    return policies.validate_policy(policy, host.wall_clock())
