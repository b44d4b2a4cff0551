# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import gzip
import json
from typing import Any, Optional

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import freshness
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import AcceptedRevision
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate, Metadata

_NAME = "kernel-livepatch-6_1_0-56-cloud-amd64"
_LAB = Metadata("lab", "/cache/lab")


def _show(
    host: Any,
    *levels: int,
    revision: str = "",
    issued: Any = None,
    expire: Any = None,
    accepted: Any = (),
    checked: bool = True,
) -> freshness.Checked:
    """What comes of a repository that offers these levels; times are seconds before now."""
    now = int(host.wall_clock())
    stamp = "" if issued is None else f"<timestamp>{now - issued}.25</timestamp>"
    data = f"<data type='primary'>{stamp}<location href='repodata/p.xml.gz'/></data>"
    if expire is not None:
        data += "<data type='suseinfo'><location href='repodata/suseinfo.xml.gz'/></data>"
        text = f"<suseinfo><expire>{expire}</expire></suseinfo>"
        host.put("/cache/lab/repodata/suseinfo.xml.gz", gzip.compress(text.encode()))
    host.put("/cache/lab/repodata/repomd.xml", f"<repomd><revision>{revision}</revision>{data}</repomd>")
    candidates = [Candidate(_NAME, f"{level}-1", "x86_64", "lab") for level in levels]
    return freshness.check_repositories(host, [_LAB._replace(checked=checked)], candidates, [_NAME], accepted)


@pytest.mark.parametrize(
    "first, then, words",
    [
        ({"revision": "1796053783"}, {"revision": "1796053784"}, None),
        ({"revision": "1796053783"}, {"revision": "1796053783"}, None),
        ({"revision": "1796053783"}, {"revision": "999999999"}, "gone back from revision 1796053783 to 999999999"),
        # Words have no order
        ({"revision": "8.10", "issued": 100}, {"revision": "8.9", "issued": 50}, None),
        (
            {"revision": "8.9", "issued": 50},
            {"revision": "8.10", "issued": 90000},
            "gone back from revision 8.9 to 8.10",
        ),
        ({"issued": 50}, {"issued": 90000}, "gone back from revision none to none"),
        ({"issued": 50}, {}, None),
        ({}, {}, None),
    ],
)
def test_revision(host: Any, first: Any, then: Any, words: Optional[str]) -> None:
    assert _show(host, 3, **first).problem is None
    problem = _show(host, 3, **then).problem
    assert (problem is None) if words is None else (words in str(problem))


@pytest.mark.parametrize(
    "first, then, words",
    [
        ((1, 2), (1, 2, 3), None),
        ((1, 2, 10), (1, 2, 3), f"repository lab has offered {_NAME}-10-1, and now offers 3-1"),
        ((3,), (), f"repository lab has offered {_NAME}-3-1, and now offers none of that name"),
    ],
)
def test_level(host: Any, first: Any, then: Any, words: Optional[str]) -> None:
    """Where the revision goes forward, or has none."""
    assert _show(host, *first, revision="1").problem is None
    problem = _show(host, *then, revision="2").problem
    assert (problem is None) if words is None else (words in str(problem))


@pytest.mark.parametrize(
    "first, then, levels, words",
    [
        # A server that is a little behind, and one that is ahead again
        ({"revision": "9", "issued": 50}, {"revision": "8", "issued": 86449}, (2, 3), None),
        ({"revision": "9", "issued": 50}, {"revision": "8", "issued": 50}, (3,), None),
        ({"revision": "9", "issued": 50}, {"revision": "8", "issued": 86450}, (2, 3), "gone back from revision 9 to 8"),
        ({"revision": "9", "issued": 50}, {"revision": "8", "issued": 49}, (3,), "gone back from revision 9 to 8"),
        ({"revision": "9", "issued": 50}, {"revision": "8"}, (2, 3), "gone back from revision 9 to 8"),
        ({"revision": "9"}, {"revision": "8", "issued": 50}, (2, 3), "gone back from revision 9 to 8"),
        ({"revision": "9", "issued": 50}, {"revision": "8", "issued": 60}, (2,), f"has offered {_NAME}-3-1"),
        ({"revision": "9", "issued": 50}, {"revision": "8", "issued": 60}, (), f"has offered {_NAME}-3-1"),
    ],
)
def test_mirrors_out_of_step(host: Any, first: Any, then: Any, levels: Any, words: Optional[str]) -> None:
    assert _show(host, 2, 3, **first).problem is None
    memory = host.read_text(freshness.PATH)
    problem = _show(host, *levels, **then).problem
    assert (problem is None) if words is None else (words in str(problem))
    assert host.read_text(freshness.PATH) == memory, "the newest stays"


@pytest.mark.parametrize(
    "then, levels, words",
    [
        ({"revision": "8"}, (3,), "repository lab has gone back from revision 9 to 8"),
        ({"revision": "9"}, (2,), f"repository lab has offered {_NAME}-3-1"),
        ({"revision": "9", "issued": 100, "expire": 50}, (3,), "repository lab expired"),
        ({"revision": "<"}, (3,), "the index of repository lab cannot be read"),
    ],
)
def test_unchecked_repository(host: Any, then: Any, levels: Any, words: str) -> None:
    """It counts for nothing then, and takes nothing from the others."""
    _show(host, 3, revision="9", checked=False)
    memory = host.read_text(freshness.PATH)
    for _again in range(2):
        told = _show(host, *levels, checked=False, **then)
        assert (told.problem, told.age, list(told.stale)) == (None, None, ["lab"])
        assert words in told.stale["lab"]
        assert host.read_text(freshness.PATH) == memory
    accepted = [AcceptedRevision("lab", "8", "x")]
    assert _show(host, 2, revision="8", checked=False, accepted=accepted).stale == {}


def test_memory_is_limited(host: Any) -> None:
    entry = {"revision": "1", "issued": None, "accepted": []}
    kmps = dict({f"kernel-livepatch-{number}": "1-1" for number in range(300)}, a="9" * 5000, **{"a" * 5000: "1"})
    repositories = {f"a{number}": dict(entry, kmps=kmps) for number in range(250)}
    repositories["lab"] = dict(entry, kmps=dict(kmps, **{_NAME: "3-1"}))
    host.put(freshness.PATH, json.dumps({"schema": 1, "repositories": repositories}))
    assert _show(host, 3, revision="2").problem is None
    kept = json.loads(host.read_text(freshness.PATH))["repositories"]
    assert len(kept) == 200
    assert kept["lab"]["kmps"][_NAME] == "3-1"
    assert {len(each["kmps"]) for each in kept.values()} == {200}
    assert max(len(text) for each in kept.values() for kmp in each["kmps"].items() for text in kmp) < 201
    assert "has offered" in str(_show(host, 2, revision="3").problem)


@pytest.mark.parametrize("issued, expire, words", [(50, 100, None), (200, 100, "lab expired at 20"), (200, None, None)])
def test_expiry(host: Any, issued: int, expire: Any, words: Optional[str]) -> None:
    problem = _show(host, 3, issued=issued, expire=expire).problem
    assert (problem is None) if words is None else (words in str(problem))


@pytest.mark.parametrize("href", ["/etc/s.xml", "//etc/s.xml", "/../etc/s.xml", "../../../etc/s.xml"])
def test_index_names_no_file_outside_its_folder(host: Any, href: str) -> None:
    index = (
        f"<repomd><data type='suseinfo'><timestamp>1</timestamp><location href='{href}'/></data>"
        "<revision>1</revision></repomd>"
    )
    host.put("/cache/lab/repodata/repomd.xml", index)
    host.put("/etc/s.xml", "<suseinfo><expire>1</expire></suseinfo>")
    candidates = [Candidate(_NAME, "3-1", "x86_64", "lab")]
    assert freshness.check_repositories(host, [_LAB], candidates, [_NAME], ()).problem is None
    host.put("/cache/lab/etc/s.xml", "<suseinfo><expire>1</expire></suseinfo>")
    assert "expired" in str(freshness.check_repositories(host, [_LAB], candidates, [_NAME], ()).problem)


def test_age(host: Any) -> None:
    assert _show(host, 3, issued=90 * 86400).age == 90 * 86400
    assert _show(host, 3, issued=-500).age == 0
    assert _show(host, 3).age is None


def test_way_out(host: Any) -> None:
    """A lower revision that an operator accepts is the newest one from then on, and the reason is kept."""
    _show(host, 1, 2, 3, revision="5")
    for _again in range(2):
        problem = _show(host, 1, 2, revision="4").problem
        assert "accept_revision accepts it as it is (revision 4)" in str(problem)
    for wrong in (("other", "4"), ("lab", "3")):
        assert _show(host, 1, 2, revision="4", accepted=[AcceptedRevision(*wrong, reason="x")]).problem is not None
    accepted = [AcceptedRevision("lab", "4", "level 3 was withdrawn")]
    assert _show(host, 1, 2, revision="4", accepted=accepted).problem is None
    assert _show(host, 1, 2, revision="4").problem is None
    assert _show(host, 1, 2, revision="3", accepted=accepted).problem is not None
    entry = json.loads(host.read_text(freshness.PATH))["repositories"]["lab"]
    assert (entry["revision"], entry["kmps"]) == ("4", {_NAME: "2-1"})
    assert [(each["revision"], each["reason"]) for each in entry["accepted"]] == [("4", "level 3 was withdrawn")]


def test_repository_without_kmps_is_not_looked_at(host: Any) -> None:
    host.put("/cache/lab/repodata/repomd.xml", "no XML")
    other = Candidate(_NAME, "3-1", "x86_64", "other")
    assert freshness.check_repositories(host, [_LAB], [other], [_NAME], ()) == (None, None, {})
    assert host.read_text(freshness.PATH) is None


def test_another_kernel_has_its_own_level(host: Any) -> None:
    _show(host, 1, 2, 3, revision="1")
    candidates = [Candidate("kernel-livepatch-other", "1-1", "x86_64", "lab")]
    checked = freshness.check_repositories(host, [_LAB], candidates, ["kernel-livepatch-other"], ())
    assert checked.problem is None
    assert _show(host, 1, revision="1").problem is not None, "it is remembered over a boot of another kernel"


def test_nothing_is_written_where_nothing_is_new(host: Any, monkeypatch: Any) -> None:
    _show(host, 3, revision="1")
    monkeypatch.setattr(host, "save", None)
    assert _show(host, 3, revision="1").problem is None


@pytest.mark.parametrize(
    "index",
    [
        "<repomd>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><repomd/>",
        "<repomd><revision>" + "x" * (5 << 20) + "</revision></repomd>",
        None,
    ],
    ids=["cut off", "entities", "large", "missing"],
)
def test_damaged_index(host: Any, index: Optional[str]) -> None:
    if index is not None:
        host.put("/cache/lab/repodata/repomd.xml", index)
    with pytest.raises(Unmeasured, match="index of repository lab cannot be read"):
        freshness.check_repositories(host, [_LAB], [Candidate(_NAME, "3-1", "x86_64", "lab")], [_NAME], ())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": 2, "repositories": {}}',
        '{"schema": 1, "repositories": []}',
        '{"schema": 1, "repositories": {"lab": null}}',
        '{"schema": 1, "repositories": {"lab": {"revision": 1, "issued": null, "kmps": {}, "accepted": []}}}',
        '{"schema": 1, "repositories": {"lab": {"revision": "1", "issued": true, "kmps": {}, "accepted": []}}}',
        '{"schema": 1, "repositories": {"lab": {"revision": "1", "issued": "x", "kmps": {}, "accepted": []}}}',
        '{"schema": 1, "repositories": {"lab": {"revision": "1", "issued": null, "kmps": {"a": 1}, "accepted": []}}}',
        "[" * 100000,
    ],
)
def test_damaged_memory(host: Any, text: str) -> None:
    host.put(freshness.PATH, text)
    with pytest.raises(Unmeasured, match="what repositories have shown before cannot be read"):
        _show(host, 3)
