# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""zypper. PRIVATE to the collection: it may change at any time.

It prints XML, in the C locale. Exit codes: zypper(8), "EXIT CODES".
"""

import re
from typing import Dict, List, Optional, Sequence, Set, Tuple
from xml.etree import ElementTree

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    InstallFailed,
    PackageManagerLocked,
    RepositoryDown,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import port, repo_files, rpm, zypp_locks

# libzypp writes its process ID to this file (ZYPP_LOCKFILE_ROOT)
_PIDS = ("/run/zypp.pid", "/var/run/zypp.pid")
# The administrator's, and the distribution's, which counts where that is missing
_CONFIGURATIONS = ("/etc/zypp/zypp.conf", "/usr/etc/zypp/zypp.conf")
_RAW = "/var/cache/zypp/raw"
_PACKAGES = "/var/cache/zypp/packages"

_KMPS = ("kernel-livepatch-*", "kgraft-patch-*")

_PRIVILEGES = 5
_LOCKED = 7
_NOT_FOUND = 104

# Reboot or restart suggested; a package's own script failed (the kernel shows its effect).
_INSTALLED = (0, 102, 103, 107)


class Zypper(port.PackageManager):
    name = "zypper"
    repository_folder = "/etc/zypp/repos.d"
    kmp_patterns = ("kernel-livepatch-[0-9]*", "kgraft-patch-[0-9]*")

    def __init__(self, host: Host, lock_timeout: int) -> None:
        super().__init__(host, lock_timeout)
        # The aliases of the repositories that zypper lists packages under one label for
        self._aliases: Optional[Dict[str, List[str]]] = None

    def _read_check_times(self) -> Dict[str, Optional[float]]:
        """When each enabled repository was last checked: libzypp touches its index then, news or not."""
        return {
            alias: self._read_change_time(folder + "/repodata/repomd.xml") or self._read_change_time(folder + "/cookie")
            for alias, folder, _checked in self.list_metadata()
        }

    def find_lock_holder(self) -> Optional[str]:
        for file in _PIDS:
            pid = self._host.read_text(file)
            program = self._host.read_text(f"/proc/{pid}/comm") if pid and pid.isdigit() else None
            if program:
                return f"process {pid} ({program})"
        return None

    def list_locked(self) -> Set[str]:
        if not self._read_locks():
            return set()
        answer = self._zypper("--no-refresh", "locks", as_others=True)
        if answer.rc != 0:
            raise Unmeasured(f"zypper locks exited with {answer.rc}: {_read_errors(answer)}")
        return {(name.text or "").strip() for name in _parse_xml(answer).iter("name")}

    def lock(self, name: str) -> None:
        self._locks("addlock", name)

    def unlock(self, name: str) -> None:
        self._locks("removelock", name)

    def _locks(self, verb: str, name: str) -> None:
        answer = self._zypper("--no-refresh", verb, "--type", "package", name, as_others=True)
        if answer.rc != 0:
            raise InstallFailed(
                f"zypper {verb} {name} exited with {answer.rc}: {_read_errors(answer)}",
                f"Try it by hand: zypper {verb} {name}",
            )

    def list_held(self) -> Set[str]:
        return zypp_locks.list_patterns(self._read_locks())

    def hold(self, patterns: Sequence[str]) -> None:
        for pattern in patterns:
            if pattern not in self.list_held():
                self.lock(pattern)

    def release(self, patterns: Sequence[str]) -> None:
        for pattern in patterns:
            if pattern in self.list_held():
                self.unlock(pattern)

    def _read_locks(self) -> str:
        return self._host.read_text(zypp_locks.find_file(self._host)) or ""

    def list_metadata(self) -> List[port.Metadata]:
        there = [path for path in _CONFIGURATIONS if self._host.get_mtime(path) is not None]
        checks = repo_files.read_checks(self._host, (there or list(_CONFIGURATIONS))[0], built_in=True)
        return [
            port.Metadata(alias, f"{_RAW}/{_escape_alias(alias)}", checked)
            for alias, checked in repo_files.list_with_checks(self._host, self.repository_folder, checks)
        ]

    @property
    def _download_folder(self) -> str:
        return _PACKAGES

    def _list_download_folders(self, repository: str) -> List[str]:
        return [f"{_PACKAGES}/{_escape_alias(repository)}"]

    def refresh(self) -> None:
        answer = self._zypper("refresh")
        _require_repositories(answer)
        if answer.rc != 0:
            raise RepositoryDown(f"zypper refresh exited with {answer.rc}: {_read_errors(answer)}")

    def refresh_repository(self, name: str) -> None:
        answer = self._zypper("refresh", name)
        if answer.rc != 0 or _list_skipped(answer):
            raise RepositoryDown(_read_errors(answer))

    def search_kmps(self) -> List[port.Candidate]:
        return [
            candidate
            for candidate in self._search(*_KMPS, refresh=True)
            if _kmp_names.is_kmp(candidate.name) and candidate.repository is not None
        ]

    def list_kmp_names(self, release: str) -> List[str]:
        return [_kmp_names.format_suse_name(release), _kmp_names.format_kgraft_name(release)]

    def list_offered(self, release: str) -> List[port.Candidate]:
        candidates = [candidate for candidate in self._search(*_KMPS) if _kmp_names.is_kmp(candidate.name)]
        held = self._list_locked_versions() if candidates else set()
        return [candidate._replace(locked=(candidate.name, candidate.evr) in held) for candidate in candidates]

    def _list_locked_versions(self) -> Set[Tuple[str, str]]:
        """Name and EVR of what an administrator has locked (zypper addlock)."""
        if not self._read_locks():
            return set()
        answer = self._zypper("--no-refresh", "locks", "--solvables")
        if answer.rc != 0:
            raise Unmeasured(f"zypper locks exited with {answer.rc}: {_read_errors(answer)}")
        return {
            (_read_attribute(match, "name"), _read_attribute(match, "edition"))
            for match in _parse_xml(answer).iter("match")
        }

    def list_targeting(self, build_id: Optional[str]) -> Set[port.Key]:
        tag = port.TARGET_TAG if build_id is None else f"{port.TARGET_TAG} = {build_id}"
        return {candidate.key for candidate in self._search("--provides", "--match-exact", tag)}

    def preview(self, candidate: port.Candidate, older: bool = False) -> List[port.Step]:
        spec = _format_spec(candidate.package)
        if self._host.find_tool("transactional-update") and self._host.is_read_only("/"):
            raise InstallFailed(
                f"this is a transactional system: {spec} would only be installed after the next boot",
                "Install it with transactional-update, and reboot; or exclude the host",
            )
        return self._preview(spec, *_build_install(older), *_build_source(candidate), spec)

    def preview_files(self, paths: Sequence[str], older: bool = False) -> List[port.Step]:
        return self._preview(paths[0], *_build_install(older), *paths)

    def _preview(self, subject: str, *arguments: str) -> List[port.Step]:
        answer = self._zypper("--no-refresh", "install", "--dry-run", *arguments)
        if answer.rc not in _INSTALLED:
            raise InstallFailed(
                f"zypper cannot install {subject} (exit code {answer.rc}): {_read_errors(answer)}",
                f"Try it by hand: zypper install {subject}",
            )
        return _parse_summary(answer)

    def preview_removal(self, package: rpm.Package) -> List[port.Step]:
        answer = self._zypper("--no-refresh", "remove", "--dry-run", _format_spec(package))
        if answer.rc not in _INSTALLED:
            raise _build_removal_error(package, answer)
        return _parse_summary(answer)

    def remove(self, package: rpm.Package) -> None:
        answer = self._zypper("--no-refresh", "remove", _format_spec(package))
        if answer.rc not in _INSTALLED:
            raise _build_removal_error(package, answer)

    def _fetch(self, candidate: port.Candidate, older: bool) -> Tuple[bool, str]:
        source = _build_source(candidate)
        answer = self._zypper("--no-refresh", "download", *source, _format_spec(candidate.package))
        return answer.rc == 0, _read_errors(answer)

    def _fetch_dependency(self, package: rpm.Package) -> None:
        self._zypper("--no-refresh", "download", "--all-matches", _format_spec(package))

    def install_files(self, paths: Sequence[str], older: bool = False, unsigned: bool = False) -> None:
        # Without it zypper refuses files without a signature, and in either case those of a key that is not trusted.
        options = ["--allow-unsigned-rpm"] if unsigned else []
        answer = self._zypper("--no-refresh", "install", *_build_install(older), *options, *paths)
        if answer.rc not in _INSTALLED:
            raise InstallFailed(
                f"zypper could not install {paths[0]} (exit code {answer.rc}): {_read_errors(answer)}",
                f"Try it by hand: zypper install {paths[0]}",
            )

    def _search(self, *arguments: str, refresh: bool = False) -> List[port.Candidate]:
        options = () if refresh else ("--no-refresh",)
        answer = self._zypper(*options, "search", "--details", "--type", "package", *arguments)
        _require_repositories(answer)
        if answer.rc not in (0, _NOT_FOUND):
            raise Unmeasured(f"zypper search exited with {answer.rc}: {_read_errors(answer)}")
        candidates = [
            port.Candidate(
                _read_attribute(solvable, "name"),
                _read_attribute(solvable, "edition"),
                _read_attribute(solvable, "arch"),
                alias,
            )
            for solvable in _parse_xml(answer).iter("solvable")
            for alias in self._find_aliases(_read_attribute(solvable, "repository"))
        ]
        return list(dict.fromkeys(candidates))

    def _find_aliases(self, label: str) -> Sequence[Optional[str]]:
        """The aliases that a label stands for: it is a repository's name, or its alias where zypper.conf says so."""
        if self._aliases is None:
            answer = self._zypper("--no-refresh", "repos")
            repositories = list(_parse_xml(answer).iter("repo")) if answer.rc == 0 else []
            self._aliases = {}
            for repository in repositories:
                name, alias = (_read_attribute(repository, key) for key in ("name", "alias"))
                self._aliases.setdefault(name, []).append(alias)
        # What only the RPM database has is listed under a name in brackets. A repository may be called so, too.
        return self._aliases.get(label) or [None if label.startswith("(") else label]

    def _zypper(self, *arguments: str, as_others: bool = False) -> Completed:
        """:param as_others: the collection's own lock on KMPs counts."""
        environment = {"ZYPP_LOCK_TIMEOUT": str(self._lock_timeout)}
        own = [] if as_others else port.list_own_locks(self._host)
        if own:
            environment.update(zypp_locks.prepare_without(self._host, own))
        answer = self._host.run(["zypper", "--non-interactive", "--xmlout", *list(arguments)], environment=environment)
        if answer.rc == _LOCKED:
            raise PackageManagerLocked(
                f"zypper waited {self._lock_timeout} s: {_read_errors(answer)}",
                "Try again when that program has ended",
            )
        if answer.rc == _PRIVILEGES:
            raise Unmeasured(f"zypper needs root: {_read_errors(answer)}", "Run as root (become: true)")
        return answer


def _escape_alias(alias: str) -> str:
    """The name of a repository's folders: the slash is what libzypp replaces."""
    return alias.replace("/", "_")


def _format_spec(package: rpm.Package) -> str:
    """What zypper calls exactly this package."""
    return "{0}.{2}={1}".format(*package)


def _build_install(older: bool) -> Tuple[str, ...]:
    return ("--no-recommends", *(("--oldpackage",) if older else ()))


def _build_source(candidate: port.Candidate) -> Tuple[str, ...]:
    return () if candidate.repository is None else ("--from", candidate.repository)


def _build_removal_error(package: rpm.Package, answer: Completed) -> InstallFailed:
    return InstallFailed(
        f"zypper could not remove {_format_spec(package)} (exit code {answer.rc}): {_read_errors(answer)}",
        f"Try it by hand: zypper remove {_format_spec(package)}",
    )


def _parse_summary(answer: Completed) -> List[port.Step]:
    return [step for summary in _parse_xml(answer).iter("install-summary") for step in _parse_steps(summary)]


def _parse_steps(summary: ElementTree.Element) -> List[port.Step]:
    """Parse the summary of a transaction: ``to-install``, ``to-remove``, ``to-change-vendor`` and so on."""
    return [
        port.Step(
            group.tag[len("to-") :],
            _read_attribute(solvable, "name"),
            _read_attribute(solvable, "edition"),
            _read_attribute(solvable, "arch"),
        )
        for group in summary
        if group.tag.startswith("to-")
        for solvable in group.iter("solvable")
        if solvable.attrib.get("type", "package") == "package"
    ]


def _parse_xml(answer: Completed) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(answer.out)
    except (ElementTree.ParseError, LookupError, ValueError) as exc:  # the latter two for unknown encodings
        raise Unmeasured(f"zypper printed XML that cannot be read ({exc})") from exc


def _read_attribute(element: ElementTree.Element, name: str) -> str:
    value = element.get(name)
    if value is None:
        raise Unmeasured(f"zypper printed XML that cannot be read (a {element.tag} without {name})")
    return value


def _require_repositories(answer: Completed) -> None:
    """Check that zypper skipped no repository: that would look as if the repository did not have the package."""
    left_out = _list_skipped(answer)
    if left_out:
        raise RepositoryDown(
            "repository {} does not answer: {}".format(", ".join(left_out), _read_errors(answer)),
            "Fix or disable it (zypper repos --details), or use what is cached (refresh: never)",
        )


def _list_skipped(answer: Completed) -> List[str]:
    return sorted(set(re.findall(r"Skipping repository '(.+?)' because of the above error", _list_messages(answer))))


def _list_messages(answer: Completed, *kinds: str) -> str:
    texts = [
        (message.text or "").strip()
        for message in _parse_xml(answer).iter("message")
        if not kinds or message.attrib.get("type") in kinds
    ]
    return "\n".join(texts)


def _read_errors(answer: Completed) -> str:
    """The error that zypper printed."""
    try:
        problems = [(problem.text or "").strip() for problem in _parse_xml(answer).iter("description")]
        questions = "\n".join(problem for problem in problems if problem.startswith("Problem"))
        message = _list_messages(answer, "error") or questions or _list_messages(answer, "warning")
    except Unmeasured:
        message = answer.out
    return port.shorten_output(message or answer.err)
