# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The KMPs that the lab builds for each kernel. A new kind of patch is one more line here, and its source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_FIXES = {
    2: "- Fix for CVE-2099-0002 ('execdomains: show the patch level')",
    3: "- Fix for CVE-2099-0003 ('execdomains: show the right patch level')",
}
ISSUED = {2: "2026-03-10", 3: "2026-05-12", 4: "2026-07-14"}
SEVERITIES = {2: "moderate", 3: "important", 4: "critical"}
_DATES = {1: "Tue Jan 13 2026", 2: "Tue Mar 10 2026", 3: "Tue May 12 2026", 4: "Tue Jul 14 2026"}


# What all of the lab's packages name as their vendor, but for those that are there to differ.
VENDOR = "fleet.livepatch lab"


@dataclass(frozen=True)
class Edition:
    """One KMP: the repository that holds it, its version and release, and the C file of its module.

    ``signature`` is one of lab, none, stranger (a key that no guest trusts), damaged. ``tag`` says which kernel's
    build ID it carries: own, other, none. ``alien``: its module was built for another kernel. ``extra``: more lines of
    its spec. ``script``: what its scriptlet does before it loads the module.
    """

    repository: str
    level: int
    release: str
    source: str
    signature: str = "lab"
    vendor: str = VENDOR
    tag: str = "own"
    alien: bool = False
    extra: str = ""
    script: str = ""
    named: str = ""

    @property
    def file(self) -> str:
        """The name of the module's file without its ending, as SUSE makes it unless it is ``named`` otherwise."""
        return self.named or f"livepatch-{self.level}-{self.release.replace('.', '_')}"

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
    Edition("crashing", 4, "150400.2.1", "crashing.c"),
    Edition("crashing-late", 4, "150400.2.1", "crashing_late.c"),
    Edition("dying", 4, "150400.2.1", "cumulative.c", script="echo c >/proc/sysrq-trigger"),
    Edition("stateful", 4, "150400.2.1", "stateful.c"),
)


def repositories(editions: Iterable[Edition]) -> list[str]:
    """Return the names of the repositories that hold these editions."""
    return list(dict.fromkeys(edition.repository for edition in editions))


def _odd(repository: str, **what: object) -> Edition:
    return Edition(repository, 4, "150400.2.1", "cumulative.c", **what)  # type: ignore[arg-type]


# What must be refused, each for its own reason; each in a repository of its own, so that a test takes just what it
# wants.
ODDITIES = (
    _odd("unsigned", signature="none"),
    _odd("missigned", signature="stranger"),
    _odd("damaged", signature="damaged"),
    _odd("wrongkernel", alien=True),
    _odd("otherbuild", tag="other"),
    _odd("retracted"),
    _odd("othervendor", vendor="Somebody Else"),
    _odd("pullskernel", extra="Requires: kernel-@FLAVOR@ >= 99"),
    _odd("removes", extra="Obsoletes: lab-tool < 9"),
    # Nothing is wrong with it, and any user can hold its migration
    Edition("held", 4, "150400.2.1", "held.c"),
    Edition("untagged", 2, "150400.2.1", "cumulative.c", tag="none"),
    Edition("untagged", 3, "150400.2.1", "cumulative.c", tag="none"),
    _odd("untagged", tag="none"),
)


def foreign(kernel: str) -> tuple[Edition, ...]:
    """Return what Red Hat's and Amazon's repositories have for a kernel (its V-R): the release is the level."""
    plain = kernel.replace(".", "_").replace("-", "_")
    return tuple(
        Edition(vendor, level, str(level), "cumulative.c", named=f"kpatch-{plain}-{version}-{level}")
        for vendor, version in (("kpatch", "1"), ("amazon", "1_0"))
        for level in (1, 2)
    )
