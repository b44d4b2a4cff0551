# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A repository of one's own, on a machine whose rpm and zypper are simulated."""

import os
import re
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    BadOption,
    ImportFailed,
    LivepatchError,
    PackageManagerMissing,
    RepositoryDown,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import rpm
from ansible_collections.fleet.livepatch.plugins.module_utils._repository import kinds
from tests.support import factories

_KEY = factories.public_key("vendor", "The vendor")
_PINNED = factories.fingerprint("vendor")
_KEY_FILE = "/etc/pki/rpm-gpg/RPM-GPG-KEY-kmps"
_FILE = "/etc/zypp/repos.d/kmps.repo"
_ALL = [
    "create /etc/pki/rpm-gpg",
    "write " + _KEY_FILE,
    f"import into RPM: The vendor ({_PINNED})",
    "write " + _FILE,
]


def _configure(machine: Any, check_mode: bool = False, **differs: Any) -> Any:
    params = {
        "kind": "url",
        "name": "kmps",
        "url": "https://me:secret@mirror.example.com/main",
        "key": _KEY,
        "fingerprint": [_PINNED],
        "signed_metadata": True,
        "regcode": None,
    }
    return kinds.configure_repository(machine, dict(params, **differs), check_mode)


def _fail(machine: Any, error: Any, **differs: Any) -> Any:
    with pytest.raises(error) as raised:
        _configure(machine, **differs)
    return raised.value


def _mode(machine: Any, path: str) -> str:
    return oct(os.stat(machine.resolve_path(path)).st_mode & 0o7777)


def _trusted(machine: Any) -> Any:
    return {key.fingerprint for key in rpm.list_public_keys(machine)}


def test_configured_once(machine: Any) -> None:
    assert _configure(machine) == {"changed": True, "changes": _ALL}
    assert [_mode(machine, path) for path in ("/etc/pki/rpm-gpg", _KEY_FILE, _FILE)] == ["0o755", "0o644", "0o600"]
    assert "baseurl=https://me:secret@mirror.example.com/main\n" in machine.read_text(_FILE)
    assert machine.ran("--import") == [["rpm", "--import", _KEY_FILE]]
    assert machine.ran("refresh") == [["zypper", "--non-interactive", "--xmlout", "refresh", "kmps"]]
    assert _configure(machine) == {"changed": False, "changes": []}
    assert len(machine.ran("--import")) == 1 and len(machine.ran("refresh")) == 2


def test_check_mode(machine: Any) -> None:
    before = sorted(machine.list_files("/etc"))
    assert _configure(machine, True) == {"changed": True, "changes": _ALL}
    assert sorted(machine.list_files("/etc")) == before
    assert not machine.ran("--import") and not machine.ran("refresh")
    _configure(machine)
    assert _configure(machine, True) == {"changed": False, "changes": []}


@pytest.mark.parametrize(
    "damage, change",
    [
        (lambda machine: machine.put(_KEY_FILE, _KEY), "write " + _KEY_FILE),
        (lambda machine: os.chmod(machine.resolve_path(_KEY_FILE), 0o666), "write " + _KEY_FILE),
        (lambda machine: machine.put(_FILE, "[kmps]\ngpgcheck=0"), "write " + _FILE),
        (lambda machine: os.chmod(machine.resolve_path(_FILE), 0o644), "write " + _FILE),
        (lambda machine: os.chmod(machine.resolve_path("/etc/pki/rpm-gpg"), 0o777), "create /etc/pki/rpm-gpg"),
        (lambda machine: machine.imported.clear(), f"import into RPM: The vendor ({_PINNED})"),
    ],
    ids=["key", "mode of key", "file", "mode of file", "folder", "not trusted"],
)
def test_put_right_again(machine: Any, damage: Any, change: str) -> None:
    _configure(machine)
    damage(machine)
    assert _configure(machine) == {"changed": True, "changes": [change]}
    assert _configure(machine) == {"changed": False, "changes": []}


def test_two_keys_of_which_one_is_trusted(machine: Any) -> None:
    other = factories.fingerprint("other")
    machine.imported.append(factories.public_key("other", "Another"))
    text = _KEY + factories.public_key("other", "Another")
    result = _configure(machine, key=text, fingerprint=[_PINNED, other])
    assert _ALL[2] in result["changes"], "only the one that is missing is named"
    assert _trusted(machine) >= {_PINNED, other}
    assert not _configure(machine, key=text, fingerprint=[_PINNED, other])["changed"]


def test_unsigned_metadata(machine: Any) -> None:
    _configure(machine, signed_metadata=False)
    assert "repo_gpgcheck=0\n" in machine.read_text(_FILE)
    assert "gpgcheck=1\n" in machine.read_text(_FILE)


def test_dnf(host: Any) -> None:
    host.put("/usr/bin/dnf")
    os.chmod(host.resolve_path("/usr/bin/dnf"), 0o755)
    listed = [Completed(1, "package gpg-pubkey is not installed\n", "")]
    host.answers["rpm"] = listed[0]
    host.answers["rpm|--import"] = Completed(0, "", "")
    host.answers["rpmkeys"] = Completed(0, "", "")
    host.answers["dnf"] = Completed(0, "", "")
    # Where rpm lists no keys, it does not trust this one either.
    error = _fail(host, ImportFailed)
    assert f"has imported {_KEY_FILE}, and does not trust {_PINNED}" in str(error)
    host.answers["rpmkeys"] = Completed(0, _KEY, "")
    assert _configure(host)["changes"] == ["write /etc/yum.repos.d/kmps.repo"]
    assert "--enablerepo=kmps" in host.ran("dnf")[-1]


def test_a_key_that_comes_with_the_others(machine: Any) -> None:
    stranger = factories.fingerprint("stranger")
    machine.imports_besides = factories.public_key("stranger", "Third party")
    before = _trusted(machine)
    error = _fail(machine, ImportFailed)
    assert f"that are not pinned: Third party ({stranger}). They were removed again" in str(error)
    assert _trusted(machine) == before | {_PINNED}
    assert error.result == {"changed": True, "changes": _ALL[:3]}
    assert machine.read_text(_FILE) is None


def test_a_subkey_that_comes_with_the_others(machine: Any) -> None:
    machine.imports_besides = factories.public_key("vendor", "The vendor", "below")
    error = _fail(machine, ImportFailed)
    assert f"not pinned: The vendor ({factories.fingerprint('below')})" in str(error)


def test_a_key_that_stays(machine: Any, monkeypatch: Any) -> None:
    stranger = factories.fingerprint("stranger")
    machine.imports_besides = factories.public_key("stranger", "Third party")
    run = machine.run
    monkeypatch.setattr(
        machine,
        "run",
        lambda argv, *rest, **named: Completed(1, "", "no") if "-e" in argv else run(argv, *rest, **named),
    )
    assert f"Remove them (rpm -e): Third party ({stranger})" in str(_fail(machine, ImportFailed))


def test_a_key_that_was_there_before_is_none_of_ours(machine: Any) -> None:
    machine.imported.append(factories.public_key("stranger", "Third party"))
    assert _configure(machine)["changes"] == _ALL
    assert factories.fingerprint("stranger") in _trusted(machine)


@pytest.mark.parametrize(
    "said, shown",
    [
        (
            "Timeout exceeded when accessing\n'https://me:secret@mirror.example.com/main'.",
            "Timeout exceeded when accessing 'https://mirror.example.com/main'.",
        ),
        ("Location 'https://m/main?token=secret' is temporarily unaccessible", "Location 'https://m/main?... is"),
    ],
)
def test_no_answer(machine: Any, said: str, shown: str) -> None:
    machine.refresh_error = said
    error = _fail(machine, RepositoryDown)
    assert f"repository kmps is configured, but does not answer or is not signed with the key: {shown}" in str(error)
    assert "Check that this host reaches livepatch_repository_url" in str(error)
    assert "secret" not in str(error)
    assert error.result == {"changed": True, "changes": _ALL}
    again = _fail(machine, RepositoryDown)
    assert again.result == {"changed": False, "changes": []}


@pytest.mark.parametrize(
    "differs",
    [
        {"url": "mirror.example.com"},
        {"url": None},
        {"name": "../kmps"},
        {"key": ""},
        {"key": None},
        {"fingerprint": [factories.fingerprint("stranger")]},
        {"key": _KEY + factories.public_key("stranger", "Third party")},
        {"key": _KEY + factories.public_key("stranger", "Third party"), "fingerprint": []},
    ],
)
def test_bad_input_changes_nothing(machine: Any, differs: Any) -> None:
    before = sorted(machine.list_files("/etc"))
    assert _fail(machine, BadOption, **differs).result == {"changed": False, "changes": []}
    assert sorted(machine.list_files("/etc")) == before
    assert machine.calls == []


def test_no_package_manager(host: Any) -> None:
    assert _fail(host, PackageManagerMissing).result == {"changed": False, "changes": []}
    assert list(host.list_files("/etc")) == []


def test_locked(machine: Any) -> None:
    machine.locked = True
    error = _fail(machine, LivepatchError)
    assert re.search("zypper waited 60 s", str(error)), error
    assert error.result["changes"] == _ALL
