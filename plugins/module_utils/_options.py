# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that several modules share, and how they end. PRIVATE to the collection: it may change at any time."""

from typing import Any, Callable, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import policy as policies

_CHOICE: Dict[str, Dict[str, Any]] = {
    "allow_name_match": {"type": "bool", "default": False},
    "allow_unsigned": {"type": "list", "elements": "str", "default": []},
    "allow_dependencies": {"type": "list", "elements": "str", "default": []},
    "vendors": {"type": "list", "elements": "str", "default": []},
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
}
POLICY: Dict[str, Dict[str, Any]] = {
    "refresh": {"type": "str", "choices": ["never", "if_older_than", "always"], "default": "if_older_than"},
    "refresh_max_age": {"type": "int", "default": 21600},
    "lock_timeout": {"type": "int", "default": 60},
    "policy": {"type": "dict", "options": _CHOICE, "apply_defaults": True},
}


def policy(params: Dict[str, Any], host: Host) -> policies.Policy:
    """:raises BadOption: the options make no sense."""
    given: Dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in params["policy"].items()
    }
    given["quarantine"] = tuple(policies.Quarantined(**each) for each in given["quarantine"])
    told = policies.Policy(params["refresh"], params["refresh_max_age"], params["lock_timeout"], **given)
    return policies.check(told, host.wall_clock())


def run(module: Any, work: Callable[[Host], Dict[str, Any]]) -> None:
    """Does a module's work and ends it: the one place where an error becomes a failed result."""
    try:
        result = work(Host())
    except LivepatchError as exc:
        _warn(module, exc.result)
        module.fail_json(msg=str(exc), **exc.result)
    else:
        _warn(module, result)
        module.exit_json(**result)


def _warn(module: Any, result: Dict[str, Any]) -> None:
    for text in result.pop("warnings", []):
        module.warn(text)
