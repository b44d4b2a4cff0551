# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notice metadata that go back, or have expired. PRIVATE to the collection: it may change at any time.

A signature does not show that metadata are the newest: who controls a mirror or the network can serve those of last
month, whose newest KMP is an older one. So the host remembers, of each repository that offers KMPs for its kernel, the
newest revision and the newest KMP that it has shown.

A repository's ``repomd.xml`` has a revision (by default the time of its generation), and a time stamp for each of its
files. SUSE's may have a file ``suseinfo`` that says for how many seconds after that they are meant to be used
(libsolv, ext/repo_repomdxml.c).
"""

import contextlib
import datetime
import itertools
import json
import posixpath
import re
from typing import Any, Collection, Dict, Iterator, List, NamedTuple, Optional, Sequence
from xml.parsers import expat

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import unpack
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import AcceptedRevision
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate, Metadata

PATH = "/var/lib/fleet.livepatch/repositories.json"
_SCHEMA = 1
# Real indexes have some ten kilobytes
_LARGEST = 4 << 20
# Servers behind one name are refreshed one after the other: so many seconds back are no sign of anything.
_OUT_OF_STEP = 86400
# What is remembered at the most: of names and versions those that a package can have
_REPOSITORIES_MAX = 200
_NAMES_MAX = 200
_LONGEST_TEXT = 200
_SECONDS = re.compile(r"[0-9]{1,12}(?=\.|\Z)")


class View(NamedTuple):
    """What a repository shows now."""

    repository: str
    # Any text, though usually a number
    revision: str = ""
    # The newest time stamp in it, and when it expires, in seconds since the epoch; None where it has none
    issued: Optional[int] = None
    expires: Optional[int] = None
    # The EVR of the newest KMP of each name that the running kernel's can have
    kmps: Dict[str, str] = {}


class Checked(NamedTuple):
    # Why nothing may be concluded from the repositories, None where something may
    problem: Optional[str]
    # Seconds since the oldest of the metadata that offer a KMP were made, None where that is unknown
    age: Optional[int]
    # Unchecked repositories of which nothing counts, and why
    stale: Dict[str, str] = {}


def check_repositories(
    host: Host,
    repositories: Sequence[Metadata],
    candidates: Sequence[Candidate],
    kmp_names: Sequence[str],
    accepted: Sequence[AcceptedRevision],
) -> Checked:
    """Compare what the repositories show with what they have shown before, and remember it.

    Only those count that offer KMPs for the running kernel, or have done so. Of an unchecked one anybody on the way may
    have written what it shows: it takes nothing from the others.

    :raises Unmeasured: what was remembered cannot be read, or the index of a checked repository.
    """
    now = int(host.wall_clock())
    memory = _load(host)
    before = json.dumps(memory, sort_keys=True)
    problems: List[str] = []
    ages: List[int] = []
    stale: Dict[str, str] = {}
    for metadata in repositories:
        own = [each for each in candidates if each.repository == metadata.repository and each.name in kmp_names]
        remembered = memory.get(metadata.repository)
        if not own and not (remembered and any(name in kmp_names for name in remembered["kmps"])):
            continue
        try:
            view = _read_view(host, metadata)._replace(kmps=_find_newest(own))
        except Unmeasured as exc:
            if metadata.checked:
                raise
            stale[metadata.repository] = str(exc)
            continue
        reason = next((each.reason for each in accepted if each[:2] == (view.repository, view.revision)), None)
        problem = _explain_stale(view, remembered, kmp_names, now)
        if problem is not None and reason is None and metadata.checked:
            problems.append(problem)
        elif problem is not None and reason is None:
            stale[view.repository] = problem
            continue
        else:
            memory[view.repository] = _remember(view, remembered, reason if problem is not None else None, now)
        if own and view.issued is not None:
            ages.append(max(0, now - view.issued))
    memory = _limit(memory, {metadata.repository for metadata in repositories}, kmp_names)
    if json.dumps(memory, sort_keys=True) != before:
        # Without root nothing is installed, either.
        with contextlib.suppress(Unmeasured):
            host.save(PATH, json.dumps({"schema": _SCHEMA, "repositories": memory}, sort_keys=True) + "\n")
    return Checked("; ".join(problems) or None, max(ages, default=None), stale)


def _limit(
    memory: Dict[str, Dict[str, Any]], enabled: Collection[str], kmp_names: Sequence[str]
) -> Dict[str, Dict[str, Any]]:
    """Leave out what is too much or too long to be kept, those last that are in use."""
    names = sorted(memory, key=lambda name: (name not in enabled, name))[:_REPOSITORIES_MAX]
    limited = {}
    for name in names:
        kmps = sorted(_drop_long(memory[name]["kmps"]).items(), key=lambda kmp: (kmp[0] not in kmp_names, kmp[0]))
        limited[name] = dict(memory[name], kmps=dict(kmps[:_NAMES_MAX]))
    return limited


def _drop_long(kmps: Dict[str, str]) -> Dict[str, str]:
    return {name: evr for name, evr in kmps.items() if max(len(name), len(evr)) <= _LONGEST_TEXT}


def _find_newest(candidates: Sequence[Candidate]) -> Dict[str, str]:
    newest: Dict[str, str] = {}
    for candidate in candidates:
        evr = newest.setdefault(candidate.name, candidate.evr)
        if _evr.compare(candidate.evr, evr) > 0:
            newest[candidate.name] = candidate.evr
    return newest


def _explain_stale(
    view: View, remembered: Optional[Dict[str, Any]], kmp_names: Sequence[str], now: int
) -> Optional[str]:
    """Explain why a view is not the newest one. Pure."""
    label = f"repository {view.repository}"
    way_out = (
        f"Find out why, and refresh it (refresh: always); accept_revision accepts it as it is (revision "
        f"{view.revision or 'empty'})"
    )
    if remembered is not None:
        if _is_older(view, remembered) and not _is_out_of_step(view, remembered):
            return "{} has gone back from revision {} to {}: whether there is a newer KMP is unknown. {}".format(
                label, remembered["revision"] or "none", view.revision or "none", way_out
            )
        for name in kmp_names:
            known, offered = remembered["kmps"].get(name), view.kmps.get(name)
            if known is not None and (offered is None or _evr.compare(offered, known) < 0):
                return "{} has offered {}-{}, and now offers {}. {}".format(
                    label, name, known, offered or "none of that name", way_out
                )
    if view.expires is not None and view.expires < now:
        day = datetime.datetime.fromtimestamp(view.expires, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        return f"the metadata of {label} expired at {day}: whether there is a newer KMP is unknown. {way_out}"
    return None


def _is_older(view: View, remembered: Dict[str, Any]) -> bool:
    revisions = [view.revision, remembered["revision"]]
    if all(_is_number(revision) for revision in revisions):
        return int(revisions[0]) < int(revisions[1])
    # Revisions that are words have no order: the time stamps do.
    issued = remembered["issued"]
    return view.issued is not None and issued is not None and view.issued < issued


def _is_out_of_step(view: View, remembered: Dict[str, Any]) -> bool:
    issued = remembered["issued"]
    return view.issued is not None and issued is not None and 0 <= issued - view.issued < _OUT_OF_STEP


def _is_number(revision: str) -> bool:
    return re.match(r"[0-9]{1,20}\Z", revision) is not None


def _remember(view: View, remembered: Optional[Dict[str, Any]], reason: Optional[str], now: int) -> Dict[str, Any]:
    if remembered is not None and reason is None and _is_older(view, remembered):
        # It lags: the newest are those of before.
        view = view._replace(revision=remembered["revision"], issued=remembered["issued"])
    # KMPs for other kernels, which this host has run, stay as they are.
    kmps = dict(remembered["kmps"] if remembered is not None and reason is None else {}, **view.kmps)
    kept = list(remembered["accepted"]) if remembered is not None else []
    if reason is not None:
        kept.append({"revision": view.revision, "reason": reason, "at": now})
    return {"revision": view.revision, "issued": view.issued, "kmps": kmps, "accepted": kept[-10:]}


def _load(host: Host) -> Dict[str, Dict[str, Any]]:
    text = host.read_text(PATH)
    if text is None:
        return {}
    try:
        document = json.loads(text)
        if document["schema"] != _SCHEMA:
            raise ValueError("it has schema {}".format(document["schema"]))
        return {str(name): _check_entry(entry) for name, entry in document["repositories"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise Unmeasured(
            f"what repositories have shown before cannot be read from {PATH}: {exc!r}", "Check the host, then remove it"
        ) from exc


def _check_entry(entry: Dict[str, Any]) -> Dict[str, Any]:
    issued = entry["issued"]
    texts = [entry["revision"], *entry["kmps"], *entry["kmps"].values()]
    if not all(isinstance(text, str) for text in texts) or not isinstance(entry["accepted"], list):
        raise ValueError("an entry is damaged")
    if issued is not None and (isinstance(issued, bool) or not isinstance(issued, int)):
        raise ValueError("an entry is damaged")
    return dict(entry, kmps=_drop_long(entry["kmps"]))


def _read_view(host: Host, metadata: Metadata) -> View:
    """Read a repository's index.

    :raises Unmeasured: it cannot be read.
    """
    index = _Index()
    try:
        index.read(host.read_pieces(metadata.folder + "/repodata/repomd.xml", 0, _LARGEST + 1))
        expires = None
        if index.issued is not None and index.suseinfo is not None:
            info = _Index()
            # normpath() keeps two slashes at the start.
            path = posixpath.join(metadata.folder, posixpath.normpath("/" + index.suseinfo).lstrip("/"))
            if host.get_mtime(path) is not None:
                info.read(_unpack(host, path))
                expires = index.issued + info.expire if info.expire else None
    except (Unmeasured, expat.ExpatError, LookupError, ValueError, OverflowError) as exc:
        raise Unmeasured(
            f"the index of repository {metadata.repository} cannot be read: {exc}", "Refresh it (refresh: always)"
        ) from exc
    return View(metadata.repository, index.revision, index.issued, expires)


def _unpack(host: Host, path: str) -> Iterator[bytes]:
    packed = host.read_pieces(path, 0, _LARGEST + 1)
    first = next(packed, b"")
    kind = unpack.recognise_format(first)
    pieces = itertools.chain([first], packed)
    yield from pieces if kind is None else unpack.unpack(host, kind, pieces)


class _Index:
    """The few elements that matter of ``repomd.xml`` and ``suseinfo.xml``, wherever they are."""

    def __init__(self) -> None:
        self.revision = ""
        self.issued: Optional[int] = None
        self.suseinfo: Optional[str] = None
        self.expire: Optional[int] = None
        self._kind = ""
        self._words: List[str] = []
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close

    def read(self, pieces: Iterator[bytes]) -> None:
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > _LARGEST:
                raise ValueError(f"larger than {_LARGEST >> 20} MiB")
            self._parser.Parse(piece, False)
        self._parser.Parse(b"", True)

    def _refuse(self, *_declared: object) -> None:
        raise ValueError("it declares a document type or entities")

    def _open(self, name: str, attributes: Dict[str, str]) -> None:
        if name == "data":
            self._kind = attributes.get("type", "")
        elif name == "location" and self._kind == "suseinfo" and self.suseinfo is None:
            self.suseinfo = attributes.get("href", "")
        elif name in ("revision", "timestamp", "expire"):
            self._words = []
            self._parser.CharacterDataHandler = self._words.append

    def _close(self, name: str) -> None:
        if name not in ("revision", "timestamp", "expire"):
            return
        self._parser.CharacterDataHandler = None
        text = "".join(self._words).strip()[:100]
        seconds = _SECONDS.match(text)
        if name == "revision":
            self.revision = "".join(letter for letter in text if letter.isprintable())
        elif seconds is None:
            return
        elif name == "timestamp":
            self.issued = max(self.issued or 0, int(seconds.group()))
        else:
            self.expire = int(seconds.group())
