# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import configparser

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._repository import repository_file

_ADDRESSES = {
    "https://mirror.example.com/livepatch/15.4": [],
    "http://10.0.2.2:8080": [],
    "https://[2001:db8::1]/a//b/$releasever/${arch}/": [],
    "file:///srv/mirror": [],
    "https://me:secret@mirror.example.com/main": ["me:secret", "secret"],
    "https://token@mirror.example.com/main": ["token"],
    "https://me:s%40cret@m/": ["me:s%40cret", "me:s@cret", "s%40cret", "s@cret"],
    "https://m/main?secret": ["secret"],
    "https://m/main?user=bob&auth=sec%3D&ssl_verify=no": [
        "user=bob&auth=sec%3D&ssl_verify=no",
        "user=bob&auth=sec=&ssl_verify=no",
        "sec%3D",
        "sec=",
        "bob",
    ],
    "https://m/main#secret": ["secret"],
}


@pytest.mark.parametrize("url", _ADDRESSES)
def test_address(url: str) -> None:
    repository_file.validate_url(url)
    assert repository_file.list_secrets(url) == _ADDRESSES[url]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mirror.example.com",
        "ftp://secret@m/x",
        "https:///secret",
        "file://host/secret",
        "https://m/secret\ngpgcheck=0",
        "https://m/secret\n",
        "https://m/secret\r",
        "https://m/secret x",
        "https://m/secret\thttps://other",
        "https://m/secret,https://other",
        "https://m/secret\x1b[2J",
        "https://m/s\u00e9cret",
        "https://me:sec/ret@m/x",
        "https://me:12/secret@m/x",
        "https://me:sec@ret@m/x",
        "https://me:sec?ret@m/x",
        "https://m:80:90/secret",
    ],
)
def test_no_address(url: str) -> None:
    with pytest.raises(BadOption, match="must be an address that begins with https://, http:// or file://") as error:
        repository_file.validate_url(url)
    assert "secret" not in str(error.value) and (not url or url not in str(error.value))
    assert repository_file.list_secrets(url) == [url] * bool(url), "all of it"


@pytest.mark.parametrize("name", ["livepatch", "SUSE_15.4-x86", "a", "mainly", "9" * 100])
def test_name(name: str) -> None:
    repository_file.validate_name(name)


@pytest.mark.parametrize(
    "name", ["", "main", "-x", ".x", "../x", "a/b", "a b", "a]\n[b", "a\n", "\u00e9", "a" * 101, "$arch"]
)
def test_no_name(name: str) -> None:
    with pytest.raises(BadOption, match=r"livepatch_repository_name is .* must be a word"):
        repository_file.validate_name(name)


@pytest.mark.parametrize("signed, checked", [(True, "1"), (False, "0")])
def test_file(signed: bool, checked: str) -> None:
    text = repository_file.format_repository_file("kmps", "https://m/$arch/x?a=%20", signed)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    assert parser.sections() == ["kmps"]
    assert dict(parser["kmps"]) == {
        "name": "kmps",
        "enabled": "1",
        "autorefresh": "1",
        "baseurl": "https://m/$arch/x?a=%20",
        "gpgcheck": "1",
        "pkg_gpgcheck": "1",
        "repo_gpgcheck": checked,
        "gpgkey": "file:///etc/pki/rpm-gpg/RPM-GPG-KEY-kmps",
    }
