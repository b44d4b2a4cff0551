# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import payload
from tests.support import factories

_MODULE = "/lib/modules/x/livepatch/livepatch-3-1.ko"
_FILES = {
    "/etc/empty": b"",
    "/usr/share/doc/a": b"abc",
    _MODULE: b"module" * 1000,
    "/usr/share/doc/b": b"abcdefg" * 50,
    "/lib/modules/x/livepatch/second.ko.xz": b"second",
}


def _unpack(host: Any, archive: bytes, step: int = 4096) -> Any:
    host.have_filter("rpm2cpio", lambda _data: (archive[at : at + step] for at in range(0, len(archive), step)))
    return payload.extract_files(host, "/x.rpm", _kmp_names.is_module)


@pytest.mark.parametrize("step", [1, 3, 110, 4096, 10**6])
def test_files(host: Any, step: int) -> None:
    expected = {path: _FILES[path] for path in (_MODULE, "/lib/modules/x/livepatch/second.ko.xz")}
    assert _unpack(host, factories.cpio(_FILES), step) == expected
    assert host.calls == [["rpm2cpio", "/x.rpm"]]


def test_package_without_files(host: Any) -> None:
    assert _unpack(host, factories.cpio({})) == {}


def test_cut_off_anywhere(host: Any) -> None:
    archive = factories.cpio(_FILES)
    # What follows the last header is filling
    for end in range(0, len(archive) - 16, 37):
        with pytest.raises(Unmeasured, match="truncated"):
            _unpack(host, archive[:end])


@pytest.mark.parametrize(
    "archive, words",
    [
        (b"", "truncated"),
        (b"07070X" + b"0" * 200, "unknown archive format"),
        (b"<html>404</html>" * 20, "unknown archive format"),
        (factories.cpio(_FILES)[:54] + b"zzzzzzzz" + factories.cpio(_FILES)[62:], "no numbers in a header"),
        (
            factories.cpio({_MODULE: b"x"})[:54] + b"ffffffff" + factories.cpio({_MODULE: b"x"})[62:],
            "a file of 4294967295 bytes",
        ),
        (factories.cpio(_FILES)[:94] + b"ffffffff" + factories.cpio(_FILES)[102:], "a name of 429496"),
    ],
    ids=["empty", "stripped", "no archive", "no number", "huge", "huge name"],
)
def test_damaged(host: Any, archive: bytes, words: str) -> None:
    with pytest.raises(Unmeasured, match=words):
        _unpack(host, archive)


def test_no_rpm(host: Any) -> None:
    with pytest.raises((Unmeasured, KeyError)):
        payload.extract_files(host, "/x.rpm", _kmp_names.is_module)
