# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in a package that is not installed. PRIVATE to the collection: it may change at any time.

``rpm2cpio`` prints them as a cpio archive, which is read as it streams by: nothing is
written to the host's disk, and only the files that are asked for are kept.
"""

from typing import Callable, Dict

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import archive

_SECONDS = 120.0


def extract_files(host: Host, path: str, wanted: Callable[[str], bool]) -> Dict[str, bytes]:
    """The content of the wanted files of a package, by their absolute paths.

    :raises Unmeasured: the package cannot be unpacked, or holds something else than an archive of files.
    """
    stream = archive.Stream(host.pipe(["rpm2cpio", path], iter(()), _SECONDS))
    try:
        return archive.read_files(stream, wanted)
    except ValueError as exc:
        raise Unmeasured(f"{path} does not hold files that can be read: {exc}", "Download it again") from exc
