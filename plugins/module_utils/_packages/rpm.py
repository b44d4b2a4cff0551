# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries of the RPM database. PRIVATE to the collection: it may change at any time.

Only the tool ``rpm`` is used: its Python bindings exist for the system's own Python alone, if at all.
"""

import hashlib
import re
from typing import Dict, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host


class Package(NamedTuple):
    name: str
    evr: str
    arch: str


class Dependency(NamedTuple):
    """A name, and its comparison and EVR, if any: "kernel-default", "=", "5.14.21-150400.24.103"."""

    name: str
    sign: str
    evr: str


class Content(NamedTuple):
    """The header of a package."""

    package: Package
    # None where it names none
    vendor: Optional[str]
    # None where it has none
    signature: Optional[str]
    requires: List[Dependency]
    files: List[str]
    changelog: str


class KernelPackage(NamedTuple):
    """The package of a kernel, and the digest of its image in the RPM database."""

    package: Package
    vendor: Optional[str]
    signature: Optional[str]
    provides: List[Dependency]
    # Hex, None where the database has none
    digest: Optional[str]
    algorithm: str


# Control characters that no package may have in its fields separate what is queried.
_FIELD, _RECORD, _PART = "\x1f", "\x1e", "\x1d"
# An epoch of 0 is no epoch; rpm writes "(none)" for it, so query the tag's presence.
_EVR = "%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}"
_IDENTITY = _FIELD.join(("%{NAME}", _EVR, "%{ARCH}"))
_VENDOR = "%|VENDOR?{%{VENDOR}}:{}|"
_SIGNATURE = "%|RSAHEADER?{%{RSAHEADER:pgpsig}}:{%|DSAHEADER?{%{DSAHEADER:pgpsig}}:{%{SIGPGP:pgpsig}}|}|"
_REQUIRES = _PART.join(("[%{REQUIRENAME}", "%{REQUIREFLAGS:depflags}", "%{REQUIREVERSION}\n]"))
_PROVIDES = _PART.join(("[%{PROVIDENAME}", "%{PROVIDEFLAGS:depflags}", "%{PROVIDEVERSION}\n]"))
_CONTENT = (
    _FIELD.join((_IDENTITY, _VENDOR, _SIGNATURE, _REQUIRES, "[%{FILENAMES}\n]", "[%{CHANGELOGTEXT}\n]")) + _RECORD
)
_DIGESTS = _PART.join(("[%{FILENAMES}", "%{FILEDIGESTS}\n]"))
_KERNEL = (
    _FIELD.join((_IDENTITY, _VENDOR, _SIGNATURE, _PROVIDES, "%|FILEDIGESTALGO?{%{FILEDIGESTALGO}}:{1}|", _DIGESTS))
    + _RECORD
)
# The numbers of RFC 4880, section 9.4, that RPM uses
_ALGORITHMS = {"1": "md5", "2": "sha1", "8": "sha256", "9": "sha384", "10": "sha512", "11": "sha224"}
# The owners of trusted keys, by the last 8 digits of the key's ID (rpm's own name for the key).
_KEYS = _FIELD.join(("%{VERSION}", "%{PACKAGER}")) + _RECORD


def find_owner(host: Host, path: str) -> Optional[Package]:
    """Find the package that owns a file, None where no package does.

    :raises Unmeasured: there is no rpm on the host.
    """
    answer = host.run(["rpm", "-qf", "--qf", _IDENTITY + _RECORD, path])
    if answer.rc != 0:
        if "No such file" not in answer.err:
            _require_message(answer, "is not owned")
        return None
    name, evr, arch = _split_fields(answer.out.split(_RECORD)[0], 3)
    return Package(name, _strip_zero_epoch(evr), arch)


def find_kernel_package(host: Host, path: str) -> Optional[KernelPackage]:
    """Find the package that owns a kernel's image, None where no package does.

    :raises Unmeasured: there is no rpm on the host, or its database cannot be read.
    """
    answer = host.run(["rpm", "-qf", "--qf", _KERNEL, path])
    if answer.rc != 0:
        if "No such file" not in answer.err:
            _require_message(answer, "is not owned")
        return None
    name, evr, arch, vendor, signature, provides, algorithm, digests = _split_fields(answer.out.split(_RECORD)[0], 8)
    # Not splitlines(): what separates the parts is the end of a line to it.
    files = dict(line.split(_PART, 1) for line in digests.split("\n") if _PART in line)
    # A file below /usr may be queried by a link above it.
    digest = files.get(path) or files.get("/usr" + path)
    return KernelPackage(
        Package(name, _strip_zero_epoch(evr), arch),
        vendor or None,
        _drop_empty(signature),
        _parse_dependencies(provides),
        digest or None,
        _ALGORITHMS.get(algorithm, algorithm),
    )


def is_unchanged(host: Host, path: str, package: KernelPackage) -> Optional[bool]:
    """Whether a file is as its package holds it, None where the RPM database has no digest of it.

    :raises Unmeasured: the file cannot be read.
    """
    if package.digest is None or package.algorithm not in hashlib.algorithms_available:
        return None
    digest = hashlib.new(package.algorithm)
    for piece in host.read_pieces(path):
        digest.update(piece)
    return digest.hexdigest() == package.digest


def list_installed(host: Host, name: str) -> List[Content]:
    """List the installed packages of this name: several, where they may be installed side by side.

    :raises Unmeasured: there is no rpm on the host, or its database cannot be read.
    """
    answer = host.run(["rpm", "-q", "--qf", _CONTENT, name])
    if answer.rc != 0:
        _require_message(answer, "is not installed")
        return []
    return [_parse_content(text) for text in answer.out.split(_RECORD) if text]


def read_build_time(host: Host, name: str, evr: str) -> Optional[int]:
    """When an installed package was built, in seconds since the epoch; None where that is unknown."""
    answer = host.run(["rpm", "-q", "--qf", "%{BUILDTIME}" + _RECORD, "{}-{}".format(name, evr.rpartition(":")[2])])
    first = answer.out.split(_RECORD)[0]
    return int(first) if answer.rc == 0 and first.isdigit() else None


def read_package_file(host: Host, path: str) -> Content:
    """Read the header of a package that is not installed.

    :raises Unmeasured: it cannot be read.
    """
    answer = host.run(["rpm", "-qp", "--nosignature", "--qf", _CONTENT, path])
    if answer.rc != 0:
        raise Unmeasured(f"{path} is not a readable package: {answer.err.strip()}", "Download it again")
    return _parse_content(answer.out.rstrip(_RECORD))


def check_signature(host: Host, path: str) -> str:
    """Check a package's signatures and digests: ``good``, ``unsigned``, ``unknown_key`` or ``bad``.

    The exit code does not show it: without a signature it is 0 (rpmkeys(8), and ``%_pkgverify_level``).
    """
    answer = host.run(["rpm", "-Kv", "--define", "_pkgverify_level all", path])
    # "    Header V4 RSA/SHA512 Signature, key ID d5db9429: OK", in all versions from 4.11 to 6 nearly so
    checks = re.findall(r"^\s+(.*?(signature|digest)\b.*?):\s+(\w+)", answer.out, re.IGNORECASE | re.MULTILINE)
    words = {word.upper() for _label, _kind, word in checks}
    signed = {
        word.upper() for _label, kind, word in checks if kind.lower() == "signature" and word.upper() != "NOTFOUND"
    }
    if not checks or words - {"OK", "NOKEY", "NOTFOUND", "NOTTRUSTED"}:
        return "bad"
    if not signed:
        return "unsigned"
    if signed - {"OK"}:
        return "unknown_key"
    return "good" if answer.rc == 0 else "bad"


def parse_key_id(signature: Optional[str]) -> Optional[str]:
    """The last 8 digits of the ID of the key in what rpm prints of a signature, which is how it names keys."""
    match = re.search(r"Key ID [0-9a-f]*([0-9a-f]{8})$", (signature or "").strip(), re.IGNORECASE)
    return match.group(1).lower() if match else None


def list_keys(host: Host) -> Dict[str, str]:
    """The owners of the keys that the host trusts, by the last 8 digits of the key's ID."""
    answer = host.run(["rpm", "-q", "--qf", _KEYS, "gpg-pubkey"])
    if answer.rc != 0:
        _require_message(answer, "is not installed")
        return {}
    pairs = (_split_fields(text, 2) for text in answer.out.split(_RECORD) if text)
    return {version.lower()[-8:]: owner.strip() for version, owner in pairs}


def _require_message(answer: Completed, words: str) -> None:
    """Check that rpm printed this, and no error before it: it prints this for a database that it cannot open, too."""
    if words not in answer.out or "error:" in answer.err:
        raise Unmeasured(
            f"rpm failed: {(answer.err or answer.out).strip()}",
            "Check its database (rpm --verifydb), and repair it (rpm --rebuilddb)",
        )


def _strip_zero_epoch(evr: str) -> str:
    """Without an epoch of 0: packages that state it and packages that do not are the same to RPM."""
    return evr[2:] if evr.startswith("0:") else evr


def _drop_empty(signature: str) -> Optional[str]:
    return None if signature in ("", "(none)") else signature


def _parse_content(text: str) -> Content:
    name, evr, arch, vendor, signature, requires, files, changelog = _split_fields(text, 8)
    return Content(
        Package(name, _strip_zero_epoch(evr), arch),
        vendor or None,
        _drop_empty(signature),
        _parse_dependencies(requires),
        files.split("\n")[:-1],
        changelog,
    )


def _parse_dependencies(text: str) -> List[Dependency]:
    parts = (line.split(_PART) for line in text.split("\n"))
    return [Dependency(each[0], each[1].strip(), each[2]) for each in parts if len(each) == 3]


def _split_fields(text: str, count: int) -> List[str]:
    fields = text.split(_FIELD, count - 1)
    if len(fields) != count:
        raise Unmeasured(f"rpm printed something that is not a package: {text[:80]!r}")
    return fields
