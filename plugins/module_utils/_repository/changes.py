# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run changes, in order. PRIVATE to the collection: it may change at any time."""

from typing import Any, Callable, Dict, List


class Changes:
    """:param check_mode: they are listed, and not made."""

    def __init__(self, check_mode: bool) -> None:
        self.check_mode = check_mode
        self._texts: List[str] = []

    def make(self, text: str, change: Callable[[], Any]) -> None:
        """Make a change, and list it once it is made.

        :param text: what it does, as an imperative.
        """
        if not self.check_mode:
            change()
        self._texts.append(text)

    def to_result(self) -> Dict[str, Any]:
        return {"changed": bool(self._texts), "changes": list(self._texts)}
