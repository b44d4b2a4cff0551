# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that several modules share, and how they end. PRIVATE to the collection: it may change at any time."""

from typing import Any, Callable, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.kmp import Policy

POLICY: Dict[str, Dict[str, Any]] = {
    "refresh": {"type": "str", "choices": ["never", "if_older_than", "always"], "default": "if_older_than"},
    "refresh_max_age": {"type": "int", "default": 21600},
    "lock_timeout": {"type": "int", "default": 60},
    "allow_name_match": {"type": "bool", "default": False},
}


def policy(params: Dict[str, Any]) -> Policy:
    return Policy(params["refresh"], params["refresh_max_age"], params["lock_timeout"], params["allow_name_match"])


def run(module: Any, work: Callable[[Host], Dict[str, Any]]) -> None:
    """Does a module's work and ends it: the one place where an error becomes a failed result."""
    try:
        result = work(Host())
    except LivepatchError as exc:
        module.fail_json(msg=str(exc), **exc.result)
    else:
        module.exit_json(**result)
