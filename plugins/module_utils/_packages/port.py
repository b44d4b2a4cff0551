# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection needs of a package manager. PRIVATE to the collection: it may change at any time.

A new package manager is one new file that implements this port, and its table of recorded outputs.
"""

import abc
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import RepositoryDown
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm


# repository: None for a package that is installed and that no repository offers any more.
# locked: the administrator has told the package manager to leave it alone.
class Candidate(NamedTuple):
    name: str
    evr: str
    arch: str
    repository: Optional[str]
    locked: bool = False


# One thing that a transaction does. action: "install", "upgrade", "downgrade", "reinstall", "remove", "change-vendor",
# "change-arch", or another word of the package manager's, which is as good as a refusal.
class Step(NamedTuple):
    action: str
    name: str
    evr: str
    arch: str


# Where the package manager keeps the metadata of a repository: the folder that holds repodata/repomd.xml.
class Metadata(NamedTuple):
    repository: str
    folder: str


# The tag that ties a KMP to the build of the kernel that it patches: "Provides: livepatch-target(build-id) = <hex>".
TARGET_TAG = "livepatch-target(build-id)"
# Seconds by which a clock is put back now and then without anything being wrong
_AHEAD = 300.0


# Of what a package manager says in an error, as many characters as a person reads: the way out comes after them.
_MOST = 300
# Who may get in, and what lets him: before the host's name, and from the question mark on
_ADDRESS = re.compile(r"://(?:[^\s/]*@)?([^\s?]*)(?:(\?)\S*)?")


def brief(said: str) -> str:
    """What a package manager said, on one line, without the passwords and tokens in repositories' addresses."""
    shown = _ADDRESS.sub(lambda found: "://" + found.group(1) + ("?..." if found.group(2) else ""), said)
    return re.sub(r"\s+", " ", shown).strip()[:_MOST] or "it said nothing"


class PackageManager(abc.ABC):
    """One package manager on one host.

    :param lock_timeout: seconds to wait for another program's lock.
    """

    name = ""

    def __init__(self, host: Host, lock_timeout: int) -> None:
        self._host = host
        self._lock_timeout = lock_timeout

    def metadata_age(self) -> Optional[int]:
        """Seconds since the oldest of the enabled repositories' metadata were last checked.

        None where one of them has none on the host, or such as are dated in the future, or no repository is enabled.
        """
        times = self._checked()
        known = [moment for moment in times.values() if moment is not None]
        if not known or len(known) < len(times):
            return None
        return max(0, int(self._host.wall_clock() - min(known)))

    def without_metadata(self) -> List[str]:
        """The enabled repositories that have no metadata on the host, or such as are dated in the future."""
        return [name for name, moment in self._checked().items() if moment is None]

    @abc.abstractmethod
    def _checked(self) -> Dict[str, Optional[float]]:
        """When each enabled repository was last asked, news or not, in seconds since the epoch."""

    def _changed(self, path: str) -> Optional[float]:
        """When a file was last changed; None also where that is still to come: it would stay new for ever."""
        moment = self._host.modified(path)
        return None if moment is None or moment > self._host.wall_clock() + _AHEAD else moment

    def cached(self, name: str, evr: str, arch: str) -> Optional[str]:
        """The path of this version's file where it has been downloaded before, None where it has not."""
        return next(self._copies(name, evr, arch), None)

    def _copies(self, name: str, evr: str, arch: str) -> Iterator[str]:
        wanted = "{}-{}.{}.rpm".format(name, evr.rpartition(":")[2], arch)
        return (path for path in self._host.files(self._downloads) if path.rpartition("/")[2] == wanted)

    @property
    @abc.abstractmethod
    def _downloads(self) -> str:
        """The folder below which downloaded packages lie."""

    @abc.abstractmethod
    def holder(self) -> Optional[str]:
        """Who holds the package manager's lock now, None where nobody does."""

    @abc.abstractmethod
    def locked(self) -> Set[str]:
        """The names of the packages that are locked, as far as they are locked by name."""

    @abc.abstractmethod
    def lock(self, name: str) -> None:
        """Locks a package: it is neither updated nor removed, and no other version of it is installed.

        :raises InstallFailed: it is not locked now, with the package manager's own words.
        """

    @abc.abstractmethod
    def unlock(self, name: str) -> None:
        """:raises InstallFailed: it is still locked, with the package manager's own words."""

    @abc.abstractmethod
    def metadata(self) -> List[Metadata]:
        """Where the metadata of the enabled repositories lie on the host."""

    @abc.abstractmethod
    def refresh(self) -> None:
        """Checks the repositories for news.

        :raises RepositoryDown: one of them did not answer, or what it answered cannot be used.
        """

    @abc.abstractmethod
    def kmp_names(self, release: str) -> List[str]:
        """The names that a KMP for the kernel with this ``uname -r`` can have here, most usual first."""

    @abc.abstractmethod
    def offered(self, release: str) -> List[Candidate]:
        """All versions of the KMPs for the kernel with this ``uname -r``, those installed and those locked included.

        KMPs for other kernels may be among them, so that it can be told why they are none for this one.
        """

    @abc.abstractmethod
    def targeting(self, build_id: Optional[str]) -> Set[str]:
        """``name-evr`` of the packages tagged as built for this build ID, or for any when it is None."""

    @abc.abstractmethod
    def preview(self, name: str, evr: str, older: bool = False) -> List[Step]:
        """What installing exactly this version would do, computed and not done.

        :param older: than the installed one.
        :raises InstallFailed: it cannot be installed, with the package manager's own words.
        :raises PackageManagerLocked: another program holds the lock.
        """

    def download(self, name: str, evr: str, arch: str) -> str:
        """Has exactly this version's file on the host, where ``install`` finds it again; its path.

        :raises RepositoryDown: it cannot be fetched.
        """
        self._drop_damaged(name, evr, arch)
        done, said = self._fetch(name, evr)
        if not done:
            # dnf leaves what it could not finish.
            self._drop_damaged(name, evr, arch)
        found = self.cached(name, evr, arch)
        if found is None:
            raise RepositoryDown(
                f"{name}-{evr} cannot be fetched: {said}", "Mend the repository, and refresh it (refresh: always)"
            )
        return found

    def _drop_damaged(self, name: str, evr: str, arch: str) -> None:
        """So that what is there after a download is what the repository offers, and nothing that was cut off before."""
        for path in self._copies(name, evr, arch):
            if rpm.check(self._host, path) == "bad":
                self._host.unlink(path)

    @abc.abstractmethod
    def _fetch(self, name: str, evr: str) -> Tuple[bool, str]:
        """Downloads this version: whether that went well by its own account, and what was said of it."""

    @abc.abstractmethod
    def install(self, name: str, evr: str, older: bool = False) -> None:
        """Installs exactly this version.

        :param older: than the installed one.
        :raises InstallFailed: it is not installed now, with the package manager's own words.
        :raises PackageManagerLocked: another program holds the lock.
        """

    @abc.abstractmethod
    def preview_removal(self, name: str, evr: str) -> List[Step]:
        """What removing exactly this version would do, computed and not done.

        :raises InstallFailed: it cannot be removed, with the package manager's own words.
        :raises PackageManagerLocked: another program holds the lock.
        """

    @abc.abstractmethod
    def remove(self, name: str, evr: str) -> None:
        """Removes exactly this version.

        :raises InstallFailed: it is still there, with the package manager's own words.
        :raises PackageManagerLocked: another program holds the lock.
        """
