# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A repository of one's own: its keys, its file and its metadata. PRIVATE: it may change at any time."""

from typing import Dict, NamedTuple, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import ImportFailed, RepositoryDown
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import managers, rpm
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.openpgp import PublicKey
from ansible_collections.fleet.livepatch.plugins.module_utils._repository import key_file, repository_file
from ansible_collections.fleet.livepatch.plugins.module_utils._repository.changes import Changes

# Seconds to wait for another program's lock
LOCK_TIMEOUT = 60


class Repository(NamedTuple):
    name: str
    url: str
    # The text of its keys, and the fingerprints that are pinned
    key: str
    fingerprints: Sequence[str]
    signed_metadata: bool


def configure(host: Host, repository: Repository, changes: Changes) -> None:
    """Make the host trust the pinned keys and know the repository.

    :raises LivepatchError: that is not possible, or the repository does not answer.
    """
    name = repository.name
    repository_file.validate_name(name)
    repository_file.validate_url(repository.url)
    keys = key_file.select_pinned_keys(repository.key, repository.fingerprints)
    manager = managers.find_manager(host, LOCK_TIMEOUT)

    folder, path = repository_file.KEY_FOLDER, repository_file.format_key_path(name)
    if not host.has_folder(folder, 0o755):
        changes.make(f"create {folder}", lambda: host.make_folder(folder, 0o755))
    _ensure_file(host, path, key_file.format_key_file(keys), 0o644, changes)
    _ensure_keys(host, path, keys, changes)
    text = repository_file.format_repository_file(name, repository.url, repository.signed_metadata)
    # An address may hold a password or a token.
    _ensure_file(host, f"{manager.repository_folder}/{name}.repo", text, 0o600, changes)
    if changes.check_mode:
        return
    try:
        manager.refresh_repository(name)
    except RepositoryDown as exc:
        raise RepositoryDown(
            f"repository {name} is configured, but does not answer or is not signed with the key: {exc}",
            "Check that this host reaches livepatch_repository_url, and that the repository is signed with "
            "livepatch_repository_key, and not with a subkey that livepatch_repository_fingerprint does not name",
        ) from None


def _ensure_file(host: Host, path: str, text: str, mode: int, changes: Changes) -> None:
    if not host.is_saved(path, text, mode):
        changes.make(f"write {path}", lambda: host.save(path, text, mode))


def _ensure_keys(host: Host, path: str, keys: Sequence[PublicKey], changes: Changes) -> None:
    """Import the keys, if one of them is not trusted, and see that no other one has come with them."""
    pinned = {fingerprint: key.owner for key in keys for fingerprint in key.fingerprints}
    before = _list_trusted(host)
    missing = [fingerprint for fingerprint in pinned if fingerprint not in before]
    if not missing:
        return
    named = ", ".join(str(rpm.Signer(fingerprint, pinned[fingerprint])) for fingerprint in missing)
    changes.make(f"import into RPM: {named}", lambda: rpm.import_keys(host, path))
    if changes.check_mode:
        return
    after = _list_trusted(host)
    strangers = [signer for fingerprint, signer in after.items() if fingerprint not in {**before, **pinned}]
    if strangers:
        left = [signer for signer in strangers if not rpm.remove_key(host, signer.fingerprint)]
        raise ImportFailed(
            "RPM has imported keys with those of {} that are not pinned: {}".format(
                path, ", ".join(map(str, strangers))
            ),
            "Remove them (rpm -e): {}".format(", ".join(map(str, left))) if left else "They were removed again",
        )
    missing = [fingerprint for fingerprint in pinned if fingerprint not in after]
    if missing:
        raise ImportFailed(
            "RPM has imported {}, and does not trust {}".format(path, ", ".join(missing)),
            "It may have an older version of the key: remove that one (rpm -q gpg-pubkey, rpm -e), and try again",
        )


def _list_trusted(host: Host) -> Dict[str, rpm.Signer]:
    """Who owns the keys that the host trusts, by the fingerprints of these and of their subkeys."""
    return {
        fingerprint: rpm.Signer(fingerprint, key.owner)
        for key in rpm.list_public_keys(host)
        for fingerprint in key.fingerprints
    }
