# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JMESPath expressions of operators. PRIVATE to the collection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError


def compile_expression(name: str, text: str) -> t.Any:
    """Compile an expression.

    :param name: the setting that holds it.
    :raises PlanError: it is not JMESPath, or the library is not installed.
    """
    try:
        # Imported here: needed only by operators who set an expression.
        import jmespath
        import jmespath.exceptions
    except ImportError as exc:
        raise PlanError(
            f"{name} needs the Python package jmespath on the control node: install it (pip install jmespath)"
        ) from exc
    try:
        return jmespath.compile(text)
    except jmespath.exceptions.JMESPathError as exc:
        raise PlanError(f"{name} is {text!r}, which is not JMESPath: {exc}") from exc


def search_data(expression: t.Any, data: t.Any, subject: str) -> t.Any:
    """Evaluate a compiled expression.

    :param subject: what to call it in an error: the setting, and whose data it was applied to.
    :raises PlanError: it does not work with these data.
    """
    try:
        return expression.search(data)
    except ValueError as exc:  # the base class of jmespath's errors
        raise PlanError(f"{subject} ({exc}): correct the expression") from exc
