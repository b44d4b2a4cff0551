# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role repository over fake hosts: what it changes and shows, and that it shows no secret."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Sequence

import pytest

from tests.support import cores, factories
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost

_KEY = factories.public_key("vendor", "The vendor")
_PINNED = factories.fingerprint("vendor")
_ROLE = {"name": "Configure it", "ansible.builtin.import_role": {"name": "fleet.livepatch.repository"}}
_CHANGES = [
    "create /etc/pki/rpm-gpg",
    "write /etc/pki/rpm-gpg/RPM-GPG-KEY-livepatch",
    f"import into RPM: The vendor ({_PINNED})",
    "write /etc/zypp/repos.d/livepatch.repo",
]


@pytest.fixture(scope="module", params=cores.EACH)
def fake_fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(request.param))


class Role:
    def __init__(self, fleet: FakeFleet) -> None:
        self.fleet = fleet

    def make(self, conditions: t.Mapping[str, t.Any], **variables: t.Any) -> None:
        settings = {"livepatch_repository_url": "https://mirror.example.com/main", "livepatch_repository_key": _KEY}
        self.fleet.make({"a1": FakeHost(conditions)}, {}, common={**settings, **variables})

    def __call__(self, *arguments: str) -> Run:
        play = [{"hosts": "all", "gather_facts": False, "tasks": [_ROLE]}]
        path = self.fleet.inventory.parent / "repository.yml"
        path.write_text(json.dumps(play))
        return self.fleet.again([str(path), *arguments])


@pytest.fixture
def role(fake_fleet: FakeFleet) -> Role:
    return Role(fake_fleet)


def _result(run: Run) -> t.Mapping[str, t.Any]:
    return run.ended("livepatch_repository")["a1"].result


def _list_imports(role: Role) -> list[str]:
    return [command for command in role.fleet.commands("a1") if "--import" in command]


def _diff(run: Run) -> Sequence[str]:
    return [line for line in run.output.splitlines() if line in _CHANGES]


def test_changes(role: Role) -> None:
    spaced = ":".join(_PINNED[at : at + 2] for at in range(0, 40, 2)).lower()
    role.make({}, livepatch_repository_fingerprint=spaced)
    for arguments, changes in ((["--check", "--diff"], _CHANGES), (["--diff"], _CHANGES), (["--diff"], [])):
        run = role(*arguments)
        assert (run.rc, run.changed) == (0, bool(changes)), run.output
        assert _result(run)["changes"] == _diff(run) == changes
        assert len(_list_imports(role)) == ("--check" not in arguments)
    text = (role.fleet.folder("a1") / "root/etc/zypp/repos.d/livepatch.repo").read_text()
    assert "baseurl=https://mirror.example.com/main\n" in text and "repo_gpgcheck=1\n" in text


@pytest.mark.parametrize("blank", ["", None])
def test_blank_means_the_default(role: Role, blank: str | None) -> None:
    names = ("kind", "name", "fingerprint", "signed_metadata", "regcode")
    role.make({}, **{f"livepatch_repository_{name}": blank for name in names})
    run = role()
    assert (run.rc, _result(run)["changes"]) == (0, _CHANGES), run.output


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:s%40cret@mirror.example.com/main", "accessing 'https://mirror.example.com/main'. Is it down?"),
        ("https://mirror.example.com/main?auth=s%40cret", "accessing 'https://mirror.example.com/main?..."),
        ("https://mirror.example.com/main", "accessing 'https://mirror.example.com/main'. Is it down?"),
    ],
    ids=["password", "token", "neither"],
)
def test_no_secret_of_an_address_is_shown(role: Role, url: str, shown: str) -> None:
    refused = f"Timeout exceeded when accessing\n'{url}'. Is it down?"
    role.make({"refresh_fails": refused}, livepatch_repository_url=url, livepatch_repository_regcode="LP-C0DE")
    for arguments in (["--check", "--diff", "-vvv"], ["--diff", "-vvv"]):
        run = role(*arguments)
        assert run.rc == (0 if "--check" in arguments else 2), run.output
        assert "cret" not in run.output and "LP-C0DE" not in run.output
        assert "cret" not in json.dumps(_result(run)) and "LP-C0DE" not in json.dumps(_result(run))
    assert (
        "repository livepatch is configured, but does not answer or is not signed with the key: " in _result(run)["msg"]
    )
    assert shown in _result(run)["msg"]
    assert _result(run)["changed"] and _result(run)["changes"] == _CHANGES
    text = (role.fleet.folder("a1") / "root/etc/zypp/repos.d/livepatch.repo").read_text()
    assert f"baseurl={url}\n" in text


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"livepatch_repository_url": "me:secret@mirror"}, "livepatch_repository_url must be an address"),
        ({"livepatch_repository_url": ""}, "livepatch_repository_url must be an address"),
        ({"livepatch_repository_url": "https://me:secret@m/x\ngpgcheck=0"}, "without blanks, commas and line breaks"),
        ({"livepatch_repository_name": "a\n[b"}, "livepatch_repository_name is 'a\\n[b', and must be a word"),
        ({"livepatch_repository_key": ""}, "The key is required"),
        ({"livepatch_repository_fingerprint": "0123 " * 10}, "livepatch_repository_fingerprint is 01230123"),
        (
            {"livepatch_repository_fingerprint": [_PINNED, "A" * 40]},
            f"livepatch_repository_fingerprint is {_PINNED}, A",
        ),
        ({"livepatch_repository_kind": "rhel"}, "no repository of this host offers KMPs"),
        ({"livepatch_repository_kind": "suseconnect"}, "this system is not registered"),
    ],
)
def test_refused(role: Role, variables: t.Mapping[str, t.Any], words: str) -> None:
    role.make({}, **variables)
    run = role("-vvv")
    assert (run.rc, run.changed) == (2, 0), run.output
    assert words in _result(run)["msg"]
    assert "secret" not in run.output
