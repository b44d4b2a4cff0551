# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role repository trusts the keys that are pinned, and no others."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import openpgp
from tests.vendors.host import Repositories, VendorHost, prepare
from tests.vendors.packages import SUSE_NAME, Builder, Keyring, Kmp
from tests.vendors.root import Root

_PLAYBOOK = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"name": "Configure it", "ansible.builtin.import_role": {"name": "fleet.livepatch.repository"}}],
    }
]


@dataclasses.dataclass
class Role:
    host: VendorHost
    keys: Keyring
    url: str
    # The repository on the server, and a folder for the playbook
    repository: Path
    folder: Path

    def __call__(self, *keys: str, pinned: object = "", text: str = "") -> tuple[int, str]:
        """Run the role with a text of these keys; its exit code and its output in one line."""
        (self.folder / "playbook.yml").write_text(json.dumps(_PLAYBOOK))
        variables = {
            "repository_url": self.url,
            "repository_key": text or self.keys.public(*keys),
            "repository_fingerprint": pinned,
            "ansible_connection": "ansible.builtin.ssh",
            "ansible_ssh_executable": str(Path(__file__).parent / "ssh"),
            "ansible_ssh_transfer_method": "piped",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_become_exe": "/usr/bin/sudo",
        }
        (self.folder / "variables.json").write_text(json.dumps(variables))
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "chroot,", "-e", "@variables.json"]
        settings = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
        env = {**os.environ, "VENDORS_ROOT": str(self.host.root.folder), **settings}
        done = subprocess.run(
            [*command, "playbook.yml"], cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def trusted(self) -> set[str]:
        """Our names of the keys in the RPM database."""
        listed = self.host.run(["rpm", "-q", "--qf", "%{VERSION}\n", "gpg-pubkey"]).out.split()
        names = ("vendor", "twin", "stranger")
        return {name for name in names if self.keys.fingerprint(name)[-8:].lower() in listed}


@pytest.fixture
def role(root: Root, keys: Keyring, builder: Builder, served: tuple[Path, str], tmp_path: Path) -> Role:
    host = prepare(root, "zypper", builder, [])
    # zypper comes first: the role writes its repository's file
    shutil.rmtree(served[0])
    served[0].mkdir()
    repositories = Repositories(served[0], served[1], keys, host)
    repositories.add("livepatch", [builder.build_kmp(Kmp(name=SUSE_NAME))])
    (root.folder / "etc/zypp/repos.d/livepatch.repo").unlink()
    shutil.rmtree(root.folder / "etc/pki/rpm-gpg", ignore_errors=True)
    return Role(host, keys, f"{served[1]}/livepatch", served[0] / "livepatch", tmp_path)


def test_second_key_in_a_key_file(role: Role, table: list[tuple[str, ...]]) -> None:
    vendor, stranger = role.keys.fingerprint("vendor"), role.keys.fingerprint("stranger")
    two_blocks = role.keys.public("vendor") + role.keys.public("stranger")
    for text, pinned in ((two_blocks, vendor), (role.keys.public("vendor", "stranger"), "")):
        rc, output = role(text=text, pinned=pinned)
        assert rc == 2, output
        assert f"holds {vendor}, {stranger}, but livepatch_repository_fingerprint is" in output
        assert role.trusted() == set()
    table.append(("second key in a key file", "role repository", "refused, no key is imported", "refused"))


def test_pinned_keys(role: Role, table: list[tuple[str, ...]]) -> None:
    """The honest twins: one key, and two of which both are named."""
    vendor, twin = role.keys.fingerprint("vendor"), role.keys.fingerprint("twin")
    rc, output = role("vendor", pinned=vendor.lower())
    assert (rc, role.trusted()) == (0, {"vendor"}), output
    assert "changed=1" in output
    rc, output = role("vendor", pinned=vendor)
    assert (rc, role.trusted()) == (0, {"vendor"}), output
    assert "changed=0" in output
    two_blocks = role.keys.public("vendor") + role.keys.public("twin")
    rc, output = role(text=two_blocks, pinned=f"{vendor}, {twin}")
    assert (rc, role.trusted()) == (0, {"vendor", "twin"}), output
    table.append(("pinned keys", "role repository", "just these are imported", "just these are imported"))


def test_key_that_only_others_find(role: Role, table: list[tuple[str, ...]]) -> None:
    """rpm and gpg find keys in places where the host's code does not look. They get none that was not compared."""
    text, stranger = role.keys.public("vendor"), role.keys.public("stranger")
    (vendor,), (hidden,) = (openpgp.parse_public_keys(block) for block in (text, stranger))
    assert hidden.packets[0] == 0x99, "a public key in the old format, which becomes a subkey here"
    compressed = b"\xa3\x00" + hidden.packets
    texts = (
        text + stranger.partition("-----END")[0],
        text + stranger.replace("PUBLIC", "PRIVATE"),
        openpgp.format_armor(vendor.packets + b"\xb9" + hidden.packets[1:]),
        openpgp.format_armor(vendor.packets + compressed),
    )
    refused = 0
    for number, hiding in enumerate(texts):
        rc, output = role(text=hiding, pinned=vendor.fingerprint)
        assert role.trusted() == ({"vendor"} if rc == 0 or refused < number else set()), output
        refused += rc != 0
        written = (role.host.root.folder / "etc/pki/rpm-gpg/RPM-GPG-KEY-livepatch").read_text()
        assert written == openpgp.format_armor(vendor.packets)
    assert refused == 1, "compressed data without a length"
    table.append(("hidden key in a key file", "role repository", "only the pinned one is imported", "not imported"))


def test_files_and_metadata(role: Role, table: list[tuple[str, ...]]) -> None:
    """zypper takes what the role has written: its metadata are checked, and a stranger's are refused."""
    vendor = role.keys.fingerprint("vendor")
    rc, output = role("vendor", pinned=vendor)
    assert rc == 0, output
    offered = role.host.run(["zypper", "--non-interactive", "--no-refresh", "search", SUSE_NAME]).out
    assert SUSE_NAME in offered
    role.keys.sign_metadata(role.repository, "stranger")
    shutil.rmtree(role.host.root.folder / "var/cache/zypp")
    rc, output = role("vendor", pinned=vendor)
    assert rc == 2 and "is not signed with the key" in output, output
    assert role.trusted() == {"vendor"}
    table.append(("metadata of another key", "role repository", "refused, no key is imported", "refused"))


def test_dnf(role: Role, table: list[tuple[str, ...]]) -> None:
    """A host without zypper. dnf keeps the keys of metadata by itself, and is given just the pinned ones."""
    zypper = role.host.root.folder / "usr/bin/zypper"
    zypper.rename(zypper.with_name("zypper.hidden"))
    try:
        vendor = role.keys.fingerprint("vendor")
        for changed in (1, 0):
            rc, output = role("vendor", pinned=vendor)
            assert rc == 0 and f"changed={changed}" in output, output
        offered = role.host.run(["dnf", "--quiet", "--cacheonly", "repoquery", SUSE_NAME]).out
        assert SUSE_NAME in offered
        assert role.trusted() == {"vendor"}
        role.keys.sign_metadata(role.repository, "stranger")
        rc, output = role("vendor", pinned=vendor)
        assert rc == 2 and "is not signed with the key" in output, output
    finally:
        zypper.with_name("zypper.hidden").rename(zypper)
    table.append(("metadata of another key", "role repository, dnf", "refused", "refused"))
