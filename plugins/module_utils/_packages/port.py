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


class Candidate(NamedTuple):
    name: str
    evr: str
    arch: str
    # None for a package that is installed and that no repository offers any more
    repository: Optional[str]
    # Whether an administrator has locked it in the package manager
    locked: bool = False


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


# The tag that ties a KMP to the build of the kernel that it patches: "Provides: livepatch-target(build-id) = <hex>".
TARGET_TAG = "livepatch-target(build-id)"
# Seconds by which a clock may be set back without anything being wrong
_AHEAD = 300.0


# Characters of a package manager's error that are kept: the remedy is appended to them.
_SHOWN_LIMIT = 300
# User and password before the host's name, and tokens from the question mark on
_ADDRESS = re.compile(r"://(?:[^\s/]*@)?([^\s?]*)(?:(\?)\S*)?")


def shorten_output(output: str) -> str:
    """Shorten a package manager's output to one line, without the passwords and tokens in repositories' URLs."""
    redacted = _ADDRESS.sub(lambda match: "://" + match.group(1) + ("?..." if match.group(2) else ""), output)
    return re.sub(r"\s+", " ", redacted).strip()[:_SHOWN_LIMIT] or "no output"


class PackageManager(abc.ABC):
    """One package manager on one host.

    :param lock_timeout: seconds to wait for another program's lock.
    """

    name = ""

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

    def find_cached(self, name: str, evr: str, arch: str) -> Optional[str]:
        """The path of this version's file, None where it was not downloaded before."""
        return next(self._iterate_copies(name, evr, arch), None)

    def _iterate_copies(self, name: str, evr: str, arch: str) -> Iterator[str]:
        wanted = "{}-{}.{}.rpm".format(name, evr.rpartition(":")[2], arch)
        return (path for path in self._host.list_files(self._download_folder) if path.rpartition("/")[2] == wanted)

    @property
    @abc.abstractmethod
    def _download_folder(self) -> str:
        """The folder that downloaded packages are below."""

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
    def list_metadata(self) -> List[Metadata]:
        """Where the metadata of the enabled repositories lie on the host."""

    @abc.abstractmethod
    def refresh(self) -> None:
        """Refresh the metadata of the repositories.

        :raises RepositoryDown: one of them did not answer, or its answer cannot be used.
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
    def list_targeting(self, build_id: Optional[str]) -> Set[str]:
        """``name-evr`` of the packages tagged as built for this build ID, or for any when it is None."""

    @abc.abstractmethod
    def preview(self, name: str, evr: str, older: bool = False) -> List[Step]:
        """What installing exactly this version would do, computed and not done.

        :param older: than the installed one.
        :raises InstallFailed: it cannot be installed, with the package manager's error.
        :raises PackageManagerLocked: another program holds the lock.
        """

    def download(self, name: str, evr: str, arch: str) -> str:
        """Download exactly this version, where ``install`` finds it again; the path of its file.

        :raises RepositoryDown: it cannot be fetched.
        """
        self._drop_damaged(name, evr, arch)
        done, message = self._fetch(name, evr)
        if not done:
            # dnf leaves incomplete files.
            self._drop_damaged(name, evr, arch)
        path = self.find_cached(name, evr, arch)
        if path is None:
            raise RepositoryDown(
                f"{name}-{evr} cannot be fetched: {message}", "Fix the repository, and refresh it (refresh: always)"
            )
        return path

    def _drop_damaged(self, name: str, evr: str, arch: str) -> None:
        """Remove truncated files, so that a download leaves what the repository offers."""
        for path in self._iterate_copies(name, evr, arch):
            if rpm.check_signature(self._host, path) == "bad":
                self._host.unlink(path)

    @abc.abstractmethod
    def _fetch(self, name: str, evr: str) -> Tuple[bool, str]:
        """Download this version: whether that succeeded by the package manager's account, and its message."""

    @abc.abstractmethod
    def install(self, name: str, evr: str, older: bool = False) -> None:
        """Install exactly this version.

        :param older: than the installed one.
        :raises InstallFailed: it is not installed now, with the package manager's error.
        :raises PackageManagerLocked: another program holds the lock.
        """

    @abc.abstractmethod
    def preview_removal(self, name: str, evr: str) -> List[Step]:
        """What removing exactly this version would do, computed and not done.

        :raises InstallFailed: it cannot be removed, with the package manager's error.
        :raises PackageManagerLocked: another program holds the lock.
        """

    @abc.abstractmethod
    def remove(self, name: str, evr: str) -> None:
        """Remove exactly this version.

        :raises InstallFailed: it is still there, with the package manager's error.
        :raises PackageManagerLocked: another program holds the lock.
        """
