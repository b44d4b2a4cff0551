# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys that a repository's owner has published, and those of them that the host may trust. PRIVATE to the
collection: it may change at any time. Pure.
"""

import re
from typing import List, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import openpgp
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.openpgp import PublicKey

# Of a text with keys; they have some KiB
_SIZE_MAX = 1 << 20
_UNCHANGED = "Nothing was changed. Compare them with the repository's owner"


def select_pinned_keys(text: str, fingerprints: Sequence[str]) -> List[PublicKey]:
    """Select the keys of a text that the host may trust.

    All of its keys must be pinned, or it must have one key. Subkeys are keys of their own to rpm, of which older ones
    do not even check that they belong to the primary key: those that are not pinned are left out.

    :param fingerprints: that are pinned; none, where the text itself is trusted.
    :raises BadOption: the text has other keys, or none.
    """
    keys = _parse_text(text)
    pinned = _parse_fingerprints(fingerprints)
    primary = [key.fingerprint for key in keys]
    known = {fingerprint for key in keys for fingerprint in key.fingerprints}
    if len(set(primary)) < len(primary):
        raise BadOption(
            "livepatch_repository_key holds a key twice, in two versions: {}".format(", ".join(primary)),
            f"{_UNCHANGED}, and remove the older version",
        )
    if (set(primary) - set(pinned) or set(pinned) - known) if pinned else len(primary) > 1:
        raise BadOption(
            "livepatch_repository_key holds {}, but livepatch_repository_fingerprint is {}".format(
                ", ".join(primary), ", ".join(pinned) or "empty, which is for one key"
            ),
            f"{_UNCHANGED}, and name all the keys of the text or remove the others",
        )
    return [_drop_subkeys(key, pinned) for key in keys] if pinned else keys


def format_key_file(keys: Sequence[PublicKey]) -> str:
    """Format the keys as text, each in a block of its own, which all versions of rpm import."""
    return "".join(
        openpgp.format_armor(b"".join([key.packets, *(subkey.packets for subkey in key.subkeys)])) for key in keys
    )


def _parse_text(text: str) -> List[PublicKey]:
    if openpgp.BEGIN not in text:
        raise BadOption(
            f"livepatch_repository_key must be the text of the repository's public key ({openpgp.BEGIN})",
            "The key is required: the host installs no package whose signature it cannot check",
        )
    if len(text) > _SIZE_MAX:
        raise BadOption(f"livepatch_repository_key is longer than {_SIZE_MAX} characters")
    try:
        keys = openpgp.parse_public_keys(text)
    except ValueError as exc:
        raise BadOption(f"livepatch_repository_key is not a public key, or a damaged one ({exc})", _UNCHANGED) from exc
    if not keys:
        raise BadOption("livepatch_repository_key is not a public key, or one without its end", _UNCHANGED)
    return list(dict.fromkeys(keys))


def _parse_fingerprints(fingerprints: Sequence[str]) -> List[str]:
    """Parse fingerprints as gpg and vendors' pages print them: with blanks or colons, in any case."""
    parts = [part for fingerprint in fingerprints for part in fingerprint.split(",")]
    parsed = [re.sub(r"[\s:]", "", part).upper() for part in parts]
    for part, fingerprint in zip(parts, parsed):
        if fingerprint and not openpgp.FINGERPRINT.match(fingerprint):
            raise BadOption(
                f"livepatch_repository_fingerprint has {part.strip()[:80]!r}, which is not a fingerprint",
                "Give all of it, 40 or 64 hexadecimal digits, as gpg --show-keys prints it",
            )
    return list(dict.fromkeys(filter(None, parsed)))


def _drop_subkeys(key: PublicKey, pinned: Sequence[str]) -> PublicKey:
    return key._replace(subkeys=tuple(subkey for subkey in key.subkeys if subkey.fingerprint in pinned))
