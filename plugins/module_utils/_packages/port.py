# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection needs of a package manager. PRIVATE to the collection: it may change at any time.

A new package manager is one new file that implements this port, and its table of recorded outputs.
"""

import abc
from typing import List, NamedTuple, Optional, Set


# repository: None for a package that is installed and that no repository offers any more.
class Candidate(NamedTuple):
    name: str
    evr: str
    arch: str
    repository: Optional[str]


# The tag that ties a KMP to the build of the kernel that it patches: "Provides: livepatch-target(build-id) = <hex>".
TARGET_TAG = "livepatch-target(build-id)"


class PackageManager(abc.ABC):
    """One package manager on one host."""

    name = ""

    @abc.abstractmethod
    def metadata_age(self) -> Optional[int]:
        """Seconds since the oldest of the enabled repositories' metadata were last checked.

        None where one of them has none on the host, or no repository is enabled.
        """

    @abc.abstractmethod
    def without_metadata(self) -> List[str]:
        """The enabled repositories that have no metadata on the host."""

    @abc.abstractmethod
    def refresh(self) -> None:
        """Checks the repositories for news.

        :raises RepositoryDown: one of them did not answer, or what it answered cannot be used.
        """

    @abc.abstractmethod
    def named(self, name: str) -> List[Candidate]:
        """All versions of the package with exactly this name, those installed included."""

    @abc.abstractmethod
    def targeting(self, build_id: Optional[str]) -> Set[str]:
        """``name-evr`` of the packages tagged as built for this build ID, or for any when it is None."""

    @abc.abstractmethod
    def install(self, name: str, evr: str) -> None:
        """Installs exactly this version, newer than the installed one.

        :raises InstallFailed: it is not installed now, with the package manager's own words.
        :raises PackageManagerLocked: another program holds the lock.
        """
