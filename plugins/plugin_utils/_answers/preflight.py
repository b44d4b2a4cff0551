# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The block ``preflight`` of an answer. PRIVATE to the collection. Pure."""

from __future__ import annotations

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import fields, journal

_CHECK = fields.mapping(
    {
        "name": fields.text(100),
        "verdict": fields.choice("pass", "warn", "fail"),
        "text": fields.text(),
    }
)
block = fields.mapping({"passed": fields.boolean, "checks": fields.list_of(_CHECK, 100), "baseline": journal.baseline})
