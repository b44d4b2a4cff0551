# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors that stop a playbook on the control node, before it changes a host. PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import to_printable


class PlanError(ValueError):
    """A setting cannot be understood, or what it asks for cannot be planned. Its text may quote anything."""

    def __init__(self, message: str) -> None:
        super().__init__(to_printable(message))
