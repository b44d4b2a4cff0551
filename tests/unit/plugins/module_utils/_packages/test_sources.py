# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any, List

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import sources
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.advisories import Advisory
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate, Metadata
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.rpm import Package

_THREE = Package("kmp", "3-1", "x86_64")
_REPOSITORIES = [Metadata("vendor", "/vendor"), Metadata("other", "/other", False), Metadata("more", "/more", False)]


def _advise(repository: str, *names: str) -> Advisory:
    return Advisory("of " + repository, True, None, None, (), tuple((name, "3-1") for name in names), repository)


@pytest.mark.parametrize(
    "offering, repository, counted",
    [
        (["vendor"], "vendor", ["vendor"]),
        (["vendor", "other"], "vendor", ["vendor"]),
        (["vendor", "other"], "other", ["other"]),
        # Installed
        ([], None, []),
        (["vendor"], None, ["vendor"]),
        (["vendor", "other"], None, ["vendor"]),
        (["other"], None, ["other"]),
        # zypper shows the name of a repository where it cannot tell its alias
        (["Name of one"], "Name of one", ["vendor"]),
    ],
)
def test_whose_word_counts(offering: List[str], repository: Any, counted: List[str]) -> None:
    found = [_advise(each.repository, "kmp", "kernel") for each in _REPOSITORIES]
    candidates = [Candidate(*_THREE, repository=name) for name in offering]
    candidates.append(Candidate("kmp", "3-1", "noarch", "more"))
    advised = sources.Advised(found, _REPOSITORIES, candidates)
    assert [each.repository for each in advised.list_for(_THREE, repository)] == counted
    assert advised.list_for(_THREE._replace(name="others"), repository) == []
    assert len(advised.everything) == 3


_GOOD = (
    "<updates><update><id>{}</id><pkglist><package name='kmp' version='3' release='1'/></pkglist></update></updates>"
)


@pytest.mark.parametrize(
    "damaged, offering, read, problems",
    [
        ([], {"vendor"}, ["vendor", "other", "more"], []),
        (["other"], {"vendor", "other"}, ["vendor", "more"], ["other"]),
        (["other", "more"], {"vendor", "other"}, ["vendor"], ["other"]),
        (["vendor"], {"other"}, ["other", "more"], []),
        (["vendor"], {"vendor", "other"}, None, []),
        (["vendor"], {"Name of one"}, None, []),
        (["other"], {"Name of one"}, ["vendor", "more"], ["other"]),
    ],
)
def test_read_all(host: Any, damaged: List[str], offering: Any, read: Any, problems: List[str]) -> None:
    for each in _REPOSITORIES:
        index = "<repomd><data type='updateinfo'><location href='repodata/u.xml'/></data></repomd>"
        host.put(each.folder + "/repodata/repomd.xml", index)
        host.put(each.folder + "/repodata/u.xml", "<updates>" if each.repository in damaged else _GOOD)
    if read is None:
        with pytest.raises(Unmeasured, match="the advisories of repository vendor cannot be read"):
            sources.read_all(host, _REPOSITORIES, offering, {"kmp"})
        return
    found, told = sources.read_all(host, _REPOSITORIES, offering, {"kmp"})
    assert [each.repository for each in found] == read
    assert list(told) == problems
