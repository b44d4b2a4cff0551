# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dnf, up to version 4. PRIVATE to the collection: it may change at any time.

Its only machine-readable output is ``repoquery --queryformat``; what a transaction would do is read from the table that
it prints. It works with the metadata on the host (``--cacheonly``) unless it is asked to refresh.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    InstallFailed,
    PackageManagerLocked,
    RepositoryDown,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import port, repo_files, rpm

_CONFIGURATION = "/etc/dnf/dnf.conf"
_VERSION_LOCKS = "/etc/dnf/plugins/versionlock.list"
_CACHE = "/var/cache/dnf"
# dnf's own (dnf.conf(5), "exit_on_lock"); others exit with 1 and say why
_LOCKED = 200
_BETWEEN_TRIES = 2.0
# The line above the collection's own in the configuration
_OWN_COMMENT = "# fleet.livepatch holds KMPs between rollouts (livepatch_lock)"
# Both add to the same list (libdnf, ConfigMain.cpp), and a name that comes again replaces the value before.
_EXCLUDES = ("excludepkgs", "exclude")

# Else a repository that is down is left out in silence, where its settings allow it.
_REQUIRE_ALL = "--setopt=*.skip_if_unavailable=False"

# Control characters separate what is queried: the repositories' metadata are XML, which cannot carry them.
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


class _Entry(NamedTuple):
    """One package of one repository, with what it provides."""

    candidate: port.Candidate
    provides: List[str]


class Dnf(port.PackageManager):
    name = "dnf"
    repository_folder = "/etc/yum.repos.d"
    kmp_patterns = ("kpatch-patch-[0-9]*", "kernel-livepatch-[0-9]*")

    def __init__(self, host: Host, lock_timeout: int) -> None:
        super().__init__(host, lock_timeout)
        self._offered: Optional[List[_Entry]] = None

    def _read_check_times(self) -> Dict[str, Optional[float]]:
        """When each enabled repository was last checked: dnf touches one of the files then, news or not."""
        folders = {metadata.repository: metadata.folder for metadata in self.list_metadata()}
        times: Dict[str, Optional[float]] = {}
        for name in repo_files.list_enabled(self._host, self.repository_folder):
            folder = folders.get(name)
            paths = self._host.list_files(folder + "/repodata") if folder else ()
            moments = [self._read_change_time(path) for path in paths]
            times[name] = max((moment for moment in moments if moment is not None), default=None)
        return times

    def list_locked(self) -> Set[str]:
        text = self._host.read_text(_VERSION_LOCKS) or ""
        return set(re.findall(r"^([^\s#!*]+)-(?:\d+:)?[^-\s]+-[^-\s]+$", text, re.MULTILINE))

    def lock(self, name: str) -> None:
        self._versionlock("add", name)

    def unlock(self, name: str) -> None:
        self._versionlock("delete", name)

    def _versionlock(self, verb: str, name: str) -> None:
        answer = self._dnf("--cacheonly", "versionlock", verb, name)
        if answer.rc != 0:
            raise InstallFailed(
                f"dnf versionlock {verb} {name} exited with {answer.rc}: {_read_errors(answer)}",
                "Install its plugin (python3-dnf-plugin-versionlock)",
            )

    def list_held(self) -> Set[str]:
        return {pattern for patterns in self._read_excludes().values() for pattern in patterns}

    def hold(self, patterns: Sequence[str]) -> None:
        # Excludes need no plugin, and dnf-automatic and dnf's plugins go by them, too.
        lines = self._read_others_lines()
        taken = self._read_excludes(lines)
        free = [key for key in _EXCLUDES if key not in taken]
        if not free:
            raise InstallFailed(
                f"{_CONFIGURATION} has both {' and '.join(_EXCLUDES)}, and KMPs cannot be locked beside them",
                "Join them into one line",
            )
        at = next((at for at, line in enumerate(lines) if line.strip() == "[main]"), None)
        if at is None:
            at = len(lines)
            lines.append("[main]")
        lines[at + 1 : at + 1] = [_OWN_COMMENT, f"{free[0]}={','.join(patterns)}"]
        self._save_lines(lines)

    def release(self, patterns: Sequence[str]) -> None:
        self._save_lines(self._read_others_lines())

    def _read_lines(self) -> List[str]:
        return (self._host.read_text(_CONFIGURATION) or "").split("\n")

    def _save_lines(self, lines: Sequence[str]) -> None:
        if list(lines) != self._read_lines():
            self._host.save(_CONFIGURATION, "\n".join(lines) + "\n", 0o644)

    def _read_others_lines(self) -> List[str]:
        """The configuration without the collection's own lines."""
        lines = self._read_lines()
        own = [at for at, line in enumerate(lines) if line == _OWN_COMMENT]
        dropped = {*own, *(at + 1 for at in own)}
        return [line for at, line in enumerate(lines) if at not in dropped]

    def _read_excludes(self, lines: Optional[Sequence[str]] = None) -> Dict[str, List[str]]:
        """The patterns of the packages that are excluded, by the setting that does so."""
        text = "\n".join(self._read_lines() if lines is None else lines)
        settings = repo_files.parse_settings(text, _CONFIGURATION)
        values = {key: settings.get("main", key, fallback="") for key in _EXCLUDES}
        return {key: re.split(r"[\s,]+", value.strip()) for key, value in values.items() if value.strip()}

    def _pass_own_lock(self) -> List[str]:
        """The options by which dnf takes no notice of the collection's own lock: an empty value clears the list, and
        others are added to it (dnf(8), "--setopt").
        """
        if not port.list_own_locks(self._host):
            return []
        others = self._read_excludes(self._read_others_lines())
        patterns = [pattern for of_setting in others.values() for pattern in of_setting]
        return ["--setopt=excludepkgs=", *(["--setopt=excludepkgs=" + ",".join(patterns)] if patterns else [])]

    def list_metadata(self) -> List[port.Metadata]:
        # The folder's name ends with a hash of the repository's URL: after a change of it there are several.
        metadata = []
        for name, checked in self._list_with_checks():
            indexes = [(folder + "/repodata/repomd.xml", folder) for folder in self._list_folders(name)]
            filled = [(index, folder) for index, folder in indexes if self._host.get_mtime(index) is not None]
            folder = max(((self._read_change_time(index) or 0.0, folder) for index, folder in filled), default=None)
            if folder is not None:
                metadata.append(port.Metadata(name, folder[1], checked))
        return metadata

    def _list_folders(self, repository: str) -> List[str]:
        pattern = re.compile(re.escape(repository) + r"-[0-9a-f]{16}\Z")
        names = self._host.list_names(self._download_folder)
        return [f"{self._download_folder}/{name}" for name in names if pattern.match(name)]

    def _list_download_folders(self, repository: str) -> List[str]:
        return [folder + "/packages" for folder in self._list_folders(repository)]

    @property
    def _download_folder(self) -> str:
        settings = repo_files.read_settings(self._host, _CONFIGURATION)
        return settings.get("main", "cachedir", fallback=_CACHE) if settings.has_section("main") else _CACHE

    def _list_with_checks(self) -> List[Tuple[str, bool]]:
        # dnf 4 checks nothing by default.
        checks = repo_files.read_checks(self._host, _CONFIGURATION, built_in=False)
        return repo_files.list_with_checks(self._host, self.repository_folder, checks)

    def refresh(self) -> None:
        self._offered = None
        answer = self._dnf(_REQUIRE_ALL, "--refresh", "makecache")
        if answer.rc != 0:
            raise RepositoryDown(
                f"a repository does not answer (dnf exited with {answer.rc}): {_read_errors(answer)}",
                "Fix or disable it (dnf repolist -v), or use what is cached (refresh: never)",
            )

    def refresh_repository(self, name: str) -> None:
        self._offered = None
        # The answer yes is to the key that the repository's file names, which dnf keeps for its metadata.
        only = ("--disablerepo=*", f"--enablerepo={name}")
        answer = self._dnf(_REQUIRE_ALL, "--assumeyes", *only, "--refresh", "makecache")
        if answer.rc != 0:
            raise RepositoryDown(_read_errors(answer))

    def search_kmps(self) -> List[port.Candidate]:
        return [entry.candidate for entry in self._query(cached=False)]

    def list_kmp_names(self, release: str) -> List[str]:
        names = [_kmp_names.format_kpatch_name(release), _kmp_names.format_amazon_name(release)]
        return names[::-1] if ".amzn" in release else names

    def list_offered(self, release: str) -> List[port.Candidate]:
        everything = self._query("--disableexcludes=all", "--disableplugin=versionlock")
        self._offered = everything
        allowed = None
        if everything and self._has_excludes():
            allowed = {entry.candidate for entry in self._query()}
        offered = [
            entry.candidate._replace(locked=allowed is not None and entry.candidate not in allowed)
            for entry in everything
        ]
        known = {entry.package for entry in offered}
        alone = [
            port.Candidate(*entry.package, repository=None)
            for name in self.list_kmp_names(release)
            for entry in rpm.list_installed(self._host, name)
            if entry.package not in known
        ]
        return offered + alone

    def _has_excludes(self) -> bool:
        folder = self.repository_folder
        files = [f"{folder}/{file}" for file in self._host.list_names(folder)]
        texts = ["\n".join(self._read_others_lines()), *(self._host.read_text(file) or "" for file in files)]
        return bool(self._host.read_text(_VERSION_LOCKS)) or any("exclude" in text for text in texts)

    def _query(self, *options: str, cached: bool = True) -> List[_Entry]:
        """All versions of all KMPs that the repositories have."""
        arguments = ("--showduplicates", "--queryformat", _FORMAT, "kpatch-patch-*", "kernel-livepatch-*")
        answer = self._dnf(*(("--cacheonly",) if cached else ()), *options, "repoquery", *arguments)
        if answer.rc != 0:
            raise RepositoryDown(
                f"dnf repoquery exited with {answer.rc}: {_read_errors(answer)}",
                "Refresh the repositories (refresh: always)" if cached else "",
            )
        *records, rest = answer.out.split(_RECORD)
        if rest.strip():
            # What has no end may be a part of a package.
            raise _build_no_package(rest)
        entries = [_parse_record(record) for record in records]
        return [entry for entry in entries if _kmp_names.is_kmp(entry.candidate.name)]

    def list_targeting(self, build_id: Optional[str]) -> Set[port.Key]:
        if self._offered is None:
            self._offered = self._query("--disableexcludes=all", "--disableplugin=versionlock")
        tag = port.TARGET_TAG if build_id is None else f"{port.TARGET_TAG} = {build_id}"
        return {
            entry.candidate.key
            for entry in self._offered
            if any(text == tag or (build_id is None and text.startswith(tag + " ")) for text in entry.provides)
        }

    def preview(self, candidate: port.Candidate, older: bool = False) -> List[port.Step]:
        spec = _format_spec(candidate.package)
        return self._preview(f"install {spec}", *_build_source(candidate), *_build_install(older), spec)

    def preview_files(self, paths: Sequence[str], older: bool = False) -> List[port.Step]:
        return self._preview(f"install {paths[0]}", *_build_install(older), *paths)

    def preview_removal(self, package: rpm.Package) -> List[port.Step]:
        return self._preview(f"remove {_format_spec(package)}", *_build_removal(package))

    def _preview(self, action: str, *arguments: str) -> List[port.Step]:
        answer = self._dnf("--cacheonly", "--assumeno", *arguments, quiet=False)
        table = answer.out.partition("Transaction Summary")
        if not table[1]:
            if "Nothing to do" in answer.out:
                return []
            raise InstallFailed(
                f"dnf cannot {action} (exit code {answer.rc}): {_read_errors(answer)}",
                f"Try it by hand: dnf {action}",
            )
        return _parse_steps(table[0])

    def _fetch(self, candidate: port.Candidate, older: bool) -> Tuple[bool, str]:
        words = [*_build_source(candidate), *_build_install(older), _format_spec(candidate.package)]
        # --cacheonly would download nothing. This keeps the metadata as they are, too. Without --nogpgcheck dnf would
        # import the keys that a repository names; rpm checks the file afterwards, by the keys that are trusted already.
        answer = self._dnf("--setopt=*.metadata_expire=-1", "--nogpgcheck", "--assumeyes", "--downloadonly", *words)
        return answer.rc == 0, _read_errors(answer)

    def _fetch_dependency(self, package: rpm.Package) -> None:
        """It has come with the KMP."""

    def install_files(self, paths: Sequence[str], older: bool = False, unsigned: bool = False) -> None:
        # By default dnf does not check the signature of a file.
        check = f"--setopt=localpkg_gpgcheck={0 if unsigned else 1}"
        self._change(f"install {paths[0]}", check, *_build_install(older), *paths)

    def remove(self, package: rpm.Package) -> None:
        self._change(f"remove {_format_spec(package)}", *_build_removal(package))

    def _change(self, action: str, *arguments: str) -> None:
        answer = self._dnf("--cacheonly", "--assumeyes", *arguments)
        if answer.rc != 0:
            raise InstallFailed(
                f"dnf could not {action} (exit code {answer.rc}): {_read_errors(answer)}",
                f"Try it by hand: dnf {action}",
            )

    def _dnf(self, *arguments: str, quiet: bool = True) -> Completed:
        """Run dnf, and wait for its lock: dnf itself would wait for ever."""
        deadline = self._host.clock() + self._lock_timeout
        quietly = ["--quiet"] if quiet else []
        words = ["dnf", *quietly, "--setopt=exit_on_lock=True", *self._pass_own_lock(), *arguments]
        while True:
            answer = self._host.run(words)
            if answer.rc != _LOCKED:
                break
            if self._host.clock() >= deadline:
                holder = self.find_lock_holder() or _read_errors(answer)
                raise PackageManagerLocked(
                    f"dnf waited {self._lock_timeout} s: its lock is held by {holder}",
                    "Try again when that program has ended",
                )
            self._host.sleep(_BETWEEN_TRIES)
        if "superuser privileges" in answer.err:
            raise Unmeasured(f"dnf needs root: {_read_errors(answer)}", "Run as root (become: true)")
        return answer

    def find_lock_holder(self) -> Optional[str]:
        """The process that one of dnf's lock files names."""
        for folder in (self._download_folder, "/var/lib/dnf", "/var/run"):
            for file in self._host.list_names(folder):
                is_lock = file.endswith("_lock.pid") or file == "dnf.pid"
                pid = self._host.read_text(f"{folder}/{file}") if is_lock else None
                program = self._host.read_text(f"/proc/{pid}/comm") if pid and pid.isdigit() else None
                if program:
                    return f"process {pid} ({program})"
        return None


def _format_spec(package: rpm.Package) -> str:
    """What dnf calls exactly this package."""
    return "{}-{}.{}".format(*package)


def _build_source(candidate: port.Candidate) -> List[str]:
    """Prefer its repository: what it needs besides may come from another one."""
    return [] if candidate.repository is None else [f"--setopt={candidate.repository}.priority=-1000000"]


def _build_install(older: bool) -> List[str]:
    return ["--setopt=install_weak_deps=False", "downgrade" if older else "install"]


def _build_removal(package: rpm.Package) -> List[str]:
    # Its dependencies stay: other packages may use them by now.
    return ["--noautoremove", "remove", _format_spec(package)]


def _parse_record(record: str) -> _Entry:
    fields = record.split(_FIELD)
    if len(fields) != len(_WANTED):
        raise _build_no_package(record)
    name, epoch, version, arch, repository, provides = fields
    # A plugin may have printed lines of its own before it.
    name = name.rpartition("\n")[2]
    evr = version if epoch in ("", "0", "(none)") else f"{epoch}:{version}"
    return _Entry(port.Candidate(name, evr, arch, repository), [line.strip() for line in provides.split("\n")])


def _build_no_package(text: str) -> Unmeasured:
    return Unmeasured(f"dnf repoquery printed something that is not a package: {text[:80]!r}")


def _parse_steps(table: str) -> List[port.Step]:
    """Parse the table of a transaction: groups under their headings, a package on a line.

    What does not fit into its column goes on in the next line, further to the right.
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


def _read_errors(answer: Completed) -> str:
    """The error that dnf printed."""
    return port.shorten_output(answer.err or answer.out)
