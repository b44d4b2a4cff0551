# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of a host. PRIVATE to the collection."""

from __future__ import annotations

# Worst first, for an operator at night
STATES = (
    "crashed",
    "unknown",
    "conflict",
    "mismatch",
    "stalled",
    "transitioning",
    "not_covered",
    "installed",
    "unpatched",
    "outdated",
    "baseline",
    "patched",
)
