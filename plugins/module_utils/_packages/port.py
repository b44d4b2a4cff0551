# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection needs of a package manager. PRIVATE to the collection: it may change at any time.

A new package manager is one new file that implements this port, and its table of recorded outputs.
"""

import abc
import re
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import RepositoryDown
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm

# Name, EVR, architecture and repository: two packages that differ in one of them are two packages.
Key = Tuple[str, str, str, Optional[str]]


class Candidate(NamedTuple):
    name: str
    evr: str
    arch: str
    # None for a package that is installed and that no repository offers any more
    repository: Optional[str]
    # Whether an administrator has locked it in the package manager
    locked: bool = False

    @property
    def key(self) -> Key:
        return (self.name, self.evr, self.arch, self.repository)

    @property
    def package(self) -> rpm.Package:
        return rpm.Package(self.name, self.evr, self.arch)


class Step(NamedTuple):
    """One thing that a transaction does."""

    # "install", "upgrade", "downgrade", "reinstall", "remove", "change-vendor", "change-arch", or another word of the
    # package manager, which refuses the transaction
    action: str
    name: str
    evr: str
    arch: str


class Metadata(NamedTuple):
    repository: str
    # The folder where the package manager keeps its repodata/repomd.xml
    folder: str
    # Whether the package manager checks signatures of its metadata or packages: who may write what it offers
    checked: bool = True


# The tag that ties a KMP to the build of the kernel that it patches: "Provides: livepatch-target(build-id) = <hex>".
TARGET_TAG = "livepatch-target(build-id)"
# Seconds by which a clock may be set back without anything being wrong
_AHEAD = 300.0


# What the collection has locked of all KMPs, a pattern of names on each line
_OWN_LOCKS = "/var/lib/fleet.livepatch/kmp-lock"


def list_own_locks(host: Host) -> List[str]:
    """The patterns of KMPs that the collection has locked."""
    return (host.read_text(_OWN_LOCKS) or "").split()


def record_own_locks(host: Host, patterns: Sequence[str]) -> None:
    """:raises Unmeasured: the record cannot be written."""
    if patterns:
        host.save(_OWN_LOCKS, "\n".join(patterns) + "\n")
    else:
        host.unlink(_OWN_LOCKS)


# Characters of a package manager's error that are kept: the remedy is appended to them.
_SHOWN_LIMIT = 300
# User and password before the host's name, and tokens from the question mark on
_ADDRESS = r"://(?:[^\s/]*@)?([^\s?]*)(?:(\?)\S*)?"


def shorten_output(output: str) -> str:
    """Shorten a package manager's output to one line, without the passwords and tokens in repositories' URLs."""
    redacted = re.sub(_ADDRESS, lambda match: "://" + match.group(1) + ("?..." if match.group(2) else ""), output)
    return re.sub(r"\s+", " ", redacted).strip()[:_SHOWN_LIMIT] or "no output"


class PackageManager(abc.ABC):
    """One package manager on one host.

    :param lock_timeout: seconds to wait for another program's lock.
    """

    name = ""
    # Where the files that describe repositories are
    repository_folder = ""
    # All KMPs by their names, without the tools that are named alike
    kmp_patterns: Tuple[str, ...] = ()

    def __init__(self, host: Host, lock_timeout: int) -> None:
        self._host = host
        self._lock_timeout = lock_timeout

    def compute_metadata_age(self) -> Optional[int]:
        """Seconds since the oldest of the enabled repositories' metadata were last checked.

        None where those of a repository are missing or dated in the future, or no repository is enabled.
        """
        times = self._read_check_times()
        known = [moment for moment in times.values() if moment is not None]
        if not known or len(known) < len(times):
            return None
        return max(0, int(self._host.wall_clock() - min(known)))

    def list_without_metadata(self) -> List[str]:
        """The enabled repositories whose metadata are missing or dated in the future."""
        return [name for name, moment in self._read_check_times().items() if moment is None]

    @abc.abstractmethod
    def _read_check_times(self) -> Dict[str, Optional[float]]:
        """When each enabled repository was last checked, news or not, in seconds since the epoch."""

    def _read_change_time(self, path: str) -> Optional[float]:
        """When a file was last changed; None for a time in the future as well: it would stay new for ever."""
        moment = self._host.get_mtime(path)
        return None if moment is None or moment > self._host.wall_clock() + _AHEAD else moment

    def find_cached(self, candidate: Candidate) -> Optional[str]:
        """The path of its file from its own repository, None where it was not downloaded before."""
        return next(self._iterate_copies(candidate), None)

    def _iterate_copies(self, candidate: Candidate) -> Iterator[str]:
        folders = [] if candidate.repository is None else self._list_download_folders(candidate.repository)
        return self._iterate_files(candidate.package, folders)

    def _iterate_files(self, package: rpm.Package, folders: Iterable[str]) -> Iterator[str]:
        wanted = "{}-{}.{}.rpm".format(package.name, package.evr.rpartition(":")[2], package.arch)
        paths = (path for folder in folders for path in self._host.list_files(folder))
        # The name of a folder may be a stranger's: control characters would reach logs and a tool's arguments.
        return (path for path in paths if path.rpartition("/")[2] == wanted and path.isprintable())

    @property
    @abc.abstractmethod
    def _download_folder(self) -> str:
        """The folder that downloaded packages are below."""

    @abc.abstractmethod
    def _list_download_folders(self, repository: str) -> List[str]:
        """The folders that the packages of one repository are downloaded to."""

    @abc.abstractmethod
    def find_lock_holder(self) -> Optional[str]:
        """The process that holds the package manager's lock, None where none does."""

    @abc.abstractmethod
    def list_locked(self) -> Set[str]:
        """The names of the packages that are locked by name."""

    @abc.abstractmethod
    def lock(self, name: str) -> None:
        """Lock a package: it is neither updated nor removed, and no other version of it is installed.

        :raises InstallFailed: it is not locked now, with the package manager's error.
        """

    @abc.abstractmethod
    def unlock(self, name: str) -> None:
        """:raises InstallFailed: it is still locked, with the package manager's error."""

    @abc.abstractmethod
    def list_held(self) -> Set[str]:
        """The patterns of names by which packages are locked, in all versions, by anybody.

        :raises Unmeasured: the configuration cannot be read.
        """

    @abc.abstractmethod
    def hold(self, patterns: Sequence[str]) -> None:
        """Lock packages by patterns of their names, for all programs but the collection: what is recorded as its own
        lock (``list_own_locks``) keeps nothing from ``preview``, ``install_files`` and ``remove``.

        :raises InstallFailed: they are not locked now, with what to do.
        :raises Unmeasured: the configuration cannot be read or written.
        """

    @abc.abstractmethod
    def release(self, patterns: Sequence[str]) -> None:
        """The opposite, of patterns that ``hold`` was given.

        :raises InstallFailed: they are still locked, with the package manager's error.
        :raises Unmeasured: the configuration cannot be read or written.
        """

    @abc.abstractmethod
    def list_metadata(self) -> List[Metadata]:
        """Where the metadata of the enabled repositories lie on the host."""

    @abc.abstractmethod
    def refresh(self) -> None:
        """Refresh the metadata of the repositories.

        :raises RepositoryDown: one of them did not answer, or its answer cannot be used.
        """

    @abc.abstractmethod
    def refresh_repository(self, name: str) -> None:
        """Refresh the metadata of one repository.

        :raises RepositoryDown: it did not answer, or its answer cannot be used: the package manager's error.
        """

    @abc.abstractmethod
    def search_kmps(self) -> List[Candidate]:
        """All KMPs that a repository offers for any kernel. Metadata that the package manager takes for old are
        refreshed first.

        :raises RepositoryDown: that did not work.
        """

    @abc.abstractmethod
    def list_kmp_names(self, release: str) -> List[str]:
        """The names that a KMP for the kernel with this ``uname -r`` can have here, most usual first."""

    @abc.abstractmethod
    def list_offered(self, release: str) -> List[Candidate]:
        """All versions of the KMPs for the kernel with this ``uname -r``, those installed and those locked included.

        KMPs for other kernels may be among them, so that the result can explain why they do not fit.
        """

    @abc.abstractmethod
    def list_targeting(self, build_id: Optional[str]) -> Set[Key]:
        """The packages tagged as built for this build ID, or for any when it is None."""

    @abc.abstractmethod
    def preview(self, candidate: Candidate, older: bool = False) -> List[Step]:
        """What installing exactly this package of this repository would do, computed and not done.

        :param older: than the installed one.
        :raises InstallFailed: it cannot be installed, with the package manager's error.
        :raises PackageManagerLocked: another program holds the lock.
        """

    def download(self, candidate: Candidate, older: bool = False) -> str:
        """Download exactly this package from its repository; the path of its file.

        :raises RepositoryDown: it cannot be fetched.
        """
        self._drop_damaged(candidate)
        done, message = self._fetch(candidate, older)
        if not done:
            # dnf leaves incomplete files.
            self._drop_damaged(candidate)
        path = self.find_cached(candidate)
        if path is None:
            raise RepositoryDown(
                "{}-{}.{} of repository {} cannot be fetched: {}".format(*candidate[:4], message),
                "Fix the repository, and refresh it (refresh: always)",
            )
        return path

    def _drop_damaged(self, candidate: Candidate) -> None:
        """Remove truncated files, so that a download leaves what the repository offers."""
        for path in self._iterate_copies(candidate):
            if rpm.check_signature(self._host, path) == "bad":
                self._host.unlink(path)

    @abc.abstractmethod
    def _fetch(self, candidate: Candidate, older: bool) -> Tuple[bool, str]:
        """Download it: whether that succeeded by the package manager's account, and its message."""

    def download_dependency(self, package: rpm.Package) -> List[str]:
        """Download what a KMP needs besides; the paths of its files, whichever repositories they are from."""
        self._fetch_dependency(package)
        return list(self._iterate_files(package, [self._download_folder]))

    @abc.abstractmethod
    def _fetch_dependency(self, package: rpm.Package) -> None:
        """Download this package from all repositories that have it, as far as ``_fetch`` has not done so."""

    @abc.abstractmethod
    def preview_files(self, paths: Sequence[str], older: bool = False) -> List[Step]:
        """What installing these files would do, computed and not done.

        :raises InstallFailed: they cannot be installed, with the package manager's error.
        :raises PackageManagerLocked: another program holds the lock.
        """

    @abc.abstractmethod
    def install_files(self, paths: Sequence[str], older: bool = False, unsigned: bool = False) -> None:
        """Install these files. What is installed is what was examined: a name would be looked up once more.

        :param older: the first one is older than what is installed.
        :param unsigned: whether one of them has no signature, and may be without.
        :raises InstallFailed: they are not installed now, with the package manager's error.
        :raises PackageManagerLocked: another program holds the lock.
        """

    @abc.abstractmethod
    def preview_removal(self, package: rpm.Package) -> List[Step]:
        """What removing exactly this version would do, computed and not done.

        :raises InstallFailed: it cannot be removed, with the package manager's error.
        :raises PackageManagerLocked: another program holds the lock.
        """

    @abc.abstractmethod
    def remove(self, package: rpm.Package) -> None:
        """Remove exactly this version.

        :raises InstallFailed: it is still there, with the package manager's error.
        :raises PackageManagerLocked: another program holds the lock.
        """
