# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JMESPath, which operators give. PRIVATE to the collection. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError


def compile_expression(name: str, text: str) -> t.Any:
    """:param name: of the variable that it was given as.
    :raises PlanError: it is not JMESPath, or the library is not there.
    """
    try:
        # Only who uses it needs it.
        import jmespath
        import jmespath.exceptions
    except ImportError as exc:
        raise PlanError(f"{name} needs the Python package jmespath on the control node (pip install jmespath)") from exc
    try:
        return jmespath.compile(text)
    except jmespath.exceptions.JMESPathError as exc:
        raise PlanError(f"{name}: {text!r} is not JMESPath: {exc}") from exc


def search_data(expression: t.Any, data: t.Any, what: str) -> t.Any:
    """:raises PlanError: the expression does not work with these data."""
    try:
        return expression.search(data)
    except ValueError as exc:  # as all errors of jmespath's are
        raise PlanError(f"{what}: {exc}") from exc
