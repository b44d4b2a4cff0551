# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's own keys: SSH (client and host) and GPG. Made once, never used for anything else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.process import run

NAME = "fleet.livepatch lab"


@dataclass(frozen=True)
class Keys:
    """The files of the keys."""

    folder: Path

    @property
    def client(self) -> Path:
        """The private key that opens every guest."""
        return self.folder / "ssh"

    @property
    def host(self) -> Path:
        """The private host key of every guest."""
        return self.folder / "ssh-host"

    @property
    def known_hosts(self) -> Path:
        """What clients check the guests by."""
        return self.folder / "known_hosts"

    @property
    def public(self) -> Path:
        """The GPG key that packages and metadata are checked by."""
        return self.folder / "rpm.asc"

    @property
    def secret(self) -> Path:
        """The GPG key that packages and metadata are signed with."""
        return self.folder / "rpm-secret.asc"

    @property
    def stranger(self) -> Path:
        """A secret GPG key that no guest trusts."""
        return self.folder / "stranger-secret.asc"

    def make(self) -> None:
        """Make what is missing."""
        for path in (self.client, self.host):
            if not path.exists():
                run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", path])
        kind, key = self.host.with_suffix(".pub").read_text().split()[:2]
        # One line for all: ports change from run to run, the key does not.
        self.known_hosts.write_text(f"[127.0.0.1]:* {kind} {key}\n")
        if not self.public.exists():
            # Last, since its presence says that both are there.
            self.public.write_bytes(_make_gpg(self.secret))
        if not self.stranger.exists():
            _make_gpg(self.stranger)

    @contextmanager
    def signing(self, *, stranger: bool = False) -> Iterator[dict[str, str]]:
        """Give an environment in which gpg signs with the lab's key, or with the stranger's of the same name."""
        with _gnupg_home() as home:
            env = {"GNUPGHOME": str(home)}
            run(["gpg", "--batch", "--quiet", "--import", self.stranger if stranger else self.secret], env=env)
            yield env


def _make_gpg(secret: Path) -> bytes:
    """Write a new secret key, and return its public half."""
    with _gnupg_home() as home:
        env = {"GNUPGHOME": str(home)}
        gpg = ["gpg", "--batch", "--quiet"]
        run([*gpg, "--passphrase", "", "--quick-gen-key", NAME, "rsa3072", "sign", "never"], env=env)
        public = run([*gpg, "--armor", "--export", NAME], env=env)
        secret.write_bytes(run([*gpg, "--armor", "--export-secret-keys", NAME], env=env))
        secret.chmod(0o600)
        return public


@contextmanager
def _gnupg_home() -> Iterator[Path]:
    # gpg's agent opens sockets in its home, whose path must stay below 108 bytes: the lab's own folder may be too deep.
    home = Path(tempfile.mkdtemp(prefix="lab-gpg-", dir="/tmp"))
    try:
        yield home
    finally:
        run(["gpgconf", "--kill", "gpg-agent"], env={"GNUPGHOME": str(home)})
        shutil.rmtree(home, ignore_errors=True)
