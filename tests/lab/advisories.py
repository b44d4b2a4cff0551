# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The advisories of the lab's repositories, as vendors write them (updateinfo)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

from tests.lab.editions import EDITIONS, ISSUED, SEVERITIES
from tests.lab.kernels import Kernel

# What a kernel that the lab does not have would fix: one more than its KMPs.
NEWER_KERNEL = ("6.12.999", "1.1")


@dataclass(frozen=True)
class Advisory:
    """One of them: about packages as (name, version, release)."""

    id: str
    severity: str
    issued: str
    cves: tuple[str, ...]
    packages: tuple[tuple[str, str, str], ...]
    status: str = "stable"


def honest(kernels: list[Kernel]) -> list[Advisory]:
    """Return those of the honest KMPs, one for each level above the first, and that of a newer kernel."""
    found = []
    for edition in EDITIONS:
        if edition.repository == "main" and edition.level > 1:
            packages = tuple((kernel.kmp_name, str(edition.level), edition.release) for kernel in kernels)
            cves = (f"CVE-2099-{edition.level:04}",)
            found.append(
                Advisory(f"LAB-2026-{edition.level}", SEVERITIES[edition.level], ISSUED[edition.level], cves, packages)
            )
    flavors = dict.fromkeys(kernel.flavor for kernel in kernels)
    fixed = ("CVE-2099-0002", "CVE-2099-0003", "CVE-2099-0004")
    newer = tuple((f"kernel-{flavor}", *NEWER_KERNEL) for flavor in flavors)
    return [*found, Advisory("LAB-2026-99", "important", "2026-06-01", fixed, newer)]


def retracted(kernel: Kernel) -> list[Advisory]:
    """Return that of level 4, which its vendor took back."""
    package = (kernel.kmp_name, "4", "150400.2.1")
    return [Advisory("LAB-2026-4", SEVERITIES[4], ISSUED[4], ("CVE-2099-0004",), (package,), "retracted")]


def document(advisories: Iterable[Advisory]) -> str:
    """Return the updateinfo document."""
    root = ElementTree.Element("updates")
    for each in advisories:
        update = ElementTree.SubElement(root, "update", {"from": "lab", "status": each.status, "type": "security"})
        for name, text in (("id", each.id), ("title", f"Livepatch {each.id}"), ("severity", each.severity)):
            ElementTree.SubElement(update, name).text = text
        ElementTree.SubElement(update, "issued", {"date": f"{each.issued} 08:00:00"})
        references = ElementTree.SubElement(update, "references")
        for cve in each.cves:
            ElementTree.SubElement(references, "reference", {"type": "cve", "id": cve, "title": cve})
        collection = ElementTree.SubElement(ElementTree.SubElement(update, "pkglist"), "collection", {"short": "lab"})
        for name, version, release in each.packages:
            which = {"name": name, "epoch": "0", "version": version, "release": release, "arch": "x86_64"}
            package = ElementTree.SubElement(collection, "package", which)
            ElementTree.SubElement(package, "filename").text = f"{name}-{version}-{release}.x86_64.rpm"
    return ElementTree.tostring(root, encoding="unicode")
