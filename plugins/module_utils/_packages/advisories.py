# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the repositories' advisories say of some packages. PRIVATE to the collection: it may change at any time.

They are read from ``updateinfo``, as the package managers keep it beside the other metadata of a repository: zypper's
own answers name no packages, dnf's no dates. Vendors fill it differently: dates with and without a time or as seconds
since the epoch, "medium" for "moderate", SUSE's ``status="retracted"``.
"""

import datetime
import posixpath
import re
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Set, Tuple
from xml.etree import ElementTree

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import unpack
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import evr, names
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Metadata


# packages: name and EVR of those that were asked for. severity: as in ``policy.SEVERITIES``, None where it is not told.
# issued: an ISO date.
class Advisory(NamedTuple):
    id: str
    retracted: bool
    severity: Optional[str]
    issued: Optional[str]
    cves: Tuple[str, ...]
    packages: Tuple[Tuple[str, str], ...]


_SEVERITIES = {
    "low": "low",
    "moderate": "moderate",
    "medium": "moderate",
    "important": "important",
    "high": "important",
    "critical": "critical",
}
_LARGEST = 1 << 30
_PROLOGUE = 4096


def read(host: Host, repositories: List[Metadata], wanted: Set[str]) -> List[Advisory]:
    """The advisories that concern the wanted packages, from all repositories.

    :raises Unmeasured: what a repository has of them is damaged or cut off, with its name.
    """
    return [advisory for repository in repositories for advisory in _of(host, repository, wanted)]


def _of(host: Host, repository: Metadata, wanted: Set[str]) -> List[Advisory]:
    try:
        path = _file(host, repository.folder)
        return [] if path is None else parse(_pieces(host, path), wanted)
    except (Unmeasured, ElementTree.ParseError, LookupError, ValueError, OverflowError) as exc:
        raise Unmeasured(
            f"the advisories of repository {repository.repository} cannot be read: {exc}",
            "Refresh it (refresh: always)",
        ) from exc


def _file(host: Host, folder: str) -> Optional[str]:
    """The file of the advisories, None where the repository has none. Others may lie beside it from earlier."""
    index = host.read(folder + "/repodata/repomd.xml")
    if index is None:
        return None
    _insist_on_plain(index)
    for data in ElementTree.fromstring(index):
        location = _child(data, "location")
        if data.attrib.get("type") == "updateinfo" and location is not None:
            return posixpath.join(folder, posixpath.normpath("/" + location.attrib.get("href", ""))[1:])
    return None


def _pieces(host: Host, path: str) -> Iterator[bytes]:
    packed = host.pieces(path)
    first = next(packed, b"")
    kind = unpack.recognise(first)

    def whole() -> Iterator[bytes]:
        yield first
        yield from packed

    return whole() if kind is None else unpack.unpack(host, kind, whole())


def parse(pieces: Iterator[bytes], wanted: Set[str]) -> List[Advisory]:
    """The advisories in an ``updateinfo`` document that concern the wanted packages; it holds one at a time.

    :raises ValueError: it is larger than any, or declares entities, which no repository has reason to.
    :raises xml.etree.ElementTree.ParseError: it is damaged, or cut off.
    """
    parser: Any = ElementTree.XMLPullParser(("start", "end"))
    found: List[Advisory] = []
    root: Optional[ElementTree.Element] = None
    size, prologue = 0, b""
    for piece in pieces:
        size += len(piece)
        if size > _LARGEST:
            raise ValueError(f"larger than {_LARGEST >> 20} MiB")
        if len(prologue) < _PROLOGUE:
            prologue += piece[:_PROLOGUE]
            _insist_on_plain(prologue)
        parser.feed(piece)
        for event, element in parser.read_events():
            if root is None:
                root = element
            elif event == "end" and element.tag == "update":
                found += _advisory(element, wanted)
                root.clear()
    parser.close()
    return found


def _insist_on_plain(start: bytes) -> None:
    if re.search(rb"<!(DOCTYPE|ENTITY)", start[: 2 * _PROLOGUE]):
        raise ValueError("it declares a document type or entities")


def _child(element: ElementTree.Element, name: str) -> Optional[ElementTree.Element]:
    """A child by its name in whatever namespace."""
    return next((one for one in element if one.tag.rpartition("}")[2] == name), None)


def _advisory(update: ElementTree.Element, wanted: Set[str]) -> List[Advisory]:
    packages = tuple((each.attrib["name"], _evr(each)) for each in update.iter("package") if each.get("name") in wanted)
    if not packages:
        return []
    references = [
        each.get("id", "") or each.get("title", "") for each in update.iter("reference") if each.get("type") == "cve"
    ]
    cves = names.cves(" ".join(references)) or names.cves(
        " ".join((update.findtext("title") or "", update.findtext("description") or ""))
    )
    issued = update.find("issued")
    return [
        Advisory(
            update.findtext("id") or "without a name",
            update.get("status") == "retracted",
            _SEVERITIES.get((update.findtext("severity") or "").strip().lower()),
            _date(issued.get("date", "")) if issued is not None else None,
            tuple(cves),
            packages,
        )
    ]


def _evr(package: ElementTree.Element) -> str:
    epoch = package.get("epoch") or "0"
    version = "{}-{}".format(package.get("version"), package.get("release"))
    return version if epoch == "0" else f"{epoch}:{version}"


def _date(text: str) -> Optional[str]:
    if re.match(r"\d{9,11}\Z", text):
        return datetime.datetime.fromtimestamp(int(text), datetime.timezone.utc).date().isoformat()
    found = re.match(r"\d{4}-\d\d-\d\d", text)
    return found.group() if found and _is_date(found.group()) else None


def _is_date(text: str) -> bool:
    try:
        datetime.datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        return False
    return True


def of(advisories: List[Advisory], name: str, version: str) -> Optional[Advisory]:
    """The advisory that brought just this package; one that was retracted, where there are several."""
    found = [one for one in advisories if (name, version) in one.packages]
    return next((one for one in found if one.retracted), found[0] if found else None)


def fixed_up_to(advisories: List[Advisory], name: str, version: str) -> List[str]:
    """The CVEs that a package fixes, by itself and by what it replaces: KMPs are cumulative."""
    return _fixed(advisories, name, lambda other: evr.compare(other, version) <= 0)


def fixed_after(advisories: List[Advisory], name: str, version: str) -> List[str]:
    """The CVEs that newer packages of this name fix."""
    return _fixed(advisories, name, lambda other: evr.compare(other, version) > 0)


def _fixed(advisories: List[Advisory], name: str, fits: Callable[[str], bool]) -> List[str]:
    told = [
        " ".join(one.cves)
        for one in advisories
        if not one.retracted and any(package == name and fits(version) for package, version in one.packages)
    ]
    return names.cves(" ".join(told))
