# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines at the bottom of a terminal that are redrawn. PRIVATE to the collection."""

from __future__ import annotations

import sys
import typing as t

try:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text
except ImportError:
    _HAS_RICH = False
else:
    _HAS_RICH = True


def can_redraw() -> bool:
    """Whether standard output is a terminal that can do it, and the library for it (rich) is installed."""
    return _HAS_RICH and sys.stdout.isatty() and not Console().is_dumb_terminal


class Bottom:
    """Lines that stay below everything that is written to standard output and standard error meanwhile."""

    def __init__(self) -> None:
        self._live: t.Any = None

    def show(self, lines: t.Sequence[str]) -> None:
        """Replace the lines. Each is cut to the width of the terminal."""
        if not lines:
            self.clear()
            return
        if self._live is None:
            # No thread that draws: Ansible forks, and a fork would copy a lock that the thread holds.
            self._live = Live(auto_refresh=False, transient=True, vertical_overflow="crop")
            self._live.start()
            # So that the terminal has its cursor even if Ansible is killed
            self._live.console.show_cursor(True)
        self._live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)

    def clear(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
