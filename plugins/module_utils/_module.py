# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the modules run and end. PRIVATE to the collection: it may change at any time."""

from typing import Any, Callable, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host


def run_module(module: Any, work: Callable[[Host], Dict[str, Any]]) -> None:
    """Do a module's work and end the module: the one place where an error becomes a failed result.

    :param module: the ``AnsibleModule``.
    :param work: gets the host, and returns the result.
    """
    try:
        result = work(Host())
    except LivepatchError as exc:
        _warn(module, exc.result)
        module.fail_json(**describe_failure(exc))
    else:
        _warn(module, result)
        module.exit_json(**result)


def describe_failure(problem: LivepatchError) -> Dict[str, Any]:
    """The failed result that an error becomes."""
    return dict(problem.result, **problem.marks, failed=True, msg=str(problem))


def _warn(module: Any, result: Dict[str, Any]) -> None:
    for text in result.pop("warnings", []):
        module.warn(text)
