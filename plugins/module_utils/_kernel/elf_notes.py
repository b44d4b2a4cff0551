# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ELF notes and the build ID in them. PRIVATE to the collection: it may change at any time. Pure.

A note is three 32 bit words in the host's byte order (name size, description size, type), then the name and the
description, each padded to 4 bytes (Linux include/linux/elfnote.h; the kernel pads to 4 on 64 bit machines too).
"""

import re
import struct
from typing import Iterable, Iterator, List, NamedTuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured


class Note(NamedTuple):
    owner: bytes
    type: int
    description: bytes


NT_GNU_BUILD_ID = 3
# lib/buildid.c: BUILD_ID_SIZE_MAX
BUILD_ID_MAX = 20
# More than any kernel or module has
_NOTES_MAX = 1000


def _pad(size: int) -> int:
    return (size + 3) & ~3


def iterate_notes(data: bytes, byteorder: str) -> Iterator[Note]:
    """Iterate over the notes.

    :param byteorder: ``little`` or ``big``: that of the machine whose notes these are.
    :raises Unmeasured: the data end within a note, or there are more of them than in any kernel.
    """
    header = struct.Struct(("<" if byteorder == "little" else ">") + "III")
    offset = count = 0
    while offset < len(data):
        count += 1
        if count > _NOTES_MAX:
            raise Unmeasured(f"there are more than {_NOTES_MAX} ELF notes")
        if offset + header.size > len(data):
            raise Unmeasured(f"ELF notes are truncated after {len(data)} bytes")
        name_size, description_size, note_type = header.unpack_from(data, offset)
        name_at = offset + header.size
        description_at = name_at + _pad(name_size)
        end = description_at + description_size
        if end > len(data):
            raise Unmeasured(f"ELF notes are truncated after {len(data)} bytes")
        yield Note(data[name_at : name_at + name_size].rstrip(b"\0"), note_type, data[description_at:end])
        offset = description_at + _pad(description_size)


def read_row(data: bytes, byteorder: str) -> List[Note]:
    """Read the notes at the start of data that hold more than notes, as far as they look like notes."""
    notes = []
    try:
        for note in iterate_notes(data, byteorder):
            if not re.match(rb"[A-Za-z][ -~]{0,31}\Z", note.owner):
                break
            notes.append(note)
    except Unmeasured:
        pass
    return notes


def iterate_build_ids(notes: Iterable[Note]) -> Iterator[str]:
    """Iterate over the build IDs in hex: owner GNU *and* type 3, which others (Xen) use differently.

    :raises Unmeasured: one cannot be a build ID.
    """
    for note in notes:
        if note.owner == b"GNU" and note.type == NT_GNU_BUILD_ID:
            if not 1 <= len(note.description) <= BUILD_ID_MAX:
                raise Unmeasured(f"the GNU build ID note holds {len(note.description)} bytes")
            yield note.description.hex()


def parse_build_id(data: bytes, byteorder: str) -> str:
    """Parse the first build ID.

    :raises Unmeasured: there is none, or the notes cannot be read.
    """
    for first in iterate_build_ids(iterate_notes(data, byteorder)):
        return first
    raise Unmeasured("the ELF notes hold no GNU build ID")
