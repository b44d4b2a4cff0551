# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""zypper. PRIVATE to the collection: it may change at any time.

It is asked for XML, in the C locale. Exit codes: zypper(8), "EXIT CODES".
"""

import re
from typing import Dict, List, Optional, Set, Tuple
from xml.etree import ElementTree

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    InstallFailed,
    PackageManagerLocked,
    RepositoryDown,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import port, repo_files

_REPOSITORIES = "/etc/zypp/repos.d"
# libzypp writes its process down here (ZYPP_LOCKFILE_ROOT)
_PIDS = ("/run/zypp.pid", "/var/run/zypp.pid")
_LOCKS = "/etc/zypp/locks"
_RAW = "/var/cache/zypp/raw"
_PACKAGES = "/var/cache/zypp/packages"

_PRIVILEGES = 5
_LOCKED = 7
_NOT_FOUND = 104

# Reboot or restart suggested; a package's own script failed (what came of it is for the kernel to show).
_INSTALLED = (0, 102, 103, 107)


class Zypper(port.PackageManager):
    name = "zypper"

    def _checked(self) -> Dict[str, Optional[float]]:
        """When each enabled repository was last asked: libzypp touches its index then, news or not."""
        return {
            alias: self._changed(folder + "/repodata/repomd.xml") or self._changed(folder + "/cookie")
            for alias, folder in self.metadata()
        }

    def holder(self) -> Optional[str]:
        for file in _PIDS:
            pid = self._host.text(file)
            program = self._host.text(f"/proc/{pid}/comm") if pid and pid.isdigit() else None
            if program:
                return f"process {pid} ({program})"
        return None

    def locked(self) -> Set[str]:
        if not self._host.text(_LOCKS):
            return set()
        answer = self._zypper("--no-refresh", "locks")
        if answer.rc != 0:
            raise Unmeasured(f"zypper locks ended with {answer.rc}: {_errors(answer)}")
        return {(name.text or "").strip() for name in _parse(answer).iter("name")}

    def lock(self, name: str) -> None:
        self._locks("addlock", name)

    def unlock(self, name: str) -> None:
        self._locks("removelock", name)

    def _locks(self, verb: str, name: str) -> None:
        answer = self._zypper("--no-refresh", verb, "--type", "package", name)
        if answer.rc != 0:
            raise InstallFailed(
                f"zypper {verb} {name} ended with {answer.rc}: {_errors(answer)}",
                f"Try it by hand: zypper {verb} {name}",
            )

    def metadata(self) -> List[port.Metadata]:
        # The slash is what libzypp replaces, too.
        return [
            port.Metadata(alias, "{}/{}".format(_RAW, alias.replace("/", "_")))
            for alias in repo_files.enabled(self._host, _REPOSITORIES)
        ]

    @property
    def _downloads(self) -> str:
        return _PACKAGES

    def refresh(self) -> None:
        answer = self._zypper("refresh")
        _insist_on_repositories(answer)
        if answer.rc != 0:
            raise RepositoryDown(f"zypper refresh ended with {answer.rc}: {_errors(answer)}")

    def kmp_names(self, release: str) -> List[str]:
        return [_kmp_names.suse(release), _kmp_names.kgraft(release)]

    def offered(self, release: str) -> List[port.Candidate]:
        found = [one for one in self._search("kernel-livepatch-*", "kgraft-patch-*") if _kmp_names.is_kmp(one.name)]
        held = self._held() if found else set()
        return [one._replace(locked=(one.name, one.evr) in held) for one in found]

    def _held(self) -> Set[Tuple[str, str]]:
        """Name and EVR of what the administrator has locked (zypper addlock)."""
        if not self._host.text(_LOCKS):
            return set()
        answer = self._zypper("--no-refresh", "locks", "--solvables")
        if answer.rc != 0:
            raise Unmeasured(f"zypper locks ended with {answer.rc}: {_errors(answer)}")
        return {(_attribute(match, "name"), _attribute(match, "edition")) for match in _parse(answer).iter("match")}

    def targeting(self, build_id: Optional[str]) -> Set[str]:
        tag = port.TARGET_TAG if build_id is None else f"{port.TARGET_TAG} = {build_id}"
        return {one.name + "-" + one.evr for one in self._search("--provides", "--match-exact", tag)}

    def preview(self, name: str, evr: str, older: bool = False) -> List[port.Step]:
        if self._host.which("transactional-update") and self._host.is_read_only("/"):
            raise InstallFailed(
                f"this is a transactional system: {name}-{evr} would be there after the next boot only",
                "Install it with transactional-update, and reboot; or leave the host out",
            )
        answer = self._zypper("--no-refresh", "install", "--dry-run", *_exactly(name, evr, older))
        if answer.rc not in _INSTALLED:
            raise InstallFailed(
                f"zypper cannot install {name}-{evr} (exit code {answer.rc}): {_errors(answer)}",
                f"Try it by hand: zypper install {name}={evr}",
            )
        return _summary(answer)

    def preview_removal(self, name: str, evr: str) -> List[port.Step]:
        answer = self._zypper("--no-refresh", "remove", "--dry-run", f"{name}={evr}")
        if answer.rc not in _INSTALLED:
            raise _not_removed(name, evr, answer)
        return _summary(answer)

    def remove(self, name: str, evr: str) -> None:
        answer = self._zypper("--no-refresh", "remove", f"{name}={evr}")
        if answer.rc not in _INSTALLED:
            raise _not_removed(name, evr, answer)

    def _fetch(self, name: str, evr: str) -> Tuple[bool, str]:
        answer = self._zypper("--no-refresh", "download", f"{name}={evr}")
        return answer.rc == 0, _errors(answer)

    def install(self, name: str, evr: str, older: bool = False) -> None:
        answer = self._zypper("--no-refresh", "install", *_exactly(name, evr, older))
        if answer.rc not in _INSTALLED:
            raise InstallFailed(
                f"zypper could not install {name}-{evr} (exit code {answer.rc}): {_errors(answer)}",
                f"Try it by hand: zypper install {name}={evr}",
            )

    def _search(self, *arguments: str) -> List[port.Candidate]:
        answer = self._zypper("--no-refresh", "search", "--details", "--type", "package", *arguments)
        _insist_on_repositories(answer)
        if answer.rc not in (0, _NOT_FOUND):
            raise Unmeasured(f"zypper search ended with {answer.rc}: {_errors(answer)}")
        return [
            port.Candidate(
                _attribute(solvable, "name"),
                _attribute(solvable, "edition"),
                _attribute(solvable, "arch"),
                # What only the RPM database knows is listed under a name in brackets, no repository's.
                None if _attribute(solvable, "repository").startswith("(") else _attribute(solvable, "repository"),
            )
            for solvable in _parse(answer).iter("solvable")
        ]

    def _zypper(self, *arguments: str) -> Completed:
        answer = self._host.run(
            ["zypper", "--non-interactive", "--xmlout", *list(arguments)],
            environment={"ZYPP_LOCK_TIMEOUT": str(self._lock_timeout)},
        )
        if answer.rc == _LOCKED:
            raise PackageManagerLocked(
                f"zypper waited {self._lock_timeout} s: {_errors(answer)}",
                "Try again when that program has ended",
            )
        if answer.rc == _PRIVILEGES:
            raise Unmeasured(f"zypper needs root: {_errors(answer)}", "Run as root (become: true)")
        return answer


def _exactly(name: str, evr: str, older: bool) -> Tuple[str, ...]:
    return ("--no-recommends", *(("--oldpackage",) if older else ()), f"{name}={evr}")


def _not_removed(name: str, evr: str, answer: Completed) -> InstallFailed:
    return InstallFailed(
        f"zypper could not remove {name}-{evr} (exit code {answer.rc}): {_errors(answer)}",
        f"Try it by hand: zypper remove {name}={evr}",
    )


def _summary(answer: Completed) -> List[port.Step]:
    summary = _parse(answer).find("install-summary")
    return [] if summary is None else _steps(summary)


def _steps(summary: ElementTree.Element) -> List[port.Step]:
    """What the summary of a transaction lists: ``to-install``, ``to-remove``, ``to-change-vendor`` and so on."""
    return [
        port.Step(group.tag[len("to-") :], _attribute(one, "name"), _attribute(one, "edition"), _attribute(one, "arch"))
        for group in summary
        if group.tag.startswith("to-")
        for one in group.iter("solvable")
        if one.attrib.get("type", "package") == "package"
    ]


def _parse(answer: Completed) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(answer.out)
    except (ElementTree.ParseError, LookupError, ValueError) as exc:  # the latter two for unknown encodings
        raise Unmeasured(f"zypper printed XML that cannot be read ({exc})") from exc


def _attribute(element: ElementTree.Element, name: str) -> str:
    value = element.get(name)
    if value is None:
        raise Unmeasured(f"zypper printed XML that cannot be read (a {element.tag} without {name})")
    return value


def _insist_on_repositories(answer: Completed) -> None:
    """Else a repository that zypper leaves out, with a package not found, looks like one that does not have it."""
    left_out = sorted(set(re.findall(r"Skipping repository '(.+?)' because of the above error", _messages(answer))))
    if left_out:
        raise RepositoryDown(
            "repository {} does not answer: {}".format(", ".join(left_out), _errors(answer)),
            "Mend or disable it (zypper repos --details), or work with what is cached (refresh: never)",
        )


def _messages(answer: Completed, *kinds: str) -> str:
    texts = [
        (message.text or "").strip()
        for message in _parse(answer).iter("message")
        if not kinds or message.attrib.get("type") in kinds
    ]
    return "\n".join(texts)


def _errors(answer: Completed) -> str:
    """What zypper said was wrong."""
    try:
        problems = [(one.text or "").strip() for one in _parse(answer).iter("description")]
        asked = "\n".join(one for one in problems if one.startswith("Problem"))
        said = _messages(answer, "error") or asked or _messages(answer, "warning")
    except Unmeasured:
        said = answer.out
    return port.brief(said or answer.err)
