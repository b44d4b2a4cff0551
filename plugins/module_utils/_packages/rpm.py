# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the RPM database knows. PRIVATE to the collection: it may change at any time.

Only the tool ``rpm`` is used: its Python bindings exist for the system's own Python alone, if at all.
"""

from typing import List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host


class Package(NamedTuple):
    name: str
    evr: str
    arch: str


# signature: None where the package carries none.
class Installed(NamedTuple):
    package: Package
    signature: Optional[str]
    files: List[str]
    changelog: str


# Control characters that no package may carry in its fields separate what we ask for.
_FIELD, _RECORD = "\x1f", "\x1e"
# An epoch of 0 is no epoch; rpm writes "(none)" for it, so ask for the tag's presence.
_EVR = "%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}"
_IDENTITY = _FIELD.join(("%{NAME}", _EVR, "%{ARCH}"))
_SIGNATURE = "%|RSAHEADER?{%{RSAHEADER:pgpsig}}:{%|DSAHEADER?{%{DSAHEADER:pgpsig}}:{%{SIGPGP:pgpsig}}|}|"
_ALL = (
    _FIELD.join(
        (
            _IDENTITY,
            _SIGNATURE,
            "[%{FILENAMES}\n]",
            "[%{CHANGELOGTEXT}\n]",
        )
    )
    + _RECORD
)


def owner(host: Host, path: str) -> Optional[Package]:
    """The package that owns a file, None where no package does.

    :raises Unmeasured: there is no rpm on the host.
    """
    answer = host.run(["rpm", "-qf", "--qf", _IDENTITY + _RECORD, path])
    if answer.rc != 0:
        if "No such file" not in answer.err:
            _insist_on(answer, "is not owned")
        return None
    name, evr, arch = answer.out.split(_RECORD)[0].split(_FIELD)
    return Package(name, _plain(evr), arch)


def installed(host: Host, name: str) -> List[Installed]:
    """The installed packages of this name: several, where they may be installed side by side.

    :raises Unmeasured: there is no rpm on the host, or its database cannot be read.
    """
    answer = host.run(["rpm", "-q", "--qf", _ALL, name])
    if answer.rc != 0:
        _insist_on(answer, "is not installed")
        return []
    return [_record(text) for text in answer.out.split(_RECORD) if text]


def _insist_on(answer: Completed, words: str) -> None:
    """That rpm says so, and nothing else: it also says so of a database that it cannot open, after an error."""
    if words not in answer.out or "error:" in answer.err:
        raise Unmeasured(
            f"rpm failed: {(answer.err or answer.out).strip()}",
            "Check its database (rpm --verifydb), and mend it (rpm --rebuilddb)",
        )


def _plain(evr: str) -> str:
    """Without an epoch of 0: packages that state it and packages that do not are the same to RPM."""
    return evr[2:] if evr.startswith("0:") else evr


def _record(text: str) -> Installed:
    fields = text.split(_FIELD, 5)
    if len(fields) != 6:
        raise Unmeasured(f"rpm -q printed something that is not a package: {text[:80]!r}")
    name, evr, arch, signature, files, changelog = fields
    return Installed(
        Package(name, _plain(evr), arch),
        None if signature == "(none)" else signature,
        files.splitlines(),
        changelog,
    )
