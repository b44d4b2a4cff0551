# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any, Dict

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import selection
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Candidate

_NAME = "kernel-livepatch-6_1_0-56-cloud-amd64"
_ID = "3b43fad5034874490492495d552c0af6a5fab235"
_ONE, _TWO, _THREE, _FOURTEEN = "1-150400.9.3.1", "2-150400.2.1", "3-150400.2.1", "14-150400.2.1"


def _one(evr: str, arch: str = "x86_64", repository: Any = "lab") -> Candidate:
    return Candidate(_NAME, evr, arch, repository)


def _keys(*evrs: str) -> Any:
    return {_NAME + "-" + evr for evr in evrs}


def _select(candidates: Any, this: Any, any_build: Any, by_name: bool = False) -> selection.Selection:
    return selection.select("6.1.0-56-cloud-amd64", "x86_64", _ID, candidates, this, any_build, by_name)


def _reasons(chosen: selection.Selection) -> Dict[str, str]:
    return {one["evr"]: one["reason"].split(":")[0] for one in chosen.rejected}


@pytest.mark.parametrize(
    "candidates, this, any_build, by_name, expected, basis, reasons",
    [
        pytest.param([], (), (), False, None, None, {}, id="nothing on offer"),
        pytest.param(
            [_one(_ONE), _one(_THREE), _one(_TWO)],
            (_ONE, _TWO, _THREE),
            (_ONE, _TWO, _THREE),
            False,
            _THREE,
            "build_id",
            {_ONE: "older level than " + _THREE, _TWO: "older level than " + _THREE},
            id="newest",
        ),
        pytest.param(
            [_one(_TWO), _one(_FOURTEEN)],
            (_TWO, _FOURTEEN),
            (_TWO, _FOURTEEN),
            False,
            _FOURTEEN,
            "build_id",
            {_TWO: "older level than " + _FOURTEEN},
            id="14 is newer than 2",
        ),
        pytest.param(
            [_one(_TWO), _one(_THREE)],
            (_TWO,),
            (_TWO, _THREE),
            False,
            _TWO,
            "build_id",
            {_THREE: "built for another build of this kernel"},
            id="newest is for another build",
        ),
        pytest.param(
            [_one(_THREE)],
            (),
            (_THREE,),
            True,
            None,
            None,
            {_THREE: "built for another build of this kernel"},
            id="another build is refused by name as well",
        ),
        pytest.param(
            [_one(_THREE)], (), (), False, None, None, {_THREE: "only its name fits"}, id="no tag is not enough"
        ),
        pytest.param([_one(_THREE)], (), (), True, _THREE, "name", {}, id="no tag, allowed by name"),
        pytest.param(
            [_one(_TWO), _one(_THREE)],
            (_TWO,),
            (_TWO,),
            False,
            _TWO,
            "build_id",
            {_THREE: "only its name fits"},
            id="the tagged one before the newer one without tag",
        ),
        pytest.param(
            [_one(_TWO), _one(_THREE, "s390x")],
            (_TWO, _THREE),
            (_TWO, _THREE),
            True,
            _TWO,
            "build_id",
            {_THREE: "other architecture"},
            id="other architecture",
        ),
        pytest.param([_one(_TWO, "noarch")], (_TWO,), (_TWO,), False, _TWO, "build_id", {}, id="noarch"),
        pytest.param(
            [_one(_THREE, repository=None)], (_THREE,), (_THREE,), False, _THREE, "build_id", {}, id="only installed"
        ),
    ],
)
def test_select(
    candidates: Any, this: Any, any_build: Any, by_name: bool, expected: Any, basis: Any, reasons: Any
) -> None:
    chosen = _select(candidates, _keys(*this), _keys(*any_build), by_name)
    assert (chosen.selected.evr if chosen.selected else None) == expected
    assert chosen.basis == basis
    assert _reasons(chosen) == reasons


def test_witnesses() -> None:
    by_tag = _select([_one(_TWO)], _keys(_TWO), _keys(_TWO))
    assert by_tag.witnesses == [
        "name carries the running release 6.1.0-56-cloud-amd64",
        "package is tagged for the running build ID " + _ID,
    ]
    assert _select([_one(_TWO)], set(), set(), True).witnesses == by_tag.witnesses[:1]


def test_same_package_in_two_repositories() -> None:
    chosen = _select([_one(_TWO, repository="a"), _one(_TWO, repository="b")], _keys(_TWO), _keys(_TWO))
    assert chosen.selected is not None
    assert (chosen.selected.evr, chosen.rejected) == (_TWO, [])


def test_which_repository_does_not_depend_on_hashes() -> None:
    repositories = [f"repository-{number}" for number in range(30)]
    for first in range(30):
        order = repositories[first:] + repositories[:first]
        chosen = _select([_one(_TWO, repository=one) for one in order], _keys(_TWO), _keys(_TWO))
        assert chosen.selected is not None
        # The first that zypper lists, or the first by name: either would do
        assert chosen.selected.repository in (order[0], min(repositories))
