# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong on the control node before any host is touched. PRIVATE to the collection."""

from __future__ import annotations


class PlanError(ValueError):
    """What the operator asked for cannot be understood, or cannot be planned."""
