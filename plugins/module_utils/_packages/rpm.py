# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queries of the RPM database. PRIVATE to the collection: it may change at any time.

Only the tool ``rpm`` is used: its Python bindings exist for the system's own Python alone, if at all.
"""

import hashlib
import re
from typing import Dict, List, NamedTuple, Optional, Tuple
from xml.etree import ElementTree

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import ImportFailed, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import openpgp


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
    provides: List[Dependency] = []
    # What two packages have in common only if they are one and the same: the digests of the header and of all that
    # follows it, and the signatures
    digests: Tuple[str, ...] = ()
    # When it was installed, in seconds since the epoch; None of a file, and where the database does not say
    installed_at: Optional[int] = None


class KernelPackage(NamedTuple):
    """The package of a kernel, and the digest of its image in the RPM database."""

    package: Package
    vendor: Optional[str]
    signature: Optional[str]
    provides: List[Dependency]
    # Hex, None where the database has none
    digest: Optional[str]
    algorithm: str


class Signer(NamedTuple):
    """Who signed a package: the fingerprint says it, the owner is what the key's maker calls himself."""

    fingerprint: str
    owner: str

    def __str__(self) -> str:
        return f"{self.owner or 'a key without a name'} ({self.fingerprint})"


class _Signatures(NamedTuple):
    """What rpm prints of each signature of a package."""

    newest: List[str]
    header: List[str]
    legacy: List[str]


class _Checked(NamedTuple):
    """How many signatures rpm has looked at: of the header, and of all that follows it."""

    header: int
    legacy: int


# The keys that a host trusts, by their IDs of 16 digits; subkeys count for their primary key.
Keys = Dict[str, Signer]


class Verified(NamedTuple):
    # "good", "unsigned", "unknown_key" or "bad"
    signature: str
    # Of a package with a trusted signature, or without any where that is allowed
    content: Optional[Content] = None
    # Who has made all signatures
    signer: Optional[Signer] = None


# Whatever a package's maker wrote is queried as XML, in which no field can pretend to be another one. ":xml" escapes
# in all versions from 4.11 to 6, ":json" and ":shescape" do not exist in all of them.
_NO_FIELD = "<none/>"


def _format_optional(tag: str, form: str = ":xml") -> str:
    return f"%|{tag}?{{%{{{tag}{form}}}}}:{{{_NO_FIELD}}}|"


def _format_dependencies(kind: str) -> str:
    return f"[<row>%{{{kind}NAME:xml}}<flags>%{{{kind}FLAGS}}</flags>%{{{kind}VERSION:xml}}</row>]"


def _format_query(**fields: str) -> str:
    return "<package>{}</package>\n".format("".join(f"<{name}>{form}</{name}>" for name, form in fields.items()))


_IDENTITY = {
    "name": "%{NAME:xml}",
    # An epoch of 0 is no epoch; rpm writes "(none)" for it, so query the tag's presence.
    "epoch": "%|EPOCH?{%{EPOCH}}:{0}|",
    "version": "%{VERSION:xml}",
    "release": "%{RELEASE:xml}",
    "arch": _format_optional("ARCH"),
}
# All of them, a line each: who makes a package can put the vendor's beside his own, damaged so that rpm skips it. rpm
# prints numbers and a date of a signature, and nothing that its maker could choose. Those of all that follows the
# header are called legacy by rpm, since it needs them no more; those of version 6 have a tag of their own.
_LEGACY, _NEWEST = "legacy ", "openpgp "
_NEWEST_SIGNATURES = f"%|OPENPGP?{{[{_NEWEST}%{{OPENPGP:pgpsig}}\\n]}}|"
_SIGNATURE = _NEWEST_SIGNATURES + "".join(
    f"%|{tag}?{{{prefix}%{{{tag}:pgpsig}}\\n}}|"
    for tag, prefix in (("RSAHEADER", ""), ("DSAHEADER", ""), ("SIGPGP", _LEGACY), ("SIGGPG", _LEGACY))
)
_NEWEST_DIGEST = _format_optional("SHA256HEADER")
_DIGESTS = _NEWEST_DIGEST + "".join(map(_format_optional, ("SHA1HEADER", "SIGMD5", "RSAHEADER", "DSAHEADER", "SIGPGP")))
# What older versions of rpm do not know (up to 4.19, and 4.13), and what is asked for instead
_NEW_TAGS = {"OPENPGP": (_NEWEST_SIGNATURES, ""), "SHA256HEADER": (_NEWEST_DIGEST, _NO_FIELD)}
_PACKAGE = _format_query(**_IDENTITY)
_CONTENT = _format_query(
    **_IDENTITY,
    vendor=_format_optional("VENDOR"),
    signature=_SIGNATURE,
    requires=_format_dependencies("REQUIRE"),
    provides=_format_dependencies("PROVIDE"),
    files="[<row>%{FILENAMES:xml}</row>]",
    changelog="[<row>%{CHANGELOGTEXT:xml}</row>]",
    digests=_DIGESTS,
    installed_at="%|INSTALLTIME?{%{INSTALLTIME}}|",
)
_KERNEL = _format_query(
    **_IDENTITY,
    vendor=_format_optional("VENDOR"),
    signature=_SIGNATURE,
    provides=_format_dependencies("PROVIDE"),
    algorithm="%|FILEDIGESTALGO?{%{FILEDIGESTALGO}}:{1}|",
    digests="[<row>%{FILENAMES:xml}%{FILEDIGESTS:xml}</row>]",
)
_KEYS = _format_query(key="%{DESCRIPTION:xml}")
_KEY_ENTRIES = _format_query(version="%{VERSION:xml}", release="%{RELEASE:xml}", key="%{DESCRIPTION:xml}")
# The numbers of RFC 4880, section 9.4, that RPM uses
_ALGORITHMS = {"1": "md5", "2": "sha1", "8": "sha256", "9": "sha384", "10": "sha512", "11": "sha224"}
# rpmds.h: RPMSENSE_LESS, RPMSENSE_GREATER, RPMSENSE_EQUAL
_SIGNS = ((2, "<"), (4, ">"), (8, "="))
# Its ID, or its fingerprint of version 4 or 6
_KEY_IN_SIGNATURE = re.compile(
    r"Key (?:ID|Fingerprint):? ([0-9a-f]{16}(?:[0-9a-f]{24}(?:[0-9a-f]{24})?)?)$", re.IGNORECASE
)
# What XML cannot carry, and no honest package has
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def find_owner(host: Host, path: str) -> Optional[Package]:
    """Find the package that owns a file, None where no package does.

    :raises Unmeasured: there is no rpm on the host.
    """
    answer = _query(host, "-qf", _PACKAGE, path)
    if answer.rc != 0:
        if "No such file" not in answer.err:
            _require_message(answer, "is not owned")
        return None
    return _parse_package(_parse_records(answer.out)[0])


def find_kernel_package(host: Host, path: str) -> Optional[KernelPackage]:
    """Find the package that owns a kernel's image, None where no package does.

    :raises Unmeasured: there is no rpm on the host, or its database cannot be read.
    """
    answer = _query(host, "-qf", _KERNEL, path)
    if answer.rc != 0:
        if "No such file" not in answer.err:
            _require_message(answer, "is not owned")
        return None
    record = _parse_records(answer.out)[0]
    files = {row[0]: row[1] for row in _read_rows(record, "digests") if len(row) == 2}
    # A file below /usr may be queried by a link above it.
    digest = files.get(path) or files.get("/usr" + path)
    algorithm = _read_field(record, "algorithm")
    return KernelPackage(
        _parse_package(record),
        _read_field(record, "vendor") or None,
        _drop_empty(_read_field(record, "signature")),
        _parse_dependencies(record, "provides"),
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
    answer = _query(host, "-q", _CONTENT, name)
    if answer.rc != 0:
        _require_message(answer, "is not installed")
        return []
    return [_parse_content(record) for record in _parse_records(answer.out)]


def read_build_time(host: Host, name: str, evr: str) -> Optional[int]:
    """When an installed package was built, in seconds since the epoch; None where that is unknown."""
    answer = host.run(["rpm", "-q", "--qf", "%{BUILDTIME}\n", "{}-{}".format(name, evr.rpartition(":")[2])])
    first = answer.out.split("\n")[0]
    return int(first) if answer.rc == 0 and re.match(r"[0-9]{1,12}\Z", first) else None


def read_package_file(host: Host, path: str) -> Content:
    """Read the header of a package that is not installed.

    :raises Unmeasured: it cannot be read.
    """
    answer = _query(host, "-qp", _CONTENT, path, "--nosignature")
    if answer.rc != 0:
        raise Unmeasured(f"{path} is not a readable package: {answer.err.strip()}", "Download it again")
    return _parse_content(_parse_records(answer.out)[0])


def verify_file(host: Host, path: str, keys: Keys, allow_unsigned: bool = False) -> Verified:
    """Check a package's signatures and digests, and read its header.

    :param allow_unsigned: whether the header of one without a signature is read.
    :raises Unmeasured: it cannot be read.
    """
    verdict, checked = _check_signatures(host, path)
    if verdict != "good" and not (verdict == "unsigned" and allow_unsigned):
        return Verified(verdict)
    content = read_package_file(host, path)
    signatures = _split_signatures(content.signature)
    # rpm says nothing of a signature that it skips. Where there are some of version 6, it may look at these only.
    headers = {len(signatures.newest), len(signatures.newest + signatures.header)} - {0}
    is_whole = checked.header in headers if headers else checked == (0, len(signatures.legacy))
    if not is_whole:
        return Verified("bad")
    signer = find_signer(content.signature, keys)
    if verdict == "good" and signer is None:
        # Several have signed it, or two keys of the host have the same ID.
        return Verified("unknown_key")
    return Verified(verdict, content, signer)


def check_signature(host: Host, path: str) -> str:
    """Check a package's signatures and digests: ``good``, ``unsigned``, ``unknown_key`` or ``bad``."""
    return _check_signatures(host, path)[0]


def _check_signatures(host: Host, path: str) -> Tuple[str, _Checked]:
    """The exit code does not show it: without a signature it is 0 (rpmkeys(8), and ``%_pkgverify_level``)."""
    answer = host.run(["rpm", "-Kv", "--define", "_pkgverify_level all", path])
    # "    Header V4 RSA/SHA512 Signature, key ID d5db9429: OK", in all versions from 4.11 to 6 nearly so
    checks = re.findall(r"^\s+(.*?(signature|digest)\b.*?):\s+(\w+)", answer.out, re.IGNORECASE | re.MULTILINE)
    words = {word.upper() for _label, _kind, word in checks}
    signatures = [
        (label, word.upper())
        for label, kind, word in checks
        if kind.lower() == "signature" and word.upper() != "NOTFOUND"
    ]
    signed = {word for _label, word in signatures}
    of_header = sum(label.lower().startswith("header") for label, _word in signatures)
    checked = _Checked(of_header, len(signatures) - of_header)
    if not checks or words - {"OK", "NOKEY", "NOTFOUND", "NOTTRUSTED"}:
        return "bad", checked
    if not signed:
        return "unsigned", checked
    if signed - {"OK"}:
        return "unknown_key", checked
    return "good" if answer.rc == 0 else "bad", checked


def find_signer(signature: Optional[str], keys: Keys) -> Optional[Signer]:
    """Whose key made all signatures of a package; None where the host does not trust it, or there are several."""
    signatures = _split_signatures(signature)
    signers = {_find_one_signer(each, keys) for each in signatures.newest + signatures.header + signatures.legacy}
    return signers.pop() if len(signers) == 1 else None


def describe_signature(signature: Optional[str]) -> Optional[str]:
    """The first of them, None where there is none."""
    signatures = _split_signatures(signature)
    return next(iter(signatures.newest + signatures.header + signatures.legacy), None)


def _split_signatures(text: Optional[str]) -> _Signatures:
    lines = [line.strip() for line in (text or "").split("\n") if line.strip()]
    newest = [line[len(_NEWEST) :] for line in lines if line.startswith(_NEWEST)]
    legacy = [line[len(_LEGACY) :] for line in lines if line.startswith(_LEGACY)]
    return _Signatures(newest, [line for line in lines if not line.startswith((_NEWEST, _LEGACY))], legacy)


def _find_one_signer(signature: str, keys: Keys) -> Optional[Signer]:
    match = re.search(_KEY_IN_SIGNATURE, signature)
    if match is None:
        return None
    digits = match.group(1)
    return keys.get(digits.lower() if len(digits) == 16 else openpgp.parse_key_id(digits))


def list_keys(host: Host) -> Keys:
    """The keys that the host trusts."""
    signers: Dict[str, List[Signer]] = {}
    for key in list_public_keys(host):
        for key_id in key.key_ids:
            signers.setdefault(key_id, []).append(Signer(key.fingerprint, key.owner))
    # An ID that two keys have says nothing.
    return {
        key_id: owners[0] for key_id, owners in signers.items() if len({signer.fingerprint for signer in owners}) == 1
    }


def list_public_keys(host: Host) -> List[openpgp.PublicKey]:
    """The same, each as a whole. What a damaged one signed counts as signed with a key that is not trusted."""
    answer = _query(host, "-q", _KEYS, "gpg-pubkey")
    if answer.rc == 0:
        texts = [_read_field(record, "key") for record in _parse_records(answer.out)]
    else:
        _require_message(answer, "is not installed")
        texts = _export_keys(host)
    return [key for text in texts for key in _parse_keys(text)]


def import_keys(host: Host, path: str) -> None:
    """Make RPM trust the keys of a file.

    :raises ImportFailed: it refuses.
    """
    answer = host.run(["rpm", "--import", path])
    if answer.rc != 0:
        error = " ".join((answer.err or answer.out).split())[:300]
        raise ImportFailed(f"RPM does not import {path}: {error}", f"Try it by hand: rpm --import {path}")


def remove_key(host: Host, fingerprint: str) -> bool:
    """Remove the key with this fingerprint, or the one that has such a subkey; whether it is not trusted any more."""
    answer = _query(host, "-q", _KEY_ENTRIES, "gpg-pubkey")
    if answer.rc == 0:
        for record in _parse_records(answer.out):
            entry = "gpg-pubkey-{}-{}".format(_read_field(record, "version"), _read_field(record, "release"))
            if any(fingerprint in key.fingerprints for key in _parse_keys(_read_field(record, "key"))):
                host.run(["rpm", "-e", entry])
    else:
        # Since 6 it may keep them in files.
        host.run(["rpmkeys", "--delete", fingerprint])
    return not any(fingerprint in key.fingerprints for key in list_public_keys(host))


def _parse_keys(text: str) -> List[openpgp.PublicKey]:
    try:
        return openpgp.parse_public_keys(text)
    except ValueError:
        return []


def _export_keys(host: Host) -> List[str]:
    """The keys where rpm keeps them in files (since 6)."""
    try:
        answer = host.run(["rpmkeys", "--export"])
    except Unmeasured:
        return []
    blocks = re.findall("-----BEGIN .*?-----END [^\n]*", answer.out, re.DOTALL) if answer.rc == 0 else []
    return [str(block) for block in blocks]


def _query(host: Host, mode: str, form: str, subject: str, *options: str) -> Completed:
    while True:
        for tag in host.unknown_tags:
            form = form.replace(*_NEW_TAGS[tag])
        answer = host.run(["rpm", mode, *options, "--qf", form, subject])
        unknown = {tag for tag in _NEW_TAGS if f'"{tag}"' in answer.err} - host.unknown_tags
        if not unknown:
            return answer
        host.unknown_tags |= unknown


def _require_message(answer: Completed, words: str) -> None:
    """Check that rpm printed this, and no error before it: it prints this for a database that it cannot open, too."""
    if words not in answer.out or "error:" in answer.err:
        raise Unmeasured(
            f"rpm failed: {(answer.err or answer.out).strip()}",
            "Check its database (rpm --verifydb), and repair it (rpm --rebuilddb)",
        )


def _drop_empty(signature: str) -> Optional[str]:
    return None if signature in ("", "(none)") else signature


def _parse_records(output: str) -> List[ElementTree.Element]:
    """Parse what rpm printed for one or several packages."""
    try:
        records = list(ElementTree.fromstring("<rpm>{}</rpm>".format(_CONTROL.sub("\ufffd", output))))
    except ElementTree.ParseError:
        records = []
    if not records or any(record.tag != "package" for record in records):
        raise Unmeasured(f"rpm printed something that is not a package: {output[:80]!r}")
    return records


def _find_field(record: ElementTree.Element, name: str) -> ElementTree.Element:
    field = record.find(name)
    if field is None:
        raise Unmeasured(f"rpm printed a package without its {name}")
    return field


def _read_field(record: ElementTree.Element, name: str) -> str:
    """The text of a field: rpm's own, or what is in the first element that ``:xml`` made of it."""
    field = _find_field(record, name)
    return (field[0].text or "") if len(field) else (field.text or "").strip()


def _read_rows(record: ElementTree.Element, name: str) -> List[List[str]]:
    """The rows of an array; none where the package does not have it, whatever rpm prints then."""
    return [[value.text or "" for value in row] for row in _find_field(record, name).iter("row")]


def _parse_package(record: ElementTree.Element) -> Package:
    epoch, version, release = (_read_field(record, name) for name in ("epoch", "version", "release"))
    evr = f"{version}-{release}" if epoch == "0" else f"{epoch}:{version}-{release}"
    # Packages that state an epoch of 0 and packages that do not are the same to RPM.
    return Package(_read_field(record, "name"), evr, _read_field(record, "arch"))


def _parse_content(record: ElementTree.Element) -> Content:
    return Content(
        _parse_package(record),
        _read_field(record, "vendor") or None,
        _drop_empty(_read_field(record, "signature")),
        _parse_dependencies(record, "requires"),
        [row[0] for row in _read_rows(record, "files") if row],
        "\n".join(row[0] for row in _read_rows(record, "changelog") if row),
        _parse_dependencies(record, "provides"),
        tuple("".join((value.text or "").split()) for value in _find_field(record, "digests")),
        _parse_time(record.findtext("installed_at")),
    )


def _parse_time(text: Optional[str]) -> Optional[int]:
    return int(text) if text and re.match(r"[0-9]{1,12}\Z", text) else None


def _parse_dependencies(record: ElementTree.Element, name: str) -> List[Dependency]:
    rows = _read_rows(record, name)
    return [Dependency(row[0], _parse_sign(row[1]), row[2]) for row in rows if len(row) == 3]


def _parse_sign(flags: str) -> str:
    number = int(flags) if re.match(r"[0-9]{1,10}\Z", flags) else 0
    return "".join(sign for bit, sign in _SIGNS if number & bit)
