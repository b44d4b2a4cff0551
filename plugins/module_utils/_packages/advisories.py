# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what the repositories' advisories say about some packages. PRIVATE to the collection.

They are read from ``updateinfo``, as the package managers keep it beside the other metadata of a repository: zypper's
own answers name no packages, dnf's no dates. Vendors fill it differently: dates with and without a time or as seconds
since the epoch, "medium" for "moderate", SUSE's ``status="retracted"``.
"""

import contextlib
import datetime
import itertools
import posixpath
import re
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple
from xml.parsers import expat

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import unpack
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Metadata


class Advisory(NamedTuple):
    id: str
    retracted: bool
    # As in ``policy.SEVERITIES``, None where it names none
    severity: Optional[str]
    # An ISO date
    issued: Optional[str]
    cves: Tuple[str, ...]
    # Name and EVR of those that were asked for
    packages: Tuple[Tuple[str, str], ...]
    # That it is from
    repository: str = ""


_SEVERITIES = {
    "low": "low",
    "moderate": "moderate",
    "medium": "moderate",
    "important": "important",
    "high": "important",
    "critical": "critical",
}
_LARGEST = 1 << 30
# Of all repositories that are read together
_SUM_MAX = 4 << 30
_SUM_SECONDS = 300.0
# Between two updates of a document; the largest of Red Hat's have some hundred KiB
_LARGEST_UPDATE = 16 << 20
# Within an update: its elements, the levels that they are nested in, one of its tags, its texts
_ELEMENTS_MAX = 100000
_DEPTH_MAX = 50
_LARGEST_TAG = 1 << 20
_LARGEST_TEXT = 1 << 20
# Of all updates of the wanted packages of one repository
_CVES_MAX = 100000
_LONGEST_ID = 100
_TEXTS = ("id", "title", "severity", "description")
_SECONDS = 60.0


def read_advisories(host: Host, repositories: List[Metadata], wanted: Set[str]) -> List[Advisory]:
    """Read the advisories for the wanted packages from all repositories.

    :raises Unmeasured: those of a repository are damaged or truncated.
    """
    budget = unpack.Budget(host, _SUM_MAX, _SUM_SECONDS, "the advisories")
    return [advisory for repository in repositories for advisory in _read_repository(host, repository, wanted, budget)]


def read_readable(host: Host, repositories: List[Metadata], wanted: Set[str]) -> Tuple[List[Advisory], Dict[str, str]]:
    """Read those that can be read; of the other repositories, why they cannot."""
    budget = unpack.Budget(host, _SUM_MAX, _SUM_SECONDS, "the advisories")
    advised: List[Advisory] = []
    problems: Dict[str, str] = {}
    for repository in repositories:
        with _note(problems, repository.repository):
            advised += _read_repository(host, repository, wanted, budget)
    return advised, problems


@contextlib.contextmanager
def _note(problems: Dict[str, str], name: str) -> Iterator[None]:
    try:
        yield
    except Unmeasured as exc:
        problems[name] = str(exc)


def _read_repository(host: Host, repository: Metadata, wanted: Set[str], budget: unpack.Budget) -> List[Advisory]:
    problem = f"the advisories of repository {repository.repository} cannot be read"
    try:
        paths = _find_files(host, repository.folder)
        if not paths:
            return []
        with contextlib.closing(budget.meter(_read_pieces(host, paths))) as pieces:
            parsed = parse_updateinfo(pieces, wanted)
            return [advisory._replace(repository=repository.repository) for advisory in parsed]
    except MemoryError as exc:
        raise Unmeasured(f"{problem}: that takes more memory than there is") from exc
    except unpack.ToolMissing as exc:
        # A refresh would bring the same again
        raise Unmeasured(f"{problem}: {exc}") from exc
    except (Unmeasured, expat.ExpatError, LookupError, ValueError, OverflowError) as exc:
        raise Unmeasured(f"{problem}: {exc}", "Refresh it (refresh: always)") from exc


def _find_files(host: Host, folder: str) -> Dict[str, str]:
    """Find the files of the advisories by their type; some or all may be missing.

    Older ones may lie beside them: only the index names those that count.
    """
    data = host.read_bytes(folder + "/repodata/repomd.xml")
    if data is None:
        return {}
    index = _Index()
    index.read(iter([data]))
    return {
        # normpath() keeps two slashes at the start.
        kind: posixpath.join(folder, posixpath.normpath("/" + index.found[kind]).lstrip("/"))
        for kind in ("updateinfo", "updateinfo_zck")
        if kind in index.found
    }


def _read_pieces(host: Host, paths: Dict[str, str]) -> unpack.Pieces:
    # Where dnf knows zchunk, that is the only one of the two that it fetches.
    there = [path for path in paths.values() if host.get_mtime(path) is not None]
    path = (there or list(paths.values()))[0]
    if path == paths.get("updateinfo_zck"):
        if host.find_tool("unzck") is None:
            raise unpack.ToolMissing(
                "they are compressed with zchunk, and this host has no unzck to unpack them",
                "Install zchunk, or set zchunk=False in /etc/dnf/dnf.conf and refresh (refresh: always)",
            )
        # It needs a file that it can seek in.
        yield from host.pipe(("unzck", "-c", host.resolve_path(path)), iter(()), _SECONDS)
        return
    packed = host.read_pieces(path)
    first = next(packed, b"")
    kind = unpack.recognise_format(first)
    pieces = itertools.chain([first], packed)
    yield from pieces if kind is None else unpack.unpack(host, kind, pieces)


def parse_updateinfo(pieces: Iterator[bytes], wanted: Set[str]) -> List[Advisory]:
    """Parse an ``updateinfo`` document for the advisories of the wanted packages, one at a time.

    :raises ValueError: it is larger than any, or has more in it, declares entities, which no repository has reason to,
        or is something else altogether.
    :raises xml.parsers.expat.ExpatError: it is damaged, or cut off.
    """
    updates = _Updates(wanted)
    updates.read(pieces)
    return updates.found


class _Document:
    """An XML document that is read piece by piece and never kept, so that it takes little memory.

    Names are taken as they are written, with their prefix, as libsolv does.
    """

    # What the outermost element is called
    roots: Sequence[str] = ()

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._root
        self._parser.EndElementHandler = self._end
        self._words: List[str] = []
        # Where in the document the last part began that stands for itself, and how many elements it has had
        self._mark = self._elements = self._depth = 0

    def read(self, pieces: Iterator[bytes]) -> None:
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > _LARGEST:
                raise ValueError(f"larger than {_LARGEST >> 20} MiB")
            self._parser.Parse(piece, False)
            if size - self._mark > _LARGEST_UPDATE + len(piece):
                raise ValueError(f"a part of it is larger than {_LARGEST_UPDATE >> 20} MiB")
            if size - self._parser.CurrentByteIndex > _LARGEST_TAG + len(piece):
                raise ValueError(f"a tag of it is larger than {_LARGEST_TAG >> 20} MiB")
        # expat may hold back much of its input until it knows that this was all.
        self._parser.Parse(b"", True)

    def _refuse(self, *_declared: object) -> None:
        raise ValueError("it declares a document type or entities")

    def _root(self, name: str, attributes: Dict[str, str]) -> None:
        if name not in self.roots:
            raise ValueError(f"it is no <{self.roots[0]}>, but a {name[:20]!r}")
        self._parser.StartElementHandler = self._start
        self._start(name, attributes)

    def _start(self, name: str, attributes: Dict[str, str]) -> None:
        self._elements += 1
        self._depth += 1
        if self._elements > _ELEMENTS_MAX or self._depth > _DEPTH_MAX:
            raise ValueError(f"a part of it has more than {_ELEMENTS_MAX} elements, or {_DEPTH_MAX} levels of them")
        self.opened(name, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.closed(name)

    def opened(self, name: str, attributes: Dict[str, str]) -> None:
        raise NotImplementedError

    def closed(self, name: str) -> None:
        pass


class _Index(_Document):
    """A repository's ``repomd.xml``: which file holds what."""

    roots = ("repomd",)

    def __init__(self) -> None:
        super().__init__()
        self.found: Dict[str, str] = {}
        self._kind = ""

    def opened(self, name: str, attributes: Dict[str, str]) -> None:
        if name == "data":
            self._kind = attributes.get("type", "")
        elif name == "location":
            self.found.setdefault(self._kind, attributes.get("href", ""))


class _Updates(_Document):
    # libsolv takes an update without others, too.
    roots = ("updates", "update")

    def __init__(self, wanted: Set[str]) -> None:
        super().__init__()
        self.found: List[Advisory] = []
        self._wanted = wanted
        self._cves_left = _CVES_MAX
        self._begin({})

    def _begin(self, attributes: Dict[str, str]) -> None:
        self._retracted = attributes.get("status") == "retracted"
        self._issued = ""
        self._text_left = _LARGEST_TEXT
        self._texts: Dict[str, str] = {}
        self._references: List[Tuple[str, str]] = []
        self._packages: List[Tuple[str, str]] = []

    def opened(self, name: str, attributes: Dict[str, str]) -> None:
        if name == "package":
            if attributes.get("name") in self._wanted:
                self._packages.append((attributes["name"], _format_evr(attributes)))
        elif name == "reference":
            words = "{} {}".format(attributes.get("id"), attributes.get("title"))
            self._references.append((attributes.get("type", ""), words))
        elif name == "issued":
            self._issued = attributes.get("date", "")
        elif name == "update":
            self._mark = self._parser.CurrentByteIndex
            self._elements = 0
            self._begin(attributes)
        elif name in _TEXTS:
            self._words = []
            self._parser.CharacterDataHandler = self._add_words

    def _add_words(self, words: str) -> None:
        self._words.append(words)
        self._text_left -= len(words)
        if self._text_left < 0:
            raise ValueError(f"the texts of an update in it are larger than {_LARGEST_TEXT >> 20} MiB")

    def closed(self, name: str) -> None:
        if name in _TEXTS:
            self._parser.CharacterDataHandler = None
            self._texts.setdefault(name, "".join(self._words).strip())
        elif name == "update" and self._packages:
            self.found.append(self._advisory())

    def _advisory(self) -> Advisory:
        cves = _kmp_names.find_cves(" ".join(words for kind, words in self._references if kind == "cve"))
        # Fedora has them in the titles of bugs.
        mentioned = [self._texts.get("title", ""), self._texts.get("description", "")]
        mentioned += [words for _kind, words in self._references]
        cves = cves or _kmp_names.find_cves(" ".join(mentioned))
        self._cves_left -= len(cves) + len(self._packages)
        if self._cves_left < 0:
            raise ValueError(f"it names more than {_CVES_MAX} CVEs and packages")
        return Advisory(
            _make_printable(self._texts.get("id", "")) or "without a name",
            self._retracted,
            _SEVERITIES.get(self._texts.get("severity", "").lower()),
            _parse_date(self._issued),
            tuple(cves),
            tuple(self._packages),
        )


def _make_printable(text: str) -> str:
    """Drop control characters, which the terminal of a reader would obey."""
    return "".join(letter for letter in text[:_LONGEST_ID] if letter.isprintable())


def _format_evr(package: Dict[str, str]) -> str:
    version, release = package.get("version"), package.get("release")
    if not version or not release:
        # Compared with others it would count as older, or as newer.
        raise ValueError("a package in it has no version or release: {}".format(package["name"]))
    epoch = package.get("epoch") or "0"
    return f"{version}-{release}" if epoch == "0" else f"{epoch}:{version}-{release}"


def _parse_date(text: str) -> Optional[str]:
    if re.match(r"[0-9]{9,11}\Z", text):
        return datetime.datetime.fromtimestamp(int(text), datetime.timezone.utc).date().isoformat()
    match = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text)
    return match.group() if match and _is_date(match.group()) else None


def _is_date(text: str) -> bool:
    try:
        datetime.datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        return False
    return True


def find_advisory(advisories: List[Advisory], name: str, version: str) -> Optional[Advisory]:
    """Find the advisory that brought exactly this package; where there are several, a retracted one."""
    matching = [advisory for advisory in advisories if (name, version) in advisory.packages]
    return next((advisory for advisory in matching if advisory.retracted), matching[0] if matching else None)


def list_fixed_up_to(advisories: List[Advisory], name: str, version: str) -> List[str]:
    """List the CVEs that a package fixes, with those of what it replaces: KMPs are cumulative."""
    return _list_fixed(advisories, name, lambda other: _evr.compare(other, version) <= 0)


def list_fixed_after(advisories: List[Advisory], name: str, version: str) -> List[str]:
    """List the CVEs that newer packages of this name fix."""
    return _list_fixed(advisories, name, lambda other: _evr.compare(other, version) > 0)


def _list_fixed(advisories: List[Advisory], name: str, fits: Callable[[str], bool]) -> List[str]:
    names = [
        " ".join(advisory.cves)
        for advisory in advisories
        if not advisory.retracted and any(package == name and fits(version) for package, version in advisory.packages)
    ]
    return _kmp_names.find_cves(" ".join(names))
