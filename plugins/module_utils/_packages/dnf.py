# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dnf, up to version 4. PRIVATE to the collection: it may change at any time.

It has no output for programs but ``repoquery --queryformat``; what a transaction would do is read from the table that
it shows to people. It works with the metadata that are on the host (``--cacheonly``) unless it is told to refresh.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    InstallFailed,
    PackageManagerLocked,
    RepositoryDown,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import port, repo_files, rpm

_REPOSITORIES = "/etc/yum.repos.d"
_CONFIGURATION = "/etc/dnf/dnf.conf"
_VERSION_LOCKS = "/etc/dnf/plugins/versionlock.list"
_CACHE = "/var/cache/dnf"
# dnf's own (dnf.conf(5), "exit_on_lock"); others that end with 1 tell why in words
_LOCKED = 200
_BETWEEN_TRIES = 2.0

# Control characters that no package may carry in its fields separate what we ask for.
_FIELD, _RECORD = "\x1f", "\x1e"
_WANTED = ("%{name}", "%{epoch}", "%{version}-%{release}", "%{arch}", "%{repoid}", "%{provides}")
_FORMAT = _FIELD.join(_WANTED) + _RECORD
# What the table of a transaction calls its groups
_ACTIONS = {
    "Installing": "install",
    "Installing dependencies": "install",
    "Installing weak dependencies": "install",
    "Upgrading": "upgrade",
    "Downgrading": "downgrade",
    "Reinstalling": "reinstall",
    "Removing": "remove",
    "Removing dependent packages": "remove",
    "Removing unused dependencies": "remove",
}


# One package of one repository, with what it provides.
class _Found(NamedTuple):
    candidate: port.Candidate
    provides: List[str]


class Dnf(port.PackageManager):
    name = "dnf"

    def __init__(self, host: Host, lock_timeout: int) -> None:
        super().__init__(host, lock_timeout)
        self._offered: Optional[List[_Found]] = None

    def _checked(self) -> Dict[str, Optional[float]]:
        """When each enabled repository was last asked: dnf touches one of the files then, news or not."""
        folders = dict(self.metadata())
        times: Dict[str, Optional[float]] = {}
        for name in self._enabled():
            folder = folders.get(name)
            moments = [self._changed(path) for path in self._host.files(folder + "/repodata")] if folder else []
            times[name] = max((moment for moment in moments if moment is not None), default=None)
        return times

    def locked(self) -> Set[str]:
        return set(
            re.findall(r"^([^\s#!*]+)-(?:\d+:)?[^-\s]+-[^-\s]+$", self._host.text(_VERSION_LOCKS) or "", re.MULTILINE)
        )

    def lock(self, name: str) -> None:
        self._versionlock("add", name)

    def unlock(self, name: str) -> None:
        self._versionlock("delete", name)

    def _versionlock(self, verb: str, name: str) -> None:
        answer = self._dnf("--cacheonly", "versionlock", verb, name)
        if answer.rc != 0:
            raise InstallFailed(
                f"dnf versionlock {verb} {name} ended with {answer.rc}: {_errors(answer)}",
                "Install its plugin (python3-dnf-plugin-versionlock)",
            )

    def metadata(self) -> List[port.Metadata]:
        # The folder's name ends with a hash of the repository's address: after it was changed there are several.
        found = []
        for name in self._enabled():
            pattern = re.compile(re.escape(name) + r"-[0-9a-f]{16}\Z")
            folders = [f"{self._downloads}/{one}" for one in self._host.names(self._downloads) if pattern.match(one)]
            indexes = [(folder + "/repodata/repomd.xml", folder) for folder in folders]
            filled = [(index, folder) for index, folder in indexes if self._host.modified(index) is not None]
            folder = max(((self._changed(index) or 0.0, folder) for index, folder in filled), default=None)
            if folder is not None:
                found.append(port.Metadata(name, folder[1]))
        return found

    @property
    def _downloads(self) -> str:
        settings = repo_files.read(self._host, _CONFIGURATION)
        return settings.get("main", "cachedir", fallback=_CACHE) if settings.has_section("main") else _CACHE

    def _enabled(self) -> List[str]:
        return repo_files.enabled(self._host, _REPOSITORIES)

    def refresh(self) -> None:
        self._offered = None
        # Else a repository that is down is left out in silence, where its settings say so.
        answer = self._dnf("--setopt=*.skip_if_unavailable=False", "--refresh", "makecache")
        if answer.rc != 0:
            raise RepositoryDown(
                f"a repository does not answer (dnf's exit code is {answer.rc}): {_errors(answer)}",
                "Mend or disable it (dnf repolist -v), or work with what is cached (refresh: never)",
            )

    def kmp_names(self, release: str) -> List[str]:
        found = [_kmp_names.kpatch(release), _kmp_names.amazon(release)]
        return found[::-1] if ".amzn" in release else found

    def offered(self, release: str) -> List[port.Candidate]:
        everything = self._query("--disableexcludes=all", "--disableplugin=versionlock")
        self._offered = everything
        allowed = None
        if everything and self._has_excludes():
            allowed = {one.candidate for one in self._query()}
        offered = [
            one.candidate._replace(locked=allowed is not None and one.candidate not in allowed) for one in everything
        ]
        known = {(one.name, one.evr) for one in offered}
        alone = [
            port.Candidate(*one.package, repository=None)
            for name in self.kmp_names(release)
            for one in rpm.installed(self._host, name)
            if one.package[:2] not in known
        ]
        return offered + alone

    def _has_excludes(self) -> bool:
        files = [_CONFIGURATION, *(f"{_REPOSITORIES}/{file}" for file in self._host.names(_REPOSITORIES))]
        texts = [self._host.text(file) or "" for file in files]
        return bool(self._host.text(_VERSION_LOCKS)) or any("exclude" in text for text in texts)

    def _query(self, *options: str) -> List[_Found]:
        """All versions of all KMPs that the repositories have."""
        arguments = ("--showduplicates", "--queryformat", _FORMAT, "kpatch-patch-*", "kernel-livepatch-*")
        answer = self._dnf("--cacheonly", *options, "repoquery", *arguments)
        if answer.rc != 0:
            raise RepositoryDown(
                f"dnf repoquery ended with {answer.rc}: {_errors(answer)}", "Refresh the repositories (refresh: always)"
            )
        found = [_found(record) for record in answer.out.split(_RECORD) if record.strip()]
        return [one for one in found if _kmp_names.is_kmp(one.candidate.name)]

    def targeting(self, build_id: Optional[str]) -> Set[str]:
        if self._offered is None:
            self._offered = self._query("--disableexcludes=all", "--disableplugin=versionlock")
        tag = port.TARGET_TAG if build_id is None else f"{port.TARGET_TAG} = {build_id}"
        return {
            one.candidate.name + "-" + one.candidate.evr
            for one in self._offered
            if any(text == tag or (build_id is None and text.startswith(tag + " ")) for text in one.provides)
        }

    def preview(self, name: str, evr: str, older: bool = False) -> List[port.Step]:
        return self._preview(f"install {name}-{evr}", *_exactly(name, evr, older))

    def preview_removal(self, name: str, evr: str) -> List[port.Step]:
        return self._preview(f"remove {name}-{evr}", *_gone(name, evr))

    def _preview(self, what: str, *arguments: str) -> List[port.Step]:
        answer = self._dnf("--cacheonly", "--assumeno", *arguments, quiet=False)
        table = answer.out.partition("Transaction Summary")
        if not table[1]:
            if "Nothing to do" in answer.out:
                return []
            raise InstallFailed(
                f"dnf cannot {what} (exit code {answer.rc}): {_errors(answer)}",
                f"Try it by hand: dnf {what}",
            )
        return _steps(table[0])

    def _fetch(self, name: str, evr: str) -> Tuple[bool, str]:
        answer = self._dnf("--assumeyes", "--downloadonly", *_exactly(name, evr, False))
        return answer.rc == 0, _errors(answer)

    def install(self, name: str, evr: str, older: bool = False) -> None:
        self._change(f"install {name}-{evr}", *_exactly(name, evr, older))

    def remove(self, name: str, evr: str) -> None:
        self._change(f"remove {name}-{evr}", *_gone(name, evr))

    def _change(self, what: str, *arguments: str) -> None:
        answer = self._dnf("--assumeyes", *arguments)
        if answer.rc != 0:
            raise InstallFailed(
                f"dnf could not {what} (exit code {answer.rc}): {_errors(answer)}",
                f"Try it by hand: dnf {what}",
            )

    def _dnf(self, *arguments: str, quiet: bool = True) -> Completed:
        """Runs dnf, and waits for whoever holds its lock: by itself it would wait for ever."""
        deadline = self._host.clock() + self._lock_timeout
        words = ["dnf", *(["--quiet"] if quiet else []), "--setopt=exit_on_lock=True", *arguments]
        while True:
            answer = self._host.run(words)
            if answer.rc != _LOCKED:
                break
            if self._host.clock() >= deadline:
                raise PackageManagerLocked(
                    f"dnf waited {self._lock_timeout} s: its lock is held by {self.holder() or _errors(answer)}",
                    "Try again when that program has ended",
                )
            self._host.sleep(_BETWEEN_TRIES)
        if "superuser privileges" in answer.err:
            raise Unmeasured(f"dnf needs root: {_errors(answer)}", "Run as root (become: true)")
        return answer

    def holder(self) -> Optional[str]:
        """Who holds one of dnf's locks, by the process that is written down in it."""
        for folder in (self._downloads, "/var/lib/dnf", "/var/run"):
            for file in self._host.names(folder):
                pid = self._host.text(f"{folder}/{file}") if file.endswith("_lock.pid") or file == "dnf.pid" else None
                program = self._host.text(f"/proc/{pid}/comm") if pid and pid.isdigit() else None
                if program:
                    return f"process {pid} ({program})"
        return None


def _exactly(name: str, evr: str, older: bool) -> List[str]:
    return ["--setopt=install_weak_deps=False", "downgrade" if older else "install", f"{name}-{evr}"]


def _gone(name: str, evr: str) -> List[str]:
    # What came with it stays: others may have come to use it.
    return ["--noautoremove", "remove", f"{name}-{evr}"]


def _found(record: str) -> _Found:
    fields = record.lstrip("\n").split(_FIELD)
    if len(fields) != len(_WANTED):
        raise Unmeasured(f"dnf repoquery printed something that is not a package: {record[:80]!r}")
    name, epoch, version, arch, repository, provides = fields
    evr = version if epoch in ("", "0", "(none)") else f"{epoch}:{version}"
    return _Found(port.Candidate(name, evr, arch, repository), [line.strip() for line in provides.split("\n")])


def _steps(table: str) -> List[port.Step]:
    """What the table of a transaction lists: groups under their headings, a package on a line.

    What leaves no room in its column goes on in the next line, further to the right.
    """
    rows: List[List[str]] = []
    for line in table.split("\n"):
        heading = re.match(r"(\S.*):\s*\Z", line)
        words = line.split()
        if heading:
            action = _ACTIONS.get(heading.group(1), heading.group(1).lower())
            rows.append([action])
        elif not rows or not words:
            continue
        elif words[0] == "replacing" and len(words) >= 3:
            replaced, _dot, arch = words[1].rpartition(".")
            rows += [["remove", replaced, arch, words[2]], [action]]
        elif re.match(r" \S", line):
            rows.append([action, *words])
        else:
            rows[-1] += words
    if any(1 < len(row) < 4 for row in rows):
        raise Unmeasured("dnf showed a transaction that cannot be read")
    return [port.Step(row[0], row[1], row[3], row[2]) for row in rows if len(row) > 1]


def _errors(answer: Completed) -> str:
    """What dnf said was wrong."""
    return port.brief(answer.err or answer.out)
