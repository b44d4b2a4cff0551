# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of repositories that a host can have KMPs from. PRIVATE to the collection: it may change at any time."""

from typing import Any, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import LivepatchError
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._repository import (
    offers,
    registration,
    signed_repository,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._repository.changes import Changes


def configure_repository(host: Host, params: Dict[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Make the host have a repository of KMPs.

    :param params: the options of livepatch_repository.
    :raises LivepatchError: it has none; what was changed before is in the error's result.
    """
    changes = Changes(check_mode)
    try:
        _configure(host, params, changes)
    except LivepatchError as exc:
        exc.result.update(changes.to_result())
        raise
    return changes.to_result()


def _configure(host: Host, params: Dict[str, Any], changes: Changes) -> None:
    if params["kind"] == "url":
        repository = signed_repository.Repository(
            params["name"], params["url"] or "", params["key"] or "", params["fingerprint"], params["signed_metadata"]
        )
        signed_repository.configure(host, repository, changes)
    elif params["kind"] == "suseconnect":
        registration.activate(host, params["regcode"], changes)
    else:
        offers.require_kmps(host, params["kind"], signed_repository.LOCK_TIMEOUT)
