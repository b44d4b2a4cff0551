# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building and signing RPMs, and the repositories they lie in."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import modules
from tests.lab.cache import Store, digest, sources
from tests.lab.editions import EDITIONS, REPOSITORIES, Edition
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


def kmp_values(kernel: Kernel, edition: Edition, module: Path) -> dict[str, str]:
    """Return what the spec file says of a KMP."""
    return kernel_values(kernel) | {
        "NAME": kernel.kmp_name,
        "LEVEL": str(edition.level),
        "RPM_RELEASE": edition.release,
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
        for name in REPOSITORIES:
            (folder / name).mkdir()
        work = folder / "work"
        work.mkdir()
        origin = {"TREE": str(kernel.folder), "PACKAGE_VERSION": kernel.package_version}
        _rpmbuild("kernel.spec", kernel_values(kernel) | origin, work / "kernel", folder / "main")
        for number, edition in enumerate(EDITIONS):
            values = kmp_values(kernel, edition, modules.module(built, edition))
            _rpmbuild("kmp.spec", values, work / str(number), folder / edition.repository)
        run(["rm", "-rf", work])
        sign(keys, sorted(folder.glob("*/*.rpm")))

    inputs = [kernel.folder.name, built.name, keys.public.read_text(), sources("rpms.py", "specs")]
    return store.get(f"packages-{kernel.short}", inputs, build)


def base(store: Store, keys: Keys) -> Path:
    """Return the folder of the package that stands for the guest's distribution."""

    def build(folder: Path) -> None:
        _rpmbuild("base.spec", {}, folder / "work", folder)
        run(["rm", "-rf", folder / "work"])
        sign(keys, sorted(folder.glob("*.rpm")))

    return store.get("packages-base", [keys.public.read_text(), sources("rpms.py", "specs/base.spec")], build)


def sign(keys: Keys, files: list[Path]) -> None:
    """Sign packages with the lab's key."""
    # rpm's own idea of where gpg lies is not the distribution's.
    gpg = f"__gpg {shutil.which('gpg')}"
    with keys.signing() as env:
        run(["rpmsign", "--addsign", "--define", f"_gpg_name {NAME}", "--define", gpg, *files], env=env)


def index(keys: Keys, folder: Path) -> None:
    """Write a folder's repository metadata, signed."""
    run(["createrepo_c", "--quiet", folder])
    metadata = folder / "repodata" / "repomd.xml"
    metadata.with_name("repomd.xml.key").write_bytes(keys.public.read_bytes())
    with keys.signing() as env:
        run(["gpg", "--batch", "--armor", "--detach-sign", metadata], env=env)


def repositories(store: Store, keys: Keys, base_packages: Path, kernel_packages: list[Path]) -> Path:
    """Return the folder of repositories."""

    def build(folder: Path) -> None:
        for name in REPOSITORIES:
            (folder / name).mkdir()
            for source in kernel_packages:
                run(["cp", "-l", *sorted((source / name).glob("*.rpm")), folder / name])
        run(["cp", "-l", *base_packages.glob("*.rpm"), folder / "main"])
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: index(keys, folder / name), REPOSITORIES))

    inputs = [base_packages.name, *(path.name for path in kernel_packages), digest(REPOSITORIES), sources("rpms.py")]
    return store.get("repositories", inputs, build)
