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
        env = {**os.environ, "VENDORS_ROOT": str(self.host.root.folder), "ANSIBLE_PIPELINING": "1"}
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
    return Role(host, keys, f"{served[1]}/livepatch", tmp_path)


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
    two_blocks = role.keys.public("vendor") + role.keys.public("twin")
    rc, output = role(text=two_blocks, pinned=f"{vendor}, {twin}")
    assert (rc, role.trusted()) == (0, {"vendor", "twin"}), output
    table.append(("pinned keys", "role repository", "just these are imported", "just these are imported"))
