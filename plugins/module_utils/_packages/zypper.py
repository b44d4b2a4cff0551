# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""zypper. PRIVATE to the collection: it may change at any time.

It is asked for XML, in the C locale. Exit codes: zypper(8), "EXIT CODES".
"""

import configparser
import re
from typing import Dict, List, Optional, Set
from xml.etree import ElementTree

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    InstallFailed,
    PackageManagerLocked,
    RepositoryDown,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import port

_REPOSITORIES = "/etc/zypp/repos.d"
_RAW = "/var/cache/zypp/raw"

_PRIVILEGES = 5
_LOCKED = 7
_NOT_FOUND = 104
# Of what zypper says in an error, as many characters as a person reads: the way out comes after them.
_MOST = 300

# Reboot or restart suggested; a package's own script failed (what came of it is for the kernel to show).
_INSTALLED = (0, 102, 103, 107)


class Zypper(port.PackageManager):
    """:param lock_timeout: seconds to wait for another program's lock."""

    name = "zypper"

    def __init__(self, host: Host, lock_timeout: int) -> None:
        self._host = host
        self._lock_timeout = lock_timeout

    def metadata_age(self) -> Optional[int]:
        times = self._checked()
        known = [moment for moment in times.values() if moment is not None]
        if not known or len(known) < len(times):
            return None
        return max(0, int(self._host.wall_clock() - min(known)))

    def without_metadata(self) -> List[str]:
        return [alias for alias, moment in self._checked().items() if moment is None]

    def _checked(self) -> Dict[str, Optional[float]]:
        """When each enabled repository was last asked: libzypp touches its index then, news or not."""
        times = {}
        for alias in self._enabled():
            cache = "{}/{}".format(_RAW, alias.replace("/", "_"))  # as libzypp does
            times[alias] = self._host.modified(cache + "/repodata/repomd.xml") or self._host.modified(cache + "/cookie")
        return times

    def _enabled(self) -> List[str]:
        """The aliases of the enabled repositories."""
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        for name in self._host.names(_REPOSITORIES):
            if name.endswith(".repo"):
                try:
                    parser.read_string(self._host.text(f"{_REPOSITORIES}/{name}") or "", source=name)
                except configparser.Error as exc:
                    raise Unmeasured(
                        f"{_REPOSITORIES}/{name} cannot be read: {exc.message.splitlines()[0]}", "Mend the file"
                    ) from exc
        return [alias for alias in parser.sections() if _true(parser.get(alias, "enabled", fallback="1"))]

    def refresh(self) -> None:
        answer = self._zypper("refresh")
        _insist_on_repositories(answer)
        if answer.rc != 0:
            raise RepositoryDown(f"zypper refresh ended with {answer.rc}: {_errors(answer)}")

    def named(self, name: str) -> List[port.Candidate]:
        found = self._search("--match-exact", name)
        return [one for one in found if one.name == name]

    def targeting(self, build_id: Optional[str]) -> Set[str]:
        tag = port.TARGET_TAG if build_id is None else f"{port.TARGET_TAG} = {build_id}"
        return {one.name + "-" + one.evr for one in self._search("--provides", "--match-exact", tag)}

    def install(self, name: str, evr: str) -> None:
        answer = self._zypper("--no-refresh", "install", "--no-recommends", f"{name}={evr}")
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
                solvable.attrib["name"],
                solvable.attrib["edition"],
                solvable.attrib["arch"],
                # What only the RPM database knows is listed under a name in brackets, no repository's.
                None if solvable.attrib["repository"].startswith("(") else solvable.attrib["repository"],
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


def _true(word: str) -> bool:
    """As libzypp reads a truth value (str::strToTrue)."""
    return word.strip().lower() in ("1", "true", "yes", "on", "always")


def _parse(answer: Completed) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(answer.out)
    except ElementTree.ParseError as exc:
        raise Unmeasured(f"zypper printed XML that cannot be read ({exc})") from exc


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
    """What zypper said was wrong, on one line."""
    try:
        said = _messages(answer, "error") or _messages(answer, "warning")
    except Unmeasured:
        said = answer.out
    return re.sub(r"\s+", " ", said or answer.err).strip()[:_MOST] or "it said nothing"
