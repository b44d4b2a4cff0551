# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What counts of which repository. PRIVATE to the collection: it may change at any time.

A host has repositories of many owners, and anyone on the way can write those whose signatures are not checked. So
what one of them says is about what it offers itself, and what cannot be read of an unchecked one bars only that.
"""

from typing import Collection, Dict, List, Optional, Set, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.advisories import (
    Advisory,
    read_advisories,
    read_readable,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate, Metadata


class Advised:
    """The advisories, and which of them are about a KMP: those of the repository that offers it."""

    def __init__(
        self,
        everything: Collection[Advisory] = (),
        repositories: Collection[Metadata] = (),
        candidates: Collection[Candidate] = (),
    ) -> None:
        self.everything = list(everything)
        self._known = {each.repository for each in repositories}
        self._unchecked = list_unchecked(repositories)
        self._offering: Dict[rpm.Package, Set[str]] = {}
        for candidate in candidates:
            if candidate.repository is not None:
                self._offering.setdefault(candidate.package, set()).add(candidate.repository)
        self._found: Dict[Tuple[str, str], List[Advisory]] = {}
        for advisory in self.everything:
            for name in {name for name, _evr in advisory.packages}:
                self._found.setdefault((advisory.repository, name), []).append(advisory)

    def list_for(self, package: rpm.Package, repository: Optional[str]) -> List[Advisory]:
        """List the advisories for KMPs of this name that count for this one.

        :param repository: that offers it, None for what is installed, which any may have brought that offer it.
        """
        sources = self._offering.get(package, set()) if repository is None else {repository}
        # Where a checked one has it as well, the others' word counts for nothing.
        sources = sources - self._unchecked or sources
        if not sources <= self._known:
            # zypper has shown a label that is of no repository: it may be any of those that are checked.
            sources = self._known - self._unchecked or self._known
        return [advisory for source in sorted(sources) for advisory in self._found.get((source, package.name), [])]


def list_unchecked(repositories: Collection[Metadata]) -> Set[str]:
    """The repositories whose signatures are not checked."""
    return {each.repository for each in repositories} - {each.repository for each in repositories if each.checked}


def read_all(
    host: Host, repositories: List[Metadata], offering: Set[str], wanted: Set[str]
) -> Tuple[List[Advisory], Dict[str, str]]:
    """Read the advisories: all of those of the repositories that offer a KMP, since one of them may retract it.

    Of the other repositories those that can be read: what they say about the kernel bars nothing.

    :returns: with them the unchecked repositories that offer a KMP, and why their advisories cannot be read.
    :raises Unmeasured: those of a checked repository that offers a KMP cannot be read.
    """
    if not offering <= {each.repository for each in repositories}:
        offering = {each.repository for each in repositories}
    unchecked = list_unchecked(repositories)
    needed = [each for each in repositories if each.repository in offering - unchecked]
    # They share what may be read, the checked ones first.
    others = sorted((each for each in repositories if each not in needed), key=lambda each: not each.checked)
    advised = read_advisories(host, needed, wanted)
    more, problems = read_readable(host, others, wanted)
    return advised + more, {name: problem for name, problem in problems.items() if name in offering}
