# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception that users of the lab are meant to see."""

from __future__ import annotations


class LabError(Exception):
    """Something foreseeable is wrong; the text says what, and what to do about it."""
