# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role repository: on a host with zypper, and with stand-ins for the tools of vendors that are not at hand."""

from __future__ import annotations

import json
import subprocess
import typing as t

import pytest

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support.controller import Controller, Run

_ROLE = {"ansible.builtin.import_role": {"name": "fleet.livepatch.repository"}, "name": "Set up the repository"}


class Role:
    """The role on one host."""

    def __init__(self, lab: Lab, controller: Controller, host: Host) -> None:
        self._lab, self._controller, self.host = lab, controller, host
        self.url = lab.repository.url("main")
        self.key = lab.keys.public.read_text()

    def __call__(self, *arguments: str, **variables: t.Any) -> Run:
        told = {"repository_url": self.url, "repository_key": self.key, **variables}
        play = [{"hosts": self.host.name, "gather_facts": False, "vars": told, "tasks": [_ROLE]}]
        path = self._controller.folder / "repository.yml"
        path.write_text(json.dumps(play))
        return self._controller.run([str(path), "-i", str(self._lab.inventory), *arguments])


@pytest.fixture(scope="module")
def role(lab: Lab, controller: Controller) -> Role:
    """A host that knows no repository and trusts nobody."""
    lab.up(1, fresh=True)
    host = lab.host("lp1")
    host.ssh("sudo rm -r /etc/zypp/repos.d/lab.repo /var/cache/zypp/raw; sudo rpm -e --allmatches gpg-pubkey")
    return Role(lab, controller, host)


def _state(host: Host) -> str:
    return host.ssh(
        "(ls -R /etc/zypp/repos.d /etc/pki; cat /etc/zypp/repos.d/*; rpm -q gpg-pubkey) 2>/dev/null", check=False
    )


def _fingerprint(key: str) -> str:
    shown = subprocess.run(
        ["gpg", "--batch", "--with-colons", "--show-keys"], input=key, text=True, capture_output=True, check=True
    ).stdout
    return next(line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr:"))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"repository_fingerprint": "0123 " * 10},
            "livepatch_repository_fingerprint is 0123012301230123012301230123012301230123",
        ),
        ({"repository_key": ""}, "The key is required"),
        (
            {"repository_key": "-----BEGIN PGP PUBLIC KEY BLOCK-----\nnonsense"},
            "livepatch_repository_key is not a public key",
        ),
        ({"repository_url": "mirror.example.com"}, "must be an address that begins with https://, http:// or file://"),
    ],
    ids=["another fingerprint", "no key", "not a key", "no address"],
)
def test_bad_input_changes_nothing(role: Role, variables: dict[str, str], words: str) -> None:
    before = _state(role.host)
    run = role(**variables)
    assert run.rc == 2
    assert words in " ".join(run.output.split()), run.output
    assert run.changed == 0
    assert _state(role.host) == before


def _spaced(fingerprint: str) -> str:
    """As gpg and vendors' pages print it."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, 40, 4))


def test_check_mode_tells_and_does_nothing(role: Role) -> None:
    before = _state(role.host)
    checked = role("--check", "--diff")
    assert checked.rc == 0, checked.output
    assert checked.changed > 0
    assert "write /etc/zypp/repos.d/livepatch.repo" in checked.output.splitlines()
    assert _state(role.host) == before


@pytest.fixture(scope="module")
def first(role: Role) -> Run:
    return role(repository_fingerprint=_spaced(_fingerprint(role.key).lower()))


def test_set_up(role: Role, first: Run) -> None:
    assert first.rc == 0, first.output
    assert first.changed > 0
    assert "kernel-livepatch-" in role.host.ssh("sudo zypper --no-refresh search kernel-livepatch")


def test_set_up_again(role: Role, first: Run) -> None:
    again = role(repository_fingerprint=_fingerprint(role.key))
    assert (again.rc, again.changed) == (0, 0), again.output


def test_no_answer(role: Role) -> None:
    run = role(repository_url="http://10.0.2.2:1/nothing", repository_name="other")
    assert run.rc == 2
    assert "repository other is configured, but does not answer" in " ".join(run.output.split())
    role.host.ssh("sudo rm /etc/zypp/repos.d/other.repo")


_REGISTERED = [{"identifier": "SLES", "version": "15.4", "arch": "x86_64", "status": "Registered"}]
_ACTIVE = [*_REGISTERED, {"identifier": "sle-module-live-patching", "version": "15.4", "status": "Registered"}]


@pytest.mark.parametrize(
    ("products", "rc", "asked", "words"),
    [
        (_REGISTERED, 0, "-p sle-module-live-patching/15.4/x86_64", ""),
        (_ACTIVE, 0, "", ""),
        ([{"identifier": "SLES", "status": "Not Registered"}], 2, "", "this system is not registered"),
    ],
    ids=["activated", "active", "not registered"],
)
def test_suseconnect(role: Role, products: t.Any, rc: int, asked: str, words: str) -> None:
    """A stand-in for SUSEConnect, on a host that says it is SLES."""
    tool = f"#!/bin/sh\n[ $1 = --status ] && echo '{json.dumps(products)}' || echo $* >>/tmp/asked\n"
    release = 'NAME="SLES"\nVERSION="15-SP4"\nVERSION_ID="15.4"\nID="sles"\nPRETTY_NAME="SLES 15 SP4"\n'
    role.host.ssh(
        f"printf %s {_quoted(tool)} | sudo tee /usr/sbin/SUSEConnect; sudo chmod 755 /usr/sbin/SUSEConnect;"
        f" printf %s {_quoted(release)} | sudo tee /run/os-release; sudo rm -f /tmp/asked;"
        " sudo mount --bind /run/os-release /etc/os-release"
    )
    try:
        run = role(repository_kind="suseconnect")
        assert run.rc == rc, run.output
        assert words in " ".join(run.output.split())
        assert role.host.ssh("cat /tmp/asked", check=False).strip() == asked or not asked
        assert run.changed == bool(asked)
    finally:
        role.host.ssh("sudo umount /etc/os-release; sudo rm -f /usr/sbin/SUSEConnect")


@pytest.mark.parametrize(
    ("kind", "said", "words"),
    [
        ("suse_manager", None, ""),
        ("rhel", r"kpatch-patch-4_18_0-305\0370\0371-1.el8\037x86_64\037rhel\037\036", ""),
        ("rhel", "", "check subscription-manager status"),
        ("amazon", "", "on Amazon Linux 2023 install kpatch-dnf"),
    ],
    ids=["SUSE Manager", "RHEL", "RHEL without", "Amazon without"],
)
def test_offered(role: Role, kind: str, said: str | None, words: str) -> None:
    """SUSE Manager's channels are zypper's repositories; for dnf there is a stand-in."""
    if said is not None:
        tool = f"#!/bin/sh\nprintf '{said}'\n"
        role.host.ssh(f"printf %s {_quoted(tool)} | sudo tee /usr/bin/dnf; sudo chmod 755 /usr/bin/dnf")
    run = role(repository_kind=kind)
    assert run.rc == (2 if words else 0), run.output
    assert words in " ".join(run.output.split())
    assert run.changed == 0
    role.host.ssh("sudo rm -f /usr/bin/dnf")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
