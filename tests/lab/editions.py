# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The KMPs that the lab builds for each kernel. A new kind of patch is one more line here, and its source."""

from __future__ import annotations

from dataclasses import dataclass

_FIXES = {
    2: "- Fix for CVE-2099-0002 ('execdomains: show the patch level')",
    3: "- Fix for CVE-2099-0003 ('execdomains: show the right patch level')",
}
_DATES = {1: "Tue Jan 13 2026", 2: "Tue Mar 10 2026", 3: "Tue May 12 2026", 4: "Tue Jul 14 2026"}


@dataclass(frozen=True)
class Edition:
    """One KMP: the repository that holds it, its version and release, and the C file of its module."""

    repository: str
    level: int
    release: str
    source: str

    @property
    def file(self) -> str:
        """The name of the module's file without its ending, as SUSE makes it."""
        return f"livepatch-{self.level}-{self.release.replace('.', '_')}"

    @property
    def changelog(self) -> str:
        """The changelog, newest first: patches are cumulative, so each level names what those before it fixed."""
        entries = []
        for level in range(self.level, 0, -1):
            text = "- Initial livepatch" if level == 1 else _FIXES.get(level, "- Fixes nothing")
            entries.append(f"* {_DATES[level]} lab@example.com\n{text}")
        return "\n\n".join(entries)


# The release goes down while the level goes up, as it does in SUSE's repositories: the version decides.
EDITIONS = (
    Edition("main", 1, "150400.9.3.1", "cumulative.c"),
    Edition("main", 2, "150400.2.1", "cumulative.c"),
    Edition("main", 3, "150400.2.1", "cumulative.c"),
    Edition("refused", 4, "150400.2.1", "refused.c"),
    Edition("stalling", 4, "150400.2.1", "stalling.c"),
    Edition("slow", 4, "150400.2.1", "slow.c"),
)
REPOSITORIES = tuple(dict.fromkeys(edition.repository for edition in EDITIONS))
