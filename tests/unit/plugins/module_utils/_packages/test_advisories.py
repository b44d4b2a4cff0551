# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import bz2
import gzip
import lzma
from typing import Any, List

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import advisories
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Metadata

_NAME = "kernel-livepatch-5_14_21-150400_24_103-default"
_KERNEL = "kernel-default"
_FOLDER = "/var/cache/zypp/raw/updates"
_REPOSITORY = [Metadata("updates", _FOLDER)]
# As SUSE, Red Hat and Amazon write them
_SUSE = """<update from="maint-coord@suse.de" status="stable" type="security" version="1">
  <id>SUSE-SLE-Module-Live-Patching-15-SP4-2026-1234</id>
  <title>Security update for the Linux Kernel (Live Patch 22 for SLE 15 SP4)</title>
  <severity>important</severity><release>SUSE Updates SLE-Module-Live-Patching 15-SP4 x86 64</release>
  <issued date="1772442000"/>
  <references>
    <reference href="https://bugzilla.suse.com/1" id="1" title="VUL-0: CVE-2026-8888: kernel" type="bugzilla"/>
    <reference href="https://example.com/CVE-2026-1111" id="CVE-2026-1111" title="CVE-2026-1111" type="cve"/>
    <reference href="https://example.com/CVE-2026-999" id="CVE-2026-0999" title="CVE-2026-0999" type="cve"/>
  </references>
  <description>This update fixes several issues. CVE-2026-7777 is only mentioned.</description>
  <pkglist><collection><package name="{0}" epoch="0" version="7" release="150400.2.1" arch="x86_64"
    src="{0}-7.src.rpm"><filename>{0}-7-150400.2.1.x86_64.rpm</filename></package></collection></pkglist></update>"""
_RED_HAT = """<update from="release-engineering@redhat.com" status="final" type="security" version="2">
  <id>RHSA-2026:1111</id><title>Important: kpatch-patch security update</title>
  <severity>Important</severity><issued date="2026-03-02 09:00:00"/><updated date="2026-03-03 00:00:00"/>
  <description>kernel: use after free (CVE-2026-2222)</description>
  <pkglist><collection short=""><package name="{0}" epoch="1" version="1" release="7.el9" arch="x86_64"/>
  </collection></pkglist></update>"""
_AMAZON = """<update status="final" version="1.4" author="linux-security@amazon.com" type="security" from="x">
  <id>ALASLIVEPATCH-2026-001</id><issued date="2026-03-02T09:00:00Z"/><severity>medium</severity>
  <references><reference href="" id="CVE-2026-3333" title="" type="cve"/></references>
  <pkglist><collection><package name="{0}" version="1.0" release="7.amzn2023" epoch="0" arch="x86_64"/>
  </collection></pkglist></update>"""


def _parse(*updates: str, **more: Any) -> List[advisories.Advisory]:
    text = "<?xml version='1.0' encoding='UTF-8'?><updates>{}</updates>".format("".join(updates))
    data = text.encode()
    step = more.get("step", 1000)
    return advisories.parse_updateinfo(
        (data[at : at + step] for at in range(0, len(data), step)), more.get("wanted", {_NAME})
    )


@pytest.mark.parametrize("step", [1, 7, 100000])
@pytest.mark.parametrize(
    "update, expected",
    [
        pytest.param(
            _SUSE,
            (
                "SUSE-SLE-Module-Live-Patching-15-SP4-2026-1234",
                False,
                "important",
                "2026-03-02",
                ("CVE-2026-0999", "CVE-2026-1111"),
                ((_NAME, "7-150400.2.1"),),
            ),
            id="SUSE",
        ),
        pytest.param(
            _SUSE.replace("stable", "retracted"),
            (
                "SUSE-SLE-Module-Live-Patching-15-SP4-2026-1234",
                True,
                "important",
                "2026-03-02",
                ("CVE-2026-0999", "CVE-2026-1111"),
                ((_NAME, "7-150400.2.1"),),
            ),
            id="SUSE, retracted",
        ),
        pytest.param(
            _RED_HAT,
            ("RHSA-2026:1111", False, "important", "2026-03-02", ("CVE-2026-2222",), ((_NAME, "1:1-7.el9"),)),
            id="Red Hat",
        ),
        pytest.param(
            _AMAZON,
            (
                "ALASLIVEPATCH-2026-001",
                False,
                "moderate",
                "2026-03-02",
                ("CVE-2026-3333",),
                ((_NAME, "1.0-7.amzn2023"),),
            ),
            id="Amazon",
        ),
    ],
)
def test_parse(update: str, expected: Any, step: int) -> None:
    assert _parse(update.format(_NAME), _SUSE.format("bash"), step=step) == [(*expected, "")]


@pytest.mark.parametrize(
    "change, severity, issued",
    [
        (("<severity>important</severity>", ""), None, "2026-03-02"),
        (("important", "dreadful"), None, "2026-03-02"),
        (('<issued date="1772442000"/>', ""), "important", None),
        (("1772442000", "yesterday"), "important", None),
        (("1772442000", "2026-13-41"), "important", None),
        (("1772442000", ""), "important", None),
    ],
)
def test_what_is_not_told(change: Any, severity: Any, issued: Any) -> None:
    (found,) = _parse(_SUSE.format(_NAME).replace(*change))
    assert (found.severity, found.issued) == (severity, issued)


def test_cves_in_titles_of_bugs() -> None:
    """As Fedora has them: neither a reference of their own, nor always in the description."""
    bug = _RED_HAT.replace("(CVE-2026-2222)", "").replace(
        "<pkglist>",
        '<references><reference id="9" title="CVE-2026-4444 kernel: leak" type="bugzilla"/></references><pkglist>',
    )
    (found,) = _parse(bug.format(_NAME))
    assert found.cves == ("CVE-2026-4444",)


def test_words_of_one_update_are_not_those_of_the_next() -> None:
    bare = "<update><pkglist><collection><package name='{0}' version='2' release='1'/></collection></pkglist></update>"
    first, second = _parse((_SUSE.replace("stable", "retracted") + bare).format(_NAME))
    assert first.retracted
    assert second == ("without a name", False, None, None, (), ((_NAME, "2-1"),), "")


@pytest.mark.parametrize("length", [100, 3000, 70000])
@pytest.mark.parametrize("step", [1, 100, 1000, 4096, 10000])
def test_last_update_is_not_lost(length: int, step: int) -> None:
    """expat from 2.6 keeps back what it could not read at once, until more comes or it is told that this was all."""
    update = _SUSE.format(_NAME).replace("src=", "src='{}' vendor=".format("s" * length))
    assert len(_parse(update, step=step)) == 1


@pytest.mark.parametrize(
    "form", ["{}", "<updates>{}</updates>", "<updates xmlns='https://example.com/ns'>{}</updates>"]
)
def test_how_documents_begin(form: str) -> None:
    assert len(advisories.parse_updateinfo(iter([form.format(_SUSE.format(_NAME)).encode()]), {_NAME})) == 1


def test_shown_letters_only() -> None:
    long = "A\u202e\u009b\n<![CDATA[<]]>" + "B" * 1000
    (found,) = _parse(_SUSE.format(_NAME).replace("SUSE-SLE-Module-Live-Patching-15-SP4-2026-1234", long))
    assert found.id == "A<" + "B" * 95


def _put(host: Any, content: bytes, file: str = "0abc-updateinfo.xml.gz", kind: str = "updateinfo") -> None:
    host.put(
        _FOLDER + "/repodata/repomd.xml",
        "<repomd xmlns='http://linux.duke.edu/metadata/repo'><data type='primary'><location href='repodata/p'/></data>"
        f"<data type='{kind}'><location href='repodata/{file}'/></data></repomd>",
    )
    host.put(f"{_FOLDER}/repodata/{file}", content)


_DOCUMENT = f"<updates>{_SUSE.format(_NAME)}</updates>".encode()


@pytest.mark.parametrize(
    "content", [_DOCUMENT, gzip.compress(_DOCUMENT), lzma.compress(_DOCUMENT), bz2.compress(_DOCUMENT)]
)
def test_read(host: Any, content: bytes) -> None:
    # What lies beside it from an earlier refresh does not count
    host.put(_FOLDER + "/repodata/0000-updateinfo.xml.gz", b"stale")
    _put(host, content)
    (found,) = advisories.read_advisories(host, _REPOSITORY, {_NAME})
    assert found.packages == ((_NAME, "7-150400.2.1"),)


def test_no_advisories(host: Any) -> None:
    assert advisories.read_advisories(host, _REPOSITORY, {_NAME}) == []
    _put(host, b"", kind="filelists")
    assert advisories.read_advisories(host, _REPOSITORY, {_NAME}) == []


@pytest.mark.parametrize("href", ["repodata/../../../../../../etc/secret", "/etc/secret", "//etc/secret"])
def test_never_outside_of_its_folder(host: Any, href: str) -> None:
    host.put("/etc/secret", "<updates/>")
    index = f"<repomd><data type='updateinfo'><location href='{href}'/></data></repomd>"
    host.put(_FOLDER + "/repodata/repomd.xml", index)
    with pytest.raises(Unmeasured, match="cannot read /var/cache/zypp/raw/updates/etc/secret"):
        advisories.read_advisories(host, _REPOSITORY, {_NAME})


@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_cut_off_anywhere(host: Any, packed: Any) -> None:
    whole = packed(_DOCUMENT)
    for end in range(1, len(whole) - 1, 29):
        _put(host, whole[:end])
        with pytest.raises(Unmeasured, match=r"repository updates cannot be read.*refresh: always"):
            advisories.read_advisories(host, _REPOSITORY, {_NAME})


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE updates [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><updates>&b;</updates>",
        b" " * 3000 + b"<!DOCTYPE updates SYSTEM 'file:///etc/passwd'><updates/>",
        b"<updates>\xff\xfe</updates>",
        b"<updates><update></updates>",
        b"<!--" + b"x" * 20000 + b"--><!DOCTYPE updates [<!ENTITY a 'a'>]><updates/>",
        "<!DOCTYPE updates [<!ENTITY a 'a'>]><updates/>".encode("utf-16"),
        b"<?xml version='1.0' encoding='cp037'?>" + "<!DOCTYPE updates><updates/>".encode("cp037"),
        b"<html><body>Please log in</body></html>",
        b"",
        _DOCUMENT.replace(b'version="7"', b""),
        _DOCUMENT.replace(b'release="150400.2.1"', b'release=""'),
        _DOCUMENT.replace(b"Security update", b"Security \x1b[2J update"),
    ],
)
def test_hostile(host: Any, content: bytes) -> None:
    _put(host, content)
    with pytest.raises(Unmeasured, match="repository updates cannot be read"):
        advisories.read_advisories(host, _REPOSITORY, {_NAME})


@pytest.mark.parametrize(
    "filling, problem",
    [
        ("<a/>" * 5000000, "a part of it has more than 100000 elements"),
        ("<a>" * 60, "or 50 levels of them"),
        ("<a " + "a" * 20000000 + "='1'/>", "a tag of it is larger than 1 MiB"),
        ("<id>" + "a" * 20000000 + "</id>", "the texts of an update in it are larger than 1 MiB"),
        ("<a>" + "a" * 20000000 + "</a>", "a part of it is larger than 16 MiB"),
        ("<!--" + "a" * 20000000, "a tag of it is larger than 1 MiB"),
    ],
    ids=["elements", "depth", "a name", "text", "other text", "a comment"],
)
def test_endless(host: Any, filling: str, problem: str) -> None:
    """What a megabyte can be unpacked to fills no memory."""
    _put(host, gzip.compress(f"<updates><update>{filling}".encode(), 1))
    with pytest.raises(Unmeasured, match="repository updates cannot be read: .*" + problem):
        advisories.read_advisories(host, _REPOSITORY, {_NAME})


def test_more_than_any_has(monkeypatch: Any) -> None:
    monkeypatch.setattr(advisories, "_CVES_MAX", 5)
    assert len(_parse(_SUSE.format(_NAME))) == 1
    with pytest.raises(ValueError, match="more than 5 CVEs"):
        _parse(_SUSE.format(_NAME) * 2)


def test_all_repositories_together(host: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(advisories, "_SUM_MAX", 1 << 20)
    _put(host, gzip.compress("<updates>{}</updates>".format(_RED_HAT.format("bash") * 1500).encode()))
    assert advisories.read_advisories(host, _REPOSITORY, {_NAME}) == []
    with pytest.raises(Unmeasured, match="more than 1 MiB come out of the advisories"):
        advisories.read_advisories(host, _REPOSITORY * 2, {_NAME})


def test_large_in_all(monkeypatch: Any) -> None:
    monkeypatch.setattr(advisories, "_LARGEST", 1 << 20)
    with pytest.raises(ValueError, match="larger than 1 MiB"):
        _parse(_RED_HAT.format("bash") * 3000)


@pytest.mark.parametrize(
    "index",
    [
        "<repomd><data type='updateinfo'>",
        "<repomd><data type='updateinfo'><location/></data></repomd>",
        "<!DOCTYPE repomd><repomd/>",
        "<html/>",
        "",
    ],
)
def test_index_is_damaged(host: Any, index: str) -> None:
    host.put(_FOLDER + "/repodata/repomd.xml", index)
    with pytest.raises(Unmeasured, match="repository updates cannot be read"):
        advisories.read_advisories(host, _REPOSITORY, {_NAME})


def test_tool_is_missing(host: Any) -> None:
    """Refreshing is no way out of that."""
    _put(host, b"\x28\xb5\x2f\xfd and so on")
    with pytest.raises(Unmeasured, match=r"repository updates cannot be read: .*zstd.*\. Install zstd$"):
        advisories.read_advisories(host, _REPOSITORY, {_NAME})


def _put_both(host: Any, *there: str) -> None:
    """As createrepo_c --zck lists them."""
    host.put(
        _FOLDER + "/repodata/repomd.xml",
        "<repomd><data type='updateinfo'><location href='repodata/u.xml'/></data>"
        "<data type='updateinfo_zck'><location href='repodata/u.xml.zck'/></data></repomd>",
    )
    for file in there:
        host.put(f"{_FOLDER}/repodata/{file}", _DOCUMENT)


def test_zchunk(host: Any) -> None:
    """A dnf that knows zchunk fetches nothing else; one that does not, or zypper, the other file."""
    _put_both(host, "u.xml")
    assert len(advisories.read_advisories(host, _REPOSITORY, {_NAME})) == 1
    host.remove(_FOLDER + "/repodata/u.xml")
    host.put(_FOLDER + "/repodata/u.xml.zck", b"\0ZCK1")
    with pytest.raises(Unmeasured, match=r"zchunk.* no unzck .*Install zchunk, or set zchunk=False"):
        advisories.read_advisories(host, _REPOSITORY, {_NAME})
    host.have_filter("unzck", lambda _source: iter([_DOCUMENT[:99], _DOCUMENT[99:]]))
    assert len(advisories.read_advisories(host, _REPOSITORY, {_NAME})) == 1


def test_neither_was_fetched(host: Any) -> None:
    _put_both(host)
    with pytest.raises(Unmeasured, match=r"cannot read .*/u\.xml: No such file.*refresh: always"):
        advisories.read_advisories(host, _REPOSITORY, {_NAME})


def _advisory(name: str, version: str, *cves: str, retracted: bool = False) -> advisories.Advisory:
    return advisories.Advisory("A-" + version, retracted, None, None, cves, ((name, version),))


_ALL = [
    _advisory(_NAME, "2-1", "CVE-2026-0002"),
    _advisory(_NAME, "3-1", "CVE-2026-0003"),
    _advisory(_NAME, "10-1", "CVE-2026-0010", "CVE-2026-0003"),
    _advisory(_NAME, "11-1", "CVE-2026-0011", retracted=True),
    _advisory(_KERNEL, "5.14-9", "CVE-2026-0002"),
    _advisory(_KERNEL, "5.14-10", "CVE-2026-0002", "CVE-2026-0099"),
]


@pytest.mark.parametrize(
    "version, expected",
    [
        ("1-1", []),
        ("2-1", ["CVE-2026-0002"]),
        ("3-2", ["CVE-2026-0002", "CVE-2026-0003"]),
        ("10-1", ["CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0010"]),
        # What was retracted is not fixed
        ("11-1", ["CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0010"]),
    ],
)
def test_fixed_up_to(version: str, expected: Any) -> None:
    assert advisories.list_fixed_up_to(_ALL, _NAME, version) == expected


@pytest.mark.parametrize(
    "version, expected", [("5.14-9", ["CVE-2026-0002", "CVE-2026-0099"]), ("5.14-10", []), ("5.14-10.1", [])]
)
def test_fixed_after(version: str, expected: Any) -> None:
    assert advisories.list_fixed_after(_ALL, _KERNEL, version) == expected


def test_of() -> None:
    found = advisories.find_advisory(_ALL, _NAME, "10-1")
    assert found is not None
    assert found.id == "A-10-1"
    assert advisories.find_advisory(_ALL, _NAME, "10-2") is None
    assert advisories.find_advisory(_ALL, _KERNEL, "10-1") is None
    both = [_advisory(_NAME, "3-1"), _advisory(_NAME, "3-1", retracted=True)]
    taken_back = advisories.find_advisory(both, _NAME, "3-1")
    assert taken_back is not None
    assert taken_back.retracted, "one repository's word is enough"


def test_large(host: Any, monkeypatch: Any) -> None:
    """Ten thousand updates of other packages pass by, and none of them is kept."""
    monkeypatch.setattr(advisories, "_LARGEST_UPDATE", 1 << 20)
    text = "<updates>{}{}</updates>".format(_RED_HAT.format("bash") * 10000, _SUSE.format(_NAME))
    _put(host, gzip.compress(text.encode()))
    assert len(advisories.read_advisories(host, _REPOSITORY, {_NAME})) == 1
