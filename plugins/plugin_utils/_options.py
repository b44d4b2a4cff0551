# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a task, blank ones left out; and values of options. PRIVATE to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase


def is_blank(value: t.Any) -> bool:
    """Whether a value says nothing: AWX sends the answers that a survey did not get as ``''`` or null."""
    return value is None or (isinstance(value, str) and not value.strip())


def parse_file_mode(name: str, text: str) -> int:
    """Permissions in octal.

    :raises PlanError: they are not.
    """
    if not re.fullmatch("0?[0-7]{3}", text):
        raise PlanError(f"{name} is {text!r}: set permissions in octal such as '0640'")
    return int(text, 8)


def parse_options(action: ActionBase, spec: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Validate the arguments of an action plugin's task. A blank one means the default, and never lifts a limit.

    The blank ones leave the task as well, so that a module which gets the task's arguments does not see them either.

    :raises AnsibleError: an argument is unknown, has a wrong type, or is required and blank or missing.
    """
    action._task.args = {name: value for name, value in action._task.args.items() if not is_blank(value)}
    _validation, options = action.validate_argument_spec(argument_spec=dict(spec))
    return t.cast("dict[str, t.Any]", options)
