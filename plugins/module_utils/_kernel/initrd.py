# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which live patches an initrd holds. PRIVATE to the collection: it may change at any time.

An initrd is one or more cpio archives, each of which may be compressed
(Documentation/driver-api/early-userspace/buffer-format.rst).
"""

import contextlib
from typing import List, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import archive, unpack

# SUSE's, Red Hat's and Debian's place of the initrd of the kernel with release {0}
_PLACES = ("/boot/initrd-{0}", "/boot/initramfs-{0}.img", "/boot/initrd.img-{0}")


def find_initrd(host: Host, release: str) -> Optional[str]:
    return next((path.format(release) for path in _PLACES if host.get_mtime(path.format(release)) is not None), None)


def list_modules(host: Host, path: str) -> List[str]:
    """List the names of the livepatch modules' files in an initrd.

    :raises Unmeasured: it cannot be read.
    """
    names: List[str] = []

    def note(name: str) -> bool:
        if _kmp_names.is_module(name):
            names.append(name.rpartition("/")[2])
        return False

    budget = unpack.Budget(host, name=path)
    stream = archive.Stream(budget.meter(host.read_pieces(path)))
    try:
        while True:
            stream.skip_zeros()
            start = stream.peek(16)
            if not start:
                return sorted(names)
            if archive.is_archive(start):
                archive.read_files(stream, note)
                continue
            kind = unpack.recognise_format(start)
            if kind is None:
                raise Unmeasured(f"{path} is not a readable initrd: it has a part that begins with {start[:6]!r}")
            # The last one: nothing shows where packed data end.
            with contextlib.closing(unpack.unpack(host, kind, stream.rest(), budget)) as pieces:
                inner = archive.Stream(pieces)
                inner.skip_zeros()
                archive.read_files(inner, note)
            return sorted(names)
    except MemoryError as exc:
        raise Unmeasured(f"reading {path} takes more memory than there is") from exc
    except ValueError as exc:
        raise Unmeasured(f"{path} is not a readable initrd: {exc}", "Rebuild it (dracut --force)") from exc
