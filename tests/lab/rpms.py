# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building and signing RPMs, and the repositories they lie in."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import advisories, modules
from tests.lab.cache import Store, sources
from tests.lab.editions import EDITIONS, ODDITIES, Edition, foreign, repositories
from tests.lab.kernels import Kernel
from tests.lab.keys import NAME, Keys
from tests.lab.layout import SOURCE
from tests.lab.process import run

# Nothing may touch the files: a kernel's build ID must stay what it is, a module's debug sections are of use.
_DEFINES = {
    "debug_package": "%{nil}",
    "__os_install_post": "%{nil}",
    "_build_id_links": "none",
    "_binary_payload": "w1.zstdio",
    "_buildhost": "lab",
    "_build_name_fmt": "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
}


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the spec file with its @NAMES@ replaced."""
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template


def kernel_values(kernel: Kernel) -> dict[str, str]:
    """Return what the spec files say of a kernel."""
    return {
        "RELEASE": kernel.release,
        "VERSION": kernel.version,
        "SOURCE_RELEASE": kernel.source_release,
        "FLAVOR": kernel.flavor,
        "BUILD_ID": kernel.build_id,
    }


def kmp_values(kernel: Kernel, edition: Edition, module: Path, stranger: Kernel) -> dict[str, str]:
    """Return what the spec file says of a KMP; ``stranger`` is another kernel, whose build ID some carry."""
    tagged = {"own": kernel.build_id, "other": stranger.build_id}.get(edition.tag)
    return kernel_values(kernel) | {
        "NAME": kernel.kmp_name,
        "LEVEL": str(edition.level),
        "RPM_RELEASE": edition.release,
        "VENDOR": edition.vendor,
        "TAG": f"Provides: livepatch-target(build-id) = {tagged}" if tagged else "",
        "EXTRA": fill(edition.extra, kernel_values(kernel)),
        "SCRIPT": edition.script,
        "FILE": module.name,
        "MODULE": str(module),
        "GIT_REVISION": modules.revision(edition),
        "CHANGELOG": edition.changelog,
    }


def _rpmbuild(spec: str, values: Mapping[str, str], work: Path, target: Path) -> None:
    work.mkdir()
    (work / spec).write_text(fill((SOURCE / "specs" / spec).read_text(), values))
    folders = {"_topdir": str(work), "_rpmdir": str(target), "_dbpath": str(work / "db")}
    defines = [word for name, value in (_DEFINES | folders).items() for word in ("--define", f"{name} {value}")]
    run(["rpmbuild", "-bb", *defines, work / spec])


def packages(store: Store, keys: Keys, kernel: Kernel, built: Path) -> Path:
    """Return the folder of a kernel's signed packages: one folder in it for each repository."""

    def build(folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        for name in repositories(EDITIONS):
            (folder / name).mkdir()
        origin = {"TREE": str(kernel.folder), "PACKAGE_VERSION": kernel.package_version}
        _rpmbuild("kernel.spec", kernel_values(kernel) | origin, work / "kernel", folder / "main")
        for number, edition in enumerate(EDITIONS):
            values = kmp_values(kernel, edition, modules.module(built, edition), kernel)
            _rpmbuild("kmp.spec", values, work / str(number), folder / edition.repository)
        run(["rm", "-rf", work])
        sign(keys, sorted(folder.glob("*/*.rpm")))

    inputs = [kernel.folder.name, built.name, keys.public.read_text(), sources("rpms.py", "specs", "editions.py")]
    return store.get(f"packages-{kernel.short}", inputs, build)


def base(store: Store, keys: Keys) -> Path:
    """Return the folder of the package that stands for the guest's distribution."""

    def build(folder: Path) -> None:
        for spec in ("base.spec", "tool.spec", "kernel-livepatch-tools.spec", "kpatch-tools.spec"):
            _rpmbuild(spec, {}, folder / spec, folder)
            run(["rm", "-rf", folder / spec])
        sign(keys, sorted(folder.glob("*.rpm")))

    return store.get("packages-base", [keys.public.read_text(), sources("rpms.py", "specs")], build)


def sign(keys: Keys, files: list[Path], *, stranger: bool = False) -> None:
    """Sign packages with the lab's key, or with one that nobody trusts."""
    # rpm's own idea of where gpg lies is not the distribution's.
    gpg = f"__gpg {shutil.which('gpg')}"
    with keys.signing(stranger=stranger) as env:
        run(["rpmsign", "--addsign", "--define", f"_gpg_name {NAME}", "--define", gpg, *files], env=env)


def index(keys: Keys, folder: Path, advisories: str = "") -> None:
    """Write a folder's repository metadata, signed."""
    run(["createrepo_c", "--quiet", folder])
    if advisories:
        told = folder / "updateinfo.xml"
        told.write_text(advisories)
        run(["modifyrepo_c", "--mdtype=updateinfo", told, folder / "repodata"])
        told.unlink()
    metadata = folder / "repodata" / "repomd.xml"
    metadata.with_name("repomd.xml.key").write_bytes(keys.public.read_bytes())
    with keys.signing() as env:
        run(["gpg", "--batch", "--armor", "--detach-sign", metadata], env=env)


def build_repositories(
    store: Store, keys: Keys, base_packages: Path, kernels: list[Kernel], kernel_packages: list[Path]
) -> Path:
    """Return the folder of repositories."""
    names = repositories(EDITIONS)

    def build(folder: Path) -> None:
        for name in names:
            (folder / name).mkdir()
            for source in kernel_packages:
                run(["cp", "-l", *sorted((source / name).glob("*.rpm")), folder / name])
        run(["cp", "-l", *base_packages.glob("*.rpm"), folder / "main"])
        told = {"main": advisories.document(advisories.honest(kernels))}
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: index(keys, folder / name, told.get(name, "")), names))

    inputs = [base_packages.name, *(path.name for path in kernel_packages), sources("rpms.py", "advisories.py")]
    return store.get("repositories", inputs, build)


def oddities(store: Store, keys: Keys, kernel: Kernel, older: Kernel, older_packages: Path) -> Path:
    """Return the folder of the repositories that tests add: what must be refused, and the older kernel's."""
    honest = modules.build(store, kernel, ODDITIES, "odd-modules")
    strange = modules.build(store, kernel, foreign(f"{kernel.version}-{kernel.source_release}"), "foreign-modules")
    alien = modules.build(store, older, [each for each in ODDITIES if each.alien], "alien-modules")

    def build(folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        for number, edition in enumerate(ODDITIES):
            module = modules.module(alien if edition.alien else honest, edition)
            (folder / edition.repository).mkdir(exist_ok=True)
            values = kmp_values(kernel, edition, module, older)
            _rpmbuild("kmp.spec", values, work / str(number), folder / edition.repository)
        _rpmbuild("newer-kernel.spec", kernel_values(kernel), work / "newer", folder / "pullskernel")
        _foreign(kernel, strange, folder, work)
        (folder / "rebuilt").mkdir()
        swapped = kernel_values(kernel) | {"IMAGE": str(older.vmlinuz)}
        _rpmbuild("rebuilt-kernel.spec", swapped, work / "rebuilt", folder / "rebuilt")
        run(["cp", "-rl", older_packages / "main", folder / "older"])
        run(["rm", "-rf", work])
        for signature in ("lab", "damaged", "stranger"):
            files = [file for file, kind in _signatures(folder) if kind == signature]
            sign(keys, files, stranger=signature == "stranger")
        for file, kind in _signatures(folder):
            if kind == "damaged":
                _damage(file)
        told = {"retracted": advisories.document(advisories.retracted(kernel))}
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda each: index(keys, each, told.get(each.name, "")), sorted(folder.iterdir())))

    inputs = [kernel.folder.name, older_packages.name, honest.name, alien.name, strange.name, keys.stranger.read_text()]
    inputs.append(sources("rpms.py", "advisories.py", "specs", "editions.py"))
    return store.get("oddities", inputs, build)


def _foreign(kernel: Kernel, built: Path, folder: Path, work: Path) -> None:
    """Build the KMPs as Red Hat and Amazon call them; the first of each holds no module."""
    base = f"{kernel.version}-{kernel.source_release}"
    names = {"kpatch": f"kpatch-patch-{base.replace('.', '_')}", "amazon": f"kernel-livepatch-{base}"}
    editions = foreign(base)
    initial = [Edition(vendor, 0, "0", "") for vendor in names]
    for edition in (*initial, *editions):
        (folder / edition.repository).mkdir(exist_ok=True)
        version = "1.0" if edition.repository == "amazon" else str(min(edition.level, 1))
        values = kernel_values(kernel) | {
            "NAME": names[edition.repository],
            "RPM_VERSION": version,
            "LEVEL": str(edition.level),
            "FILE": f"{edition.file}.ko",
            "MODULE": str(modules.module(built, edition)),
        }
        _rpmbuild("kpatch.spec", values, work / f"{edition.repository}-{edition.level}", folder / edition.repository)


def _signatures(folder: Path) -> list[tuple[Path, str]]:
    """Return the packages of the odd repositories that are not signed yet, each with the signature it is to get."""
    kinds = {edition.repository: edition.signature for edition in ODDITIES}
    found = sorted(folder.glob("*/*.rpm"))
    return [(file, kinds.get(file.parent.name, "lab")) for file in found if file.parent.name != "older"]


def _damage(file: Path) -> None:
    """Change what is packed in it, as a bad disk or a bad mirror would."""
    data = bytearray(file.read_bytes())
    data[-64] ^= 0xFF
    file.unlink()
    file.write_bytes(data)
