# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throw-away keys, and packages in the vendors' shapes that are built with rpmbuild and signed with them."""

from __future__ import annotations

import dataclasses
import shutil
import struct
import tempfile
import zlib
from pathlib import Path

from tests.lab.process import run
from tests.support import factories

RELEASE = factories.RELEASE
SUSE_NAME = "kernel-livepatch-" + RELEASE.replace(".", "_")
RED_HAT_NAME = "kpatch-patch-6_1_0-56"
VENDOR = "SUSE LLC <https://www.suse.com/>"
_DEFINES = {
    "debug_package": "%{nil}",
    "__os_install_post": "%{nil}",
    "_build_id_links": "none",
    "_buildhost": "vendors",
}


class Keyring:
    """GPG keys by a name of ours; several may have the same user ID."""

    def __init__(self) -> None:
        # Not below pytest's folder: the sockets of gpg's agent need a short path.
        self.home = Path(tempfile.mkdtemp(prefix="vendors-gpg-", dir="/tmp"))
        self._fingerprints: dict[str, str] = {}

    def close(self) -> None:
        run(["gpgconf", "--kill", "gpg-agent"], env=self.env)
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def env(self) -> dict[str, str]:
        return {"GNUPGHOME": str(self.home)}

    def make(self, name: str, user_id: str) -> None:
        before = set(self._list())
        words = ["--allow-weak-key-signatures", "--passphrase", "", "--quick-gen-key", user_id, "rsa2048", "sign"]
        run(["gpg", "--batch", "--quiet", "--yes", *words, "never"], env=self.env)
        (self._fingerprints[name],) = set(self._list()) - before

    def _list(self) -> list[str]:
        listed = run(["gpg", "--batch", "--with-colons", "--list-keys"], env=self.env).decode()
        return [line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:")]

    def fingerprint(self, name: str) -> str:
        return self._fingerprints[name]

    def public(self, *names: str) -> str:
        """The text of a file of keys."""
        wanted = [self._fingerprints[name] for name in names]
        return run(["gpg", "--batch", "--armor", "--export", *wanted], env=self.env).decode()

    def sign_package(self, file: Path, name: str, *words: str) -> None:
        gpg = ["--define", f"__gpg {shutil.which('gpg')}", "--define", f"_gpg_name {self._fingerprints[name]}"]
        run(["rpmsign", "--addsign", *words, *gpg, file], env=self.env)

    def sign_metadata(self, folder: Path, name: str) -> None:
        metadata = folder / "repodata" / "repomd.xml"
        metadata.with_name("repomd.xml.asc").unlink(missing_ok=True)
        metadata.with_name("repomd.xml.key").write_text(self.public(name))
        user = ["--local-user", self._fingerprints[name]]
        run(["gpg", "--batch", *user, "--armor", "--detach-sign", metadata], env=self.env)


@dataclasses.dataclass(frozen=True)
class Kmp:
    """A KMP as it is to be built."""

    level: int = 3
    name: str = SUSE_NAME
    # Its key, None for an unsigned one
    key: str | None = "vendor"
    vendor: str = VENDOR
    version: str = ""
    # The build ID that it is tagged for
    tag: str | None = None
    requires: str = "kernel-cloud-amd64 = 6.1.0-56"
    # What its %post does
    script: str = "exit 0"
    arch: str = "x86_64"
    extra: str = ""
    # MiB of zeros: another file of the package, and what its module is unpacked to
    ballast: int = 0
    packed: int = 0
    # Whether several may be installed side by side
    multiversion: bool = False

    @property
    def version_release(self) -> tuple[str, str]:
        if self.name.startswith("kpatch-patch-"):
            return self.version or "1", str(self.level)
        return self.version or str(self.level), "150400.2.1"

    @property
    def evr(self) -> str:
        return "-".join(self.version_release)

    @property
    def module(self) -> str:
        return f"livepatch-{self.evr.replace('.', '_')[:40]}.ko{'.gz' if self.packed else ''}"


_KMP = """
Name: {name}
Version: {version}
Release: {release}
Vendor: {vendor}
Summary: Kernel live patch module
License: GPL-2.0-only
AutoReqProv: off
Requires: {requires}
{several}
{tag}
{extra}
%description
A live patch.
%install
mkdir -p %{{buildroot}}/lib/modules/{kernel}/livepatch
cp {module} %{{buildroot}}/lib/modules/{kernel}/livepatch/
truncate -s {ballast}M %{{buildroot}}/lib/modules/{kernel}/livepatch/ballast
%post
{script}
%files
/lib/modules/{kernel}/livepatch/*
%changelog
* Mon Nov 23 2026 Somebody <somebody@example.com>
- Fix for CVE-2026-0001
"""
_PLAIN = """
Name: {name}
Version: {version}
Release: 1
Vendor: {vendor}
Summary: A package
License: GPL-2.0-only
AutoReqProv: off
{extra}
%description
A package.
%install
{install}
%post
{script}
%files
{files}
"""


_LEAD, _RSAHEADER, _HEADER_SIGNATURES, _BINARY = 96, 268, 62, 7


def forge_signature(file: Path, donor: Path, target: Path) -> None:
    """Put a package's RSA signature beside those of another one, with an algorithm that rpm does not know: it skips it,
    and prints its key all the same. The format: rpm's docs/manual/format_header.md.
    """
    data = file.read_bytes()
    entries, end = _read_signatures(data)
    stolen = bytearray(_read_signatures(donor.read_bytes())[0][_RSAHEADER][2])
    # The third octet of the packet's body, whose head has three octets where it is long
    stolen[(3 if stolen[0] & 3 == 1 else 2) + 3] = 99
    entries[_RSAHEADER] = (_BINARY, len(stolen), bytes(stolen))
    index, store = b"", b""
    for tag, (kind, count, value) in sorted(entries.items()):
        store += bytes(-len(store) % {3: 2, 4: 4, 5: 8}.get(kind, 1))
        index += struct.pack(">IIII", tag, kind, len(store), count)
        store += value
    region = struct.pack(">IIII", _HEADER_SIGNATURES, _BINARY, len(store), 16)
    store += struct.pack(">IIiI", _HEADER_SIGNATURES, _BINARY, -len(region + index), 16)
    head = data[:_LEAD] + data[_LEAD : _LEAD + 8]
    head += struct.pack(">II", len(region + index) // 16, len(store)) + region + index + store
    target.write_bytes(head + bytes(-len(head) % 8) + data[end:])


def _read_signatures(data: bytes) -> tuple[dict[int, tuple[int, int, bytes]], int]:
    """The tags of a package's signature header, and where what follows it begins."""
    count, size = struct.unpack_from(">II", data, _LEAD + 8)
    begin = _LEAD + 16 + 16 * count
    rows = [struct.unpack_from(">IIII", data, _LEAD + 16 + 16 * number) for number in range(count)]
    offsets = sorted({offset for _tag, _kind, offset, _count in rows} | {size})
    entries = {
        tag: (kind, items, data[begin + offset : begin + offsets[offsets.index(offset) + 1]])
        for tag, kind, offset, items in rows
        if tag != _HEADER_SIGNATURES
    }
    # Without what only aligns the next one
    width = {_BINARY: 1, 4: 4, 3: 2, 5: 8}
    entries = {
        tag: (kind, items, value[: items * width[kind] if kind in width else value.index(b"\0") + 1])
        for tag, (kind, items, value) in entries.items()
    }
    return entries, begin + size + -(begin + size) % 8


class Builder:
    """Builds packages, each once."""

    def __init__(self, keys: Keyring, folder: Path) -> None:
        self._keys = keys
        self._folder = folder
        self._built: dict[object, Path] = {}

    def build_kmp(self, kmp: Kmp) -> Path:
        if kmp not in self._built:
            module = self._folder / kmp.module
            content = factories.module(build_id=f"{kmp.level:02x}" * 20)
            if kmp.packed:
                zeros = zlib.compressobj(1, zlib.DEFLATED, 31)
                content = b"".join(zeros.compress(bytes(1 << 20)) for _number in range(kmp.packed)) + zeros.flush()
            module.write_bytes(content)
            version, release = kmp.version_release
            values = dataclasses.asdict(kmp) | {
                "version": version,
                "release": release,
                "tag": f"Provides: livepatch-target(build-id) = {kmp.tag}" if kmp.tag else "",
                "several": "Provides: multiversion(kernel)" if kmp.multiversion else "",
                "kernel": RELEASE,
                "module": str(module),
            }
            self._built[kmp] = self._build(_KMP.format(**values), kmp.arch, kmp.key)
        return self._built[kmp]

    def build_kernel(self, image: bytes, key: str | None = "vendor", vendor: str = VENDOR) -> Path:
        """The running kernel's package, which owns its image."""
        wanted = ("kernel", image, key, vendor)
        if wanted not in self._built:
            (self._folder / "image").write_bytes(image)
            spec = _PLAIN.format(
                name="kernel-cloud-amd64",
                version="6.1.0",
                vendor=vendor,
                extra="Provides: kernel-cloud-amd64 = 6.1.0-56\nProvides: kernel = 6.1.0-56",
                install=f"mkdir -p %{{buildroot}}/boot; cp {self._folder}/image %{{buildroot}}/boot/vmlinuz-{RELEASE}",
                script="exit 0",
                files=f"/boot/vmlinuz-{RELEASE}",
            ).replace("Release: 1", "Release: 56.1")
            self._built[wanted] = self._build(spec, "x86_64", key)
        return self._built[wanted]

    def build_plain(
        self, name: str, version: str, key: str | None, extra: str = "", script: str = "exit 0", arch: str = "noarch"
    ) -> Path:
        wanted = (name, version, key, extra, script)
        if wanted not in self._built:
            values = {"name": name, "version": version, "extra": extra, "script": script}
            spec = _PLAIN.format(**values, vendor=VENDOR, install="", files="")
            self._built[wanted] = self._build(spec, arch, key)
        return self._built[wanted]

    def _build(self, spec: str, arch: str, key: str | None) -> Path:
        work = Path(tempfile.mkdtemp(dir=self._folder))
        (work / "package.spec").write_text(spec)
        folders = {"_topdir": str(work), "_rpmdir": str(work / "rpms"), "_dbpath": str(work / "db")}
        # A file's name may have 255 characters, a version any number.
        version = "%{VERSION}" if len(spec) < 4000 else "long"
        folders["_build_name_fmt"] = f"%{{NAME}}-{version}-%{{RELEASE}}.%{{ARCH}}.rpm"
        defines = [word for name, value in (_DEFINES | folders).items() for word in ("--define", f"{name} {value}")]
        run(["rpmbuild", "-bb", "--buildroot", work / "root", "--target", arch, *defines, work / "package.spec"])
        (file,) = (work / "rpms").glob("*.rpm")
        if key is not None:
            self._keys.sign_package(file, key)
        return file
