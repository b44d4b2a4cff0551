# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scenario is a file here; it ends with a line of its figures."""

from __future__ import annotations

from tests.support.figures import figures, pytest_runtest_makereport, pytest_terminal_summary
from tests.support.fixtures import controller, fleet, lab

__all__ = ["controller", "figures", "fleet", "lab", "pytest_runtest_makereport", "pytest_terminal_summary"]
