# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in a package that is not installed. PRIVATE to the collection: it may change at any time.

``rpm2cpio`` prints them as a cpio archive, which is read as it streams by: nothing is
written to the host's disk, and only the files that are asked for are kept.
"""

import contextlib
from typing import Callable, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Malformed, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import archive, unpack

_SECONDS = 120.0
_LARGEST = 1 << 30


def extract_files(host: Host, path: str, wanted: Callable[[str], bool]) -> Dict[str, bytes]:
    """The content of the wanted files of a package, by their absolute paths.

    :raises Unmeasured: the package cannot be unpacked, or holds something else than an archive of files.
    """
    budget = unpack.Budget(host, _LARGEST, _SECONDS, path)
    try:
        with contextlib.closing(budget.meter(host.pipe(["rpm2cpio", path], iter(()), _SECONDS))) as pieces:
            return archive.read_files(archive.Stream(pieces), wanted)
    except MemoryError as exc:
        raise Unmeasured(f"reading {path} takes more memory than there is") from exc
    except archive.Truncated as exc:
        # Perhaps since rpm2cpio was killed
        raise Unmeasured(f"{path} does not hold files that can be read: {exc}", "Download it again") from exc
    except ValueError as exc:
        raise Malformed(f"{path} does not hold files that can be read: {exc}") from exc
